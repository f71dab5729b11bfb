"""deploy.sh: the first deployment, later ones, what it refuses, and being killed anywhere."""

from pathlib import Path

from world import CHANGING, DEEPSEEK, PARAMETERS, WEBHOOK, Case, Product


def table_change(action, replacement=None, cause="KeySchema"):
    change = {
        "Action": action,
        "LogicalResourceId": "AccountsTable",
        "ResourceType": "AWS::DynamoDB::Table",
        "PhysicalResourceId": "citipen-accounts",
        "Details": [{"Target": {"Attribute": "Properties", "Name": cause}}],
    }
    return [{"ResourceChange": change | ({"Replacement": replacement} if replacement else {})}]


class FirstDeployment(Case):
    def test_secrets_lie_in_the_store_between_two_deployments(self):
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        first, second = self.world.stack["history"]
        self.assertEqual((first["Schedules"], first["ApiUrl"]), ("DISABLED", ""))
        self.assertEqual((second["Schedules"], second["ApiUrl"]), ("ENABLED", self.world.services.address))
        self.assertEqual(second["SecretsPath"], "/citipen/")
        verbs = self.world.verbs()
        executed = [at for at, verb in enumerate(verbs) if verb == "execute-change-set"]
        puts = [at for at, verb in enumerate(verbs) if verb == "put-parameter"]
        self.assertTrue(executed[0] < min(puts) and max(puts) < executed[1], verbs)
        self.assertTrue(self.world.stack["is_protected"])
        self.assertIn("/v1/webhooks/clerk", output)
        order = [line.split()[0] + " " + line.split()[1] if " " in line else line for line in self.programs()]
        self.assertEqual(order, ["sam --version", "validate.sh", "sam build", "sam package"])

    def programs(self):
        return [line for line in self.world.programs().splitlines() if not line.startswith(("sleep", "cargo"))]

    def test_what_is_stored_is_what_the_file_has_and_what_was_made(self):
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        stored = self.world.stored()
        self.assertEqual(stored["DEEPSEEK_API_KEY"], DEEPSEEK)
        self.assertEqual(stored["CLERK_WEBHOOK_SECRET"], WEBHOOK)
        made = {"PSEUDONYM_PEPPER", "QUOTE_SECRET", "SEALING_KEYS"}
        self.assertEqual(set(stored), made | {"DEEPSEEK_API_KEY", "CLERK_WEBHOOK_SECRET"})
        self.assertRegex(stored["SEALING_KEYS"], r"^k[0-9]{8}:[A-Za-z0-9+/]{43}=$")
        self.assertGreaterEqual(len(stored["PSEUDONYM_PEPPER"]), 32)
        for call in self.world.calls("put-parameter"):
            self.assertIn("alias/citipen-data", call)
            self.assertIn("SecureString", call)

    def test_no_secret_stands_in_arguments_or_output(self):
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        seen = output + str(self.world.calls()) + self.world.programs() + str(self.world.state)
        for name, value in self.world.stored().items():
            for part in (value, value.split(":")[-1]):
                self.assertNotIn(part, seen, name)

    def test_asks_before_anything_is_done(self):
        self.refused(self.world.run("deploy.sh", "citipen", given="n\n"), "account 123456789012", "Nothing was done")
        self.assertNotIn("create-change-set", self.world.verbs())
        self.assertNotIn("sam build", self.world.programs())

    def test_another_stack_has_names_of_its_own(self):
        self.world.write("second.parameters", PARAMETERS)
        self.world.write("second.secrets", "FAL_KEY=a:b\n")
        self.passed(self.world.run("deploy.sh", "citipen", "second", "--yes"))
        given = self.world.state["stacks"]["second"]["history"][1]
        self.assertEqual((given["TablePrefix"], given["SecretsPath"], given["Profile"]), ("second-", "/second/", "citipen"))

    def test_a_domain_is_the_address_from_the_start(self):
        self.world.write("citipen.parameters", PARAMETERS + "DomainName=127.0.0.1\n")
        output = self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "does not answer")
        self.assertEqual({given["ApiUrl"] for given in self.world.stack["history"]}, {"https://127.0.0.1"})
        # Kept elsewhere, it can't answer before somebody has made this record.
        self.assertIn("127.0.0.1 must be a CNAME of d-1.execute-api.example.net", output)
        self.assertIn("https://127.0.0.1/v1/webhooks/clerk", output)

    def test_schedules_stay_off_when_the_file_says_so(self):
        self.world.write("citipen.parameters", PARAMETERS + "Schedules=DISABLED\n")
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual({given["Schedules"] for given in self.world.stack["history"]}, {"DISABLED"})

    def test_a_failed_creation_is_kept_and_gone_on_from(self):
        self.world.change(next_status="CREATE_FAILED")
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "CREATE_FAILED", "the quota is reached")
        self.assertEqual(self.world.stored(), {})
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual([given["Schedules"] for given in self.world.stack["history"]], ["DISABLED", "DISABLED", "ENABLED"])

    def test_a_service_that_does_not_answer_fails(self):
        Product.broken = {"/v1/pricing"}
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "failed  GET /v1/pricing tells tools: status 500")


CHANGES = (
    ["cp", "create-change-set", "execute-change-set", "update-termination-protection"]
    + ["put-parameter"] * 5
    + ["create-change-set", "execute-change-set", "cp"]
)


class Killed(Case):
    """A first deployment whose script is killed right after one of its changes and started again ends like any other.
    Killed right before a change, it would be as after the one before it."""

    def test_these_are_all_the_changes(self):
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual([verb for verb in self.world.verbs() if verb in CHANGING], CHANGES)

    def ends_like_any_other(self, number):
        self.world.change(kill_at=[number, "after"])
        killed = self.world.run("deploy.sh", "citipen", "--yes")
        self.assertEqual(killed.code, -9, killed.output)
        before = self.world.stored()
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        after = self.world.stored()
        self.assertEqual(before, {name: after[name] for name in before}, "what was stored is never made again")
        made = {"PSEUDONYM_PEPPER", "QUOTE_SECRET", "SEALING_KEYS"}
        self.assertEqual(set(after), made | {"DEEPSEEK_API_KEY", "CLERK_WEBHOOK_SECRET"})
        stack = self.world.stack
        self.assertTrue(stack["status"].endswith("_COMPLETE") and stack["is_protected"], stack)
        self.assertEqual(stack["parameters"]["Schedules"], "ENABLED")
        self.assertEqual(stack["parameters"]["ApiUrl"], self.world.services.address)


for at, changing in enumerate(CHANGES, 1):
    # One secret in the middle is like the next.
    if at not in (6, 8):
        name = f"test_killed_after_change_{at:02}_{changing.replace('-', '_')}"
        setattr(Killed, name, lambda self, at=at: self.ends_like_any_other(at))


class LaterDeployment(Case):
    def setUp(self):
        super().setUp()
        self.world.have_stack()
        self.world.have_secrets()

    def code_changes(self):
        with (self.world.root / "template.yaml").open("a") as file:
            file.write("# changed\n")

    def test_one_pass_that_is_shown_first(self):
        self.code_changes()
        output = self.passed(self.world.run("deploy.sh", "citipen", given="y\ny\n"))
        self.assertIn("~ RunTool", output)
        self.assertEqual(len(self.world.calls("execute-change-set")), 1)
        self.assertEqual(self.world.calls("put-parameter"), [])

    def test_no_is_no(self):
        self.code_changes()
        self.refused(self.world.run("deploy.sh", "citipen", given="y\nn\n"), "Nothing was done")
        self.assertEqual(self.world.calls("execute-change-set"), [])

    def test_switching_schedules_on_again_is_shown_first(self):
        self.world.write("citipen.parameters", PARAMETERS + "Schedules=DISABLED\n")
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.world.write("citipen.parameters", PARAMETERS)
        self.refused(self.world.run("deploy.sh", "citipen", given="y\nn\n"), "Carry this out?", "Nothing was done")
        self.assertEqual(self.world.stack["parameters"]["Schedules"], "DISABLED")
        self.passed(self.world.run("deploy.sh", "citipen", given="y\ny\n"))
        self.assertEqual(self.world.stack["parameters"]["Schedules"], "ENABLED")

    def test_a_domain_that_goes_is_no_address_any_more(self):
        gone = "https://gone.example.com"
        stacks = self.world.state["stacks"]
        stacks["citipen"]["parameters"] |= {"DomainName": "gone.example.com", "ApiUrl": gone}
        stacks["citipen"]["outputs"]["ApiUrl"] = gone
        self.world.change(stacks=stacks)
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual([g["ApiUrl"] for g in self.world.stack["history"]], ["", self.world.services.address])
        self.assertEqual(self.world.stack["parameters"].get("DomainName", ""), "")

    def test_nothing_new_changes_nothing(self):
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.world.forget_calls()
        self.assertIn("nothing changes", self.passed(self.world.run("deploy.sh", "citipen", "--yes")))
        self.assertEqual(self.world.calls("execute-change-set"), [])
        self.assertEqual(self.world.stack["change_sets"], {})

    def test_a_lost_table_is_refused(self):
        for action, replacement, says in (
            ("Remove", None, "would be removed"),
            ("Modify", "True", "would be replaced, because of KeySchema"),
            ("Modify", "Conditional", "might be replaced"),
        ):
            with self.subTest(action=action, replacement=replacement):
                self.code_changes()
                self.world.change(next_changes=table_change(action, replacement))
                self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "AccountsTable", says)
                self.assertEqual(self.world.calls("execute-change-set"), [])
                self.assertEqual(self.world.stack["change_sets"], {})

    def test_a_table_that_only_changes_is_not_refused(self):
        self.code_changes()
        self.world.change(next_changes=table_change("Modify", "False"))
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))

    def test_a_table_may_go_when_it_is_named(self):
        self.code_changes()
        self.world.change(next_changes=table_change("Remove"))
        self.passed(self.world.run("deploy.sh", "citipen", "--yes", "--let-go", "AccountsTable"))

    def test_a_deployment_can_be_gone_back_to_without_building(self):
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        first = self.passed(self.world.run("deploy.sh", "citipen", "--list")).splitlines()[-1].strip()
        self.assertRegex(first, r"^\d{8}T\d{6}Z-[0-9a-f]{10}")
        before = self.world.stack["template"]
        self.code_changes()
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertNotEqual(self.world.stack["template"], before)
        self.world.forget_calls()
        self.passed(self.world.run("deploy.sh", "citipen", "--rollback", first, "--yes"))
        self.assertEqual(self.world.stack["template"], before)
        self.assertNotIn("sam", self.world.programs())

    def deployed(self, **parameters):
        """The name that a deployment with these in its file is recorded under."""
        before = set(self.recorded())
        self.world.write("citipen.parameters", PARAMETERS + "".join(f"{k}={v}\n" for k, v in parameters.items()))
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        (new,) = set(self.recorded()) - before
        return new.split(".")[0]

    def recorded(self):
        return [file.name for file in (self.world.cloud / "s3/artifacts").rglob("*.parameters.json")]

    def add_parameter(self, name):
        path = self.world.root / "template.yaml"
        path.write_text(path.read_text().replace("Resources:", f"  {name}:\n    Type: String\n    Default: \"\"\nResources:", 1))

    def test_going_back_takes_the_template_and_leaves_the_parameters(self):
        first = self.deployed(BankAccount="OLD", Schedules="DISABLED")
        self.add_parameter("TronWallet")
        self.deployed(BankAccount="NEW", Schedules="ENABLED", TronWallet="T1")
        # Edited since and not deployed: nothing of it.
        self.world.write("citipen.parameters", PARAMETERS + "BankAccount=NEXT\n")
        today = self.world.stack["parameters"]
        output = self.passed(self.world.run("deploy.sh", "citipen", "--rollback", first, "--yes"))
        self.assertIn("TronWallet is left out: that deployment does not know it", output)
        self.assertNotIn("TronWallet", self.world.stack["template"])
        self.assertEqual(self.world.stack["parameters"], {k: v for k, v in today.items() if k != "TronWallet"})
        self.assertEqual(self.world.stack["parameters"]["BankAccount"], "NEW")

    def test_what_only_the_earlier_template_knows_is_as_it_was_then(self):
        template = (self.world.root / "template.yaml").read_text()
        self.add_parameter("TronWallet")
        first = self.deployed(TronWallet="T1")
        (self.world.root / "template.yaml").write_text(template)
        self.deployed()
        self.assertNotIn("TronWallet", self.world.stack["parameters"])
        output = self.passed(self.world.run("deploy.sh", "citipen", "--rollback", first, "--yes"))
        self.assertIn("TronWallet is as it was then, 'T1'", output)
        self.assertEqual(self.world.stack["parameters"]["TronWallet"], "T1")

    def test_an_unknown_deployment_is_not_gone_back_to(self):
        self.refused(self.world.run("deploy.sh", "citipen", "--rollback", "yesterday", "--yes"), "no deployment yesterday")

    def test_a_stack_that_needs_a_person_is_left_alone(self):
        for status in ("UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED"):
            with self.subTest(status=status):
                stacks = self.world.state["stacks"]
                stacks["citipen"]["status"] = status
                self.world.change(stacks=stacks)
                self.refused(self.world.run("deploy.sh", "citipen", "--yes"), status, "OPERATIONS.md")
                self.assertEqual(self.world.calls("create-change-set"), [])


class Complaints(Case):
    def test_all_missing_programs_in_one_message(self):
        bare = str(self.world.root / "bin")
        (self.world.root / "bin").mkdir()
        for name in ("bash", "dirname", "python3", "git", "sed", "grep", "aws"):
            for folder in (*self.world.environment()["PATH"].split(":"), "/usr/bin", "/bin"):
                if (Path(folder) / name).exists() and not (Path(bare) / name).exists():
                    (Path(bare) / name).symlink_to(Path(folder) / name)
        output = self.refused(self.world.run("deploy.sh", "citipen", "--yes", PATH=bare))
        self.assertIn("missing: sam cargo cargo-lambda.", output)
        self.assertIn("aws-sam-cli==1.170.0", output)
        self.assertEqual(self.world.calls(), [])

    def test_all_wrong_settings_in_one_message(self):
        self.world.write(
            "citipen.parameters",
            "account=12\nregion=here\nAllowedOrigins=https://a.example,http://b.example\nAllowedOrigns=x\n"
            "RunToolConcurrencyMax=0\nReserveConcurrency=maybe\n",
        )
        self.refused(
            self.world.run("deploy.sh", "citipen", "--yes"),
            "account must be the twelve digits",
            "region must be a region",
            "AllowedOrigns is no parameter",
            "'http://b.example'",
            "ReserveConcurrency must be one of yes, no",
            "RunToolConcurrencyMax must be between 1 and 10000, not 0",
            "ClerkIssuer is missing",
        )
        self.assertEqual(self.world.calls("cloudformation"), [])

    def test_lines_that_are_none(self):
        self.world.write("citipen.parameters", PARAMETERS + "nonsense\nregion=eu-west-1\n")
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "is not NAME=value", "region stands there twice")

    def test_no_settings_file_says_what_to_copy(self):
        (self.world.deploy / "citipen.parameters").unlink()
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "copy citipen.parameters.example")

    def test_another_account_is_refused(self):
        self.world.write("citipen.parameters", PARAMETERS.replace("123456789012", "999999999999"))
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "signed in to the account 123456789012")

    def test_a_small_quota_is_noticed_before_building(self):
        self.world.change(quota=10)
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "may run 10 functions", "ReserveConcurrency=no")
        self.assertNotIn("sam build", self.world.programs())
        self.world.write("citipen.parameters", PARAMETERS + "ReserveConcurrency=no\n")
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))

    def test_secrets_are_checked_before_building(self):
        self.world.write("citipen.parameters", PARAMETERS + "SepayMerchantId=SP-1\n")
        self.world.write("citipen.secrets", "FAL_KEY=nocolon\nSECRET=x\nCLERK_WEBHOOK_SECRET=whsec-1\n")
        output = self.refused(
            self.world.run("deploy.sh", "citipen", "--yes"),
            "SECRET is no secret of this product",
            "FAL_KEY must be id:secret",
            "CLERK_WEBHOOK_SECRET must be whsec_ and base64",
        )
        self.assertNotIn("nocolon", output)
        self.world.write("citipen.secrets", "")
        self.refused(
            self.world.run("deploy.sh", "citipen", "--yes"),
            "SEPAY_SECRET_KEY is missing, because SepayMerchantId is given",
            "is needed: without any, no tool can run",
        )
        self.assertNotIn("sam build", self.world.programs())

    def test_a_file_that_others_can_read_is_refused(self):
        self.world.write("citipen.secrets", "FAL_KEY=a:b\n", mode=0o640)
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "chmod 600")

    def test_programs_for_another_machine_are_not_deployed(self):
        self.refused(self.world.run("deploy.sh", "citipen", "--yes", SAM_MACHINE="3e"), "TronPoll is not built for arm64")
        self.assertEqual(self.world.calls("create-change-set"), [])

    def test_a_failed_build_is_not_deployed(self):
        self.refused(self.world.run("deploy.sh", "citipen", "--yes", SAM_FAILS="1"))
        self.assertEqual(self.world.calls("create-change-set"), [])

    def test_help(self):
        for words in ((), ("citipen", "a", "b"), ("citipen", "--what")):
            self.refused(self.world.run("deploy.sh", *words), "deploy.sh <profile> [stack]")

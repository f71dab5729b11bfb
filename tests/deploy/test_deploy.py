"""deploy.sh: the first deployment, later ones, what it refuses, and being killed anywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import botocore.session
from world import ACCOUNT, CHANGING, DEEPSEEK, PARAMETERS, WEBHOOK, Case, Product, World


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
        lines = [line.split() for line in self.world.programs().splitlines()]
        order = [" ".join(words[:2]) for words in lines if words[0] in ("sam", "validate.sh") and "--version" not in words]
        self.assertEqual(order, ["validate.sh", "sam build", "sam package"])

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
        self.world.change(next_status=["CREATE_FAILED"])
        output = self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "CREATE_FAILED", "the quota is reached")
        self.assertNotIn("long ago", output, "of an earlier operation")
        self.assertEqual(self.world.stored(), {})
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual([given["Schedules"] for given in self.world.stack["history"]], ["DISABLED", "DISABLED", "ENABLED"])

    def test_a_cause_outside_of_the_template_is_tried_again_although_nothing_changes(self):
        self.world.change(next_status=["CREATE_FAILED"])
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"))
        self.world.forget_calls()
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertIn("once more, for what failed before", output)
        self.assertEqual(len(self.world.calls("update-stack")), 1)

    def test_a_mended_template_goes_on_from_what_was_made(self):
        self.world.change(next_status=["CREATE_FAILED"])
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"))
        with (self.world.root / "template.yaml").open("a") as file:
            file.write("# mended\n")
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.calls("update-stack"), [])

    def test_failed_first_attempts_never_jam_the_next(self):
        for failures in (
            ["CREATE_FAILED", "UPDATE_FAILED"],
            ["CREATE_FAILED", "UPDATE_FAILED", "UPDATE_FAILED", "UPDATE_FAILED"],
            ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"],
            ["CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"],
        ):
            with self.subTest(failures=failures):
                self.world = World()
                self.world.change(next_status=failures)
                for _ in range(sum("FAILED" in status or "ROLLBACK" in status for status in failures)):
                    self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "Mend it")
                self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
                stack = self.world.stack
                self.assertEqual(stack["parameters"]["ApiUrl"], self.world.services.address)
                self.assertEqual(stack["parameters"]["Schedules"], "ENABLED")
                self.assertTrue(stack["is_protected"])
                self.assertEqual({given["ApiUrl"] for given in stack["history"]}, {"", self.world.services.address})

    def test_a_stack_made_anew_under_an_old_name_is_a_first_deployment(self):
        old = self.world.cloud / "s3/artifacts/citipen/deployments/20260101T000000Z-0000000000.parameters.json"
        old.parent.mkdir(parents=True)
        old.write_text("[]")
        os.utime(old, (0, 0))
        self.world.change(next_status=["CREATE_FAILED"])
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "Mend it")
        self.passed(self.world.run("deploy.sh", "citipen", given="y\n"))
        self.assertEqual([given["Schedules"] for given in self.world.stack["history"]], ["DISABLED", "DISABLED", "ENABLED"])

    def test_a_webhook_is_asked_once_its_secret_is_there(self):
        # Its function does not start without, and Clerk tells the secret only once the address is known.
        self.world.write("citipen.secrets", f"DEEPSEEK_API_KEY={DEEPSEEK}\n")
        Product.broken = {"/v1/webhooks/clerk"}
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertIn("not asked: /v1/webhooks/clerk, which works once CLERK_WEBHOOK_SECRET is stored", output)
        self.world.have_secret("CLERK_WEBHOOK_SECRET", WEBHOOK)
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "failed  a forged Clerk webhook is refused")

    def test_a_webhook_of_a_rail_that_the_profile_does_not_offer_is_not_asked(self):
        # The settings may be left from before; the template that is played has no SepayWebhook.
        self.world.write("citipen.parameters", PARAMETERS + "BankAccount=0123456789\n")
        self.world.have_secret("SEPAY_BANK_API_KEYS", "key")
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertIn("not asked: /v1/webhooks/sepay/…, whose rails the profile does not offer", output)

    def test_what_was_made_too_lately_is_tried_again_at_once(self):
        early = {
            "SweepEveryMinute": "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
            "ApiliveStage": "CloudWatch Logs role ARN must be set in account settings to enable logging",
            "RunTool": "Resource creation cancelled",
        }
        self.world.change(next_status=["CREATE_FAILED", "UPDATE_FAILED"], reasons=early)
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertIn("Again in a minute", output)
        self.assertEqual(len(self.world.stack["history"]), 4)

    def test_what_stays_wrong_is_not_tried_again_by_itself(self):
        reasons = {"RunTool": "Resource creation cancelled", "TronPoll": "the quota is reached"}
        self.world.change(next_status=["CREATE_FAILED"], reasons=reasons)
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "Mend it")
        self.world.change(next_status=["UPDATE_FAILED"] * 3, reasons={"Logs": "Rate exceeded"})
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "Mend it")
        self.assertEqual(len(self.world.stack["history"]), 4, "three times, and then a person looks")

    def test_there_is_a_rate_before_the_first_morning(self):
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        (call,) = self.world.calls("invoke")
        self.assertIn("played-citipen-ExchangeRates", call)
        self.assertIn("passed  there is an exchange rate", output)
        self.world.forget_calls()
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.calls("invoke"), [], "the bank wants to be asked seldom")

    def test_a_rate_that_did_not_come_is_noticed(self):
        self.world.change(feeds_silent=True)
        self.refused(
            self.world.run("deploy.sh", "citipen", "--yes"),
            "failed  there is an exchange rate",
            "infra/deploy/tick.sh citipen exchange-rates --stack citipen",
        )
        self.world.change(feeds_silent=False)
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))

    def test_with_its_schedules_off_no_rate_is_asked_for_or_missed(self):
        self.world.write("citipen.parameters", PARAMETERS + "Schedules=DISABLED\n")
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.calls("invoke"), [])

    def test_what_an_earlier_stack_left_is_found_before_building(self):
        self.world.client("dynamodb").create_table(
            TableName="citipen-exchange_rates",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "currency", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "currency", "KeyType": "HASH"}],
        )
        logs = self.world.client("logs")
        logs.create_log_group(logGroupName="/citipen/run-tool")
        # Another deployment's.
        logs.create_log_group(logGroupName="/citipen-two/run-tool")
        output = self.refused(
            self.world.run("deploy.sh", "citipen", "--yes"), "citipen-exchange_rates", "/citipen/run-tool", "left over"
        )
        self.assertNotIn("citipen-two", output)
        self.assertNotIn("sam build", self.world.programs())

    def test_a_share_that_others_have_reserved_is_not_there(self):
        self.world.change(reserved_by_others=535)
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "may run 465 functions")

    def test_a_service_that_does_not_answer_fails(self):
        Product.broken = {"/v1/pricing"}
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "failed  GET /v1/pricing tells tools: status 500")

    def test_a_gateway_that_lets_every_page_call_is_noticed(self):
        Product.lax = True
        output = self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "failed  no other page may: status 200")
        self.assertIn("passed  a page may call", output)


CHANGES = (
    ["cp", "create-role", "attach-role-policy", "update-account"]
    + ["create-change-set", "execute-change-set", "update-termination-protection"]
    + ["put-parameter"] * 5
    + ["create-change-set", "execute-change-set", "cp", "invoke"]
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
        self.assertTrue(self.world.state["log_role"].endswith(":role/api-gateway-logs"))


for at, changing in enumerate(CHANGES, 1):
    # One secret in the middle is like the next.
    if at not in (9, 11):
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

    def have_domain(self, **outputs):
        gone = "https://gone.example.com"
        stacks = self.world.state["stacks"]
        stacks["citipen"]["parameters"] |= {"DomainName": "gone.example.com", "ApiUrl": gone}
        stacks["citipen"]["outputs"] = {"ApiUrl": gone} | outputs
        self.world.change(stacks=stacks)

    def test_a_domain_that_goes_is_no_address_any_more(self):
        self.have_domain(GatewayUrl=self.world.services.address)
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual([g["ApiUrl"] for g in self.world.stack["history"]], [self.world.services.address])
        self.assertEqual(self.world.stack["parameters"].get("DomainName", ""), "")

    def test_a_domain_that_goes_from_a_stack_of_an_earlier_version(self):
        # It told only the address that callers use.
        self.have_domain()
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual([g["ApiUrl"] for g in self.world.stack["history"]], ["", self.world.services.address])

    def test_beside_a_domain_the_gateways_own_address_must_be_closed(self):
        self.world.write("citipen.parameters", PARAMETERS + f"DomainName=127.0.0.1\nApiUrl={self.world.services.address}\n")
        closed = f"{self.world.services.address} is switched off"
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), f"failed  {closed}: status 200")
        Product.closed = True
        self.assertIn(f"passed  {closed}", self.world.run("deploy.sh", "citipen", "--yes").output)

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

    def have_state(self, status):
        stacks = self.world.state["stacks"]
        stacks["citipen"]["status"] = status
        self.world.change(stacks=stacks)

    def test_a_stack_that_needs_a_person_is_left_alone_before_anything_is_built(self):
        for status, says in (
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name citipen"),
            ("ROLLBACK_COMPLETE", "delete-stack --stack-name citipen"),
            ("ROLLBACK_FAILED", "delete-stack --stack-name citipen"),
            ("DELETE_FAILED", "delete-stack --stack-name citipen"),
            ("IMPORT_ROLLBACK_FAILED", "Import existing resources"),
            ("A_NEW_STATE", "does not know"),
        ):
            with self.subTest(status=status):
                self.have_state(status)
                self.refused(self.world.run("deploy.sh", "citipen", "--yes"), status, says)
                self.assertEqual(self.world.calls("create-change-set"), [])
                self.assertNotIn("sam build", self.world.programs())

    def test_every_other_state_at_rest_is_gone_on_from(self):
        for status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
                       "IMPORT_ROLLBACK_COMPLETE", "UPDATE_FAILED", "CREATE_FAILED"):  # fmt: skip
            with self.subTest(status=status):
                self.code_changes()
                self.have_state(status)
                self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
                self.assertEqual(self.world.stack["status"], "UPDATE_COMPLETE")

    def test_every_state_of_cloudformation_is_known(self):
        model = botocore.session.Session().get_service_model("cloudformation")
        states = model.shape_for("StackStatus").enum
        script = f"source {self.world.deploy}/lib.sh; for state in {' '.join(states)}; do way_on $state; echo; done"
        said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
        ways = dict(zip(states, said, strict=True))
        self.assertEqual({s for s, way in ways.items() if way == "wait"}, {
            s for s in states if s.endswith("_IN_PROGRESS") and s != "REVIEW_IN_PROGRESS"
        })  # fmt: skip
        # A person is asked for exactly those that the test above knows words for.
        self.assertEqual({s for s, way in ways.items() if way == "person"}, {
            "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED",
        })  # fmt: skip

    def test_scripts_say_that_there_is_no_stack(self):
        for script, words in (
            ("secret.sh", ("list",)), ("suspend.sh", ("show",)), ("tick.sh", ("tron-poll",)),
            ("restore.sh", ("check", "citipen-back-")),
        ):  # fmt: skip
            for stack in (None, {"status": "REVIEW_IN_PROGRESS", "parameters": {}, "outputs": {}, "resources": []}):
                with self.subTest(script=script, stack=stack):
                    stacks = {k: v for k, v in self.world.state["stacks"].items() if k != "citipen"}
                    self.world.change(stacks=stacks | ({"citipen": stack} if stack else {}))
                    self.refused(self.world.run(script, "citipen", *words), "There is no stack citipen in ap-southeast-1 yet")

    def test_before_the_first_deployment_there_is_nothing_to_list(self):
        stacks = {k: v for k, v in self.world.state["stacks"].items() if k != "aws-sam-cli-managed-default"}
        self.world.change(stacks=stacks)
        self.refused(self.world.run("deploy.sh", "citipen", "--list"), "Nothing was deployed from this account and region")


class LogRole(Case):
    """The account's role for API Gateway's logs: asked for first, made once, never owned by a stack."""

    def role(self, name):
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def test_an_account_without_one_gets_one_and_the_gateway_is_waited_for(self):
        self.world.change(role_refused=2)
        output = self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.state["log_role"], self.role("api-gateway-logs"))
        self.assertEqual(output.count("again in 20 seconds"), 2)
        verbs = self.world.verbs()
        self.assertLess(verbs.index("update-account"), verbs.index("create-change-set"))

    def test_the_accounts_own_is_left_as_it_is(self):
        self.world.change(log_role=self.role("service-role/others"), roles=["others"])
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.state["log_role"], self.role("service-role/others"))
        self.assertEqual(self.world.calls("create-role") + self.world.calls("update-account"), [])

    def test_one_that_was_deleted_with_its_stack_is_replaced(self):
        self.world.change(log_role=self.role("gone"))
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.state["log_role"], self.role("api-gateway-logs"))

    def test_a_stack_of_an_earlier_version_hands_over_before_it_lets_its_own_go(self):
        self.world.have_stack([("ApiLogsRole", "AWS::IAM::Role", "citipen-ApiLogsRole-X1")])
        self.world.have_secrets()
        self.world.change(log_role=self.role("citipen-ApiLogsRole-X1"), roles=["citipen-ApiLogsRole-X1"])
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.state["log_role"], self.role("api-gateway-logs"))
        verbs = self.world.verbs()
        self.assertLess(verbs.index("update-account"), verbs.index("create-change-set"))

    def test_without_logs_the_account_is_left_alone(self):
        self.world.write("citipen.parameters", PARAMETERS + "ApiLogs=no\n")
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertEqual(self.world.calls("apigateway") + self.world.calls("iam"), [])


class Complaints(Case):
    def bare_path(self, *names):
        """A folder with only these programs in it."""
        bare = self.world.root / "bin"
        bare.mkdir()
        for name in ("bash", "dirname", "python3", "git", "sed", "grep", "head", *names):
            for folder in (*self.world.environment()["PATH"].split(":"), "/usr/bin", "/bin"):
                if (Path(folder) / name).exists() and not (bare / name).exists():
                    (bare / name).symlink_to(Path(folder) / name)
        return str(bare)

    def test_all_missing_programs_in_one_message(self):
        output = self.refused(self.world.run("deploy.sh", "citipen", "--yes", PATH=self.bare_path("aws")))
        self.assertIn("these programs: sam cargo rustc cargo-lambda\n", output)
        self.assertIn("aws-sam-cli==1.170.0", output)
        self.assertEqual({call[0] for call in self.world.calls()}, {"sts"})

    def test_all_that_a_build_asks_for_later_in_one_message(self):
        self.world.rust_target.rmdir()
        output = self.refused(
            self.world.run(
                "deploy.sh", "citipen", "--yes",
                ZIG="absent", SAM_VERSION="1.99.0", CARGO_LAMBDA_VERSION="1.8.10", RUST_VERSION="1.80.0",
                AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
            ),
            "sam 1.170.0 or newer; this one is 1.99.0",
            "cargo-lambda 1.9.2 or newer; this one is 1.8.10",
            "zig, which cargo-lambda links with",
            "this one is 1.80.0: rustup update stable",
            "rustup target add aarch64-unknown-linux-gnu",
            "credentials: sign in",
        )  # fmt: skip
        self.assertEqual(output.count("This is missing"), 1)
        self.assertEqual(self.world.programs().count("sam build"), 0)

    def test_newer_programs_will_do(self):
        self.passed(self.world.run("deploy.sh", "citipen", "--yes", SAM_VERSION="1.1000", CARGO_LAMBDA_VERSION="1.10.0"))

    def test_zig_is_found_where_the_readme_puts_it(self):
        """cargo-lambda asks the first python3 on the PATH for ziglang; tools.txt puts it into an environment."""
        tools = self.world.root / "target/deploy-tools/bin"
        tools.mkdir(parents=True)
        (tools / "python3").symlink_to(sys.executable)
        self.passed(self.world.run("deploy.sh", "citipen", "--yes", ZIG="elsewhere"))
        self.assertIn(f"zig {tools / 'python3'}\n", self.world.programs())

    def test_a_zig_of_ones_own_is_left_as_it_is(self):
        self.passed(self.world.run("deploy.sh", "citipen", "--yes"))
        self.assertIn("zig \n", self.world.programs())

    def test_an_archive_without_a_history_can_be_deployed(self):
        shutil.rmtree(self.world.root / ".git")
        self.assertIn("-unversioned", self.passed(self.world.run("deploy.sh", "citipen", "--yes")))

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

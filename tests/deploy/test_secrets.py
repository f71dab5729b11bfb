"""secret.sh and the rules of each secret, through the real AWS CLI and moto's Parameter Store."""

import datetime
import re
import sys
import unittest
from pathlib import Path
from unittest import mock

from world import ROOT, WEBHOOK, Case

sys.path.insert(0, str(ROOT / "infra/deploy"))
import secret_store  # noqa: E402
import settings  # noqa: E402

SECOND = "whsec_c2Vjb25kLWNhbmFyeQ=="


class Secrets(Case):
    def setUp(self):
        super().setUp()
        self.world.have_stack()
        self.world.have_secrets()

    def secret(self, *words, given=""):
        """No call may carry a value, and nothing printed may show one, whatever is done."""
        done = self.world.run("secret.sh", "citipen", *words, given=given)
        seen = done.output + str(self.world.calls())
        for value in {*self.world.stored().values(), given.strip()} - {""}:
            for part in value.split(","):
                self.assertNotIn(part, seen)
        return done

    def test_list_shows_versions_and_no_values(self):
        output = self.passed(self.secret("list"))
        self.assertRegex(output, r"CLERK_WEBHOOK_SECRET +yes +1 ")
        self.assertRegex(output, r"FAL_KEY +no")

    def test_put_stores_a_value_from_a_pipe(self):
        value = """canary%=,:"signs'$HOME`"""
        self.assertIn("version 1", self.passed(self.secret("put", "ANTHROPIC_API_KEY", given=value + "\n")))
        self.assertEqual(self.world.stored()["ANTHROPIC_API_KEY"], value)

    def test_a_rotation_keeps_both_until_it_is_finished(self):
        self.assertIn("finish CLERK_WEBHOOK_SECRET", self.passed(self.secret("rotate", "CLERK_WEBHOOK_SECRET", given=SECOND)))
        self.assertEqual(self.world.stored()["CLERK_WEBHOOK_SECRET"], f"{SECOND},{WEBHOOK}")
        self.refused(self.secret("rotate", "CLERK_WEBHOOK_SECRET", given="whsec_dGhpcmQ="), "finish the last rotation")
        self.passed(self.secret("finish", "CLERK_WEBHOOK_SECRET"))
        self.assertEqual(self.world.stored()["CLERK_WEBHOOK_SECRET"], SECOND)
        self.refused(self.secret("finish", "CLERK_WEBHOOK_SECRET"), "nothing to finish")

    def test_what_its_sender_knows_only_once_is_replaced(self):
        self.assertIn("Take the old one back", self.passed(self.secret("rotate", "DEEPSEEK_API_KEY", given="new-canary")))
        self.assertEqual(self.world.stored()["DEEPSEEK_API_KEY"], "new-canary")

    def test_a_sealing_key_comes_in_front_and_the_old_one_stays(self):
        old = self.world.stored()["SEALING_KEYS"]
        self.passed(self.secret("rotate", "SEALING_KEYS"))
        new = self.world.stored()["SEALING_KEYS"]
        self.assertTrue(new.endswith("," + old) and len(new.split(",")) == 2)
        self.refused(self.secret("finish", "SEALING_KEYS"), "is kept until")
        self.refused(self.secret("rotate", "SEALING_KEYS"), "got a new key today already")
        self.refused(self.secret("put", "SEALING_KEYS", given=new.split(",")[0]), "would lose a key")

    def test_the_pepper_is_never_changed(self):
        before = self.world.stored()["PSEUDONYM_PEPPER"]
        self.refused(self.secret("rotate", "PSEUDONYM_PEPPER"), "never changed")
        self.refused(self.secret("put", "PSEUDONYM_PEPPER", given="another-pepper-0002"), "never changed")
        self.refused(self.secret("remove", "PSEUDONYM_PEPPER"), "never removed")
        self.assertEqual(self.world.stored()["PSEUDONYM_PEPPER"], before)

    def test_a_wrong_form_is_not_stored(self):
        self.refused(self.secret("put", "CLERK_WEBHOOK_SECRET", given="whsec-nonsense"), "must be whsec_ and base64")
        self.refused(self.secret("put", "NOTHING", given="canary-9"), "NOTHING is no secret of this product")
        self.refused(self.secret("put", "FAL_KEY"), "no value for FAL_KEY was given")
        self.assertEqual(self.world.stored()["CLERK_WEBHOOK_SECRET"], WEBHOOK)

    def test_remove_takes_away_only_what_nothing_asks_for(self):
        self.passed(self.secret("remove", "DEEPSEEK_API_KEY"))
        self.assertNotIn("DEEPSEEK_API_KEY", self.world.stored())

    def test_without_a_stack_there_is_no_key(self):
        self.world.change(stacks={})
        self.refused(self.secret("put", "FAL_KEY", given="a:b"), "There is no stack citipen in ap-southeast-1 yet")

    def test_a_key_that_is_not_there_is_reported_without_the_value(self):
        for alias in ("alias/citipen-data",):
            self.world.client("kms").delete_alias(AliasName=alias)
        self.refused(
            self.secret("put", "FAL_KEY", given="canary:4711"), "InvalidKeyId", "once its first deployment has come to its end"
        )

    def test_a_file_does_not_undo_a_rotation(self):
        self.world.write("citipen.secrets", f"CLERK_WEBHOOK_SECRET={WEBHOOK}\n")
        output = self.passed(self.secret("rotate", "CLERK_WEBHOOK_SECRET", given=SECOND))
        self.assertIn("take that line away", output)
        self.refused(self.world.run("deploy.sh", "citipen", "--yes"), "CLERK_WEBHOOK_SECRET is stored with another value")
        # Edited later for something else, it is not newer in what it had before.
        self.world.write("citipen.secrets", f"ANTHROPIC_API_KEY=new-canary\nCLERK_WEBHOOK_SECRET={WEBHOOK}\n")
        self.refused(
            self.world.run("deploy.sh", "citipen", "--yes"), "secret.sh citipen put CLERK_WEBHOOK_SECRET --stack citipen"
        )
        self.assertEqual(self.world.stored()["CLERK_WEBHOOK_SECRET"], f"{SECOND},{WEBHOOK}")
        self.assertNotIn("ANTHROPIC_API_KEY", self.world.stored(), "all or nothing")


class Plan(unittest.TestCase):
    """What `sync` would write, without an account."""

    NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.timezone.utc)

    def plan(self, given, stored, **parameters):
        old = {
            name: secret_store.Stored(value, 1, self.NOW - datetime.timedelta(days=1)) for name, value in stored.items()
        }
        chosen = {"profile": "citipen", "stack": "citipen", "parameters": parameters}
        with mock.patch.object(secret_store, "read_file", return_value=given):
            return secret_store.plan(chosen, "file", old, self.NOW)

    STORED = {
        "PSEUDONYM_PEPPER": "pepper-canary-0001",
        "QUOTE_SECRET": "quote-canary-00001",
        "SEALING_KEYS": "a:" + "A" * 43 + "=",
        "FAL_KEY": "a:b",
    }

    def test_what_is_stored_is_never_made_again(self):
        self.assertEqual(self.plan({}, self.STORED), {})
        for name in ("PSEUDONYM_PEPPER", "QUOTE_SECRET", "SEALING_KEYS"):
            without = {key: value for key, value in self.STORED.items() if key != name}
            self.assertEqual(set(self.plan({}, without)), {name})

    def test_what_is_stored_is_never_overwritten(self):
        self.assertEqual(self.plan(dict(self.STORED), self.STORED), {})
        front = "b:" + "B" * 42 + "A=," + self.STORED["SEALING_KEYS"]
        for given, says in (
            ({"FAL_KEY": "c:d"}, "put FAL_KEY"),
            ({"SEALING_KEYS": front}, "put SEALING_KEYS"),
            ({"SEALING_KEYS": front.split(",")[0]}, "would lose a key"),
            ({"PSEUDONYM_PEPPER": "another-pepper-02"}, "never changed"),
        ):
            with self.assertRaises(settings.Complaints) as caught:
                self.plan(given | {"ANTHROPIC_API_KEY": "new"}, self.STORED)
            self.assertIn(says, str(caught.exception))

    def test_a_sealing_key_is_one_that_the_functions_take(self):
        """As Named::read of shared/platform/src/seal.rs does."""
        key = "A" * 43 + "="
        for value, is_right in (
            (f"a1:{key}", True),
            (f"a1:{key}, B2:{key}", True),
            (f"k-2026:{key}", False),
            (f"k_1:{key}", False),
            (f":{key}", False),
            (f"é:{key}", False),
            ("a1:" + "A" * 42 + "B=", False),
            (f"a1:{key[:-2]}==", False),
        ):
            complaint = secret_store.complain_form("SEALING_KEYS", value)
            self.assertEqual(complaint is None, is_right, value)
            self.assertTrue(is_right or "letters and digits only" in complaint)

    def test_a_sealing_key_may_leave_when_what_it_sealed_is_gone(self):
        days = secret_store.body_days({"profile": "citipen"})
        self.assertEqual(days, 180)
        for age, may in ((days, False), (days + 2, True)):
            value = "b:" + "B" * 42 + "A=," + self.STORED["SEALING_KEYS"]
            then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=age)
            store = mock.Mock()
            store.read.return_value = {"SEALING_KEYS": secret_store.Stored(value, 2, then)}
            with mock.patch.object(secret_store, "Store", return_value=store):
                finish = lambda: secret_store.finish({"profile": "citipen", "stack": "none"}, "SEALING_KEYS")  # noqa: E731
                if may:
                    finish()
                    self.assertEqual(store.write.call_args.args, ("SEALING_KEYS", value.split(",")[0]))
                else:
                    self.assertRaises(settings.Complaints, finish)
                    store.write.assert_not_called()

    def test_amazon_repeating_a_value_shows_nothing(self):
        refusal = mock.Mock(returncode=254, stderr="Value 'first,second' at 'value' failed: first")
        with mock.patch.object(secret_store.subprocess, "run", return_value=refusal):
            store = secret_store.Store({"stack": "citipen", "parameters": {"SecretsPath": "/citipen/"}})
            with self.assertRaises(settings.Complaints) as caught:
                store.write("FAL_KEY", "first,second", over=True)
        self.assertNotIn("first", str(caught.exception))
        self.assertIn("[redacted]", str(caught.exception))


class Agreement(unittest.TestCase):
    """The example files, the rules, the guide and the template know the same names."""

    def example(self, name):
        return (ROOT / "infra/deploy" / name).read_text()

    def test_the_example_has_every_secret(self):
        self.assertEqual(re.findall(r"^([A-Z_]+)=$", self.example("citipen.secrets.example"), re.M), list(secret_store.RULES))

    def test_the_functions_get_every_secret(self):
        template = (ROOT / "template.yaml").read_text()
        named = set(re.findall(r"parameter\$\{SecretsPath\}([A-Z_]+)", template))
        named |= set(re.findall(r"SecretString:([A-Z_]+)::", template))
        self.assertEqual(named, set(secret_store.RULES))

    def test_the_guide_has_a_row_for_every_secret(self):
        table = self.example("OPERATIONS.md").split("## Rotate a secret", 1)[1].split("\n## ", 1)[0]
        for name in secret_store.RULES:
            self.assertRegex(table, rf"(?m)^\|.*`{name}`")

    def test_the_guide_has_a_row_for_every_alarm(self):
        template = (ROOT / "template.yaml").read_text()
        guide = self.example("OPERATIONS.md").split("## What an alarm means", 1)[1].split("\n## ", 1)[0]
        for alarm in re.findall(r"^  (\w+)Alarm:\n    Type: AWS::CloudWatch::Alarm", template, re.M):
            # One row for the alarm that each function has.
            row = "…Errors" if alarm.endswith("Errors") else alarm
            self.assertIn(f"| `{row}` |", guide)

    def test_the_guide_names_only_commands_that_are_there(self):
        guide = self.example("OPERATIONS.md") + self.example("README.md")
        for script, words in re.findall(r"infra/deploy/(\w+\.sh)((?: +[\w<>\[\]{}\"':.-]+)*)", guide):
            text = self.example(script)
            for option in re.findall(r"--[a-z-]+", words):
                self.assertIn(option, text + self.example("lib.sh"), f"{script} {words}")
            usage = re.findall(rf"{script} <profile> ([a-z-]+)", text)
            spoken = words.split()
            if usage and len(spoken) > 1:
                self.assertIn(spoken[1], usage, f"{script} {words}")

    def test_the_example_of_settings_names_parameters_of_the_template(self):
        known = settings.read_template_parameters(str(ROOT / "template.yaml"))
        named = re.findall(r"^#?([A-Z]\w+)=", self.example("citipen.parameters.example"), re.M)
        self.assertEqual([name for name in named if name not in known], [])
        self.assertEqual([name for name, about in known.items() if "Default" not in about and name not in named], [])

    def test_what_deploy_gives_is_known_to_the_template(self):
        known = settings.read_template_parameters(str(ROOT / "template.yaml"))
        for name in ("Profile", "TablePrefix", "SecretsPath", "Schedules", "ApiUrl", "DomainName", "ReserveConcurrency"):
            self.assertIn(name, known)
        self.assertIn("alias/${AWS::StackName}-data", (ROOT / "template.yaml").read_text())

    def test_parameters_are_read_like_a_yaml_parser_reads_them(self):
        import yaml

        class Loader(yaml.SafeLoader):
            pass

        Loader.add_multi_constructor("!", lambda loader, tag, node: None)
        # Scalars as text, as CloudFormation takes parameters.
        Loader.yaml_implicit_resolvers = {}
        for path in (ROOT / "template.yaml", Path(__file__).parent / "template.yaml"):
            wanted = yaml.load(path.read_text(), Loader)["Parameters"]  # noqa: S506 (our own file)
            ours = settings.read_template_parameters(str(path))
            for about in (*wanted.values(), *ours.values()):
                about.pop("Description", None)
            self.assertEqual(ours, wanted)

    def test_the_folder_keeps_settings_and_secrets_out_of_git(self):
        ignored = self.example(".gitignore").split("\n")
        self.assertIn("*.parameters", ignored)
        self.assertIn("*.secrets", ignored)

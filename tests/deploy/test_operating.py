"""suspend.sh, tick.sh and restore.sh, through the real AWS CLI and moto's functions and tables."""

import datetime
import io
import json
import sys
import time
import unittest
import urllib.request
import zipfile
from unittest import mock

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import RestoredPITTable
from world import ACCOUNT, REGION, ROOT, Case

sys.path.insert(0, str(ROOT / "infra/deploy"))
with mock.patch.dict("os.environ", AWS_DEFAULT_REGION=REGION):
    import restored  # noqa: E402

FUNCTIONS = {"RunTool": 500, "TronPoll": 1, "Pricing": None}
KEYS = {"accounts": ["id"], "credit_transactions": ["account", "entry"]}
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
YESTERDAY, LAST_MONTH = NOW - datetime.timedelta(days=1), NOW - datetime.timedelta(days=30)


def written(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


THEN = written(YESTERDAY)


def program():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bootstrap", "a program")
    return packed.getvalue()


class Deployed(Case):
    """A stack with three functions, of which one has a schedule."""

    def setUp(self):
        super().setUp()
        role = self.world.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        self.functions = self.world.client("lambda")
        resources = [("TronPollTick", "AWS::Scheduler::Schedule", "tick")]
        for logical, reserved in FUNCTIONS.items():
            name = f"citipen-{logical}-X1"
            resources.append((logical, "AWS::Lambda::Function", name))
            self.functions.create_function(
                FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Code={"ZipFile": program()}
            )
            if reserved:
                self.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
        self.have(resources)

    def have(self, resources):
        self.world.have_stack(resources)

    def reserved(self):
        return {
            logical: self.functions.get_function_concurrency(FunctionName=f"citipen-{logical}-X1").get(
                "ReservedConcurrentExecutions"
            )
            for logical in FUNCTIONS
        }

    def arn(self, logical):
        return self.functions.get_function_configuration(FunctionName=f"citipen-{logical}-X1")["FunctionArn"]

    def remember(self, logical, text):
        self.functions.tag_resource(Resource=self.arn(logical), Tags={"suspended-from": text})

    def remembered(self, logical):
        return self.functions.list_tags(Resource=self.arn(logical))["Tags"]["suspended-from"]

    def deployment_reserves(self, count):
        """What CloudFormation does when RunToolConcurrencyMax changes."""
        self.functions.put_function_concurrency(FunctionName="citipen-RunTool-X1", ReservedConcurrentExecutions=count)


class Suspending(Deployed):
    def test_runs_alone_stop_and_come_back_as_they_were(self):
        output = self.passed(self.world.run("suspend.sh", "citipen", "runs", "--yes"))
        self.assertIn("RunTool is suspended", output)
        self.assertEqual(self.reserved(), FUNCTIONS | {"RunTool": 0})
        self.passed(self.world.run("suspend.sh", "citipen", "resume"))
        self.assertEqual(self.reserved(), FUNCTIONS)
        self.assertNotIn("is suspended", self.passed(self.world.run("suspend.sh", "citipen", "show")))

    def test_everything_stops_and_a_second_time_forgets_nothing(self):
        self.passed(self.world.run("suspend.sh", "citipen", "runs", "--yes"))
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        self.assertEqual(set(self.reserved().values()), {0})
        self.passed(self.world.run("suspend.sh", "citipen", "resume"))
        self.assertEqual(self.reserved(), FUNCTIONS)

    def test_killed_on_the_way_it_is_repeated(self):
        # tag, concurrency, tag, …: killed between the two of the second function
        self.world.change(kill_at=[3, "after"])
        self.assertEqual(self.world.run("suspend.sh", "citipen", "all", "--yes").code, -9)
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        self.world.change(kill_at=[1, "after"])
        self.assertEqual(self.world.run("suspend.sh", "citipen", "resume").code, -9)
        self.passed(self.world.run("suspend.sh", "citipen", "resume"))
        self.assertEqual(self.reserved(), FUNCTIONS)

    def test_the_seven_minutes_begin_when_it_really_stops(self):
        self.world.change(kill_at=[1, "after"])  # remembered, still running
        self.assertEqual(self.world.run("suspend.sh", "citipen", "runs", "--yes").code, -9)
        self.remember("RunTool", "500@1000000000")
        self.assertIn("RUNS", self.passed(self.world.run("suspend.sh", "citipen", "show")))
        self.passed(self.world.run("suspend.sh", "citipen", "runs", "--yes"))
        had, _, since = self.remembered("RunTool").partition("@")
        self.assertEqual(had, "500")
        self.assertLess(time.time() - int(since), 60)
        self.remember("RunTool", "500@1000000000")
        self.passed(self.world.run("suspend.sh", "citipen", "runs", "--yes"))
        self.assertEqual(self.remembered("RunTool"), "500@1000000000", "what rests already goes on resting")

    def test_what_a_deployment_let_run_keeps_its_new_reservation(self):
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        self.deployment_reserves(600)
        self.passed(self.world.run("suspend.sh", "citipen", "resume"))
        self.assertEqual(self.reserved(), FUNCTIONS | {"RunTool": 600})
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        self.deployment_reserves(700)
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        self.assertEqual(set(self.reserved().values()), {0})
        self.passed(self.world.run("suspend.sh", "citipen", "resume"))
        self.assertEqual(self.reserved(), FUNCTIONS | {"RunTool": 700})

    def test_it_asks_first(self):
        self.refused(self.world.run("suspend.sh", "citipen", "all", given="n\n"), "Nothing was done")
        self.assertEqual(self.reserved(), FUNCTIONS)


class Ticking(Deployed):
    def setUp(self):
        super().setUp()
        body = json.dumps({"lambda": {"use_docker": False}}).encode()
        address = f"{self.world.services.moto_url}/moto-api/config"
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(address, data=body, headers=headers, method="POST")).close()

    def test_the_function_of_a_schedule_gets_the_payload(self):
        payload = '{"since":"2026-11-28T00:00:00Z"}'
        output = self.passed(self.world.run("tick.sh", "citipen", "tron-poll", payload))
        # moto's function answers with what it was given.
        self.assertEqual(json.loads(output), json.loads(payload))
        (call,) = self.world.calls("invoke")
        self.assertIn("citipen-TronPoll-X1", call)

    def test_a_function_that_waits_for_requests_is_not_ticked(self):
        self.refused(self.world.run("tick.sh", "citipen", "pricing"), "pricing is not a schedule", "TronPollTick")
        self.assertEqual(self.world.calls("invoke"), [])

    def test_a_failure_is_one(self):
        self.world.change(function_fails=True)
        self.refused(self.world.run("tick.sh", "citipen", "tron-poll"), "Settings", "aws logs tail /citipen/tron-poll")

    def test_what_is_no_json_is_not_sent(self):
        self.refused(self.world.run("tick.sh", "citipen", "tron-poll", "{since"), "not JSON")


def brings_encryption_and_moment(source_restore):
    """moto's restore leaves out what Amazon's brings (encryption, billing), and names the present moment."""

    def restore(table, *arguments, **options):
        source_restore(table, *arguments, **options)
        source = options.get("source") or arguments[-1]
        table.sse_specification, table.billing_mode = source.sse_specification, source.billing_mode
        table.restore_date_time = YESTERDAY.timestamp()

    return restore


def account(name, available, holds=(), debt=0):
    open_holds = {run: {"S": f"{amount}.1795948705.FKv_36tTSAc.{nonce}.image/flux-dev"} for run, amount, nonce in holds}
    return {"id": {"S": name}, "avail": {"N": str(available)}, "debt": {"N": str(debt)}, "holds": {"M": open_holds}}


def entry(name, key, kind, amount, nonce=""):
    item = {"account": {"S": name}, "entry": {"S": key}, "kind": {"S": kind}, "amount": {"N": str(amount)}}
    return item | ({"nonce": {"S": nonce}} if nonce else {})


class Restoring(Deployed):
    def have(self, resources):
        self.tables = self.world.client("dynamodb")
        data_key = self.world.client("kms").create_key()["KeyMetadata"]["Arn"]
        for name, keys in KEYS.items():
            self.create(
                f"citipen-{name}",
                keys,
                SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": data_key},
                DeletionProtectionEnabled=True,
                Tags=[{"Key": "owner", "Value": "citipen"}],
            )
            self.tables.update_continuous_backups(
                TableName=f"citipen-{name}",
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
            )
            resources.append((name.title(), "AWS::DynamoDB::Table", f"citipen-{name}"))
        life = {"Enabled": True, "AttributeName": "ttl"}
        self.tables.update_time_to_live(TableName="citipen-accounts", TimeToLiveSpecification=life)
        self.put("accounts", account("ann", 90, [("R2", 4, "n2")]))
        for item in (entry("ann", "G1", "grant", 100), entry("ann", "R1", "charge", -6, "n1")):
            self.put("credit_transactions", item)
        super().have(resources)

    def create(self, table, keys, **more):
        self.tables.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"))],
            **more,
        )

    def put(self, table, item, prefix="citipen-"):
        self.tables.put_item(TableName=prefix + table, Item=item)

    def items(self, table, prefix="citipen-"):
        return sorted(self.tables.scan(TableName=prefix + table)["Items"], key=json.dumps)

    def restore(self, *words, given=""):
        as_amazon = brings_encryption_and_moment(RestoredPITTable.__init__)
        with mock.patch.object(RestoredPITTable, "__init__", as_amazon):
            return self.world.run("restore.sh", "citipen", *words, given=given)

    def open_window(self):
        """Tables that have been recoverable for a month; moto's are since this moment."""
        for table in dynamodb_backends[ACCOUNT][REGION].tables.values():
            about = table.continuous_backups["PointInTimeRecoveryDescription"]
            about["EarliestRestorableDateTime"] = LAST_MONTH.timestamp()

    def test_a_restore_is_whole_checked_and_may_be_repeated(self):
        self.open_window()
        output = self.passed(self.restore("start", THEN, "back-"))
        self.assertIn("2 tables compared, 0 differences", output)
        self.assertIn("1 accounts, 0 whose balance is not the sum of their entries", output)
        for name in KEYS:
            about = self.tables.describe_table(TableName=f"back-{name}")["Table"]
            self.assertTrue(about["DeletionProtectionEnabled"])
            self.assertEqual(self.items(name), self.items(name, "back-"))
        self.assertIn("was begun before", self.passed(self.restore("start", THEN, "back-")))
        self.refused(self.restore("start", written(LAST_MONTH), "back-"), "holds something else")

    def test_a_moment_that_is_out_of_reach_is_refused(self):
        self.refused(self.restore("start", "2020-01-01T00:00:00Z", "back-"), "Not restorable to 2020-01-01T00:00:00Z")
        self.assertEqual(self.world.calls("restore-table-to-point-in-time"), [])

    def test_the_live_prefix_is_refused(self):
        self.refused(self.restore("start", THEN, "citipen-"), "not the live one")

    def test_writing_back_needs_a_quiet_service_and_changes_only_what_differs(self):
        self.open_window()
        self.passed(self.restore("start", THEN, "back-"))
        before = {name: self.items(name) for name in KEYS}
        self.put("accounts", account("ann", 9999))
        self.put("accounts", account("eve", 1))
        self.tables.delete_item(
            TableName="citipen-credit_transactions", Key={"account": {"S": "ann"}, "entry": {"S": "R1"}}
        )
        self.refused(self.restore("write-back", "back-", "--yes"), "is not suspended")
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        self.refused(self.restore("write-back", "back-", "--yes"), "seconds ago")
        self.rest_for_long()
        output = self.passed(self.restore("write-back", "back-", given="y\n"))
        self.assertIn(f"Make citipen-* equal to back-*, as of {THEN} (", output)
        self.assertIn("citipen-accounts: 1 items put, 1 deleted", output)
        self.assertIn("citipen-credit_transactions: 1 items put, 0 deleted", output)
        self.assertEqual({name: self.items(name) for name in KEYS}, before)
        self.assertIn("  0 items would be written", self.passed(self.restore("differences", "back-")))

    def rest_for_long(self):
        self.passed(self.world.run("suspend.sh", "citipen", "all", "--yes"))
        for logical, had in FUNCTIONS.items():
            self.remember(logical, f"{had or 'none'}@{int(time.time()) - 1000}")

    def not_written(self, prefix, *texts):
        before = {name: self.items(name) for name in KEYS}
        self.refused(self.restore("write-back", prefix, "--yes"), *texts)
        self.assertEqual({name: self.items(name) for name in KEYS}, before)

    def test_what_a_deployment_lets_run_is_not_quiet(self):
        self.open_window()
        self.passed(self.restore("start", THEN, "back-"))
        self.put("accounts", account("eve", 1))
        self.rest_for_long()
        self.deployment_reserves(600)
        self.not_written("back-", "RunTool is not suspended")

    def test_only_tables_restored_to_one_moment_are_written_back(self):
        self.open_window()
        self.put("accounts", account("eve", 0))
        self.rest_for_long()
        self.not_written("back-", "back-accounts is not there")
        self.refused(self.restore("differences", "back-"), "back-accounts is not there")
        self.passed(self.restore("start", THEN, "back-"))
        tables = dynamodb_backends[ACCOUNT][REGION].tables
        tables["back-credit_transactions"].restore_date_time = LAST_MONTH.timestamp()
        self.not_written("back-", f"back-credit_transactions is of {written(LAST_MONTH)}", THEN)
        self.refused(self.restore("differences", "back-"), f"of {written(LAST_MONTH)}")
        # The other way round: a table of somebody else's under the prefix.
        self.tables.update_table(TableName="back-credit_transactions", DeletionProtectionEnabled=False)
        self.tables.delete_table(TableName="back-credit_transactions")
        self.create("back-credit_transactions", KEYS["credit_transactions"])
        self.not_written("back-", "was not restored from citipen-credit_transactions; nothing is taken from it")

    def test_wrong_books_are_not_written_back_unless_they_are_known(self):
        self.open_window()
        self.put("accounts", account("bob", 5))
        self.refused(self.restore("start", THEN, "back-"), "1 whose balance")
        self.put("accounts", account("bob", 6))
        self.rest_for_long()
        self.not_written("back-", "bob: has 5, its entries say 0", "Nothing was written")
        self.refused(self.restore("write-back", "back-", "2", "--yes"), "Nothing was written")
        self.refused(self.restore("write-back", "back-", "some", "--yes"), "no number")
        self.passed(self.restore("write-back", "back-", "1", "--yes"))
        self.assertIn(account("bob", 5), self.items("accounts"))

    def test_wrong_books_are_reported(self):
        self.open_window()
        self.put("accounts", account("bob", 5))
        self.refused(self.restore("start", THEN, "back-"), "bob: has 5, its entries say 0", "1 whose balance")

    def test_only_restored_tables_are_removed(self):
        self.open_window()
        before = self.tables.list_tables()["TableNames"]
        self.assertLessEqual({f"citipen-{name}" for name in KEYS}, set(before))
        self.passed(self.restore("start", THEN, "back-"))
        self.passed(self.restore("remove", "back-", "--yes"))
        self.assertEqual(self.tables.list_tables()["TableNames"], before)
        self.create("other-accounts", ["id"])
        self.refused(self.restore("remove", "other-", "--yes"), "it stays")
        self.assertIn("other-accounts", self.tables.list_tables()["TableNames"])


class Books(unittest.TestCase):
    def wrong(self, accounts, entries):
        return list(restored.books(accounts, entries))

    def test_balances_are_the_sum_of_their_entries(self):
        ledger = [entry("a", "G", "grant", 100), entry("a", "R", "charge", -4, "n"), {"account": {"S": "once#x"}}]
        for has, is_right in (
            (account("a", 96), True),
            (account("a", 90, [("R9", 6, "m")]), True),
            # Decided as charged, not yet taken away: the hold counts as spent.
            (account("a", 96, [("R", 4, "n")]), True),
            (account("a", 100, [("R", 4, "n")]), False),
            (account("a", 92, [("R", 8, "n")]), True),
            # Another hold under the same run's id is given back whole.
            (account("a", 92, [("R", 4, "other")]), True),
            (account("a", 100, debt=4), True),
            (account("a", 97), False),
        ):
            self.assertEqual(not self.wrong([has], ledger), is_right, has)

    def test_entries_without_an_account_are_reported(self):
        self.assertEqual(self.wrong([], [entry("a", "G", "grant", 100)]), [("a", 0, 100)])

    def test_the_product_s_own_items_are_read(self):
        """Laid down by a local run of the product: top-up, charged and failed runs, one still open."""
        stored = json.loads((ROOT / "tests/deploy/books.json").read_text())
        self.assertEqual(self.wrong(stored["accounts"], stored["credit_transactions"]), [])
        self.assertTrue(any(item["holds"]["M"] for item in stored["accounts"]))
        kinds = [item.get("kind", {}).get("S") for item in stored["credit_transactions"]]
        del stored["credit_transactions"][kinds.index("charge")]
        self.assertEqual(len(self.wrong(stored["accounts"], stored["credit_transactions"])), 1)


class Differences(unittest.TestCase):
    def test_only_what_differs_is_written(self):
        live = [{"id": {"S": "same"}, "s": {"SS": ["b", "a"]}}, {"id": {"S": "changed"}, "n": {"N": "1"}}, {"id": {"S": "new"}}]
        back = [{"id": {"S": "same"}, "s": {"SS": ["a", "b"]}}, {"id": {"S": "changed"}, "n": {"N": "2"}}, {"id": {"S": "old"}}]
        self.assertEqual(
            list(restored.changes(live, back, ["id"])),
            [
                {"PutRequest": {"Item": back[1]}},
                {"PutRequest": {"Item": back[2]}},
                {"DeleteRequest": {"Key": {"id": {"S": "new"}}}},
            ],
        )

    def test_what_dynamodb_leaves_is_sent_again(self):
        requests = [{"DeleteRequest": {"Key": {"id": {"S": str(number)}}}} for number in range(60)]
        taken, busy = [], [True, True, False, True]

        def take_half(RequestItems):
            (batch,) = RequestItems.values()
            self.assertLessEqual(len(batch), 25)
            half = 0 if busy and busy.pop() else max(1, len(batch) // 2)
            taken.extend(batch[:half])
            return {"UnprocessedItems": {"t": batch[half:]} if batch[half:] else {}}

        with (
            mock.patch.object(restored, "CLIENT", batch_write_item=take_half),
            mock.patch.object(restored.time, "sleep"),
        ):
            restored.write("t", iter(requests))
        self.assertEqual(taken, requests)

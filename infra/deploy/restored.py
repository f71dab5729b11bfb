"""Restored tables beside the live ones: are their books whole, what differs, and writing it back.

    restored.py compare  LIVE-PREFIX PREFIX NAME…      settings of each pair of tables
    restored.py books    PREFIX [KNOWN]                balances against the ledger, account by account; KNOWN are off
    restored.py differences LIVE-PREFIX PREFIX NAME…   what writing back would change; nothing is written
    restored.py write-back  LIVE-PREFIX PREFIX NAME…   makes the live tables equal to the restored ones

Writing back touches only what differs, so it may be repeated after any interruption. The live tables stay the stack's:
CloudFormation neither notices nor minds, and their own point-in-time recovery keeps what is overwritten.
"""

import hashlib
import json
import sys
import time
from collections import defaultdict

import boto3
from botocore.config import Config

# Throttled writes are ordinary here: an on-demand table grows into a load.
CLIENT = boto3.client("dynamodb", config=Config(retries={"max_attempts": 12, "mode": "adaptive"}))
BATCH = 25


def scan(table):
    pages = CLIENT.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return (item for page in pages for item in page["Items"])


# ---- settings


def settings(table):
    """All that the two must have in common; what a restore brings, and what restore.sh puts there after it."""
    about = CLIENT.describe_table(TableName=table)["Table"]
    backups = CLIENT.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    life = CLIENT.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    tags = CLIENT.list_tags_of_resource(ResourceArn=about["TableArn"])["Tags"]
    return {
        "keys": about["KeySchema"],
        "indexes": sorted(
            json.dumps([index["IndexName"], index["KeySchema"], index["Projection"]])
            for index in about.get("GlobalSecondaryIndexes", [])
        ),
        "billing": about.get("BillingModeSummary", {}).get("BillingMode"),
        "encryption key": about.get("SSEDescription", {}).get("KMSMasterKeyArn"),
        "deletion protection": about.get("DeletionProtectionEnabled"),
        "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "recovery days": backups["PointInTimeRecoveryDescription"].get("RecoveryPeriodInDays"),
        "time to live": life.get("AttributeName"),
        "tags": {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")},
    }


def compare(live, prefix, names):
    wrong = 0
    for name in names:
        ours, theirs = settings(live + name), settings(prefix + name)
        for what in ours:
            if ours[what] != theirs[what]:
                wrong += 1
                print(f"  {prefix}{name}: {what} is {theirs[what]}, not {ours[what]}")
    print(f"  settings: {len(names)} tables compared, {wrong} differences")
    return wrong


# ---- the books


def number(item, name):
    return int(item.get(name, {}).get("N", "0"))


def books(accounts, entries):
    """(account, what it has, what its entries say) of each account whose two sums differ.

    available + reserved − debt = the sum of the entries; a hold whose run is decided as charged counts as spent until
    it is removed (shared/credits/README.md).
    """
    sums, charges = defaultdict(int), {}
    for entry in entries:
        account = entry["account"]["S"]
        if "kind" not in entry:
            continue  # the mark of a once-only key
        sums[account] += number(entry, "amount")
        if entry["kind"]["S"] == "charge":
            charges[account, entry["entry"]["S"], entry["nonce"]["S"]] = -number(entry, "amount")
    for item in accounts:
        account = item["id"]["S"]
        has = number(item, "avail") - number(item, "debt")
        for run, hold in item["holds"]["M"].items():
            # amount.expiry.fingerprint.nonce.tool
            amount, _, _, nonce, _ = hold["S"].split(".", 4)
            has += int(amount) - charges.get((account, run, nonce), 0)
        says = sums.pop(account, 0)
        if has != says:
            yield account, has, says
    for account, says in sums.items():
        if says:
            yield account, 0, says


def check_books(prefix, known="0"):
    accounts = list(scan(prefix + "accounts"))
    wrong = list(books(accounts, scan(prefix + "credit_transactions")))
    for account, has, says in wrong:
        print(f"  {account}: has {has}, its entries say {says}")
    print(f"  books: {len(accounts)} accounts, {len(wrong)} whose balance is not the sum of their entries")
    return len(wrong) != int(known)


# ---- writing back


def key_of(item, names):
    return tuple(json.dumps(item[name], sort_keys=True) for name in names)


def digest(item):
    return hashlib.sha256(json.dumps(in_order(item), sort_keys=True, default=repr).encode()).digest()


def in_order(value):
    """Sets come in any order."""
    if isinstance(value, dict):
        return {
            kind: sorted(inner, key=repr) if kind in ("SS", "NS", "BS") and isinstance(inner, list) else in_order(inner)
            for kind, inner in value.items()
        }
    return [in_order(inner) for inner in value] if isinstance(value, list) else value


def changes(live, restored, names):
    """Put and delete requests that make `live` equal to `restored`; the live table is remembered by digests only."""
    there = {key_of(item, names): digest(item) for item in live}
    for item in restored:
        if there.pop(key_of(item, names), None) != digest(item):
            yield {"PutRequest": {"Item": item}}
    for key in there:
        yield {"DeleteRequest": {"Key": {name: json.loads(value) for name, value in zip(names, key)}}}


def write(table, requests):
    batch, pause = [], 0.05
    for request in requests:
        batch.append(request)
        # Also when nothing of it was taken: DynamoDB refuses a larger one whole.
        while len(batch) >= BATCH:
            batch, pause = send(table, batch, pause)
    while batch:
        batch, pause = send(table, batch, pause)


def send(table, batch, pause):
    """What was not taken, and how long to wait if that goes on."""
    left = CLIENT.batch_write_item(RequestItems={table: batch}).get("UnprocessedItems", {}).get(table, [])
    if not left:
        return [], 0.05
    time.sleep(pause)
    return left, min(pause * 2, 5)


def write_back(live, prefix, names, is_real):
    total = 0
    for name in names:
        about = CLIENT.describe_table(TableName=live + name)["Table"]
        keys = [key["AttributeName"] for key in about["KeySchema"]]
        counts = defaultdict(int)

        def counted():
            for request in changes(scan(live + name), scan(prefix + name), keys):
                counts[next(iter(request))] += 1
                yield request

        if is_real:
            write(live + name, counted())
        else:
            for _ in counted():
                pass
        total += sum(counts.values())
        print(f"  {live}{name}: {counts['PutRequest']} items put, {counts['DeleteRequest']} deleted")
    print(f"  {total} items {'written' if is_real else 'would be written'}")
    return 0


def main(command, *rest):
    if command == "books":
        return 1 if check_books(*rest) else 0
    live, prefix, *names = rest
    if command == "compare":
        return 1 if compare(live, prefix, names) else 0
    return write_back(live, prefix, names, is_real=command == "write-back")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Shows a change set and refuses the ones that would lose data.

    aws cloudformation describe-change-set … | change_set.py [LOGICAL-ID…]

The resources named may be removed or replaced all the same. Exits 1 with every refusal, 3 if nothing changes.
"""

import json
import sys

# What holds data, or (the API) the address that others have written down.
KEPT = ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::ApiGateway::RestApi")
SIGNS = {"Add": "+", "Modify": "~", "Remove": "-", "Import": "+", "Dynamic": "?"}
NOTHING = ("didn't contain changes", "No updates are to be performed")


def judge(changes, let_go):
    for change in changes:
        kind, name, action = change["ResourceType"], change["LogicalResourceId"], change["Action"]
        if kind not in KEPT or name in let_go:
            continue
        where = f"{name} ({kind} {change.get('PhysicalResourceId', '')})"
        if action == "Remove":
            yield f"{where} would be removed"
        elif action == "Dynamic":
            yield f"{where}: CloudFormation can't tell what it would do"
        elif action == "Modify" and change.get("Replacement") != "False":
            word = "would" if change.get("Replacement") == "True" else "might"
            causes = {detail["Target"].get("Name") or detail["Target"]["Attribute"] for detail in change["Details"]}
            yield f"{where} {word} be replaced, because of {', '.join(sorted(causes)) or 'what it refers to'}"


def main(let_go):
    described = json.load(sys.stdin)
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "")
        if any(text in reason for text in NOTHING):
            print("nothing changes")
            return 3
        print(f"CloudFormation refuses the change set: {reason}", file=sys.stderr)
        return 1
    changes = [change["ResourceChange"] for change in described["Changes"]]
    for change in sorted(changes, key=lambda change: (change["Action"], change["LogicalResourceId"])):
        replaced = {"True": " REPLACED", "Conditional": " perhaps replaced"}.get(change.get("Replacement"), "")
        print(f"  {SIGNS.get(change['Action'], '?')} {change['LogicalResourceId']}  {change['ResourceType']}{replaced}")
    refusals = list(judge(changes, set(let_go)))
    if refusals:
        print("Refused, because data or an address that others know would be lost:", file=sys.stderr)
        print(*(f"  {line}" for line in refusals), sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

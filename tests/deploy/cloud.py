"""The account that the scripts are tested against; the program behind fakes/aws.

Parameter Store, KMS, DynamoDB, functions and the caller's identity are moto's, and the real AWS CLI asks it. Played here,
because moto does not deploy SAM templates: CloudFormation, S3, and what an account may run at once. Each call is written
to `calls.jsonl` with its arguments, and may be the last one before the script is killed (`kill_at`).

Its state is `state.json`; a test lays it down and reads it:
    stacks       name → status, parameters, outputs, template, resources, change_sets
    next_status  what the next executed change set leads to, e.g. CREATE_FAILED
    next_changes what the next change set for an existing stack would do
    kill_at      the number of the changing call at which the calling script is killed, `before` or `after` it
    quota        how many functions the account may run at once
"""

import json
import os
import re
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import jmespath
from awscli.clidriver import create_clidriver
from awscli.text import format_text
from botocore.exceptions import UnknownServiceError

# Calls that change something; what a script asks for in between is no place to be killed at.
CHANGING = {
    "create-change-set", "execute-change-set", "delete-change-set", "update-termination-protection", "cp",
    "put-parameter", "delete-parameter", "put-function-concurrency", "delete-function-concurrency", "tag-resource",
    "untag-resource", "restore-table-to-point-in-time", "update-continuous-backups", "update-time-to-live",
    "update-table", "delete-table",
}  # fmt: skip


class Refused(Exception):
    """What Amazon answers instead; printed like the CLI does."""


def refuse(code, operation, message):
    raise Refused(f"\nAn error occurred ({code}) when calling the {operation} operation: {message}\n")


class Account:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.state = json.loads((self.folder / "state.json").read_text())

    def save(self):
        new = self.folder / "state.new"
        new.write_text(json.dumps(self.state, indent=1))
        new.rename(self.folder / "state.json")

    def stack(self, options, operation):
        name = options["stack-name"]
        if name not in self.state["stacks"]:
            refuse("ValidationError", operation, f"Stack with id {name} does not exist")
        return self.state["stacks"][name]

    # ---- CloudFormation

    def describe_stacks(self, options):
        stack = self.stack(options, "DescribeStacks")
        answer = {
            "StackName": options["stack-name"],
            "StackStatus": stack["status"],
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in stack["parameters"].items()],
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in stack["outputs"].items()],
        }
        # It is under way for exactly one look.
        if stack["status"].endswith("_IN_PROGRESS") and stack["status"] != "REVIEW_IN_PROGRESS":
            self.arrive(options["stack-name"], stack)
        return {"Stacks": [answer]}

    def arrive(self, name, stack):
        stack["status"] = stack.pop("arriving")
        if stack["status"].endswith("_COMPLETE"):
            alias = f"alias/{name}-data"
            if alias not in key_aliases():
                key = ask_kms("CreateKey")["KeyMetadata"]["KeyId"]
                ask_kms("CreateAlias", AliasName=alias, TargetKeyId=key)

    def create_change_set(self, options):
        name, kind = options["stack-name"], options["change-set-type"]
        parameters = {
            pair["ParameterKey"]: pair["ParameterValue"]
            for pair in json.loads(Path(options["parameters"].removeprefix("file://")).read_text())
        }
        template = self.template(options["template-url"])
        unknown = sorted(set(parameters) - set(parameters_of(template)))
        if unknown:
            refuse("ValidationError", "CreateChangeSet", f"Parameters: {unknown} do not exist in the template")
        stack = self.state["stacks"].get(name)
        is_new = stack is None or stack["status"] == "REVIEW_IN_PROGRESS"
        if is_new != (kind == "CREATE"):
            refuse("ValidationError", "CreateChangeSet", f"{kind} does not fit the stack's state")
        if is_new:
            if options.get("on-stack-failure") != "DO_NOTHING":
                refuse("TestFailure", "CreateChangeSet", "a first creation must keep what it made")
            stack = {"status": "REVIEW_IN_PROGRESS", "parameters": {}, "outputs": {}, "resources": [], "template": ""}
            stack["change_sets"] = {}
            self.state["stacks"][name] = stack
            changes = [add(logical, kind) for logical, kind in resources_of(template)]
        else:
            changes = self.state.pop("next_changes", None) or [modify("RunTool", "AWS::Lambda::Function", "False")]
        same = (parameters, template) == (stack["parameters"], stack["template"]) and stack["status"].endswith("COMPLETE")
        stack["change_sets"][options["change-set-name"]] = {
            "Status": "FAILED" if same else "CREATE_COMPLETE",
            "StatusReason": "The submitted information didn't contain changes." if same else "",
            "Changes": [] if same else changes,
            "parameters": parameters,
            "template": template,
        }
        return {"Id": options["change-set-name"]}

    def get_template_summary(self, options):
        names = parameters_of(self.template(options["template-url"]))
        return {"Parameters": [{"ParameterKey": name, "ParameterType": "String"} for name in names]}

    def describe_change_set(self, options):
        return self.stack(options, "DescribeChangeSet")["change_sets"][options["change-set-name"]]

    def delete_change_set(self, options):
        self.stack(options, "DeleteChangeSet")["change_sets"].pop(options["change-set-name"])

    def execute_change_set(self, options):
        stack = self.stack(options, "ExecuteChangeSet")
        change_set = stack["change_sets"].pop(options["change-set-name"])
        before = stack["status"]
        if before.endswith("_FAILED") != ("disable-rollback" in options):
            refuse("TestFailure", "ExecuteChangeSet", f"wrong way of rolling back from {before}")
        stack["parameters"], stack["template"] = change_set["parameters"], change_set["template"]
        verb = "CREATE" if before == "REVIEW_IN_PROGRESS" else "UPDATE"
        stack["status"], stack["arriving"] = f"{verb}_IN_PROGRESS", self.state.pop("next_status", f"{verb}_COMPLETE")
        stack["outputs"] = {"ApiUrl": self.state["address"], "MediaBucketName": "media"}
        domain = change_set["parameters"].get("DomainName")
        if domain:
            stack["outputs"] |= {"ApiUrl": f"https://{domain}", "ApiDomainTarget": "d-1.execute-api.example.net"}
        stack["history"] = stack.get("history", []) + [change_set["parameters"]]

    def update_termination_protection(self, options):
        self.stack(options, "UpdateTerminationProtection")["is_protected"] = True
        return {}

    def list_stack_resources(self, options):
        return {"StackResourceSummaries": self.stack(options, "ListStackResources")["resources"]}

    def describe_stack_events(self, options):
        self.stack(options, "DescribeStackEvents")
        event = {"LogicalResourceId": "TronPoll", "ResourceStatus": "CREATE_FAILED", "Timestamp": "9999"}
        return {"StackEvents": [event | {"ResourceStatusReason": "the quota is reached"}]}

    # ---- S3 and Lambda's quota

    def template(self, url):
        key = re.fullmatch(r"https://artifacts\.s3\.ap-southeast-1\.amazonaws\.com/(.+)", url)[1]
        return (self.folder / "s3" / "artifacts" / key).read_text()

    def cp(self, options):
        source, target = (self.local(place) for place in options["rest"])
        if not source.exists():
            raise Refused("fatal error: An error occurred (404) when calling the HeadObject operation: Not Found\n")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())

    def local(self, place):
        return self.folder / "s3" / place.removeprefix("s3://") if place.startswith("s3://") else Path(place)

    def list_objects_v2(self, options):
        bucket = self.folder / "s3" / options["bucket"]
        files = sorted(file for file in bucket.rglob("*") if file.is_file())
        named = [{"Key": str(file.relative_to(bucket)), "LastModified": file.stat().st_mtime_ns} for file in files]
        found = [entry for entry in named if entry["Key"].startswith(options["prefix"])]
        return {"Contents": found} if found else {}

    def get_account_settings(self, options):
        return {"AccountLimit": {"ConcurrentExecutions": self.state.get("quota", 1000)}}


PLAYED = {
    ("cloudformation", None), ("s3", None), ("s3api", None), ("lambda", "get-account-settings"),
}  # fmt: skip


def parameters_of(template):
    return re.findall(r"^  (\w+):$", template.split("Resources:")[0].split("Parameters:")[1], re.MULTILINE)


def resources_of(template):
    return re.findall(r"^  (\w+):\n    Type: (\S+)$", template.split("\nResources:")[1], re.MULTILINE)


def add(logical, kind):
    return {"ResourceChange": {"Action": "Add", "LogicalResourceId": logical, "ResourceType": kind}}


def modify(logical, kind, replacement, cause="Code"):
    change = {"Action": "Modify", "LogicalResourceId": logical, "ResourceType": kind, "Replacement": replacement}
    details = [{"Target": {"Attribute": "Properties", "Name": cause}}]
    return {"ResourceChange": change | {"PhysicalResourceId": logical.lower(), "Details": details}}


def read_options(words):
    """`--name value` and `--name` alone; what belongs to no name is in `rest`."""
    options, rest, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            rest.append(word)
        elif words and not words[0].startswith("--"):
            options[word[2:]] = words.pop(0)
        else:
            options[word[2:]] = ""
    if "only-show-errors" in options and options["only-show-errors"]:
        rest.insert(0, options["only-show-errors"])
    return options | {"rest": rest}


def answer(argv):
    """The exit code of one `aws` call."""
    folder = os.environ["CLOUD"]
    with open(f"{folder}/calls.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps(argv) + "\n")
    if argv == ["--version"]:
        print("aws-cli/0.0.0")
        return 0
    service, verb = argv[0], argv[1]
    account = Account(folder)
    kill = verb in CHANGING and count_down(account)
    if kill == "before":
        os.killpg(int(os.environ["CLOUD_GROUP"]), signal.SIGKILL)
        return 137
    code = carry_out(account, service, verb, argv)
    if kill == "after":
        os.killpg(int(os.environ["CLOUD_GROUP"]), signal.SIGKILL)
    return code


def count_down(account):
    kill = account.state.get("kill_at")
    if not kill:
        return None
    number, when = kill
    account.state["kill_at"] = [number - 1, when] if number > 1 else None
    account.save()
    return when if number == 1 else None


def carry_out(account, service, verb, argv):
    options = read_options(argv[2:])
    try:
        if (service, verb) in PLAYED or (service, None) in PLAYED:
            document = getattr(account, verb.replace("-", "_"))(options)
            account.save()
            show(document, options)
            return 0
        if verb == "put-parameter":
            demand_key(options["key-id"])
        if verb == "invoke" and account.state.get("function_fails"):
            Path(argv[-1]).write_text('{"errorType":"Settings"}')
            show({"StatusCode": 200, "FunctionError": "Unhandled"}, options)
            return 0
    except Refused as refusal:
        sys.stderr.write(str(refusal))
        return 254
    return DRIVER.main(argv)


def demand_key(alias):
    """moto takes any key for a SecureString."""
    if alias not in key_aliases():
        refuse("InvalidKeyId", "PutParameter", f"Alias {alias} is not found.")


def key_aliases():
    return {known["AliasName"] for known in ask_kms("ListAliases")["Aliases"]}


def ask_kms(operation, **words):
    # moto takes the region from a signature and does not check it.
    credential = f"AWS4-HMAC-SHA256 Credential=test/20260101/{os.environ['AWS_DEFAULT_REGION']}/kms/aws4_request"
    headers = {
        "X-Amz-Target": f"TrentService.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"{credential}, SignedHeaders=host, Signature=none",
    }
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(words).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "{}")


def show(document, options):
    if document is None:
        return
    if "query" in options:
        document = jmespath.search(options["query"], document)
    if options.get("output") == "text":
        format_text(document, sys.stdout)
    else:
        print(json.dumps(document, indent=4))


def serve(door):
    """Forks for each call: the CLI is loaded once."""
    children = 0
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(door)
        listener.listen()
        print("ready", flush=True)
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                os._exit(handle(caller))
            caller.close()
            children += 1
            while children and os.waitpid(-1, os.WNOHANG)[0]:
                children -= 1


def handle(caller):
    message, files, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    while not message.endswith(b"\n"):
        message += caller.recv(1 << 20)
    call = json.loads(message)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # The CLI names the place of its own data there when it is loaded.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update(call["env"], AWS_DATA_PATH=data, CLOUD_GROUP=str(call["group"]))
    os.chdir(call["folder"])
    sys.stdin, sys.stdout, sys.stderr = (open(n, mode) for n, mode in ((0, "r"), (1, "w"), (2, "w")))
    try:
        code = answer(call["argv"])
    except SystemExit as end:
        code = end.code
    except Exception:  # whatever it is, the test must see it
        import traceback

        traceback.print_exc()
        code = 98
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        caller.sendall(f"{code}\n".encode())
    except BrokenPipeError:
        pass  # it was killed
    return 0


if __name__ == "__main__":
    # Loads what every call needs before the first one.
    DRIVER = create_clidriver()
    loader = DRIVER.session.get_component("data_loader")
    for name in ("ssm", "sts", "lambda", "dynamodb"):
        for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
            try:
                loader.load_service_model(name, kind)
            except UnknownServiceError:
                pass  # sts has nothing to leaf through
    serve(sys.argv[1])

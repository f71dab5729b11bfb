"""The account that the scripts are tested against; the program behind fakes/aws.

Parameter Store, KMS, DynamoDB, log groups, functions and the caller's identity are moto's, and the real AWS CLI asks it.
Played here, because moto does not deploy SAM templates: CloudFormation with what it makes, S3, the account's role for API
Gateway's logs, and what an account may run at once. Each call is written to `calls.jsonl` with its arguments, and may be the
last one before the script is killed (`kill_at`).

Its state is `state.json`; a test lays it down and reads it:
    stacks       name → status, parameters, outputs, template, resources, change_sets
    next_status  what the next operations on a stack lead to, e.g. [CREATE_FAILED, UPDATE_FAILED]; then all is well
    reasons      logical id → why it failed, for those that do not go well
    log_role     the ARN of the account's role for API Gateway's logs, if there is one
    roles        names of the roles there are
    role_refused how often API Gateway does not know a new role yet
    feeds_silent the function exchange-rates gets no rate
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
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import jmespath
from awscli.clidriver import create_clidriver
from awscli.text import format_text
from botocore.exceptions import UnknownServiceError

# Calls that change something; what a script asks for in between is no place to be killed at.
CHANGING = {
    "create-change-set", "execute-change-set", "delete-change-set", "update-stack", "update-termination-protection", "cp",
    "create-role", "attach-role-policy", "update-account", "invoke",
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
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in stack["parameters"].items()]
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in stack["outputs"].items()]
        answer = {"StackName": options["stack-name"], "StackStatus": stack["status"]}
        answer["CreationTime"] = stack.get("created", "2026-01-01T00:00:00.000000+00:00")
        # What there is none of is not there at all.
        answer |= {"Parameters": parameters} if parameters else {}
        answer |= {"Outputs": outputs} if outputs else {}
        # It is under way for exactly one look.
        if stack["status"].endswith("_IN_PROGRESS") and stack["status"] != "REVIEW_IN_PROGRESS":
            self.arrive(options["stack-name"], stack)
        return {"Stacks": [answer]}

    def begin(self, stack, token, parameters, template):
        """An operation that ends with the next look."""
        verb = "CREATE" if stack["status"] == "REVIEW_IN_PROGRESS" else "UPDATE"
        planned = self.state.get("next_status", [])
        stack["arriving"] = planned.pop(0) if planned else f"{verb}_COMPLETE"
        stack["status"] = f"{verb}_IN_PROGRESS"
        stack["pending"] = {"token": token, "parameters": parameters, "template": template}
        stack["history"] = stack.get("history", []) + [parameters]

    def arrive(self, name, stack):
        stack["status"], pending = stack.pop("arriving"), stack.pop("pending")
        stack["token"] = pending["token"]
        if stack["status"].endswith("ROLLBACK_COMPLETE"):
            return
        stack["parameters"], stack["template"] = pending["parameters"], pending["template"]
        # Outputs are told when an operation came to its end, and only then.
        stack["outputs"] = {}
        if not stack["status"].endswith("_COMPLETE"):
            return
        stack["outputs"] = {key: self.state["address"] for key in ("ApiUrl", "GatewayUrl")}
        domain = stack["parameters"].get("DomainName")
        if domain:
            stack["outputs"] |= {"ApiUrl": f"https://{domain}", "ApiDomainTarget": "d-1.execute-api.example.net"}
        self.make(name, stack)

    def make(self, name, stack):
        """What scripts look for afterwards: the key, the table of rates, functions and schedules by their names."""
        alias = f"alias/{name}-data"
        if alias not in key_aliases():
            key = ask_kms("CreateKey")["KeyMetadata"]["KeyId"]
            ask_kms("CreateAlias", AliasName=alias, TargetKeyId=key)
        table = rates_table(stack)
        if table not in ask_dynamodb("ListTables")["TableNames"]:
            make_rates_table(table)
        kept = [r for r in stack["resources"] if not r["PhysicalResourceId"].startswith("played-")]
        stack["resources"] = [r for r in kept if r["LogicalResourceId"] != "ApiLogsRole"]
        for logical, kind in resources_of(stack["template"]):
            if kind == "AWS::Serverless::Function":
                made = [(logical, "AWS::Lambda::Function"), (f"{logical}EveryDay", "AWS::Scheduler::Schedule")]
                stack["resources"] += [
                    {"LogicalResourceId": l, "ResourceType": k, "PhysicalResourceId": f"played-{name}-{l}"}
                    for l, k in made
                ]

    def create_change_set(self, options):
        name, kind = options["stack-name"], options["change-set-type"]
        parameters = read_parameters(options)
        template = self.template(options["template-url"])
        self.check_parameters(parameters, template, "CreateChangeSet")
        if "on-stack-failure" in options:
            # Amazon refuses every later update of such a stack: "cannot be updated from [CREATE_FAILED] state because
            # it contains [on-failure: DO_NOTHING]".
            refuse("TestFailure", "CreateChangeSet", "a first creation that is kept must be one that can be updated")
        stack = self.state["stacks"].get(name)
        is_new = stack is None or stack["status"] == "REVIEW_IN_PROGRESS"
        if is_new != (kind == "CREATE"):
            refuse("ValidationError", "CreateChangeSet", f"{kind} does not fit the stack's state")
        if not is_new and stack["status"] not in UPDATABLE:
            refuse("ValidationError", "CreateChangeSet", f"{name} is in {stack['status']} state and can not be updated")
        if is_new:
            stack = {"status": "REVIEW_IN_PROGRESS", "parameters": {}, "outputs": {}, "resources": [], "template": ""}
            stack |= {"change_sets": {}, "created": iso(time.time())}
            self.state["stacks"][name] = stack
            changes = [add(logical, kind) for logical, kind in resources_of(template)]
        else:
            changes = self.state.pop("next_changes", None) or [modify("RunTool", "AWS::Lambda::Function", "False")]
        same = (parameters, template) == (stack["parameters"], stack["template"])
        stack["change_sets"][options["change-set-name"]] = {
            "Status": "FAILED" if same else "CREATE_COMPLETE",
            "StatusReason": "The submitted information didn't contain changes." if same else "",
            "Changes": [] if same else changes,
            "parameters": parameters,
            "template": template,
        }
        return {"Id": options["change-set-name"]}

    def check_parameters(self, parameters, template, operation):
        unknown = sorted(set(parameters) - set(parameters_of(template)))
        if unknown:
            refuse("ValidationError", operation, f"Parameters: {unknown} do not exist in the template")
        if not re.fullmatch("(https?://[A-Za-z0-9./:-]+[^/])?", parameters.get("ApiUrl", "")):
            refuse("ValidationError", operation, "Parameter ApiUrl failed to satisfy constraint")

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
        self.check_rollback(stack, options, "ExecuteChangeSet")
        self.begin(stack, options["client-request-token"], change_set["parameters"], change_set["template"])

    def update_stack(self, options):
        """What Amazon's guide calls a retry."""
        stack = self.stack(options, "UpdateStack")
        parameters, template = read_parameters(options), self.template(options["template-url"])
        self.check_parameters(parameters, template, "UpdateStack")
        self.check_rollback(stack, options, "UpdateStack")
        if not {"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"} <= {options["capabilities"], *options["rest"]}:
            refuse("InsufficientCapabilities", "UpdateStack", "Requires capabilities: [CAPABILITY_AUTO_EXPAND]")
        self.begin(stack, options["client-request-token"], parameters, template)
        return {"StackId": options["stack-name"]}

    def check_rollback(self, stack, options, operation):
        """From a failed state only without rolling back; a first creation is kept; a later update goes back by itself."""
        before = stack["status"]
        keeps = before.endswith("_FAILED") or before == "REVIEW_IN_PROGRESS"
        if keeps != ("disable-rollback" in options):
            refuse("TestFailure", operation, f"wrong way of rolling back from {before}")

    def update_termination_protection(self, options):
        self.stack(options, "UpdateTerminationProtection")["is_protected"] = True
        return {}

    def list_stack_resources(self, options):
        return {"StackResourceSummaries": self.stack(options, "ListStackResources")["resources"]}

    def describe_stack_events(self, options):
        stack = self.stack(options, "DescribeStackEvents")
        reasons = self.state.get("reasons", {"TronPoll": "the quota is reached"})
        reasons = reasons | {options["stack-name"]: "The following resource(s) failed to create"}
        events = [
            {"LogicalResourceId": logical, "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": reason}
            for logical, reason in reasons.items()
        ]
        of_before = {"LogicalResourceId": "Old", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "long ago"}
        token = {"ClientRequestToken": stack["token"]}
        return {"StackEvents": [event | token for event in events] + [of_before | {"ClientRequestToken": "other"}]}

    # ---- the account's role for API Gateway's logs

    def get_account(self, options):
        role = self.state.get("log_role")
        return {"throttleSettings": {}} | ({"cloudwatchRoleArn": role} if role else {})

    def update_account(self, options):
        role = options["patch-operations"].split("value=")[1]
        if role.rsplit("/", 1)[1] not in self.state.get("roles", []):
            refuse("BadRequestException", "UpdateAccount", "Invalid ARN")
        refused = self.state.get("role_refused", 0)
        if refused:
            self.state["role_refused"] = refused - 1
            self.save()
            refuse("BadRequestException", "UpdateAccount", "The role ARN does not have required permissions configured.")
        self.state["log_role"] = role
        return {}

    def get_role(self, options):
        if options["role-name"] not in self.state.get("roles", []):
            refuse("NoSuchEntity", "GetRole", f"The role with name {options['role-name']} cannot be found.")
        return {"Role": {"RoleName": options["role-name"]}}

    def create_role(self, options):
        document = json.loads(options["assume-role-policy-document"])
        if document["Statement"][0]["Principal"] != {"Service": "apigateway.amazonaws.com"}:
            refuse("TestFailure", "CreateRole", "another service's role")
        self.state["roles"] = self.state.get("roles", []) + [options["role-name"]]
        return {}

    def attach_role_policy(self, options):
        self.get_role(options)

    # ---- a function that a stack made here has

    def invoke(self, options):
        function = options["function-name"]
        name = next(name for name in self.state["stacks"] if function.startswith(f"played-{name}-"))
        renewed = 0 if self.state.get("feeds_silent") else 1
        if function.endswith("-ExchangeRates") and renewed:
            put_rate(rates_table(self.state["stacks"][name]))
        report = {"vietcombank": {"read": {"renewed": renewed, "kept": 0}}}
        Path(options["rest"][-1]).write_text(json.dumps(report))
        return {"StatusCode": 200}

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
        named = [{"Key": str(file.relative_to(bucket)), "LastModified": iso(file.stat().st_mtime)} for file in files]
        found = [entry for entry in named if entry["Key"].startswith(options["prefix"])]
        return {"Contents": found} if found else {}

    def get_account_settings(self, options):
        quota = self.state.get("quota", 1000)
        unreserved = quota - self.state.get("reserved_by_others", 0)
        return {"AccountLimit": {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": unreserved}}


PLAYED = {
    ("cloudformation", None), ("s3", None), ("s3api", None), ("lambda", "get-account-settings"), ("apigateway", None),
    ("iam", None),
}  # fmt: skip
# The states from which CloudFormation takes a change set for an existing stack.
UPDATABLE = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
    "CREATE_FAILED", "UPDATE_FAILED",
}  # fmt: skip


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def read_parameters(options):
    pairs = json.loads(Path(options["parameters"].removeprefix("file://")).read_text())
    return {pair["ParameterKey"]: pair["ParameterValue"] for pair in pairs}


def rates_table(stack):
    return stack["parameters"]["TablePrefix"] + "exchange_rates"


def make_rates_table(name):
    ask_dynamodb(
        "CreateTable",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "currency", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "currency", "KeyType": "HASH"}],
    )


def put_rate(table):
    ask_dynamodb("PutItem", TableName=table, Item={"currency": {"S": "VND"}, "rate": {"S": "26270"}})


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
        is_played_function = verb == "invoke" and options["function-name"].startswith("played-")
        if (service, verb) in PLAYED or (service, None) in PLAYED or is_played_function:
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
    return ask("kms", f"TrentService.{operation}", "1.1", words)


def ask_dynamodb(operation, **words):
    return ask("dynamodb", f"DynamoDB_20120810.{operation}", "1.0", words)


def ask(service, target, version, words):
    # moto takes the region from a signature and does not check it.
    scope = f"20260101/{os.environ['AWS_DEFAULT_REGION']}/{service}/aws4_request"
    headers = {
        "X-Amz-Target": target,
        "Content-Type": f"application/x-amz-json-{version}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders=host, Signature=none",
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
    for name in ("ssm", "sts", "lambda", "dynamodb", "logs"):
        for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
            try:
                loader.load_service_model(name, kind)
            except UnknownServiceError:
                pass  # sts has nothing to leaf through
    serve(sys.argv[1])

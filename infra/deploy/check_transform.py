"""Runs the SAM transform and checks what CloudFormation would really get.

An integration that buffers, or a function that the API may not invoke, passes every validator, and what SAM adds by itself
(roles, permissions, stages) stands in no template: only the transformed document tells. It also says how large that is, and
how far from CloudFormation's limits with twice as many functions.

Then it proves itself: each of MISTAKES is made in a copy of the template, and must be complained about.
"""

import copy
import json
import logging
import re
import sys

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

NO_VALUE = {"Ref": "AWS::NoValue"}
OUR_API = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/live/*"
# CloudFormation takes this much of one template; what is sent inline and not through a bucket must be smaller still.
# "CloudFormation quotas". The size counts after the transform too.
RESOURCES_MAX = 500
BYTES_MAX = 1_000_000
INLINE_BYTES_MAX = 51_200
# With twice as many functions a stack is to stay below these, so that other tables, alarms and topics still find room.
RESOURCES_BUDGET = 400
BYTES_BUDGET = 600_000
# What SAM gives each role by itself: logs and traces.
MANAGED_BY_SAM = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
}
# What the template has none of, whatever SAM makes of it: other doors, and rights beside the functions' own.
UNWANTED = (
    # The role of API Gateway's logs is the whole account's; deleting one stack would take it from the others.
    "AWS::ApiGateway::Account",
    "AWS::ApiGatewayV2::",
    "AWS::CloudFormation::Stack",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::User",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Url",
)
# tests/it/template holds these to the code; here they are what arrives.
TTL = {
    "AccountsTable": None,
    "CreditTransactionsTable": None,
    "DriveSavesTable": "ttl",
    "ExchangeRatesTable": None,
    "IdempotencyTable": "ttl",
    "LinkedDrivesTable": None,
    "PaymentInboxTable": "gone_at",
    "PaymentRailsTable": None,
    "PaymentReferencesTable": "gone_at",
    "PendingLinksTable": "ttl",
    "ProviderHealthTable": "ttl",
    "RequestLimitsTable": "ttl",
    "RunJobsTable": "ttl",
    "ToolPricingTable": None,
    "TopUpsTable": None,
    "UploadsTable": "ttl",
    "UsageLogTable": "ttl",
    "UsersTable": "ttl",
}
SCHEDULES = {
    "ExchangeRates": "cron(30 6 * * ? *)",
    "PaymentReconciliation": {"Ref": "PaymentReconciliationSchedule"},
    "ProviderBalances": "rate(1 hour)",
    "ReservationSweep": "rate(1 minute)",
    "RunPoll": "rate(1 minute)",
    "TronPoll": {"Ref": "TronPollSchedule"},
}
RESERVED = {"IdentityWebhook": 10, "ProviderWebhook": 20, "RunTool": {"Ref": "RunToolConcurrencyMax"}, "SepayWebhook": 20}
RESERVED.update(dict.fromkeys(SCHEDULES, 1))
# Each run that it looks after is one tick's alone, and some take longer than a minute.
RESERVED["RunPoll"] = 5
# There only where the profile offers a rail that needs them, or drives.
OF_RAILS = {
    "ClaimTransfer": "OffersTronUsdt",
    "Drives": "OffersDrives",
    "OauthCallback": "OffersDrives",
    "SepayWebhook": "HearsSepay",
    "TronPoll": "OffersTronUsdt",
}
# SAM's own name for it is by the stage.
STAGE = "ApiliveStage"


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml_parse(file.read())


def transform(template):
    template = copy.deepcopy(template)
    # The transform wants packaged code.
    for function in of_type(template, "AWS::Serverless::Function").values():
        function["CodeUri"] = "s3://bucket/code.zip"
    parameters = {name: parameter.get("Default", "given") for name, parameter in template["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return translator.translate(template, parameters)


def of_type(document, kind):
    return {name: r["Properties"] for name, r in document["Resources"].items() if r["Type"] == kind}


def ticks_of(template):
    """By the name that SAM gives a schedule, the function that it ticks."""
    for function, properties in of_type(template, "AWS::Serverless::Function").items():
        for name, event in properties.get("Events", {}).items():
            if event["Type"] == "ScheduleV2":
                yield f"{function}{name}", function


def check(template, document):
    yield from check_kinds(document)
    yield from check_door(template, document)
    yield from check_functions(template, document)
    yield from check_roles(template, document)
    yield from check_rails(document)
    yield from check_schedules(template, document)
    yield from check_tables(document)
    yield from check_media(document)
    yield from check_size(template, document)


def differs(name, found, wanted):
    """One complaint for each property that is not as wanted."""
    for key, value in wanted.items():
        if found.get(key) != value:
            yield f"{name}: {key} is {json.dumps(found.get(key))}, not {json.dumps(value)}"


def check_kinds(document):
    for name, resource in document["Resources"].items():
        if resource["Type"].startswith(UNWANTED):
            yield f"{name} is a {resource['Type']}, which nothing here needs"


# ---- the front door


def check_door(template, document):
    apis = of_type(document, "AWS::ApiGateway::RestApi")
    if list(apis) != ["Api"]:
        yield f"there are the REST APIs {list(apis)}, not one"
        return
    api = apis["Api"]
    wanted = {
        # Another kind ends a silent stream after 30 seconds.
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "SecurityPolicy": "SecurityPolicy_TLS13_1_2_2021_06",
        "EndpointAccessMode": "STRICT",
    }
    yield from differs("Api", api, wanted)
    disabled = {"disableExecuteApiEndpoint": {"Fn::If": ["HasDomain", True, False]}}
    if api["Body"].get("servers") != [{"x-amazon-apigateway-endpoint-configuration": disabled}]:
        yield "Api: its own address stays open beside a domain"
    yield from check_routes(template, api["Body"]["paths"])
    yield from check_refusals(template, api["Body"])
    yield from check_switches(document, api["Body"], of_type(document, "AWS::ApiGateway::Stage").get(STAGE, {}))
    stage = of_type(document, "AWS::ApiGateway::Stage").get(STAGE, {})
    yield from differs("the stage", stage, {"StageName": "live", "TracingEnabled": False})
    log = stage.get("AccessLogSetting", {}).get("Fn::If", [None, {}])
    if log[0] != "HasApiLogs" or "$context.requestId" not in log[1].get("Format", ""):
        yield "the stage has no access log"
    if "$context.identity" in json.dumps(log):
        yield "the access log tells who called"
    throttled = {offered(setting)["ResourcePath"] for setting in stage.get("MethodSettings", [])}
    for path in ("clerk", "sepay~1bank", "sepay~1ipn"):
        if f"/~1v1~1webhooks~1{path}" not in throttled:
            yield f"the webhook {path} shares its throttle with all routes"


def check_refusals(template, body):
    """tests/it/template holds the words to the code; here they are what arrives."""
    meant = template["Resources"]["Api"]["Properties"].get("GatewayResponses", {})
    arrives = body.get("x-amazon-apigateway-gateway-responses", {})
    if not {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED"} <= meant.keys() or set(arrives) != set(meant):
        yield f"the gateway words {sorted(arrives)}"
    for kind, response in arrives.items():
        kept = response.get("responseParameters", {}).get("gatewayresponse.header.Access-Control-Allow-Origin")
        if not kept or "application/json" not in response.get("responseTemplates", {}):
            yield f"{kind}: a page can't read it"


def offered(node):
    """What stands somewhere where its rail is offered."""
    return node.get("Fn::If", [None, node])[1]


def check_switches(document, body, stage):
    """SAM's deployment is named by a hash of the body before conditions are filled in: a parameter that changes what
    the API is changes nothing for callers, unless a setting of the stage changes with it. A profile is no parameter that
    changes; its rails do, and stand in the body as a text, so that another list is another hash."""
    switches = set(re.findall(r"'Fn::If': \['(\w+)'", str(body)))
    of_rails = {switch for switch in switches if parameters_of(document, switch) == {"Profile"}}
    if of_rails and body["info"].get("description") != rails_of_profiles(document):
        yield f"{', '.join(sorted(of_rails))} may change the API, and its text does not change with them"
    switches -= of_rails
    followed = set(re.findall(r"'Fn::If': \['(\w+)'", str(stage.get("Variables", {}))))
    for switch in sorted(switches - followed):
        yield f"{switch} changes the API, and the stage does not change with it"
    for reference in sorted(set(re.findall(r"'Ref': '(?!AWS::)(\w+)'", str(body)))):
        yield f"the API's body has {reference} in it, and the stage does not change with it"


def parameters_of(document, condition):
    """All that a condition hangs on, also by others."""
    said = json.dumps(document["Conditions"][condition])
    others = re.findall(r'"Condition": "(\w+)"', said)
    return set(re.findall(r'"Ref": "(\w+)"', said)).union(*(parameters_of(document, other) for other in others))


def rails_of_profiles(document):
    """`citipen: sepay_card, tron_usdt, viet_qr`, by the mapping, which tests/it/template holds to the profiles."""
    name = lambda key: re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower()
    profiles = document["Mappings"]["Profiles"].items()
    rails = {profile: sorted(name(key) for key, value in own.items() if value == "offered") for profile, own in profiles}
    return "; ".join(f"{profile}: {', '.join(rails[profile])}" for profile in sorted(rails))


def check_routes(template, paths):
    paths = {path: offered(item) for path, item in paths.items()}
    meant = template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    meant = {path: offered(item) for path, item in meant.items()}
    operations = [(path, method) for path, item in paths.items() for method in item]
    if operations != [(path, method) for path, item in meant.items() for method in item]:
        yield "SAM has added methods of its own, or left some out"
    for path, method in operations:
        name = f"{method.upper()} {path}"
        integration = paths[path][method].get("x-amazon-apigateway-integration", {})
        if method == "options":
            yield from check_preflight(name, integration)
            continue
        yield from differs(name, integration, {"type": "aws_proxy", "httpMethod": "POST", "responseTransferMode": "STREAM"})
        uri = json.dumps(integration.get("uri"))
        if "/2021-11-15/functions/${" not in uri or ".Arn}/response-streaming-invocations" not in uri:
            yield f"{name}: the integration does not call the streaming invocation"
        # A run may last, and its function has one integration for all of its routes; everything else ends within the
        # gateway's own 29 seconds.
        patience = 900_000 if "${RunTool.Arn}" in uri else None
        yield from differs(name, integration, {"timeoutInMillis": patience})


def check_preflight(name, integration):
    """tests/it/front_door.rs asks for them; here is what arrives."""
    yield from differs(name, integration, {"type": "mock", "uri": None, "passthroughBehavior": "never"})
    answer = integration.get("responses", {}).get("default", {})
    told = {header.removeprefix("method.response.header.") for header in answer.get("responseParameters", {})}
    wanted = {"Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Max-Age", "Vary"}
    if told != wanted:
        yield f"{name}: the answer has the headers {sorted(told)}"
    if "$stageVariables.AllowedOrigins" not in answer.get("responseTemplates", {}).get("application/json", ""):
        yield f"{name}: the answer does not look at the allowed origins"


# ---- functions and their rights


def check_functions(template, document):
    functions = of_type(document, "AWS::Lambda::Function")
    meant = of_type(template, "AWS::Serverless::Function")
    if functions.keys() != meant.keys():
        yield f"functions differ: {sorted(functions.keys() ^ meant.keys())}"
    for name, function in functions.items():
        places = RESERVED.get(name)
        wanted = {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Architectures": ["arm64"],
            "TracingConfig": {"Mode": "Active"},
            "ReservedConcurrentExecutions": places and {"Fn::If": ["ReservesConcurrency", places, NO_VALUE]},
        }
        yield from differs(name, function, wanted)
        if function.get("Role") != {"Fn::GetAtt": [f"{name}Role", "Arn"]}:
            yield f"{name} has another role than its own"
        if not isinstance(function.get("MemorySize"), int):
            yield f"{name}: MemorySize is not said"
        if function.get("LoggingConfig", {}).get("LogGroup") != {"Ref": f"{name}Logs"}:
            yield f"{name} does not write to its own log"
        if "{{resolve:" in json.dumps(function.get("Environment")):
            yield f"{name}: a secret stands in its environment"
    paths = of_type(document, "AWS::ApiGateway::RestApi").get("Api", {}).get("Body", {}).get("paths", {})
    called = set(re.findall(r"/functions/\$\{(\w+)\.Arn\}", json.dumps(paths)))
    for name, permission in of_type(document, "AWS::Lambda::Permission").items():
        function = permission.get("FunctionName", {}).get("Ref")
        wanted = {
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": OUR_API},
        }
        if permission != wanted | {"FunctionName": {"Ref": function}}:
            yield f"{name} lets others than our API invoke {function}"
        if function not in called:
            yield f"{name}: the API does not call {function}, or has another permission for it"
        called.discard(function)
    for function in sorted(called):
        yield f"{function}: the API may not invoke it"


def check_roles(template, document):
    functions = of_type(template, "AWS::Serverless::Function")
    ticks = {f"{name}Role": function for name, function in ticks_of(template)}
    for name, role in of_type(document, "AWS::IAM::Role").items():
        function = functions.get(name.removesuffix("Role"))
        managed = role.get("ManagedPolicyArns", [])
        found = [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
        if function is not None:
            written = [policy for policy in function.get("Policies", []) if "Statement" in policy]
            meant = [statement for policy in written for statement in policy["Statement"]]
            if set(map(str, managed)) != MANAGED_BY_SAM or found != meant:
                yield f"{name} has other rights than the template writes out"
            yield from check_statements(name, found)
        elif name in ticks:
            invokes = {"Fn::GetAtt": [ticks[name], "Arn"]}
            wanted = [{"Action": "lambda:InvokeFunction", "Effect": "Allow", "Resource": invokes}]
            if managed or found != wanted:
                yield f"{name} may do more than invoke {ticks[name]}"
        else:
            yield f"{name} is a role that nobody knows"


def check_rails(document):
    """What SAM makes of a function that is not there must not be there either. Its log is kept, so it is there always."""
    for function, condition in OF_RAILS.items():
        for name, resource in document["Resources"].items():
            wanted = None if name == f"{function}Logs" else condition
            if is_of(function, name, resource) and resource.get("Condition") != wanted:
                yield f"{name} is there by {resource.get('Condition')} and not by {wanted}"


def check_statements(name, statements):
    for statement in statements:
        actions, resources = statement.get("Action", ["*"]), statement.get("Resource", "*")
        actions = actions if isinstance(actions, list) else [actions]
        if any("*" in action for action in actions):
            yield f"{name}: an action is not named: {json.dumps(actions)}"
        for resource in resources if isinstance(resources, list) else [resources]:
            # Tables, objects and secrets are all ours, so each is named by a reference.
            if not isinstance(resource, dict):
                yield f"{name}: {json.dumps(actions)} on {json.dumps(resource)}, which is no resource of the stack"


# ---- schedules, tables, media


def check_schedules(template, document):
    schedules = of_type(document, "AWS::Scheduler::Schedule")
    ticks = dict(ticks_of(template))
    if schedules.keys() != ticks.keys() or set(ticks.values()) != SCHEDULES.keys():
        yield f"schedules are {sorted(schedules)} for {sorted(ticks.values())}"
    for name, schedule in schedules.items():
        function = ticks.get(name)
        wanted = {
            "ScheduleExpression": SCHEDULES.get(function),
            "State": {"Ref": "Schedules"},
            "FlexibleTimeWindow": {"Mode": "OFF"},
        }
        yield from differs(name, schedule, wanted)
        target = schedule["Target"]
        if target["Arn"] != {"Fn::GetAtt": [function, "Arn"]}:
            yield f"{name} does not tick {function}"
        if target.get("RetryPolicy", {}).get("MaximumRetryAttempts") != 0:
            yield f"{name}: retries, although the next tick is the retry"
    configs = of_type(document, "AWS::Lambda::EventInvokeConfig").values()
    invoked = {json.dumps(config["FunctionName"]): config for config in configs}
    for function in SCHEDULES:
        if invoked.get(json.dumps({"Ref": function}), {}).get("MaximumRetryAttempts") != 0:
            yield f"{function}: Lambda retries, although the next tick is the retry"


def check_kept(name, resource):
    yield from differs(name, resource, {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})


def check_tables(document):
    tables = of_type(document, "AWS::DynamoDB::Table")
    if tables.keys() != TTL.keys():
        yield f"tables differ: {sorted(tables.keys() ^ TTL.keys())}"
    for name, table in tables.items():
        ttl = TTL.get(name)
        wanted = {
            "BillingMode": "PAY_PER_REQUEST",
            "TimeToLiveSpecification": ttl and {"AttributeName": ttl, "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
            "SSESpecification": {
                "SSEEnabled": True,
                "SSEType": "KMS",
                "KMSMasterKeyId": {"Fn::GetAtt": ["DataKey", "Arn"]},
            },
            "DeletionProtectionEnabled": True,
        }
        yield from differs(name, table, wanted)
        yield from check_kept(name, document["Resources"][name])


def check_media(document):
    buckets = of_type(document, "AWS::S3::Bucket")
    if list(buckets) != ["MediaBucket"]:
        yield f"there are the buckets {list(buckets)}, not one"
        return
    sealed = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["DataKey", "Arn"]}}
    encryption = [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": sealed}]
    lifecycle = [
        {
            "Id": name,
            "Status": "Enabled",
            "Prefix": prefix,
            "ExpirationInDays": {"Fn::FindInMap": ["Profiles", {"Ref": "Profile"}, days]},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        for name, prefix, days in [("temporary-media", "tmp30/", "MediaDays"), ("uploads", "up30/", "UploadDays")]
    ]
    cors = {
        "AllowedOrigins": {"Ref": "AllowedOrigins"},
        "AllowedMethods": ["GET", "HEAD", "POST"],
        "ExposedHeaders": ["ETag"],
        "MaxAge": 3000,
    }
    wanted = {
        "PublicAccessBlockConfiguration": dict.fromkeys(
            ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True
        ),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "BucketEncryption": {"ServerSideEncryptionConfiguration": encryption},
        "LifecycleConfiguration": {"Rules": lifecycle},
        "CorsConfiguration": {"CorsRules": [cors]},
        # In a versioned bucket an expiry only hides.
        "VersioningConfiguration": None,
    }
    yield from differs("MediaBucket", buckets["MediaBucket"], wanted)
    yield from check_kept("MediaBucket", document["Resources"]["MediaBucket"])
    days = document["Mappings"]["Profiles"]["citipen"]
    if not days["MediaDays"] == days["UploadDays"] == 30:
        yield "MediaBucket: outputs and uploads are not gone after 30 days"


# ---- the size


def check_size(template, document):
    resources, size = with_twice_the_functions(template, document)
    if resources > RESOURCES_BUDGET:
        yield f"with twice the functions there would be {resources} resources, more than {RESOURCES_BUDGET}"
    if size > BYTES_BUDGET:
        yield f"with twice the functions there would be {size:,} bytes, more than {BYTES_BUDGET:,}"


def with_twice_the_functions(template, document):
    """Resources and bytes with every function a second time: all there is because of it, its routes, its lines on the
    dashboard."""
    functions = of_type(document, "AWS::Lambda::Function")
    own = {n: r for n, r in document["Resources"].items() if any(is_of(function, n, r) for function in functions)}
    routes = document["Resources"]["Api"]["Properties"]["Body"]["paths"]
    more = length(own) + length(routes) + length(document["Resources"]["Dashboard"])
    return len(document["Resources"]) + len(own), bytes_of(template, document) + more


def is_of(function, name, resource):
    """The function itself, its role and log, or what names it: permission, schedule, alarm. The dashboard names all."""
    names_it = ({"Ref": function}, {"Fn::GetAtt": [function, "Arn"]})
    is_its_own = name in (function, f"{function}Role", f"{function}Logs")
    return name != "Dashboard" and (is_its_own or any(v in names_it for v in values(resource)))


def values(node):
    """Every value inside of a document, itself included."""
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from values(inner)


def bytes_of(template, document):
    """CloudFormation takes so much of what is sent, in which sam has written out every name, and of what it makes of it."""
    return max(len(yaml_dump(template).encode()), length(document))


def length(document):
    return len(json.dumps(document, separators=(",", ":")).encode())


def describe_size(template, document):
    size, functions = bytes_of(template, document), len(of_type(document, "AWS::Lambda::Function"))
    way = "inline" if size <= INLINE_BYTES_MAX else "through a bucket"
    yield (
        f"{functions} functions: {len(document['Resources'])} of {RESOURCES_MAX} resources, "
        f"{size:,} of {BYTES_MAX:,} bytes, sent {way}"
    )
    resources, size = with_twice_the_functions(template, document)
    yield f"{2 * functions} functions: {resources} resources, {size:,} bytes; budget {RESOURCES_BUDGET} and {BYTES_BUDGET:,}"


# ---- the proof

PATHS = "Api.Properties.DefinitionBody.paths"
RUN = f"{PATHS}./v1/runs.post.x-amazon-apigateway-integration"
QUOTE = f"{PATHS}./v1/quotes.post.x-amazon-apigateway-integration"
PREFLIGHT = f"{PATHS}./v1/runs.options.x-amazon-apigateway-integration"
SWEEP = "ReservationSweep.Properties"
TICK = f"{SWEEP}.Events.EveryMinute.Properties"
BUCKET = "MediaBucket.Properties"
GONE = object()
ROUTE = {"Path": "/v1/runs", "Method": "DELETE"}
API_EVENT = {"RunAgain": {"Type": "Api", "Properties": ROUTE | {"RestApiId": {"Ref": "Api"}}}}
HTTP_EVENT = {"RunAgain": {"Type": "HttpApi", "Properties": ROUTE}}
OLD_SCHEDULE = {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}}
ANY_TABLE = {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": "*"}
ANYTHING = {"Effect": "Allow", "Action": ["dynamodb:*"], "Resource": {"Fn::GetAtt": ["AccountsTable", "Arn"]}}
# (what is changed, to what, what must be said about it)
MISTAKES = [
    # Silently buffered: every validator lets it pass.
    (f"{RUN}.responseTransferMode", "RESPONSE_STREAM", "POST /v1/runs: responseTransferMode"),
    (f"{QUOTE}.responseTransferMode", GONE, "POST /v1/quotes: responseTransferMode"),
    (f"{QUOTE}.uri", "arn:aws:apigateway:x:lambda:path/2015-03-31/functions/x/invocations", "does not call the streaming"),
    (f"{RUN}.timeoutInMillis", GONE, "POST /v1/runs: timeoutInMillis"),
    # A route by an event of SAM: a permission for each, and a method that nobody finds in the body.
    ("RunTool.Properties.Events", API_EVENT, "lets others than our API invoke RunTool"),
    # An HTTP API cannot stream.
    ("RunTool.Properties.Events", HTTP_EVENT, "is a AWS::ApiGatewayV2::Api, which nothing here needs"),
    ("Api.Properties.Cors", "'*'", "SAM has added methods of its own"),
    ("RunToolPermission", GONE, "RunTool: the API may not invoke it"),
    ("RunToolPermission.Properties.SourceArn", GONE, "RunToolPermission lets others than our API invoke RunTool"),
    (f"{PREFLIGHT}.type", "aws_proxy", "OPTIONS /v1/runs: type"),
    (f"{PREFLIGHT}.responses.default.responseTemplates", GONE, "does not look at the allowed origins"),
    (
        f"{PREFLIGHT}.responses.default.responseParameters",
        {"method.response.header.Access-Control-Allow-Origin": {"Ref": "SiteUrl"}},
        "the API's body has SiteUrl in it",
    ),
    ("Api.Properties.EndpointConfiguration.Type", "EDGE", "Api: EndpointConfiguration"),
    ("Api.Properties.SecurityPolicy", GONE, "Api: SecurityPolicy"),
    ("Api.Properties.DisableExecuteApiEndpoint", GONE, "its own address stays open"),
    # Both have the same hash: what callers get would not change when the domain comes or goes.
    ("Api.Properties.Variables", GONE, "HasDomain changes the API, and the stage does not change with it"),
    (
        "Api.Properties.Variables.Domain",
        {"Ref": "DomainName"},
        "HasDomain changes the API, and the stage does not change with it",
    ),
    ("Api.Properties.GatewayResponses.THROTTLED", GONE, "the gateway words"),
    (
        "Api.Properties.GatewayResponses.THROTTLED.ResponseParameters.Headers.Access-Control-Allow-Origin",
        GONE,
        "THROTTLED: a page can't read it",
    ),
    (
        "Api.Properties.GatewayResponses.THROTTLED.ResponseParameters.Headers.Access-Control-Allow-Origin",
        {"Ref": "SiteUrl"},
        "the API's body has SiteUrl in it",
    ),
    ("Api.Properties.TracingEnabled", True, "the stage: TracingEnabled"),
    ("Api.Properties.AccessLogSetting", GONE, "the stage has no access log"),
    (
        "Api.Properties.MethodSettings.5.Fn::If.1.ResourcePath",
        "/v1/webhooks/sepay/bank",
        "the webhook sepay~1bank shares",
    ),
    # The hash of the body would be the same with other rails.
    ("Api.Properties.DefinitionBody.info.description", GONE, "its text does not change with them"),
    (f"{PATHS}./v1/top-ups/claims.Fn::If.0", "HasUsdt", "HasUsdt changes the API, and the stage does not change with it"),
    ("TronPoll.Condition", GONE, "TronPollRole is there by None and not by OffersTronUsdt"),
    ("SepayWebhookLogs.Condition", "HearsSepay", "SepayWebhookLogs is there by HearsSepay and not by None"),
    ("ClaimTransferErrorsAlarm.Condition", "HearsSepay", "ClaimTransferErrorsAlarm is there by HearsSepay and not by OffersTronUsdt"),
    ("Runs.Properties.FunctionUrlConfig", {"AuthType": "NONE"}, "RunsUrl is a AWS::Lambda::Url"),
    ("Runs.Properties.Architectures", ["x86_64"], "Runs: Architectures"),
    ("Runs.Properties.MemorySize", GONE, "Runs: MemorySize is not said"),
    ("Runs.Properties.LoggingConfig.LogGroup", GONE, "Runs does not write to its own log"),
    (
        "Runs.Properties.Environment.Variables.X",
        "{{resolve:ssm:/citipen/X}}",
        "Runs: a secret stands in its environment",
    ),
    ("SepayWebhook.Properties.ReservedConcurrentExecutions", GONE, "SepayWebhook: ReservedConcurrentExecutions"),
    (f"{SWEEP}.ReservedConcurrentExecutions", 1, "ReservationSweep: ReservedConcurrentExecutions"),
    # More rights: by a wildcard, by a policy of SAM or AWS, by a role of another's making.
    ("Runs.Properties.Policies.0.Statement.0", ANYTHING, "RunsRole: an action is not named"),
    ("Runs.Properties.Policies.0.Statement.0", ANY_TABLE, "which is no resource of the stack"),
    ("Runs.Properties.Policies.1", "AdministratorAccess", "RunsRole has other rights"),
    (
        "Runs.Properties.Policies.1",
        {"DynamoDBCrudPolicy": {"TableName": {"Ref": "AccountsTable"}}},
        "RunsRole has other rights",
    ),
    ("Runs.Properties.Role", {"Fn::GetAtt": ["AdminRole", "Arn"]}, "Runs has another role"),
    ("ApiLogsRole", {"Type": "AWS::IAM::Role", "Properties": {}}, "ApiLogsRole is a role that nobody knows"),
    ("Logs", {"Type": "AWS::ApiGateway::Account", "Properties": {}}, "Logs is a AWS::ApiGateway::Account"),
    (f"{TICK}.ScheduleExpression", "rate(1 hour)", "ReservationSweepEveryMinute: ScheduleExpression"),
    (f"{TICK}.State", GONE, "ReservationSweepEveryMinute: State"),
    (f"{TICK}.RetryPolicy.MaximumRetryAttempts", 3, "ReservationSweepEveryMinute: retries"),
    (f"{SWEEP}.EventInvokeConfig", GONE, "ReservationSweep: Lambda retries"),
    (f"{SWEEP}.Events.EveryMinute", OLD_SCHEDULE, "schedules are"),
    (
        "AccountsTable.Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
        False,
        "AccountsTable: PointInTime",
    ),
    ("AccountsTable.Properties.BillingMode", "PROVISIONED", "AccountsTable: BillingMode"),
    ("AccountsTable.Properties.DeletionProtectionEnabled", False, "AccountsTable: DeletionProtection"),
    ("AccountsTable.Properties.SSESpecification", GONE, "AccountsTable: SSESpecification"),
    ("AccountsTable.DeletionPolicy", GONE, "AccountsTable: DeletionPolicy"),
    ("UsageLogTable.Properties.TimeToLiveSpecification.AttributeName", "at", "UsageLogTable: TimeToLive"),
    (
        "CreditTransactionsTable.Properties.TimeToLiveSpecification",
        {"AttributeName": "ttl", "Enabled": True},
        "CreditTransactionsTable: TimeToLive",
    ),
    (f"{BUCKET}.LifecycleConfiguration.Rules.0.Prefix", "tmp/", "MediaBucket: LifecycleConfiguration"),
    (f"{BUCKET}.PublicAccessBlockConfiguration.BlockPublicPolicy", False, "MediaBucket: PublicAccessBlock"),
    (f"{BUCKET}.OwnershipControls", GONE, "MediaBucket: OwnershipControls"),
    (f"{BUCKET}.BucketEncryption", GONE, "MediaBucket: BucketEncryption"),
    (f"{BUCKET}.CorsConfiguration.CorsRules.0.AllowedOrigins", ["*"], "MediaBucket: CorsConfiguration"),
    (f"{BUCKET}.VersioningConfiguration", {"Status": "Enabled"}, "MediaBucket: Versioning"),
    ("Dashboard.Properties.DashboardBody", "x" * BYTES_BUDGET, "with twice the functions there would be"),
]


def mistaken(template, path, value):
    """The template with one value of a resource replaced, added or, if GONE, left out."""
    template = copy.deepcopy(template)
    holder = template["Resources"]
    # So a path of the API with a dot in it can't be named.
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        holder = holder[part]
    if value is GONE:
        del holder[last]
    elif isinstance(holder, list) and last == len(holder):
        holder.append(value)
    else:
        holder[last] = value
    return template


def complaints_about(template):
    try:
        document = transform(template)
    except InvalidDocumentException as refusal:
        return [cause.message for cause in refusal.causes]
    return list(check(template, document))


def main():
    logging.disable(logging.WARNING)
    template = read(sys.argv[1])
    complaints = complaints_about(template)
    for path, value, wanted in MISTAKES:
        said = complaints_about(mistaken(template, path, value))
        if not any(wanted in complaint for complaint in said):
            change = "left out" if value is GONE else json.dumps(value)
            complaints.append(f"nobody would notice {path}: {change}; said was {said}")
    for complaint in complaints:
        print(f"transform: {complaint}", file=sys.stderr)
    if not complaints:
        for line in describe_size(template, transform(template)):
            print(f"size: {line}")
        print(f"transform: what CloudFormation gets is what is meant, and {len(MISTAKES)} mistakes would be noticed")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

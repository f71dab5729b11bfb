"""Runs the SAM transform and checks what CloudFormation would really get.

`ResponseTransferMode: STREAM` in a SAM event passes every validator and silently gives a buffered integration, so
only the transformed document tells. The same holds for what SAM adds by itself: roles, permissions, stages.
"""

import json
import logging
import sys

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

# What SAM gives each role by itself (logs and traces); the rest is inline and checked by tests/it/template.rs.
MANAGED_BY_SAM = {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
METHODS = ("get", "post", "put", "patch", "delete", "options")


def transform(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    # The transform wants packaged code.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
    parameters = {name: parameter.get("Default", "given") for name, parameter in template["Parameters"].items()}
    logging.disable(logging.WARNING)
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return template, translator.translate(template, parameters)


def of_type(document, kind):
    return {name: r["Properties"] for name, r in document["Resources"].items() if r["Type"] == kind}


def check(template, document):
    functions = of_type(document, "AWS::Lambda::Function")
    apis = of_type(document, "AWS::ApiGateway::RestApi")
    if len(apis) != 1:
        yield f"there are {len(apis)} REST APIs, not one"
    for api in apis.values():
        if api.get("EndpointConfiguration", {}).get("Types") != ["REGIONAL"]:
            yield "the API is not regional: another kind ends a silent stream after 30 seconds"
        served = 0
        for path, item in api["Body"]["paths"].items():
            for method in METHODS:
                if method in item:
                    served += 1
                    yield from check_integration(f"{method.upper()} {path}", item[method])
        wanted = sum(
            event["Type"] == "Api"
            for resource in template["Resources"].values()
            for event in resource["Properties"].get("Events", {}).values()
        )
        if served != wanted:
            yield f"{served} methods came out of {wanted} events"
        run = api["Body"]["paths"]["/v1/runs"]["post"]["x-amazon-apigateway-integration"]
        if "${RunTool.Arn}" not in json.dumps(run["uri"]):
            yield "POST /v1/runs does not reach RunTool"
        if run.get("timeoutInMillis") != 900000:
            yield "POST /v1/runs hangs up before fifteen minutes"
    for name, properties in functions.items():
        if (properties.get("Runtime"), properties.get("Architectures")) != ("provided.al2023", ["arm64"]):
            yield f"{name}: another runtime or architecture than meant"
    for name, properties in of_type(document, "AWS::IAM::Role").items():
        managed = {arn.rsplit("/", 1)[-1] for arn in properties.get("ManagedPolicyArns", [])}
        if not managed <= MANAGED_BY_SAM:
            yield f"{name}: SAM added {sorted(managed - MANAGED_BY_SAM)}"
    schedules = of_type(document, "AWS::Scheduler::Schedule")
    for name, schedule in schedules.items():
        if schedule["Target"].get("RetryPolicy", {}).get("MaximumRetryAttempts") != 0:
            yield f"{name}: retries, although the next tick is the retry"
    ticks = sum(
        event["Type"] == "ScheduleV2"
        for resource in template["Resources"].values()
        for event in resource["Properties"].get("Events", {}).values()
    )
    if len(schedules) != ticks:
        yield f"{len(schedules)} schedules came out of {ticks} events"


def check_integration(route, method):
    integration = method.get("x-amazon-apigateway-integration", {})
    if integration.get("type") != "aws_proxy":
        yield f"{route}: no proxy integration"
    if integration.get("responseTransferMode") != "STREAM":
        yield f"{route}: responseTransferMode is {integration.get('responseTransferMode')}, not STREAM"
    uri = json.dumps(integration.get("uri"))
    if "2021-11-15/functions" not in uri or "/response-streaming-invocations" not in uri:
        yield f"{route}: the integration does not call the streaming invocation"


def main():
    template, document = transform(sys.argv[1])
    complaints = list(check(template, document))
    for complaint in complaints:
        print(f"transform: {complaint}", file=sys.stderr)
    if not complaints:
        print("transform: every route streams, every tick is one schedule, no role beyond what is meant")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

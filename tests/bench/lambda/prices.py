# The price table as JSON: one call of DynamoDB over TLS, and no framework but the SDK.
import http.client
import json
import os

import boto3

dynamo = boto3.client("dynamodb", verify=os.environ["SSL_CERT_FILE"])
table = os.environ["TABLE_PREFIX"] + "tool_pricing"
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None):
    runtime.request(method, "/2018-06-01/runtime/" + path, body)
    answer = runtime.getresponse()
    return answer.headers, answer.read()


while True:
    headers, event = call("GET", "invocation/next")
    rows = dynamo.scan(TableName=table)["Items"]
    tools = [{"tool": row["tool"]["S"], "model": row["option"]["S"], "cost": row["providerCostCents"]["S"]} for row in rows]
    call("POST", f"invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/response", json.dumps({"tools": tools}))

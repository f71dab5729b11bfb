"""A scratch copy of the scripts and an empty account, for one test."""

import http.server
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request
from pathlib import Path

import boto3
from cloud import CHANGING  # noqa: F401 (the tests' too)
from moto.server import ThreadedMotoServer

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REGION, ACCOUNT = "ap-southeast-1", "123456789012"
ORIGIN = "https://app.example.com"

PARAMETERS = f"""
account={ACCOUNT}
region={REGION}
AllowedOrigins={ORIGIN},https://second.example.com
ClerkIssuer=https://clerk.example.com
"""
DEEPSEEK, WEBHOOK = "deepseek-canary-1f0c", "whsec_Y2FuYXJ5LTc3"
SECRETS = f"""
DEEPSEEK_API_KEY={DEEPSEEK}
CLERK_WEBHOOK_SECRET={WEBHOOK}
"""


class Product(http.server.BaseHTTPRequestHandler):
    """What a healthy deployment answers; `broken` holds paths that answer 500, `closed` refuses everybody, `lax` lets pages of
    every origin call."""

    broken: set = set()
    closed = False
    lax = False

    def reply(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        statuses = {("GET", "/v1/pricing"): 200, ("OPTIONS", "/v1/runs"): 200}
        status = 500 if self.path in self.broken else statuses.get((self.command, self.path), 401)
        if self.closed:
            return self.answer(403, {"message": "Forbidden"})
        if self.path == "/v1/nothing-here":
            return self.answer(404, {"code": "not_found"})
        self.answer(status, {"tools": ["script"]})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        origin = self.headers.get("Origin")
        if origin == ORIGIN or origin and self.lax:
            self.send_header("Access-Control-Allow-Origin", origin)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_OPTIONS = reply

    def log_message(self, *_):
        pass


class Services:
    """Started once: moto, the door behind fakes/aws, and the deployed product."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="citipen-deploy-"))
        # A line for each request would bury what failed.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.moto = ThreadedMotoServer(port=0, verbose=False)
        self.moto.start()
        self.moto_url = "http://{}:{}".format(*self.moto.get_host_and_port())
        self.product = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Product)
        threading.Thread(target=self.product.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.product.server_port}"
        self.door = str(self.folder / "door")
        self.cloud = subprocess.Popen(
            [sys.executable, str(HERE / "cloud.py"), self.door], stdout=subprocess.PIPE, start_new_session=True
        )
        if self.cloud.stdout.readline() != b"ready\n":
            raise RuntimeError("cloud.py did not start")

    def stop(self):
        self.cloud.terminate()
        self.cloud.wait()
        self.cloud.stdout.close()
        self.product.shutdown()
        self.product.server_close()
        self.moto.stop()
        shutil.rmtree(self.folder)


SERVICES: list = []


def services():
    if not SERVICES:
        SERVICES.append(Services())
    return SERVICES[0]


class Done:
    def __init__(self, code, output):
        self.code, self.output = code, output


class World:
    def __init__(self):
        self.services = services()
        self.empty_moto()
        Product.broken, Product.closed, Product.lax = set(), False, False
        self.root = Path(tempfile.mkdtemp(dir=self.services.folder))
        self.deploy = self.root / "infra/deploy"
        self.cloud = self.root / "cloud"
        self.lay()

    def empty_moto(self):
        request = urllib.request.Request(f"{self.services.moto_url}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()

    def lay(self):
        ignored = shutil.ignore_patterns("*.parameters", "*.secrets", "__pycache__")
        shutil.copytree(ROOT / "infra/deploy", self.deploy, ignore=ignored)
        shutil.copytree(ROOT / "infra/profiles", self.root / "infra/profiles")
        shutil.copy(ROOT / "Cargo.toml", self.root)
        shutil.copy(HERE / "template.yaml", self.root)
        # Has checks of its own and installs what they need.
        (self.deploy / "validate.sh").write_text('#!/usr/bin/env bash\necho validate.sh >>"$CLOUD/programs.log"\n')
        git = ["git", "-C", str(self.root), "-c", "user.name=a", "-c", "user.email=a@example.com"]
        for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "the product"]):
            subprocess.run([*git, *words], check=True, env=self.environment())
        self.cloud.mkdir()
        self.rust_target.mkdir(parents=True)
        (self.cloud / "programs.log").touch()
        (self.cloud / "calls.jsonl").touch()
        managed = {"status": "CREATE_COMPLETE", "parameters": {}, "outputs": {"SourceBucket": "artifacts"}}
        self.change(address=self.services.address, stacks={"aws-sam-cli-managed-default": managed})
        self.write("citipen.parameters", PARAMETERS)
        self.write("citipen.secrets", SECRETS)

    @property
    def rust_target(self):
        return self.cloud / "rust/lib/rustlib/aarch64-unknown-linux-gnu/lib"

    def environment(self):
        return {
            "PATH": f"{HERE / 'fakes'}:{os.environ['PATH']}",
            "HOME": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CLOUD": str(self.cloud),
            "CLOUD_DOOR": self.services.door,
            "AWS_ENDPOINT_URL": self.services.moto_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SMOKE_PATIENCE": "0",
            "NO_PROXY": "127.0.0.1",
        }

    # ---- the caller's side

    def write(self, name, text, mode=0o600):
        path = self.deploy / name
        path.write_text(text)
        path.chmod(mode)

    def run(self, script, *arguments, given="", **environment):
        """All that the script printed, as one text: a test that looks for a secret looks at everything."""
        process = subprocess.Popen(
            ["bash", str(self.deploy / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.root,
            env=self.environment() | environment,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(given, timeout=300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"{script} {arguments} hangs:\n{output}") from None
        return Done(process.returncode, output)

    # ---- the account's side

    def change(self, **values):
        path = self.cloud / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(state | values))

    @property
    def state(self):
        return json.loads((self.cloud / "state.json").read_text())

    @property
    def stack(self):
        return self.state["stacks"]["citipen"]

    def calls(self, verb=""):
        """Arguments of every aws call, in order; those of one verb if it is named."""
        calls = [json.loads(line) for line in (self.cloud / "calls.jsonl").read_text().splitlines()]
        return [call for call in calls if not verb or verb in call[:2]]

    def verbs(self):
        return [call[1] for call in self.calls() if len(call) > 1]

    def forget_calls(self):
        (self.cloud / "calls.jsonl").write_text("")
        (self.cloud / "programs.log").write_text("")

    def programs(self):
        return (self.cloud / "programs.log").read_text()

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.services.moto_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def stored(self):
        """Name → value of what Parameter Store has, read as the functions read it."""
        ssm, found = self.client("ssm"), {}
        for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/citipen", WithDecryption=True):
            found |= {entry["Name"].removeprefix("/citipen/"): entry["Value"] for entry in page["Parameters"]}
        return found

    def have_secrets(self, **values):
        """Stored long ago, as a first deployment leaves them."""
        made = {"PSEUDONYM_PEPPER": "pepper-canary-0001", "QUOTE_SECRET": "quote-canary-00001"}
        made |= {"SEALING_KEYS": "k20260101:" + "A" * 43 + "=", "DEEPSEEK_API_KEY": DEEPSEEK}
        for name, value in (made | {"CLERK_WEBHOOK_SECRET": WEBHOOK} | values).items():
            self.have_secret(name, value)

    def have_secret(self, name, value):
        self.client("ssm").put_parameter(Name=f"/citipen/{name}", Value=value, Type="SecureString")

    def have_stack(self, resources=(), **parameters):
        """A deployment that is there already, with its key."""
        kms, dynamodb = self.client("kms"), self.client("dynamodb")
        kms.create_alias(AliasName="alias/citipen-data", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        dynamodb.create_table(
            TableName="citipen-exchange_rates",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "currency", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "currency", "KeyType": "HASH"}],
        )
        dynamodb.put_item(TableName="citipen-exchange_rates", Item={"currency": {"S": "VND"}})
        given = {"Schedules": "ENABLED", "TablePrefix": "citipen-", "ApiUrl": self.services.address}
        stack = {
            "status": "CREATE_COMPLETE",
            "parameters": given | {"AllowedOrigins": ORIGIN} | parameters,
            "outputs": {"ApiUrl": self.services.address, "GatewayUrl": self.services.address},
            "resources": [
                {"LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical}
                for logical, kind, physical in resources
            ],
            "change_sets": {},
            "template": "",
        }
        self.change(stacks=self.state["stacks"] | {"citipen": stack})


class Case(unittest.TestCase):
    """`passed` and `refused` show what a script printed when it ended otherwise."""

    maxDiff = None

    def setUp(self):
        self.world = World()

    def passed(self, done):
        self.assertEqual(done.code, 0, done.output)
        return done.output

    def refused(self, done, *texts):
        self.assertNotEqual(done.code, 0, done.output)
        for text in texts:
            self.assertIn(text, done.output)
        return done.output

"""What the checks share: naming them, starting servers, running the product from outside."""

import atexit
import http.server
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request

WORK = os.environ.get("VENDORS_WORK", ".")


class Checks:
    """Runs claims one by one; prints a line for each and ends with their verdict."""

    def __init__(self, group):
        self.group, self.claims, self.failed = group, [], 0

    def __call__(self, claim):
        def note(body):
            self.claims.append((claim, body))
            return body

        return note

    def run(self):
        for claim, body in self.claims:
            try:
                body()
                print(f"passed  {self.group}: {claim}", flush=True)
            except Exception as error:  # a claim may fail in any way; the others still count
                self.failed += 1
                place = traceback.extract_tb(error.__traceback__)[-1]
                text = " ".join(f"{type(error).__name__} {error}".split())[:600]
                print(f"failed  {self.group}: {claim} ({place.name}:{place.lineno} {text})", flush=True)
        sys.exit(1 if self.failed else 0)


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what} is {actual!r}, not {expected!r}")


def raises(kind, action):
    """The error of `action`, which must be a `kind`."""
    try:
        action()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def call(method, url, body=None, headers=None):
    """Status and parsed body; an error status is an answer too."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, text = response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


# ---- processes -----------------------------------------------------------------------------------------------

started = []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, log, environment=None, **options):
    """Starts a process that ends with this one. Nothing of the caller's environment reaches it but the path."""
    environment = {"PATH": os.environ["PATH"], "HOME": WORK, **(environment or {})}
    with open(os.path.join(WORK, log), "ab") as output:
        process = subprocess.Popen(
            command, stdout=options.get("stdout", output), stderr=output, env=environment, cwd=WORK
        )
    started.append(process)
    return process


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@atexit.register
def stop_all():
    for process in started:
        stop(process)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def await_port(port, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")


class Inbox:
    """A server on a free port that takes webhooks; `take` waits for them."""

    def __init__(self):
        self.received = queue.Queue()
        received = self.received

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                received.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, count):
        """Path, headers and body of the next `count` webhooks."""
        return [self.received.get(timeout=30) for _ in range(count)]


# ---- the product ---------------------------------------------------------------------------------------------

WELCOME = 100


class Product:
    """The product with the given settings; what they leave open is the sandbox."""

    def __init__(self, **settings):
        self.settings = {"PROVIDER_BACKOFF_MS": "50", "PROVIDER_POLL_MS": "50", **settings}

    def __enter__(self):
        command = [os.environ["CITIPEN_BIN"], "--memory", "--port", "0"]
        self.process = start(command, "product.log", self.settings, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        if "running at " not in line:
            raise RuntimeError(f"the product did not start: {line!r}")
        self.url = line.split("running at ")[1].split()[0]
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdout.close()

    def headers(self, person):
        _, token = call("GET", f"{self.url}/sandbox/clerk/token?person={person}")
        return {"authorization": f"Bearer {token}"}

    def get(self, person, path):
        status, body = call("GET", self.url + path, headers=self.headers(person))
        equal(status, 200, f"the status of {path}")
        return body

    def run(self, person, prompt, model="chat", tool="script", accept="text/event-stream"):
        """One run as its caller sees it."""
        wish = {"tool": tool, "input": {"prompt": prompt, "model": model}}
        headers = {**self.headers(person), "accept": accept}
        status, body = call("POST", f"{self.url}/v1/runs", wish, headers)
        return Story(self, person, status, body)


def stream_events(text):
    """Name and data of each event of a stream, read as the standard of server-sent events says."""
    name, data = "message", []
    for line in text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif line == "":
            # An empty line ends an event; one without data is none.
            if data:
                yield name, "\n".join(data)
            name, data = "message", []


class Story:
    """The events of a run, or the one document it was answered with."""

    def __init__(self, product, person, status, body):
        self.product, self.person, self.status = product, person, status
        if isinstance(body, dict):
            self.events = [("done" if status == 200 else "problem", body)]
        else:
            self.events = [(name, json.loads(data)) for name, data in stream_events(body)]

    @property
    def text(self):
        return "".join(data["text"] for name, data in self.events if name == "delta")

    @property
    def end(self):
        return self.events[-1]

    def balance(self):
        account = self.product.get(self.person, "/v1/account")
        return account["available"]["amount"], account["reserved"]["amount"]

    def charges(self):
        page = self.product.get(self.person, "/v1/account/transactions")
        return [entry["credits"]["amount"] for entry in page["transactions"] if entry["kind"] != "grant"]

    def charged(self, price, before=WELCOME):
        """It succeeded, and was paid exactly once. Answers the receipt."""
        name, view = self.end
        equal((name, view.get("status")), ("done", "succeeded"), f"the end {view}")
        equal(view["charged"], {"amount": price, "unit": "USD cent"}, "the charge")
        equal(self.balance(), (before - price, 0), "the balance")
        equal(len(self.charges()), 1, f"the number of charges in {self.charges()}")
        return view["receipt"]

    def given_back(self, code):
        """It failed, and nothing was taken. Answers the failure."""
        name, problem = self.end
        if name not in ("failed", "problem"):
            raise AssertionError(f"the end is {name}: {problem}")
        equal(problem["code"], code, "the code")
        equal(problem["credit"], "not_taken", "the credit")
        equal(self.balance(), (WELCOME, 0), "the balance")
        equal(self.charges(), [], "the charges")
        return problem

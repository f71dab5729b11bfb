"""The product's sign-in check against tokens that an independent library (PyJWT) makes, with a key set of its own."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness import Checks, Product, call, equal

KEYS = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ["ins_1", "ins_2", "stranger"]}
PUBLISHED = ["ins_1"]
looks = 0
check = Checks("identity, PyJWT")


class KeySet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global looks
        looks += 1
        keys = [{**jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[name].public_key(), as_dict=True), "kid": name, "use": "sig",
                 "alg": "RS256"} for name in PUBLISHED]
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"keys": keys}).encode())

    def log_message(self, *_):
        pass


SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeySet)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
ISSUER = f"http://127.0.0.1:{SERVER.server_address[1]}"
PAGE = "https://page.example"
SETTINGS = {"CLERK_ISSUER": ISSUER, "ALLOWED_ORIGINS": PAGE, "CLERK_WEBHOOK_SECRET": "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}


def claims(**more):
    now = int(time.time())
    told = {"iss": ISSUER, "sub": "user_2ann", "sid": "sess_1", "azp": PAGE, "iat": now, "nbf": now - 10,
            "exp": now + 60, "jti": "1", "fva": [0, -1], "sts": "active", "v": 2, **more}
    return {name: value for name, value in told.items() if value is not None}


def token(key="ins_1", kid=None, algorithm="RS256", headers=None, **more):
    return jwt.encode(claims(**more), KEYS[key], algorithm=algorithm, headers={"kid": kid or key, **(headers or {})})


def status(product, text):
    return call("GET", f"{product.url}/v1/account", headers={"authorization": f"Bearer {text}"})[0]


def by_hand(header, secret):
    """A token that no library makes: for what must never be accepted."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims()).encode())}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest()) if secret else ''}"


@check("a good token opens the account of its subject; header fields that are not ours are passed over")
def _():
    with Product(**SETTINGS) as product:
        equal(status(product, token()), 200, "the status")
        equal(status(product, token(headers={"oiat": 1, "cat": "x"})), 200, "the status")
        body = call("GET", f"{product.url}/v1/account", headers={"authorization": f"Bearer {token()}"})[1]
        equal(body["id"], "user_2ann", "the account")


@check("what is wrong with a token closes the door")
def _():
    now = int(time.time())
    public = KEYS["ins_1"].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = token()
    wrong = {
        "expired": token(exp=now - 30),
        "not yet valid": token(nbf=now + 60),
        "issued in the future": token(iat=now + 60),
        "without an end": token(exp=None),
        "another issuer": token(iss="https://clerk.evil.example"),
        "another page": token(azp="https://evil.example"),
        "no page": token(azp=None),
        "no subject": token(sub=None),
        "a subject that is no user": token(sub="machine_1"),
        "pending": token(sts="pending"),
        "a stranger's key under our name": token("stranger", kid="ins_1"),
        "a stranger's key": token("stranger"),
        "another algorithm": token(algorithm="RS512"),
        "no algorithm": by_hand({"alg": "none", "typ": "JWT", "kid": "ins_1"}, None),
        "the public key as a secret": by_hand({"alg": "HS256", "typ": "JWT", "kid": "ins_1"}, public),
        "a changed subject": ".".join([good.split(".")[0], token(sub="user_2bob").split(".")[1], good.split(".")[2]]),
        "no signature": good.rsplit(".", 1)[0] + ".",
        "two parts": good.rsplit(".", 1)[0],
        "too long": token(padding="x" * 9000),
    }
    with Product(**SETTINGS) as product:
        for what, text in wrong.items():
            equal(status(product, text), 401, f"the status of {what}")
        equal(status(product, good), 200, "the status of the good one")


@check("a key that is new is found; unknown keys do not make us ask again and again")
def _():
    with Product(**SETTINGS) as product:
        equal(status(product, token()), 200, "the status")
        before = looks
        for _ in range(5):
            equal(status(product, token("stranger")), 401, "the status")
        assert looks - before <= 1, f"{looks - before} looks"
    with Product(**SETTINGS) as product:
        equal(status(product, token()), 200, "the status")
        PUBLISHED.append("ins_2")
        equal(status(product, token("ins_2")), 200, "the status of the new key")


check.run()

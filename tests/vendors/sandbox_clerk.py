"""The sandbox's Clerk against the libraries its documentation names: svix for webhooks, a JWT library for tokens."""

import json
import os
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import jwt
import standardwebhooks
import svix

from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
CLERK = f"{SANDBOX}/sandbox/clerk"
SECRET = "whsec_c2FuZGJveC1jbGVyay13ZWJob29rLWRlbW8ta2V5ISE="
OTHER = "whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlci4="
check = Checks("sandbox Clerk, svix and PyJWT")


def signed(kind, more=""):
    _, request = call("GET", f"{CLERK}/people/ann/webhook-request?type={kind}{more}")
    return request["body"], request["headers"]


def token(query=""):
    return call("GET", f"{CLERK}/token?person=ann{query}")[1]


def claims(text):
    key = jwt.PyJWKClient(f"{CLERK}/.well-known/jwks.json").get_signing_key_from_jwt(text)
    required = ["exp", "nbf", "iat", "iss", "sub", "sid", "azp"]
    return jwt.decode(text, key, algorithms=["RS256"], issuer=CLERK, options={"require": required})


@check("svix accepts every kind of webhook")
def _():
    for kind in ["user.created", "user.updated", "user.deleted"]:
        body, headers = signed(kind)
        svix.Webhook(SECRET).verify(body, headers)
        event = json.loads(body)
        equal((event["type"], event["object"], event["data"]["id"]), (kind, "event", "user_sandbox_ann"), "the event")


@check("svix refuses a broken signature, another body and another secret")
def _():
    body, headers = signed("user.created", "&broken_signature=1")
    raises(svix.WebhookVerificationError, lambda: svix.Webhook(SECRET).verify(body, headers))
    body, headers = signed("user.created")
    raises(svix.WebhookVerificationError, lambda: svix.Webhook(SECRET).verify(body + " ", headers))
    raises(svix.WebhookVerificationError, lambda: svix.Webhook(OTHER).verify(body, headers))


@check("Standard Webhooks accepts them under the neutral header names")
def _():
    body, headers = signed("user.created")
    neutral = {name.replace("svix-", "webhook-"): value for name, value in headers.items()}
    equal(standardwebhooks.Webhook(SECRET).verify(body, neutral)["type"], "user.created", "the event")


@check("what svix signs, the product accepts; what it refuses, the product refuses")
def _():
    body, _ = signed("user.created")
    for age, secret, expected in [(0, SECRET, True), (0, OTHER, False), (600, SECRET, False), (-600, SECRET, False)]:
        at = datetime.now(timezone.utc) - timedelta(seconds=age)
        name = f"msg_vendors_{age}_{expected}"
        signature = svix.Webhook(secret).sign(name, at, body)
        headers = {"svix-id": name, "svix-timestamp": str(int(at.timestamp())), "svix-signature": signature}
        headers["content-type"] = "application/json"
        request = urllib.request.Request(f"{SANDBOX}/v1/webhooks/clerk", body.encode(), headers)
        try:
            status = urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            status = error.code
        equal(200 <= status < 300, expected, f"acceptance ({status}) at age {age}")


@check("PyJWT verifies tokens against the key set")
def _():
    told = claims(token())
    equal((told["sub"], told["azp"], told["sts"], told["v"]), ("user_sandbox_ann", SANDBOX, "active", 2), "the claims")
    equal(told["exp"] - told["iat"], 60, "the life")
    assert told["nbf"] <= told["iat"]
    header = jwt.get_unverified_header(token())
    equal((header["alg"], header["typ"], header["kid"]), ("RS256", "JWT", "ins_sandbox"), "the header")


@check("PyJWT refuses an old token, an unknown key and a changed claim")
def _():
    raises(jwt.ExpiredSignatureError, lambda: claims(token("&ttl=-5")))
    raises(jwt.PyJWKClientError, lambda: claims(token("&kid=ins_other")))
    head, body, signature = token().split(".")
    _, other, _ = token("&sub=user_sandbox_bob").split(".")
    raises(jwt.InvalidSignatureError, lambda: claims(f"{head}.{other}.{signature}"))
    raises(jwt.MissingRequiredClaimError, lambda: claims(token("&azp=")))


check.run()

"""Asks a running deployment whether it answers as it should, without an account and without a payment.

    smoke.py ADDRESS ORIGIN [closed=ADDRESS] [clerk] [cards] [transfers]

`closed` is another address of the same API, which must let nothing in; clerk, cards and transfers are the senders whose
webhooks have their secrets. A new API or domain needs a moment; each question is asked again for SMOKE_PATIENCE seconds (90).
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

PAUSE_SECONDS = 3


def ask(address, method, path, headers, body=None):
    request = urllib.request.Request(address + path, method=method, headers=headers, data=body)
    try:
        with urllib.request.urlopen(request, timeout=35) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, dict(answer.headers), answer.read()


def prices(answer):
    status, _, body = answer
    if status != 200:
        return f"status {status}"
    return None if json.loads(body).get("tools") else "there are no tools in it"


def preflight(origin):
    def check(answer):
        status, headers, _ = answer
        allowed = {name.lower(): value for name, value in headers.items()}.get("access-control-allow-origin")
        if status // 100 != 2 or allowed != origin:
            return f"status {status}, allowed origin {allowed!r}"
        return None

    return check


def not_for(origin):
    """What the gateway says to a page that is not ours: it compares by a mapping template, which only AWS can try."""

    def check(answer):
        status, headers, _ = answer
        allowed = {name.lower(): value for name, value in headers.items()}.get("access-control-allow-origin")
        return f"status {status}, allowed origin {allowed!r}" if allowed in (origin, "*") else None

    return check


def status_is(*wanted):
    return lambda answer: None if answer[0] in wanted else f"status {answer[0]}"


def gateways_problem(code):
    """The gateway's own refusal, in our shape, and readable for a page of another origin."""

    def check(answer):
        status, headers, body = answer
        if status != 404 or json.loads(body).get("code") != code:
            return f"status {status}, {body[:200]!r}"
        names = {name.lower() for name in headers}
        return None if "access-control-allow-origin" in names else "a page can't read it"

    return check


def questions(origin, senders):
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    plain = {"Content-Type": "application/json"}
    yield "GET /v1/pricing tells tools", ("GET", "/v1/pricing", {}), prices
    yield "a page may call", ("OPTIONS", "/v1/runs", asks), preflight(origin)
    stranger = origin + ".example"
    yield "no other page may", ("OPTIONS", "/v1/runs", asks | {"Origin": stranger}), not_for(stranger)
    # 401 and not 500: the function has started, which it does only with all its settings and secrets.
    yield "a run needs a sign-in", ("POST", "/v1/runs", plain, b"{}"), status_is(401)
    if "clerk" in senders:
        yield "a forged Clerk webhook is refused", ("POST", "/v1/webhooks/clerk", plain, b"{}"), status_is(401)
    if "cards" in senders:
        yield "a forged card IPN is refused", ("POST", "/v1/webhooks/sepay/ipn", plain, b"{}"), status_is(401)
    if "transfers" in senders:
        yield "a forged bank webhook is refused", ("POST", "/v1/webhooks/sepay/bank", plain, b"{}"), status_is(401)
    # The gateway itself answers for a path that it does not have.
    yield "an unknown path is refused", ("GET", "/v1/nothing-here", {"Origin": origin}), gateways_problem("not_found")


def complaint(address, question, check, until):
    while True:
        try:
            wrong = check(ask(address, *question))
        except (OSError, ValueError, http.client.HTTPException) as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong is None or time.monotonic() >= until:
            return wrong
        time.sleep(PAUSE_SECONDS)


def main(address, origin, *rest):
    until = time.monotonic() + int(os.environ.get("SMOKE_PATIENCE", "90"))
    failed = 0
    asked = [(address, *question) for question in questions(origin, rest)]
    for closed in (word.removeprefix("closed=") for word in rest if word.startswith("closed=")):
        asked.append((closed, f"{closed} is switched off", ("GET", "/v1/pricing", {}), status_is(403)))
    for at, claim, question, check in asked:
        wrong = complaint(at.rstrip("/"), question, check, until)
        failed += wrong is not None
        print(f"  {'failed' if wrong else 'passed'}  {claim}{f': {wrong}' if wrong else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

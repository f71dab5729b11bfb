"""The README's walk by a client that knows nothing but the document: `citipen_client` is written from it by
openapi-python-client. That mypy finds nothing under `--strict` is half of the check; the other half is that it comes to
its end."""

import json
import sys
import time
from collections.abc import Iterator
from typing import TypeVar

import httpx

from citipen_client import AuthenticatedClient
from citipen_client.api.account import list_transactions, show_account
from citipen_client.api.pricing import list_prices
from citipen_client.api.runs import list_runs, run_tool, show_run
from citipen_client.api.top_ups import create_top_up, show_top_up
from citipen_client.models import (
    AccountView,
    Credits,
    DeltaEvent,
    DoneEvent,
    FailedEvent,
    ImageInput,
    ImageRun,
    ImageRunTool,
    OutputEvent,
    Pricing,
    ProblemCode,
    ProblemDocument,
    ProgressEvent,
    RunBegunEvent,
    RunPage,
    RunStatus,
    RunView,
    ScriptInput,
    ScriptRun,
    ScriptRunTool,
    TopUpRequest,
    TopUpRequestCredits,
    TopUpStatus,
    TopUpView,
    TransactionPage,
    Unit,
)
from citipen_client.models.payment_method import PaymentMethod
from citipen_client.models.image_input_size import ImageInputSize
from citipen_client.types import UNSET, Unset

BASE = sys.argv[1]
T = TypeVar("T")
RunEvent = RunBegunEvent | ProgressEvent | DeltaEvent | OutputEvent | DoneEvent | FailedEvent
EVENTS: dict[str, type[RunEvent]] = {
    "run": RunBegunEvent,
    "progress": ProgressEvent,
    "delta": DeltaEvent,
    "output": OutputEvent,
    "done": DoneEvent,
    "failed": FailedEvent,
}


def api() -> AuthenticatedClient:
    """Signed in anew for each call: a token lives a minute."""
    token = httpx.get(f"{BASE}/sandbox/clerk/token", params={"person": "python"}).text
    return AuthenticatedClient(base_url=BASE, token=token)


def told(answer: object, kind: type[T]) -> T:
    """The answer, or a failure that shows the problem document."""
    assert isinstance(answer, kind), answer
    return answer


def refused(answer: object) -> ProblemDocument:
    return told(answer, ProblemDocument)


def events_of(lines: Iterator[str]) -> Iterator[RunEvent]:
    """Each event in the shape that the document gives it: its name, its id, its line of JSON."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif "event" in fields:
            shown: dict[str, object] = {"event": fields["event"], "data": json.loads(fields["data"])}
            if "id" in fields:
                shown["id"] = fields["id"]
            yield EVENTS[fields["event"]].from_dict(shown)
            fields = {}


def write_script(prompt: str) -> tuple[str, RunView]:
    body = ScriptRun(tool=ScriptRunTool.SCRIPT, input_=ScriptInput(prompt=prompt))
    headers = {"accept": "text/event-stream"}
    text = ""
    with api().get_httpx_client().stream("POST", "/v1/runs", json=body.to_dict(), headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        for event in events_of(answer.iter_lines()):
            if isinstance(event, RunBegunEvent):
                assert event.data.id == answer.headers["x-run-id"] and event.data.status is RunStatus.RUNNING
            elif isinstance(event, DeltaEvent):
                text += event.data.text
            elif isinstance(event, DoneEvent):
                return text, event.data
            elif isinstance(event, FailedEvent):
                raise AssertionError(event.data)
    raise AssertionError("the stream ended without `done`")


prices = told(list_prices.sync(client=api(), currency="VND"), Pricing)
assert any(tool.tool == "image" and tool.is_default and tool.enabled for tool in prices.tools)

text, done = write_script("Ten seconds about a red kite")
assert text and done.status is RunStatus.SUCCEEDED
shown = told(show_run.sync(done.id, client=api()), RunView)
assert shown.outputs and shown.outputs[0].text == text

# The same run again is the same answer, and a picture has a link that opens.
wish = ImageInput(prompt="a red kite", size=ImageInputSize.SQUARE)
order = ImageRun(tool=ImageRunTool.IMAGE, input_=wish)
picture = told(run_tool.sync(client=api(), body=order, idempotency_key="walk-1"), RunView)
repeated = told(run_tool.sync(client=api(), body=order, idempotency_key="walk-1"), RunView)
assert (repeated.id, repeated.replayed) == (picture.id, True)
assert picture.outputs and picture.outputs[0].view_url
assert httpx.get(picture.outputs[0].view_url).headers["content-type"] == "image/png"

# A top-up by bank transfer: the sandbox's bank pays it.
top_up = told(
    create_top_up.sync(
        client=api(),
        body=TopUpRequest(method=PaymentMethod.VIET_QR, credits_=TopUpRequestCredits(amount=500, unit=Unit.USD_CENT)),
        idempotency_key="walk-2",
    ),
    TopUpView,
)
assert top_up.status is TopUpStatus.CREATED
transfer = {"amount": top_up.amount_due.minor, "memo": top_up.reference, "mangle": "spaces"}
httpx.post(f"{BASE}/sandbox/bank/transfers", json=transfer).raise_for_status()
paid = top_up
for _ in range(100):
    if paid.status is not TopUpStatus.CREATED:
        break
    time.sleep(0.05)
    paid = told(show_top_up.sync(top_up.id, client=api()), TopUpView)
assert paid.status is TopUpStatus.PAID, paid
assert paid.credited == top_up.credits_

# The books: each page by its cursor, to the last one.
account = told(show_account.sync(client=api()), AccountView)
total = 0
cursor: str | Unset = UNSET
while True:
    page = told(list_transactions.sync(client=api(), limit=2, cursor=cursor), TransactionPage)
    total += sum(entry.credits_.amount for entry in page.transactions)
    if not page.next_cursor:
        break
    cursor = page.next_cursor
assert total == account.available.amount + account.reserved.amount - account.debt.amount
history = told(list_runs.sync(client=api(), limit=10), RunPage)
assert [(run.id, run.price) for run in history.runs] == [(run.id, run.price) for run in (picture, done)]

# Refusals: a code of a closed list, the field that is wrong, and what became of the credit.
blank = refused(
    run_tool.sync(client=api(), body=ScriptRun(tool=ScriptRunTool.SCRIPT, input_=ScriptInput(prompt=" ")))
)
assert blank.code is ProblemCode.INVALID_INPUT and blank.errors
assert blank.errors[0].pointer == "/input/prompt"
dearer = refused(run_tool.sync(client=api(), body=ImageRun(tool=ImageRunTool.IMAGE, input_=wish, price=Credits(amount=1, unit=Unit.USD_CENT))))
assert dearer.code is ProblemCode.PRICE_CHANGED and dearer.status == 409
nothing = refused(show_run.sync("01KABCDEFGHJKMNPQRSTVWXYZ0", client=api()))
assert nothing.code is ProblemCode.NOT_FOUND

print("the Python client came to its end")

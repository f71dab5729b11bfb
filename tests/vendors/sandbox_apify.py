"""The sandbox's Apify against the vendor's Python client (apify-client), which checks every answer's type."""

import csv
import io
import json
import os
from datetime import timedelta
from decimal import Decimal

from apify_client import ApifyClient
from apify_client.errors import ApifyApiError, InvalidRequestError, NotFoundError, UnauthorizedError

from harness import Checks, Inbox, equal, raises

SANDBOX = os.environ["SANDBOX"]
VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
ACTOR = "sandbox/youtube-transcript"
check = Checks("sandbox Apify, apify-client")


def client(token="apify_api_sandbox_token"):
    return ApifyClient(token, api_url=f"{SANDBOX}/sandbox/apify", max_retries=0)


CLIENT = client()


def video(note="", **more):
    # The marker shortens the sandbox's own clock from seconds to moments.
    return {"videoUrls": [VIDEO], "note": f"[[sandbox:pace ms=1]] {note}", **more}


def rows(run):
    return CLIENT.dataset(run.default_dataset_id).list_items().items


@check("a run goes from READY to SUCCEEDED, and its rows are in its dataset")
def _():
    run = CLIENT.actor(ACTOR).start(run_input=video(languages=["vi", "en"]))
    equal((run.status, run.exit_code, run.usage_total_usd), ("READY", None, None), "the start")
    run = CLIENT.run(run.id).wait_for_finish()
    equal((run.status, run.exit_code), ("SUCCEEDED", 0), "the end")
    found = rows(run)
    equal([row["language"] for row in found], ["vi", "en"], "the languages")
    assert "ạ" in found[0]["text"] or "ả" in found[0]["text"], found[0]["text"]


@check("call waits; the cost is settled a look later, within the limits given")
def _():
    actor = CLIENT.actor("sandbox/market-search")
    run = actor.call(
        run_input={"query": "xe đạp [[sandbox:pace ms=1]]", "maxItems": 40}, max_items=10, memory_mbytes=256,
        max_total_charge_usd=Decimal("0.05"), run_timeout=timedelta(seconds=90), logger=None)
    equal((run.status, run.options.memory_mbytes, run.options.timeout_secs), ("SUCCEEDED", 256, 90), "the run")
    settled = CLIENT.run(run.id).get()
    while settled.usage_total_usd is None:
        settled = CLIENT.run(run.id).get()
    equal((settled.usage_total_usd, settled.charged_event_counts["result"]), (0.01505, 10), "the cost")


@check("datasets come in pages, with some fields, and as CSV")
def _():
    run = CLIENT.actor("sandbox/market-search").call(
        run_input={"query": "xe đạp [[sandbox:pace ms=1]]", "maxItems": 25}, logger=None)
    dataset = CLIENT.dataset(run.default_dataset_id)
    page = dataset.list_items(offset=20, limit=10)
    equal((page.total, page.offset, page.limit, page.count, page.desc), (25, 20, 10, 5, False), "the page")
    equal(len(list(dataset.iterate_items(chunk_size=7))), 25, "the rows")
    equal(dataset.get().item_count, 25, "the count")
    table = dataset.get_items_as_bytes(item_format="csv", fields=["position", "title"], limit=3).decode("utf-8-sig")
    equal([row["position"] for row in csv.DictReader(io.StringIO(table))], ["1", "2", "3"], "the table")


@check("a lost start is found: newest first, by the input it was started with")
def _():
    wish = video(languages=["en"], mark="a unique one")
    try:
        CLIENT.actor(ACTOR).start(run_input={**wish, "note": wish["note"] + "[[sandbox:drop_connection]]"})
        raise AssertionError("an answer")
    except AssertionError:
        raise
    except Exception as error:  # whatever this HTTP library calls a closed connection
        assert not isinstance(error, ApifyApiError), error
    newest = CLIENT.actor(ACTOR).runs().list(desc=True, limit=1).items[0]
    record = CLIENT.key_value_store(newest.default_key_value_store_id).get_record("INPUT")
    equal(record["value"]["mark"], "a unique one", "the input")


@check("a run is aborted")
def _():
    run = CLIENT.actor(ACTOR).start(run_input={"videoUrls": [VIDEO]})
    assert CLIENT.run(run.id).abort().status in ("ABORTING", "ABORTED")
    equal(CLIENT.run(run.id).wait_for_finish().status, "ABORTED", "the status")


@check("nothing found is a success without rows, and errors are rows")
def _():
    actor = CLIENT.actor(ACTOR)
    empty = actor.call(run_input=video("[[sandbox:empty]]"), logger=None)
    equal((empty.status, rows(empty)), ("SUCCEEDED", []), "the run")
    failed = actor.call(run_input=video("[[sandbox:error_rows]]"), logger=None)
    assert failed.status == "SUCCEEDED" and rows(failed)[0]["error"]
    equal(actor.call(run_input=video("[[sandbox:error_frame]]"), logger=None).status, "FAILED", "the status")


@check("errors are the client's own classes, with Apify's types")
def _():
    table = [
        (UnauthorizedError, "user-or-token-not-found", lambda: client("wrong").actor(ACTOR).start(run_input={})),
        (NotFoundError, "actor-not-found", lambda: CLIENT.actor("nobody/nothing").start(run_input={})),
        (InvalidRequestError, "invalid-input", lambda: CLIENT.actor(ACTOR).start(run_input={})),
        (ApifyApiError, "not-enough-usage-to-run-paid-actor",
         lambda: CLIENT.actor(ACTOR).start(run_input=video("[[sandbox:status status=402]]"))),
    ]
    for kind, name, action in table:
        error = raises(kind, action)
        equal(error.type, name, "the type")
        assert error.message
    equal(CLIENT.run("none").get(), None, "an unknown run")


@check("webhooks come by themselves, unsigned, with the run")
def _():
    with Inbox() as inbox:
        hook = {"event_types": ["ACTOR.RUN.SUCCEEDED"], "request_url": f"{inbox.url}/hook?secret=abc"}
        run = CLIENT.actor(ACTOR).start(run_input=video("[[sandbox:duplicate]]"), webhooks=[hook])
        told = inbox.take(2)
        for path, headers, body in told:
            body = json.loads(body)
            equal((path, body["eventType"]), ("/hook?secret=abc", "ACTOR.RUN.SUCCEEDED"), "the webhook")
            equal((body["resource"]["id"], body["resource"]["status"]), (run.id, "SUCCEEDED"), "its run")
        equal(len({headers["x-apify-webhook-dispatch-id"] for _, headers, _ in told}), 1, "the dispatches")


@check("other actors answer in their own shapes")
def _():
    def first(actor, **wish):
        run = CLIENT.actor(actor).call(run_input={**wish, "note": "[[sandbox:pace ms=1]]"}, logger=None)
        return rows(run)[0]

    assert first("pintostudio/youtube-transcript-scraper", videoUrl=VIDEO)["data"][0]["dur"]
    assert first("streamers/youtube-scraper", startUrls=[{"url": "https://www.youtube.com/@nauan"}])["viewCount"]
    assert first("apify/google-search-scraper", queries="phở")["organicResults"][0]["url"]
    assert first("apify/e-commerce-scraping-tool", keyword="xe đạp")["offers"]["price"]


check.run()

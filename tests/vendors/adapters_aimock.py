"""Our adapters against aimock, a published fake that reads the vendors' protocols on its own."""

import io
import os
import re
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from front import Front
from harness import WELCOME, Checks, Product, await_port, call, equal, free_port, start

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = free_port()
AIMOCK = f"http://127.0.0.1:{PORT}"
CLI = os.path.join(os.environ["VENDORS_NODE"], "node_modules", "@copilotkit", "aimock", "dist", "cli.js")
await_port(PORT, start(
    ["node", CLI, "--port", str(PORT), "--fixtures", os.path.join(HERE, "fixtures"), "--strict"], "aimock.log"))

TEXTS = {
    "DEEPSEEK_API_KEY": "any", "DEEPSEEK_URL": f"{AIMOCK}/v1",
    "ANTHROPIC_API_KEY": "any", "ANTHROPIC_URL": AIMOCK,
}
PLAIN = "Cảnh một: a red kite climbs over the river. ✨ “Đẹp quá!” The end."
check = Checks("adapters, aimock")


def journal():
    """What work the fake was asked for since the last look; our balance is asked for by a clock of the product's."""
    _, entries = call("GET", f"{AIMOCK}/__aimock/journal")
    call("POST", f"{AIMOCK}/__aimock/reset/journal")
    entries = entries if isinstance(entries, list) else entries["entries"]
    return [entry for entry in entries if not entry["path"].endswith("/user/balance")]


def answers(prompt, response):
    """Teaches the fake one more answer."""
    fixture = {"match": {"userMessage": prompt}, "response": response}
    status, answer = call("POST", f"{AIMOCK}/__aimock/fixtures", {"fixtures": [fixture]})
    equal(status, 200, f"the fixture {answer}")


@check("DeepSeek: a run is charged once, with the fake's text and usage")
def _():
    with Product(**TEXTS) as product:
        journal()
        story = product.run("ann", "plain")
        receipt = story.charged(1)
        equal(story.text, PLAIN, "the text")
        equal((receipt["provider"], receipt["input_tokens"], receipt["output_tokens"]), ("deepseek", 11, 23), "usage")
        asked = journal()
        equal([entry["path"] for entry in asked], ["/v1/chat/completions"], "the requests")
        body = asked[0]["body"]
        equal((body["stream"], body["stream_options"]), (True, {"include_usage": True}), "the wish")
        equal(body["thinking"], {"type": "disabled"}, "the thinking")


@check("DeepSeek: as one JSON document the answer is the same")
def _():
    with Product(**TEXTS) as product:
        story = product.run("ann", "plain", accept="application/json")
        story.charged(1)
        equal(story.end[1]["outputs"][0]["text"], PLAIN, "the text")


@check("DeepSeek: the reasoner's thoughts stay inside")
def _():
    with Product(**TEXTS) as product:
        story = product.run("ann", "thoughtful", model="reasoner")
        receipt = story.charged(3)
        equal(story.text, "After some thought: a kite.", "the text")
        assert "SECRET" not in str(story.events)
        equal((receipt["provider"], receipt["output_tokens"]), ("deepseek", 41), "the receipt")


@check("Anthropic: a run is charged once, with the fake's text and usage")
def _():
    with Product(**TEXTS) as product:
        journal()
        story = product.run("ann", "plain", model="premium")
        receipt = story.charged(8)
        equal(story.text, PLAIN, "the text")
        equal((receipt["provider"], receipt["input_tokens"], receipt["output_tokens"]), ("anthropic", 11, 23), "usage")
        asked = journal()
        equal([entry["path"] for entry in asked], ["/v1/messages"], "the requests")


@check("Anthropic: thinking blocks stay inside")
def _():
    with Product(**TEXTS) as product:
        story = product.run("ann", "thoughtful", model="premium")
        story.charged(8)
        equal(story.text, "After some thought: a kite.", "the text")
        assert "SECRET" not in str(story.events)


@check("both: an answer at the length limit is delivered and charged")
def _():
    with Product(**TEXTS) as product:
        for person, model, price in [("ann", "chat", 1), ("bob", "premium", 8)]:
            story = product.run(person, "too long", model=model)
            story.charged(price)
            equal(story.text, "This stops where the limit", "the text")


@check("DeepSeek: the content filter's end is not charged when it comes before the first word")
def _():
    # The fake takes no empty answer; a blank one shows no word either.
    answers("unspeakable", {"content": "\n", "finishReason": "content_filter"})
    with Product(**TEXTS) as product:
        journal()
        product.run("ann", "unspeakable").given_back("content_rejected")
        equal([entry["path"] for entry in journal()], ["/v1/chat/completions"], "the requests")


@check("DeepSeek: a text that the content filter ended after a part was shown is kept and charged")
def _():
    with Product(**TEXTS) as product:
        story = product.run("ann", "forbidden")
        equal(story.charged(1)["ending"], "content_filter", "the ending")
        equal(story.text, "half a forb", "the text")


@check("both: a stream cut after content fails, and the credit is back")
def _():
    for prompt in ["cut after three", "cut after a while"]:
        with Product(**TEXTS) as product:
            for person, model in [("ann", "chat"), ("bob", "premium")]:
                story = product.run(person, prompt, model=model)
                story.given_back("provider_failed")
                names = [name for name, _ in story.events]
                equal((names[0], names[-1], names.count("run")), ("run", "failed", 1), "the events")
                assert story.text and "These words are never".startswith(story.text[:12]), story.text


@check("both: an answer without content is not charged")
def _():
    with Product(**TEXTS) as product:
        product.run("ann", "nothing", model="premium").given_back("provider_failed")
        product.run("bob", "nothing").given_back("provider_failed")


@check("DeepSeek: 429 with retry-after is asked again, and charged once")
def _():
    with Product(**TEXTS) as product:
        journal()
        story = product.run("ann", "busy once")
        equal(story.charged(1)["provider"], "deepseek", "the provider")
        equal(story.text, "Now there is time.", "the text")
        equal([entry["response"]["status"] for entry in journal()], [429, 200], "the answers")


@check("DeepSeek: bad input ends the run at once")
def _():
    message = "This model's maximum context length is 131072 tokens. Please reduce the length of the messages."
    answers("a flood of words", {"error": {"message": message, "type": "invalid_request_error"}, "status": 400})
    with Product(**TEXTS) as product:
        journal()
        story = product.run("ann", "a flood of words")
        equal(story.given_back("invalid_input")["status"], 422, "the status")
        equal(len(journal()), 1, "the number of requests")


@check("both: a request that is refused without a word about the prompt goes to the other provider, and is not charged")
def _():
    with Product(**TEXTS) as product:
        journal()
        product.run("ann", "bad request").given_back("provider_failed")
        asked = [(entry["path"], entry["response"]["status"]) for entry in journal()]
        equal(asked, [("/v1/chat/completions", 400), ("/v1/messages", 400)], "the requests")


@check("DeepSeek: without balance, hung up on or garbled, the other provider takes over silently")
def _():
    for prompt in ["no money", "hang up", "garbled"]:
        with Product(**TEXTS) as product:
            story = product.run("ann", prompt)
            equal(story.charged(1)["provider"], "anthropic", f"the provider after {prompt}")
            equal(story.text, "Answered by the other one.", "the text")
            equal([name for name, _ in story.events].count("run"), 1, "the run events")


@check("both down: the stream that began with the hold ends with the failure, and nothing is held")
def _():
    with Product(**TEXTS) as product:
        story = product.run("ann", "all down")
        equal(story.given_back("provider_failed")["credit"], "not_taken", "the credit")
        equal([name for name, _ in story.events if name != "progress"], ["run", "failed"], "the events")
        plain = product.run("bob", "all down", accept="application/json")
        equal(plain.given_back("provider_failed")["status"], plain.status, "the status")


# ---- fal: aimock knows it by a header and answers with the vendor's own addresses


def png():
    content = io.BytesIO()
    Image.effect_mandelbrot((320, 240), (-2, -1.5, 1, 1.5), 20).convert("RGB").save(content, "PNG")
    return content.getvalue()


KITE = png()
FRONT = Front(
    f"{AIMOCK}/fal", headers={"x-fal-target-host": "queue.fal.run"},
    replace={"https://queue.fal.run": "{url}", "https://v3.fal.media": "{url}"}, files={"/kite.png": KITE})
IMAGES = {"FAL_KEY": "any:key", "FAL_QUEUE_URL": FRONT.url}


@check("fal: an image is queued, fetched, stored and charged once")
def _():
    with Product(**IMAGES) as product:
        FRONT.seen.clear()
        story = product.run("ann", "fal kite", model="flux-schnell", tool="image")
        equal(story.charged(2)["provider"], "fal", "the provider")
        output = story.end[1]["outputs"][0]
        equal((output["media_type"], output["bytes"]), ("image/png", len(KITE)), "the output")
        addresses = [(method, urlsplit(path)) for method, path, *_ in FRONT.seen]
        paths = [(method, address.path.split("/requests/")[0]) for method, address in addresses]
        model = "/fal-ai/flux/schnell"
        equal(paths[0], ("POST", model), "the submit")
        query = parse_qs(addresses[0][1].query)
        equal(list(query), ["fal_webhook"], "what the submit's address has besides")
        # Where fal tells the product that this job is through: the job's name, perhaps with a token behind it.
        notify = re.escape(f"{product.url}/v1/webhooks/providers/fal/") + r"[0-9A-Z]{26}(\.[0-9a-f]+)?"
        assert re.fullmatch(notify, query["fal_webhook"][0]), query
        assert ("GET", model) in paths and paths[-1] == ("GET", "/kite.png"), paths
        with_key = [path for _, path, headers, _ in FRONT.seen if "authorization" in {name.lower() for name in headers}]
        assert "/kite.png" not in with_key, "the key was sent for a public file"
        equal(len([path for method, path in paths if method == "POST"]), 1, "the number of submits")


@check("fal: a flagged image is not charged")
def _():
    with Product(**IMAGES) as product:
        product.run("ann", "fal flagged", model="flux-dev", tool="image").given_back("content_rejected")


@check("fal: a file on a foreign host is never fetched; the fallback serves")
def _():
    with Product(**IMAGES) as product:
        story = product.run("ann", "fal foreign file", model="flux-dev", tool="image")
        equal(story.charged(4)["provider"], "comfyui", "the provider")


@check("fal: refused input ends the run; a fault of fal's leads to the fallback")
def _():
    with Product(**IMAGES) as product:
        story = product.run("ann", "fal refuses", model="flux-dev", tool="image")
        equal(story.given_back("invalid_input")["status"], 422, "the status")
        story = product.run("bob", "fal down", model="flux-dev", tool="image")
        equal(story.charged(4)["provider"], "comfyui", "the provider")
        equal(story.balance(), (WELCOME - 4, 0), "the balance")


check.run()

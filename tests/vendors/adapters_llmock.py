"""Our adapters against llmock, a published fake made for breaking streams."""

import os

from harness import Checks, Product, await_port, call, equal, free_port, start

PORT = free_port()
LLMOCK = f"http://127.0.0.1:{PORT}"
await_port(PORT, start(
    [os.path.join(os.environ["VENDORS_VENV"], "bin", "llmock"), "serve", "--port", str(PORT)], "llmock.log"))

SETTINGS = {
    "DEEPSEEK_API_KEY": "any", "DEEPSEEK_URL": f"{LLMOCK}/v1",
    "ANTHROPIC_API_KEY": "any", "ANTHROPIC_URL": f"{LLMOCK}/anthropic",
    "PROVIDER_STREAM_GAP_MS": "700", "PROVIDER_FIRST_CONTENT_MS_CHAT": "700",
}
TEXT = "Một con diều đỏ climbs over the river, turns once, and is gone. ✨"
# The product asks for our balance by a clock of its own; only texts are asked for as a stream, whoever reads them.
TEXTS = {"stream": True}
OPENAI, ANTHROPIC = {"provider": "openai", **TEXTS}, {"provider": "anthropic", **TEXTS}
# The name of the fake's provider, our model, its price, and the first chunk that comes after some content.
BOTH = [("openai", "chat", 1, 5), ("anthropic", "premium", 8, 7)]
BALANCE = "/v1/user/balance"
FAULTS = ["truncate", "malformed", "disconnect", "stall"]
check = Checks("adapters, llmock")


def script(*behaviors):
    """What the fake does with the requests to come."""
    call("POST", f"{LLMOCK}/_llmock/reset")
    reply = {"type": "reply", "text": TEXT, "times": None}
    status, answer = call("POST", f"{LLMOCK}/_llmock/scenario", {"behaviors": [reply, *behaviors]})
    equal(status, 201, f"the scenario {answer}")


def asked():
    """Provider and status of each request for a text since the script."""
    _, entries = call("GET", f"{LLMOCK}/_llmock/requests")
    entries = entries if isinstance(entries, list) else entries["requests"]
    return [(entry["provider"], entry["status"]) for entry in entries if entry["path"] != BALANCE]


@check("both: a run is charged once, with the fake's text and usage")
def _():
    with Product(**SETTINGS) as product:
        for person, (provider, model, price, _) in zip(["ann", "bob"], BOTH):
            script()
            story = product.run(person, "a kite over the river, please", model=model)
            receipt = story.charged(price)
            equal(story.text, TEXT, "the text")
            # The fake counts a token for every four characters.
            equal((receipt["input_tokens"], receipt["output_tokens"]), (29 // 4, len(TEXT) // 4), "the usage")
            equal(asked(), [(provider, 200)], "the requests")


for fault in FAULTS:
    @check(f"both: {fault} after content fails the run, and the credit is back")
    def _(fault=fault):
        for provider, model, _, after in BOTH:
            with Product(**SETTINGS) as product:
                script({"type": "stream_fault", "kind": fault, "after_chunks": after, "stall_seconds": 5})
                story = product.run("ann", "kite", model=model)
                story.given_back("provider_failed")
                names = [name for name, _ in story.events]
                equal((names[0], names[-1]), ("run", "failed"), "the events")
                assert story.text and TEXT.startswith(story.text) and story.text != TEXT, story.text
                equal(asked(), [(provider, 200)], "the requests")

    @check(f"both: {fault} after content, without a stream, is one problem, and the credit is back")
    def _(fault=fault):
        for _, model, _, after in BOTH:
            with Product(**SETTINGS) as product:
                script({"type": "stream_fault", "kind": fault, "after_chunks": after, "stall_seconds": 5})
                story = product.run("ann", "kite", model=model, accept="application/json")
                equal(story.given_back("provider_failed")["status"], story.status, "the status")

    @check(f"DeepSeek: {fault} before content leads to the other provider, silently")
    def _(fault=fault):
        with Product(**SETTINGS) as product:
            script({"type": "stream_fault", "kind": fault, "after_chunks": 1, "stall_seconds": 5, "match": OPENAI})
            story = product.run("ann", "kite")
            equal(story.charged(1)["provider"], "anthropic", "the provider")
            equal(story.text, TEXT, "the text")
            equal([provider for provider, _ in asked()], ["openai", "anthropic"], "the requests")

    @check(f"Anthropic: {fault} before content, with nobody to fall back to, ends the stream with the failure alone")
    def _(fault=fault):
        with Product(**SETTINGS) as product:
            script({"type": "stream_fault", "kind": fault, "after_chunks": 1, "stall_seconds": 5})
            story = product.run("ann", "kite", model="premium")
            story.given_back("provider_failed")
            equal([name for name, _ in story.events if name != "progress"], ["run", "failed"], "the events")
            equal(asked(), [("anthropic", 200)], "the requests")

    @check(f"Anthropic: {fault} before content, with nobody to fall back to, without a stream, is a plain problem")
    def _(fault=fault):
        with Product(**SETTINGS) as product:
            script({"type": "stream_fault", "kind": fault, "after_chunks": 1, "stall_seconds": 5})
            story = product.run("ann", "kite", model="premium", accept="application/json")
            equal([name for name, _ in story.events], ["problem"], "the events")
            equal(story.given_back("provider_failed")["status"], story.status, "the status")
            equal(asked(), [("anthropic", 200)], "the requests")


@check("both: a malformed first chunk is no answer either")
def _():
    with Product(**SETTINGS) as product:
        # Anthropic's first event carries no text and never will: the second one begins the answer.
        script(*(
            {"type": "stream_fault", "kind": "malformed", "after_chunks": after, "times": None, "match": match}
            for match, after in [(OPENAI, 0), (ANTHROPIC, 1)]
        ))
        product.run("ann", "kite").given_back("provider_failed")
        equal([provider for provider, _ in asked()], ["openai", "anthropic"], "the requests")


@check("Anthropic: a malformed message_start, which carries no text, costs none of the text")
def _():
    with Product(**SETTINGS) as product:
        script({"type": "stream_fault", "kind": "malformed", "after_chunks": 0, "times": None})
        story = product.run("ann", "kite", model="premium")
        equal(story.charged(8)["ending"], "complete", "the ending")
        equal(story.text, TEXT, "the text")
        equal(asked(), [("anthropic", 200)], "the requests")


@check("both: a refusal before work is asked once more, after as long as the provider wants")
def _():
    for provider, model, price, _ in BOTH:
        for status in [429, 503, 529]:
            with Product(**SETTINGS) as product:
                script({"type": "fail", "status": status, "retry_after": 1, "match": TEXTS})
                product.run("ann", "kite", model=model).charged(price)
                equal(asked(), [(provider, status), (provider, 200)], "the requests")
                _, verdict = call("GET", f"{LLMOCK}/_llmock/verdict")
                equal([finding["code"] for finding in verdict["findings"]], [], "the fake's own verdict")


@check("DeepSeek: a refused account or model is not asked again; the other provider serves")
def _():
    for status in [401, 402, 403, 404, 500]:
        with Product(**SETTINGS) as product:
            script({"type": "fail", "status": status, "match": OPENAI, "times": None})
            story = product.run("ann", "kite")
            equal(story.charged(1)["provider"], "anthropic", f"the provider after {status}")
            equal(asked(), [("openai", status), ("anthropic", 200)], "the requests")


@check("both: bad input is not asked again anywhere")
def _():
    for provider, model, _, _ in BOTH:
        for status in [400, 422]:
            with Product(**SETTINGS) as product:
                said = "the prompt is too long for this model"
                script({"type": "fail", "status": status, "message": said, "times": None, "match": TEXTS})
                story = product.run("ann", "kite", model=model)
                equal(story.given_back("invalid_input")["status"], 422, "the status")
                equal(asked(), [(provider, status)], "the requests")


@check("both: a request that is refused without a word about the prompt is asked of each provider once, not charged")
def _():
    for status in [400, 422]:
        with Product(**SETTINGS) as product:
            script({"type": "fail", "status": status, "times": None, "match": TEXTS})
            product.run("ann", "kite").given_back("provider_failed")
            equal(asked(), [("openai", status), ("anthropic", status)], "the requests")


@check("both: a text that the content filter ended after a part was shown is kept and charged")
def _():
    for _, model, price, _ in BOTH:
        with Product(**SETTINGS) as product:
            call("POST", f"{LLMOCK}/_llmock/reset")
            reply = {"type": "reply", "text": "half a forb", "finish_reason": "content_filter", "match": TEXTS}
            call("POST", f"{LLMOCK}/_llmock/scenario", {"behaviors": [reply]})
            story = product.run("ann", "kite", model=model)
            equal(story.charged(price)["ending"], "content_filter", "the ending")
            equal(story.text, "half a forb", "the text")


check.run()

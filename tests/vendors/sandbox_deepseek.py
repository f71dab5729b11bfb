"""The sandbox's DeepSeek against the client its documentation names (openai), which checks every answer's type."""

import os

import openai

from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
check = Checks("sandbox DeepSeek, openai")
CHAT, REASONER = "deepseek-v4-flash", "deepseek-v4-pro"
OFF = {"thinking": {"type": "disabled"}}


def client(key="sandbox-deepseek-key", retries=0, path="", strict=True):
    return openai.OpenAI(
        api_key=key, base_url=f"{SANDBOX}/sandbox/deepseek{path}", max_retries=retries,
        _strict_response_validation=strict)


def ask(text="a kite – diều ✨", model=CHAT, body=OFF, via=None, **more):
    messages = [{"role": "user", "content": text}]
    return (via or client()).chat.completions.create(model=model, messages=messages, extra_body=body, **more)


def stream(*arguments, **more):
    return list(ask(*arguments, stream=True, stream_options={"include_usage": True}, **more))


def text_of(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@check("an answer comes whole, with the usage split by cache")
def _():
    for path in ["", "/v1"]:
        answer = ask(via=client(path=path))
        choice, usage = answer.choices[0], answer.usage
        equal((choice.finish_reason, choice.message.role, answer.model), ("stop", "assistant", CHAT), "the answer")
        assert "a kite – diều ✨" in choice.message.content
        equal(usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens, usage.prompt_tokens, "the input")
        equal(usage.prompt_tokens + usage.completion_tokens, usage.total_tokens, "the total")
        equal(usage.completion_tokens_details.reasoning_tokens, 0, "the reasoning")


@check("the stream adds up to the same text and usage")
def _():
    whole, chunks = ask(), stream()
    equal(text_of(chunks), whole.choices[0].message.content, "the text")
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    equal(usages[-1].model_dump(), whole.usage.model_dump(), "the usage")
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    equal(reasons, ["stop"], "the reasons")


@check("thinking is on unless switched off, and comes before the content")
def _():
    whole = ask(model=REASONER, body={})
    chunks = stream(model=REASONER, body={})
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    thoughts = [bool(getattr(delta, "reasoning_content", None)) for delta in deltas]
    texts = [bool(delta.content) for delta in deltas]
    assert max(i for i, is_one in enumerate(thoughts) if is_one) < texts.index(True), "content before the thoughts' end"
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    equal(thought, whole.choices[0].message.reasoning_content, "the thoughts")
    equal(text_of(chunks), whole.choices[0].message.content, "the text")
    details = [chunk.usage for chunk in chunks if chunk.usage][-1].completion_tokens_details
    assert 0 < details.reasoning_tokens == whole.usage.completion_tokens_details.reasoning_tokens
    assert not hasattr(ask(model=REASONER, body=OFF).choices[0].message, "reasoning_content")


@check("the client's own stream helper gathers the answer")
def _():
    messages = [{"role": "user", "content": "kite"}]
    with client().chat.completions.stream(model=CHAT, messages=messages, extra_body=OFF) as answer:
        final = answer.get_final_completion()
    equal(final.choices[0].message.content, ask("kite").choices[0].message.content, "the text")


@check("the length limit and the content filter are finish reasons")
def _():
    equal(ask(max_tokens=5).choices[0].finish_reason, "length", "the reason")
    equal(ask("[[sandbox:content_filter]]").choices[0].finish_reason, "content_filter", "the reason")
    last = [choice.finish_reason for chunk in stream(max_tokens=5) for choice in chunk.choices][-1]
    equal(last, "length", "the streamed reason")


@check("errors are the client's own classes")
def _():
    table = [
        (openai.AuthenticationError, 401, lambda: ask(via=client("wrong"))),
        (openai.BadRequestError, 400, lambda: ask(model="deepseek-chat")),
        (openai.UnprocessableEntityError, 422, lambda: ask(body={"messages": "text"})),
    ]
    statuses = [(openai.APIStatusError, 402), (openai.RateLimitError, 429), (openai.InternalServerError, 500),
                (openai.InternalServerError, 503)]
    for kind, status in statuses:
        table.append((kind, status, lambda status=status: ask(f"[[sandbox:status status={status}]]")))
    for kind, status, action in table:
        error = raises(kind, action)
        equal(error.status_code, status, "the status")
        assert error.body["message"] and error.code and error.type, error.body


@check("an error inside a stream is an error, a cut stream too")
def _():
    raises(openai.APIError, lambda: stream("[[sandbox:error_frame after=2]]"))
    raises(Exception, lambda: stream("[[sandbox:cut_stream after=2]]"))
    ended = stream("[[sandbox:end_early after=2]]")
    assert not any(choice.finish_reason for chunk in ended for choice in chunk.choices), "an early end has a reason"


@check("models are listed; the balance is told")
def _():
    # DeepSeek documents its models without the `created` that this client's type asks for.
    equal([model.id for model in client(strict=False).models.list()], [CHAT, REASONER], "the models")
    status, balance = call(
        "GET", f"{SANDBOX}/sandbox/deepseek/user/balance", headers={"authorization": "Bearer sandbox-deepseek-key"})
    equal((status, balance["is_available"]), (200, True), "the balance")


@check("the client asks again after 429")
def _():
    rule = {"service": "deepseek", "fault": "status", "status": 429, "times": 1}
    equal(call("POST", f"{SANDBOX}/sandbox/faults", rule)[0], 201, "the fault")
    equal(ask(via=client(retries=1)).choices[0].finish_reason, "stop", "the reason")


check.run()

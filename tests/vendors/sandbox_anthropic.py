"""The sandbox's Anthropic against the vendor's client (anthropic), which checks every answer against its types."""

import os

import anthropic

from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
check = Checks("sandbox Anthropic, anthropic")
WISH = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "a kite – diều ✨"}]}


def client(key="sandbox-anthropic-key", retries=0):
    return anthropic.Anthropic(
        api_key=key, base_url=f"{SANDBOX}/sandbox/anthropic", max_retries=retries, _strict_response_validation=True)


def asking(text, **more):
    return {**WISH, "messages": [{"role": "user", "content": text}], **more}


@check("a message comes whole, with its usage and request id")
def _():
    message = client().messages.create(**WISH)
    equal((message.type, message.role, message.stop_reason), ("message", "assistant", "end_turn"), "the message")
    assert "a kite – diều ✨" in message.content[0].text
    assert message._request_id.startswith("req_") and message.id.startswith("msg_")
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 1
    equal((message.usage.cache_read_input_tokens, message.usage.cache_creation_input_tokens), (0, 0), "the cache")


@check("the stream adds up to the same text and usage")
def _():
    whole = client().messages.create(**WISH)
    with client().messages.stream(**WISH) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
        assert stream.response.headers["request-id"].startswith("req_")
    assert len(pieces) == 12, len(pieces)
    equal("".join(pieces), whole.content[0].text, "the text")
    equal(final.content[0].text, whole.content[0].text, "the gathered text")
    equal(final.usage.output_tokens, whole.usage.output_tokens, "the output")
    equal((final.usage.input_tokens, final.stop_reason), (whole.usage.input_tokens, "end_turn"), "the rest")


@check("raw events come in the documented order and parse as their types")
def _():
    with client().messages.create(**WISH, stream=True) as stream:
        kinds = [event.type for event in stream]
    equal((kinds[0], kinds[1]), ("message_start", "content_block_start"), "the first events")
    equal(kinds[-3:], ["content_block_stop", "message_delta", "message_stop"], "the last events")
    equal(kinds.count("content_block_delta"), 12, "the deltas")


@check("the length limit and a refusal are stop reasons")
def _():
    equal(client().messages.create(**{**WISH, "max_tokens": 5}).stop_reason, "max_tokens", "the reason")
    for stream in [False, True]:
        wish = asking("[[sandbox:content_filter]]")
        if stream:
            with client().messages.stream(**wish) as answer:
                equal(answer.get_final_message().stop_reason, "refusal", "the streamed reason")
        else:
            equal(client().messages.create(**wish).stop_reason, "refusal", "the reason")


@check("errors are the client's own classes, with type and request id")
def _():
    table = [
        (anthropic.AuthenticationError, 401, "authentication_error", lambda: client("wrong").messages.create(**WISH)),
        (anthropic.NotFoundError, 404, "not_found_error",
         lambda: client().messages.create(**{**WISH, "model": "gpt-4o"})),
        (anthropic.BadRequestError, 400, "invalid_request_error",
         lambda: client().messages.create(**{**WISH, "messages": []})),
    ]
    statuses = [
        (anthropic.PermissionDeniedError, 403, "permission_error"),
        (anthropic.APIStatusError, 402, "billing_error"),
        (anthropic.APIStatusError, 413, "request_too_large"),
        (anthropic.RateLimitError, 429, "rate_limit_error"),
        (anthropic.InternalServerError, 500, "api_error"),
        (anthropic.InternalServerError, 504, "timeout_error"),
        (anthropic.InternalServerError, 529, "overloaded_error"),
    ]
    for kind, status, name in statuses:
        wish = asking(f"[[sandbox:status status={status}]]")
        table.append((kind, status, name, lambda wish=wish: client().messages.create(**wish)))
    for kind, status, name, action in table:
        error = raises(kind, action)
        equal((error.status_code, error.body["error"]["type"]), (status, name), "the error")
        assert error.request_id.startswith("req_"), error.request_id


@check("an error inside a stream, and a stream without its end, are errors")
def _():
    def read(fault):
        with client().messages.stream(**asking(f"[[sandbox:{fault}]]")) as stream:
            return "".join(stream.text_stream), stream.get_final_message()

    error = raises(anthropic.APIStatusError, lambda: read("error_frame after=2"))
    equal(error.body["error"]["type"], "overloaded_error", "the error's type")
    raises(Exception, lambda: read("cut_stream after=2"))
    # The client takes a stream that ends early for whole: only the missing reason tells.
    equal(read("end_early after=2")[1].stop_reason, None, "the reason")


@check("the client waits and asks again after 529 with retry-after")
def _():
    rule = {"service": "anthropic", "fault": "status", "status": 529, "retry_after": 0, "times": 2}
    equal(call("POST", f"{SANDBOX}/sandbox/faults", rule)[0], 201, "the fault")
    equal(client(retries=2).messages.create(**WISH).stop_reason, "end_turn", "the reason")


check.run()

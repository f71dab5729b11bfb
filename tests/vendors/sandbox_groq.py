"""The sandbox's Groq against the vendor's client (groq), and against OpenAI's, whose strict types know segments."""

import os

import groq
import openai

from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
BASE = f"{SANDBOX}/sandbox/groq"
KEY = "gsk_sandbox_groq_key"
MODEL = "whisper-large-v3-turbo"
check = Checks("sandbox Groq, groq and openai")


def client(key=KEY, retries=0):
    return groq.Groq(api_key=key, base_url=BASE, max_retries=retries, _strict_response_validation=True)


def recording(text="A recording of some fifty letters, spoken by a tune."):
    speech = openai.OpenAI(api_key="sandbox-omnivoice-key", base_url=f"{SANDBOX}/sandbox/omnivoice/v1")
    return speech.audio.speech.create(model="omnivoice", voice="nova", input=text, response_format="wav").content


WAV = recording()
LENGTH = 52 / 15


def hear(data=WAV, name="a.wav", via=None, **more):
    return (via or client()).audio.transcriptions.create(file=(name, data), model=MODEL, **more)


@check("segments fill the sound and make the text")
def _():
    heard = hear(response_format="verbose_json", language="vi")
    extra = heard.model_extra
    equal((extra["task"], extra["language"]), ("transcribe", "Vietnamese"), "the task")
    assert abs(extra["duration"] - LENGTH) < 0.01, extra["duration"]
    equal((extra["segments"][0]["start"], extra["segments"][-1]["end"]), (0, extra["duration"]), "the times")
    equal("".join(segment["text"] for segment in extra["segments"]), heard.text, "the text")
    assert extra["x_groq"]["id"].startswith("req_")


@check("OpenAI's strict types take the segments and words")
def _():
    strict = openai.OpenAI(
        api_key=KEY, base_url=f"{BASE}/openai/v1", max_retries=0, _strict_response_validation=True)
    heard = strict.audio.transcriptions.create(
        file=("a.wav", WAV), model=MODEL, response_format="verbose_json",
        timestamp_granularities=["word", "segment"])
    equal(" ".join(word.word for word in heard.words), heard.text.strip(), "the words")
    assert all(segment.avg_logprob < 0 and segment.no_speech_prob < 0.1 for segment in heard.segments)
    plain = strict.audio.transcriptions.create(file=("a.wav", WAV), model=MODEL, response_format="text")
    equal(plain, heard.text, "the text")


@check("an address on this machine is heard like a file")
def _():
    token = {"authorization": "Bearer r8_sandbox_replicate_token", "prefer": "wait", "x-sandbox-pace": "1"}
    wish = {"input": {"text": "fifteen letters"}}
    path = "/sandbox/replicate/v1/models/minimax/speech-02-turbo/predictions"
    status, prediction = call("POST", SANDBOX + path, wish, token)
    equal((status, prediction["status"]), (201, "succeeded"), "the recording")
    heard = client().audio.transcriptions.create(url=prediction["output"], model=MODEL, response_format="verbose_json")
    equal(heard.model_extra["duration"], 1, "the length")
    error = raises(
        groq.BadRequestError,
        lambda: client().audio.transcriptions.create(url="https://192.0.2.1/a.wav", model=MODEL))
    assert "failed to retrieve media" in error.message


@check("silence is heard as words that nobody said, and gives itself away")
def _():
    silent = WAV[:44] + bytes(len(WAV) - 44)
    segment = hear(silent, response_format="verbose_json").model_extra["segments"][0]
    equal(segment["no_speech_prob"], 0.9, "the doubt")
    assert segment["avg_logprob"] < -1
    equal(hear(prompt="[[sandbox:no_speech]]", response_format="verbose_json").model_extra["segments"][0]["no_speech_prob"], 0.9, "the doubt")


@check("errors are the client's own classes")
def _():
    table = [
        (groq.AuthenticationError, 401, lambda: hear(via=client("wrong"))),
        (groq.BadRequestError, 400, lambda: hear(name="voice.oga")),
        (groq.BadRequestError, 400, lambda: hear(b"not a sound")),
        (groq.APIStatusError, 413, lambda: hear(bytes(25 * 1024 * 1024 + 1))),
        (groq.NotFoundError, 404, lambda: client().audio.transcriptions.create(file=("a.wav", WAV), model="whisper-1")),
        (groq.APIStatusError, 498, lambda: hear(prompt="[[sandbox:status status=498]]")),
        (groq.RateLimitError, 429, lambda: hear(prompt="[[sandbox:status status=429 retry_after=1]]")),
        (groq.InternalServerError, 503, lambda: hear(prompt="[[sandbox:status status=503]]")),
    ]
    for kind, status, action in table:
        error = raises(kind, action)
        equal(error.status_code, status, "the status")
        assert error.body["error"]["message"] and error.body["error"]["type"], error.body


@check("the client asks again after 429")
def _():
    rule = {"service": "groq", "fault": "status", "status": 429, "retry_after": 0, "times": 1}
    equal(call("POST", f"{SANDBOX}/sandbox/faults", rule)[0], 201, "the fault")
    assert hear(via=client(retries=1)).text


@check("a translation is English; models are listed")
def _():
    heard = client().audio.translations.create(file=("a.wav", WAV), model="whisper-large-v3")
    assert heard.text.isascii()
    equal([model.id for model in client().models.list().data], ["whisper-large-v3", MODEL], "the models")


check.run()

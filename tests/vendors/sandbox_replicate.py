"""The sandbox's Replicate against the vendor's Python client (replicate)."""

import io
import os
import urllib.request
import wave

import replicate
from replicate.exceptions import ModelError, ReplicateError
from replicate.prediction import Prediction
from replicate.webhook import InvalidSignatureError, Webhooks

from harness import Checks, Inbox, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
XTTS = "684bc3855b37866c0c65add2ff39c78f3dea3f4ff103a436465326e0f438d55e"
VIXTTS = "5222190b47dfb128cd588f07dadb78107aa489bdcd0af45814d7841d47f608c6"
check = Checks("sandbox Replicate, replicate")


def client(token="r8_sandbox_replicate_token"):
    made = replicate.Client(api_token=token, base_url=f"{SANDBOX}/sandbox/replicate")
    made.poll_interval = 0.02
    return made


CLIENT = client()


def spoken(text, **more):
    # The marker shortens the sandbox's own clock from seconds to moments.
    return {"text": f"{text} [[sandbox:pace ms=1]]", "speaker": "https://files.example/ann.wav", **more}


def seconds(url):
    with urllib.request.urlopen(url) as response, wave.open(io.BytesIO(response.read())) as sound:
        equal((sound.getframerate(), sound.getnchannels(), sound.getsampwidth()), (24000, 1, 2), "the sound")
        return sound.getnframes() / sound.getframerate()


@check("run waits, and answers the address of a WAV that lasts as long as its text")
def _():
    wish = spoken("fifteen letters")
    output = CLIENT.run(f"lucataco/xtts-v2:{XTTS}", input=wish)
    assert abs(seconds(output) - len(wish["text"]) / 15) < 0.01


@check("a prediction goes from starting over processing to succeeded, and tells its time")
def _():
    prediction = CLIENT.predictions.create(version=XTTS, input=spoken("hello"))
    equal((prediction.status, prediction.model, prediction.version), ("starting", "lucataco/xtts-v2", XTTS), "the start")
    prediction.wait()
    equal((prediction.status, prediction.error), ("succeeded", None), "the end")
    assert prediction.metrics["predict_time"] > 0 and prediction.started_at and prediction.completed_at
    assert seconds(prediction.output) > 0


@check("the fork answers an object; an official model needs no version")
def _():
    output = CLIENT.run(f"suminhthanh/vixtts:{VIXTTS}", input=spoken("Xin chào", language="vi"))
    assert seconds(output["path"]) > 0
    assert seconds(CLIENT.run("minimax/speech-02-turbo", input=spoken("Xin chào"))) > 0


@check("a call that waits gets the end; one that does not wait long enough gets what there is")
def _():
    done = CLIENT.predictions.create(version=XTTS, input=spoken("hello"), wait=True)
    equal(done.status, "succeeded", "the status")
    slow = {"text": "hello", "speaker": "https://files.example/ann.wav"}
    equal(CLIENT.predictions.create(version=XTTS, input=slow, wait=1).status, "starting", "the status")


@check("the list is newest first, has the input, and comes in pages")
def _():
    for number in range(103):
        CLIENT.predictions.create(version=XTTS, input=spoken(f"number {number}"))
    first = CLIENT.predictions.list()
    equal((len(first), first[0].input["text"].split(" [")[0]), (100, "number 102"), "the first page")
    second = CLIENT.predictions.list(first.next)
    assert second[0].id not in {prediction.id for prediction in first}
    equal(second[0].input["text"].split(" [")[0], "number 2", "the second page")


@check("a prediction is cancelled")
def _():
    slow = {"text": "hello", "speaker": "https://files.example/ann.wav"}
    prediction = CLIENT.predictions.create(version=XTTS, input=slow)
    prediction.cancel()
    prediction.reload()
    equal(prediction.status, "canceled", "the status")


@check("errors have a status and a detail; a failed prediction is the client's ModelError")
def _():
    table = [
        (401, lambda: client("wrong").predictions.list()),
        (404, lambda: CLIENT.predictions.get("none")),
        (404, lambda: CLIENT.models.predictions.create("lucataco/xtts-v2", input={})),
        (422, lambda: CLIENT.predictions.create(version="0" * 64, input={})),
        (422, lambda: CLIENT.predictions.create(version=XTTS, input=spoken("Xin chào", language="vi"))),
        (402, lambda: CLIENT.predictions.create(version=XTTS, input=spoken("[[sandbox:status status=402]]"))),
        (429, lambda: CLIENT.predictions.create(version=XTTS, input=spoken("[[sandbox:status status=429]]"))),
    ]
    for status, action in table:
        error = raises(ReplicateError, action)
        equal(error.status, status, "the status")
        assert error.detail, error
    failed = raises(ModelError, lambda: CLIENT.run(f"lucataco/xtts-v2:{XTTS}", input=spoken("[[sandbox:error_frame]]")))
    assert failed.prediction.error


@check("the client looks again after 503; it does not submit again")
def _():
    rule = {"service": "replicate", "fault": "status", "status": 503, "retry_after": 0, "times": 1}
    prediction = CLIENT.predictions.create(version=XTTS, input=spoken("hello"))
    equal(call("POST", f"{SANDBOX}/sandbox/faults", {**rule, "matching": prediction.id})[0], 201, "the fault")
    prediction.reload()
    equal(call("POST", f"{SANDBOX}/sandbox/faults", rule)[0], 201, "the fault")
    equal(raises(ReplicateError, lambda: CLIENT.predictions.create(version=XTTS, input=spoken("x"))).status, 503, "it")


@check("webhooks come by themselves, and the client's own check of the signature takes them")
def _():
    secret = CLIENT.webhooks.default.secret()
    with Inbox() as inbox:
        prediction = CLIENT.predictions.create(
            version=XTTS, input=spoken("hello"), webhook=f"{inbox.url}/hook", webhook_events_filter=["start", "completed"])
        statuses = []
        for path, headers, body in inbox.take(2):
            Webhooks.validate(headers=headers, body=body, secret=secret, tolerance=300)
            told = Prediction.parse_raw(body)
            equal((path, told.id), ("/hook", prediction.id), "the webhook")
            statuses.append(told.status)
        equal(statuses, ["processing", "succeeded"], "the statuses")
        CLIENT.predictions.create(
            version=XTTS, input=spoken("[[sandbox:forged]]"), webhook=f"{inbox.url}/hook",
            webhook_events_filter=["completed"])
        wrong = 0
        for _, headers, body in inbox.take(2):
            try:
                Webhooks.validate(headers=headers, body=body, secret=secret)
            except InvalidSignatureError:
                wrong += 1
        equal(wrong, 1, "the number of forgeries")


check.run()

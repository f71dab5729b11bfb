"""The sandbox's speech server against the client of the API it imitates (openai)."""

import io
import os
import wave

import openai

from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
BASE = f"{SANDBOX}/sandbox/omnivoice"
KEY = "sandbox-omnivoice-key"
check = Checks("sandbox OmniVoice, openai")
TEXT = "Xin chào các bạn, hôm nay trời đẹp."


def client(key=KEY):
    return openai.OpenAI(api_key=key, base_url=f"{BASE}/v1", max_retries=0, _strict_response_validation=True)


def speak(text=TEXT, voice="nova", form="wav", via=None, **more):
    return (via or client()).audio.speech.create(
        model="omnivoice", voice=voice, input=text, response_format=form, **more)


def sound(data):
    with wave.open(io.BytesIO(data)) as opened:
        equal((opened.getframerate(), opened.getnchannels(), opened.getsampwidth()), (24000, 1, 2), "the sound")
        return opened.getnframes() / 24000


@check("speech is a WAV that lasts as long as its text, and says so")
def _():
    answer = speak()
    length = sound(answer.content)
    equal(round(length, 2), round(len(TEXT) / 15, 2), "the length")
    equal(round(float(answer.response.headers["x-audio-duration-s"]), 2), round(length, 2), "the header")
    equal(round(sound(speak(speed=2.0).content), 2), round(length / 2, 2), "the length at double speed")


@check("the same text, voice and seed give the same bytes, another voice others")
def _():
    first = speak(extra_body={"seed": 5}).content
    equal(speak(extra_body={"seed": 5}).content, first, "the bytes")
    assert speak(voice="onyx", extra_body={"seed": 5}).content != first


@check("samples are streamed without a header")
def _():
    whole = speak(form="pcm").content
    streaming = client().audio.speech.with_streaming_response
    with streaming.create(
        model="omnivoice", voice="nova", input=TEXT, response_format="pcm", extra_body={"stream": True}
    ) as answer:
        pieces = list(answer.iter_bytes())
    equal(b"".join(pieces), whole, "the samples")
    assert len(pieces) > 1


@check("errors are the client's own classes")
def _():
    # The check of the key answers a string where the others answer an object, and the client takes both.
    equal(raises(openai.AuthenticationError, lambda: speak(via=client("wrong"))).status_code, 401, "the status")
    table = [
        (openai.UnprocessableEntityError, 422, lambda: speak("")),
        (openai.UnprocessableEntityError, 422, lambda: speak(voice="Bella")),
        (openai.NotFoundError, 404, lambda: speak(voice="clone:nobody")),
        (openai.InternalServerError, 501, lambda: speak(form="mp3")),
        (openai.InternalServerError, 503, lambda: speak("[[sandbox:status status=503]]")),
        (openai.InternalServerError, 504, lambda: speak("[[sandbox:status status=504]]")),
    ]
    for kind, status, action in table:
        error = raises(kind, action)
        equal(error.status_code, status, "the status")
        assert error.body["code"] and error.body["message"], error.body


@check("sound can break, end early or hold no speech")
def _():
    raises(Exception, lambda: speak(f"[[sandbox:cut_stream after=1]] {TEXT}"))
    drone = speak(f"[[sandbox:no_speech]] {TEXT}")
    equal(drone.response.headers["x-no-speech-detected"], "true", "the header")
    equal(sound(speak("[[sandbox:empty]]").content), 0, "the length")


@check("models are listed; the server says that it is well")
def _():
    equal([model.id for model in client().models.list()], ["omnivoice", "tts-1", "tts-1-hd"], "the models")
    status, health = call("GET", f"{BASE}/health")
    equal((status, health["status"]), (200, "healthy"), "the health")


check.run()

"""The sandbox's fal against the vendor's Python client (fal-client)."""

import asyncio
import io
import os
import urllib.request

import front
from harness import WORK, Checks, call, equal, raises

# The client wants https and a bare host: the front stands before the sandbox as both. What follows a submit goes
# to the addresses that the sandbox itself has answered.
SANDBOX = os.environ["SANDBOX"]
PEM = os.path.join(WORK, "front.pem")
front.certificate(PEM)
FRONT = front.Front(f"{SANDBOX}/sandbox/fal", certificate=PEM)
KEY = "sandbox-fal-key-id:sandbox-fal-key-secret"
os.environ.update(FAL_QUEUE_RUN_HOST=FRONT.host, SSL_CERT_FILE=PEM, FAL_KEY=KEY)

import fal_client  # noqa: E402: reads its hosts when it is imported
from PIL import Image  # noqa: E402

check = Checks("sandbox fal, fal-client")
MODEL = "fal-ai/flux/dev"


def picture(url):
    with urllib.request.urlopen(url) as response:
        image = Image.open(io.BytesIO(response.read()))
        image.load()
        return image


def fault(**rule):
    equal(call("POST", f"{SANDBOX}/sandbox/faults", {"service": "fal", "times": 1, **rule})[0], 201, "the fault")


@check("a job goes from the queue over running to done, with logs when asked")
def _():
    job = fal_client.submit(MODEL, {"prompt": "a red kite"})
    steps = list(job.iter_events(with_logs=True, interval=0.01))
    equal([type(step) for step in steps], [fal_client.Queued, fal_client.InProgress, fal_client.Completed], "the steps")
    equal(steps[0].position, 0, "the position")
    equal(steps[1].logs[0]["message"], "step 1", "the log")
    equal((steps[2].error, steps[2].error_type), (None, None), "the error")
    assert steps[2].metrics["inference_time"] > 0
    assert fal_client.submit(MODEL, {"prompt": "x"}).status(with_logs=False) == fal_client.Queued(position=0)


@check("the result is a PNG of the size it tells, also when asked for a size in pixels")
def _():
    for size, expected in [("square", (512, 512)), ({"width": 640, "height": 384}, (640, 384))]:
        result = fal_client.submit(MODEL, {"prompt": "kite", "image_size": size, "seed": 7}).get(interval=0.01)
        image, decoded = result["images"][0], picture(result["images"][0]["url"])
        equal((decoded.format, decoded.size), ("PNG", expected), "the picture")
        equal(((image["width"], image["height"]), image["content_type"]), (expected, "image/png"), "its description")
        equal((result["seed"], result["has_nsfw_concepts"], result["prompt"]), (7, [False], "kite"), "the rest")


@check("subscribe delivers, with the job's id and its updates")
def _():
    told, ids = [], []
    result = fal_client.subscribe(
        "fal-ai/flux/schnell", {"prompt": "kite", "num_images": 2}, with_logs=True,
        on_enqueue=ids.append, on_queue_update=told.append)
    equal(len(result["images"]), 2, "the images")
    assert ids[0] and isinstance(told[-1], fal_client.Completed), told


@check("the asynchronous client sees the same")
def _():
    async def work():
        job = await fal_client.submit_async(MODEL, {"prompt": "kite"})
        async for _ in job.iter_events(interval=0.01):
            pass
        return await job.get()

    assert asyncio.run(work())["images"][0]["url"].startswith(SANDBOX)


@check("a job is found by its id alone, at addresses without the model's path")
def _():
    job = fal_client.submit(MODEL, {"prompt": "kite"})
    equal(fal_client.status(MODEL, job.request_id), fal_client.Queued(position=0), "the status")
    assert fal_client.result(MODEL, job.request_id)["images"]
    assert any(path.endswith(f"/fal-ai/flux/requests/{job.request_id}/status?logs=false") for _, path, *_ in FRONT.seen)


@check("a waiting job is cancelled; a done one can't be")
def _():
    job = fal_client.submit(MODEL, {"prompt": "kite"})
    job.cancel()
    status = job.status()
    assert isinstance(status, fal_client.Completed) and status.error, status
    error = raises(fal_client.FalClientHTTPError, job.get)
    assert 400 <= error.status_code < 500, error.status_code
    done = fal_client.submit(MODEL, {"prompt": "kite"})
    done.get(interval=0.01)
    equal(raises(fal_client.FalClientHTTPError, done.cancel).status_code, 400, "the status")
    unknown = "00000000-0000-4000-8000-000000000000"
    lost = raises(fal_client.FalClientHTTPError, lambda: fal_client.cancel(MODEL, unknown))
    equal(lost.status_code, 404, "the status")


@check("bad input completes, and fails at the result with the list of fields")
def _():
    job = fal_client.submit(MODEL, {"num_images": "many"})
    error = raises(fal_client.FalClientHTTPError, lambda: job.get(interval=0.01))
    equal((error.status_code, error.error_type), (422, error.message[0]["type"]), "the error")
    equal({tuple(field["loc"]) for field in error.message}, {("body", "prompt"), ("body", "num_images")}, "the fields")
    assert all({"loc", "msg", "type"} <= set(field) for field in error.message)


@check("refused content fails at the result with its own type")
def _():
    job = fal_client.submit(MODEL, {"prompt": "[[sandbox:content_filter]]"})
    error = raises(fal_client.FalClientHTTPError, lambda: job.get(interval=0.01))
    equal((error.status_code, error.message[0]["type"]), (422, "content_policy_violation"), "the error")


@check("a wrong key is a 401, an unknown application a 404")
def _():
    stranger = fal_client.SyncClient(key="wrong:key")
    equal(raises(fal_client.FalClientHTTPError, lambda: stranger.submit(MODEL, {})).status_code, 401, "the status")
    unknown = raises(fal_client.FalClientHTTPError, lambda: fal_client.submit("fal-ai/nothing", {}))
    equal(unknown.status_code, 404, "the status")


@check("errors of the infrastructure carry their type; the client asks again after 429")
def _():
    fault(fault="status", status=503)
    error = raises(fal_client.FalClientHTTPError, lambda: fal_client.submit(MODEL, {"prompt": "kite"}))
    equal((error.status_code, error.error_type), (503, "runner_scheduling_failure"), "the error")
    fault(fault="status", status=429)
    assert fal_client.submit(MODEL, {"prompt": "kite"}).request_id
    job = fal_client.submit(MODEL, {"prompt": "[[sandbox:result_504]]"})
    error = raises(fal_client.FalClientHTTPError, lambda: job.get(interval=0.01))
    equal((error.status_code, error.error_type), (504, "request_timeout"), "the error")
    assert job.get(interval=0.01)["images"]


@check("the result tells its billable units")
def _():
    job = fal_client.submit(MODEL, {"prompt": "kite", "image_size": "square_hd", "num_images": 2})
    job.get(interval=0.01)
    headers = {"authorization": f"Key {KEY}"}
    with urllib.request.urlopen(urllib.request.Request(job.response_url, headers=headers)) as response:
        equal(response.headers["x-fal-billable-units"], "4", "the units")
        equal(response.headers["x-fal-request-id"], job.request_id, "the id")


check.run()

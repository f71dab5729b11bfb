"""The sandbox's ComfyUI against two published clients: comfy-catapult, whose types were written after a real server's
answers, and comfy-api-simplified. Neither knows of a bearer token; the front adds it, as a deployment's own proxy
would have to for them."""

import asyncio
import io
import json
import os
import uuid

from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper
from comfy_api_simplified.exceptions import ComfyApiError
from comfy_catapult.api_client import ComfyAPIClient
from PIL import Image

from front import Front
from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
FRONT = Front(f"{SANDBOX}/sandbox/comfyui", headers={"Authorization": "Bearer sandbox-comfy-token"})
check = Checks("sandbox ComfyUI, comfy-catapult and comfy-api-simplified")


def workflow(prompt="a red kite", **sizes):
    """The script example that ComfyUI publishes for its API, with our checkpoint."""
    size = {"width": 768, "height": 512, "batch_size": 1, **sizes}
    nodes = {
        "3": {"class_type": "KSampler", "inputs": {
            "cfg": 8, "denoise": 1, "latent_image": ["5", 0], "model": ["4", 0], "negative": ["7", 0],
            "positive": ["6", 0], "sampler_name": "euler", "scheduler": "normal", "seed": 8566257, "steps": 20}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "z8.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": size},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": prompt}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "bad hands"}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
    }
    return {key: {**node, "_meta": {"title": f"{node['class_type']} {key}"}} for key, node in nodes.items()}


def catapult(work):
    async def inside():
        async with ComfyAPIClient(FRONT.url) as client:
            return await work(client)

    return asyncio.run(inside())


def size_of(content):
    image = Image.open(io.BytesIO(content))
    image.load()
    return image.format, image.size


@check("a workflow is queued, watched and fetched; every answer has comfy-catapult's types")
def _():
    async def work(client):
        wanted = str(uuid.uuid4())
        ticket = await client.PostPrompt(prompt_workflow=workflow(), prompt_id=wanted, client_id="vendors")
        equal((ticket.prompt_id, ticket.error, ticket.node_errors or {}), (wanted, None, {}), "the ticket")
        equal((await client.GetPrompt()).exec_info.queue_remaining, 1, "the queue's depth")
        queue = await client.GetQueue()
        entry = (queue.queue_pending + queue.queue_running)[0]
        equal((entry.prompt_id, entry.outputs_to_execute), (wanted, ["9"]), "the queue's entry")
        for _ in range(10):
            history = (await client.GetHistory(prompt_id=wanted)).root
            if history:
                break
        entry = history[wanted]
        equal((entry.status.status_str, entry.status.completed), ("success", True), "the status")
        equal(entry.status.messages[0][0], "execution_start", "the first message")
        output = (await client.GetHistoryRaw(prompt_id=wanted))[wanted]["outputs"]["9"]["images"][0]
        content = await client.GetView(
            folder_type=output["type"], subfolder=output["subfolder"], filename=output["filename"])
        equal(size_of(content), ("PNG", (768, 512)), "the picture")
        assert (await client.GetSystemStats()).devices[0].vram_total > 0

    catapult(work)


@check("a workflow with mistakes is refused in comfy-catapult's types")
def _():
    async def work(client):
        broken = workflow()
        del broken["5"]["inputs"]["width"]
        ticket = await client.PostPrompt(prompt_workflow=broken)
        assert ticket.prompt_id is None and ticket.node_errors, ticket
        equal(ticket.node_errors["5"].errors[0].type, "required_input_missing", "the error")
        equal(ticket.node_errors["5"].class_type, "EmptyLatentImage", "the node")

    catapult(work)


@check("an absent file is a 404, a path upwards is refused, an interrupt answers without a body")
def _():
    api = ComfyApiWrapper(FRONT.url)
    for name, status in [("nothing.png", "404"), ("../secret.png", "400")]:
        assert status in str(raises(ComfyApiError, lambda name=name: api.get_image(name, "", "output")))
    api.interrupt()
    catapult(lambda client: client.PostInterrupt())


@check("comfy-api-simplified queues, counts those before, and fetches the image by its node's title")
def _():
    api, flow = ComfyApiWrapper(FRONT.url), ComfyWorkflowWrapper(workflow())
    flow.set_node_param("KSampler 3", "seed", 11)
    queued = api.queue_prompt(flow)["prompt_id"]
    assert api.get_queue_size_before(queued) in (0, 1)
    raises(ValueError, lambda: api.get_queue_size_before(str(uuid.uuid4())))
    for _ in range(10):
        history = api.get_history(queued)
        if history:
            break
    image = history[queued]["outputs"][flow.get_node_id("SaveImage 9")]["images"][0]
    content = api.get_image(image["filename"], image["subfolder"], image["type"])
    equal(size_of(content), ("PNG", (768, 512)), "the picture")
    assert api.get_system_stats()["system"]["comfyui_version"]
    raises(ComfyApiError, lambda: api.queue_prompt({}))


@check("a job that fails says so in its history")
def _():
    api = ComfyApiWrapper(FRONT.url)
    queued = api.queue_prompt(workflow("[[sandbox:error_frame]]"))["prompt_id"]
    for _ in range(10):
        history = api.get_history(queued)
        if history:
            break
    status = history[queued]["status"]
    equal((status["status_str"], status["completed"]), ("error", False), "the status")
    assert "execution_error" in [name for name, _ in status["messages"]], json.dumps(status)


@check("without the token nothing is answered")
def _():
    equal(call("GET", f"{SANDBOX}/sandbox/comfyui/queue")[0], 401, "the status")


check.run()

// The sandbox's fal against the vendor's JavaScript client (@fal-ai/client).

import { createFalClient, ApiError, ValidationError } from "@fal-ai/client";
import { Checks, assert, equal, rejects } from "./harness.mjs";

const base = process.env.SANDBOX;
const check = new Checks("sandbox fal, @fal-ai/client");
const model = "fal-ai/flux/dev";

// The client knows one host; its documented `requestMiddleware` leads to the sandbox.
const towards = (credentials) =>
  createFalClient({
    credentials,
    retry: { maxRetries: 1, baseDelay: 20, maxDelay: 50 },
    requestMiddleware: async (request) => ({
      ...request,
      url: request.url.replace("https://queue.fal.run", `${base}/sandbox/fal`),
    }),
  });
const fal = towards("sandbox-fal-key-id:sandbox-fal-key-secret");

check.add("subscribe polls to the end and answers data and id", async () => {
  const told = [];
  const input = { prompt: "a red kite", image_size: "square" };
  const onQueueUpdate = (status) => told.push(status.status);
  const { data, requestId } = await fal.subscribe(model, { input, logs: true, pollInterval: 10, onQueueUpdate });
  equal(told, ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]);
  equal([data.images[0].width, data.images[0].height, data.images[0].content_type], [512, 512, "image/png"]);
  assert(requestId.length > 10, "no request id");
});

check.add("subscribe streams the statuses as well, with logs", async () => {
  const told = [];
  const onQueueUpdate = (status) => told.push(status);
  const { data } = await fal.subscribe(model, { input: { prompt: "kite" }, mode: "streaming", logs: true, onQueueUpdate });
  equal(told.map((status) => status.status), ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]);
  equal(told.at(-1).logs.at(-1).message, "step 1");
  equal(data.images.length, 1);
});

check.add("submit, status, result and cancel at the addresses that the client builds", async () => {
  const job = await fal.queue.submit(model, { input: { prompt: "kite" }, webhookUrl: "https://example.com/hook" });
  equal([job.status, job.queue_position], ["IN_QUEUE", 0]);
  assert(job.status_url.endsWith(`/fal-ai/flux/requests/${job.request_id}/status`), job.status_url);
  equal((await fal.queue.status(model, { requestId: job.request_id })).status, "IN_QUEUE");
  await fal.queue.cancel(model, { requestId: job.request_id });
  equal((await fal.queue.status(model, { requestId: job.request_id })).status, "COMPLETED");
  const again = await rejects(fal.queue.cancel(model, { requestId: job.request_id }), ApiError);
  equal([again.status, again.body.status], [400, "ALREADY_COMPLETED"]);
});

check.add("bad input is a ValidationError with the fields", async () => {
  const error = await rejects(fal.subscribe(model, { input: { num_images: 9 }, pollInterval: 10 }), ValidationError);
  equal(error.status, 422);
  equal(error.getFieldErrors("prompt").map((field) => field.type), ["missing"]);
  equal(error.getFieldErrors("num_images").length, 1);
});

check.add("a wrong key and an unknown job are ApiErrors; 429 is asked again", async () => {
  equal((await rejects(towards("wrong:key").queue.submit(model, { input: { prompt: "kite" } }), ApiError)).status, 401);
  const requestId = "00000000-0000-4000-8000-000000000000";
  equal((await rejects(fal.queue.status(model, { requestId }), ApiError)).status, 404);
  const rule = { service: "fal", fault: "status", status: 429, times: 1 };
  await fetch(`${base}/sandbox/faults`, { method: "POST", body: JSON.stringify(rule) });
  assert((await fal.queue.submit(model, { input: { prompt: "kite" } })).request_id, "no id");
});

check.add("a gateway's time-out at the result is asked again by the client", async () => {
  const { data } = await fal.subscribe(model, { input: { prompt: "[[sandbox:result_504]]" }, pollInterval: 10 });
  equal(data.images.length, 1);
});

await check.run();

// The README's walk by a client that knows nothing but the document: `api.d.ts` is written from it by openapi-typescript.
// That this compiles under `strict` is half of the check; the other half is that it comes to its end.
import createClient, { type Middleware } from "openapi-fetch";
import { createParser } from "eventsource-parser";
import assert from "node:assert/strict";
import type { components, paths } from "./api.js";

type RunEvent = components["schemas"]["RunEvent"];
type RunView = components["schemas"]["RunView"];
type Problem = components["schemas"]["ProblemDocument"];

const base = process.argv[2];
assert(base, "the product's address");

// A token lives a minute: each call takes a fresh one.
const signIn: Middleware = {
  async onRequest({ request }) {
    const token = await (await fetch(`${base}/sandbox/clerk/token?person=typescript`)).text();
    request.headers.set("authorization", `Bearer ${token}`);
    return request;
  },
};
// `application/…`: what `data` is unless a call asks for the stream.
const api = createClient<paths, `application/${string}`>({ baseUrl: base });
api.use(signIn);

/** The answer, or a failure that shows the problem document. */
function told<T>(answer: { data?: T; error?: Problem }): T {
  assert.equal(answer.error, undefined, JSON.stringify(answer.error));
  assert(answer.data !== undefined);
  return answer.data;
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<RunEvent> {
  const ready: RunEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, id, data }) => ready.push({ event, id, data: JSON.parse(data) } as RunEvent),
  });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* ready.splice(0);
  }
}

/** A run with its events, each narrowed by its name. */
async function writeScript(prompt: string): Promise<{ text: string; done: RunView; last: string }> {
  const { error, response } = await api.POST("/v1/runs", {
    body: { tool: "script", input: { prompt } },
    headers: { accept: "text/event-stream" },
    parseAs: "stream",
  });
  assert.equal(error, undefined, JSON.stringify(error));
  assert(response.body);
  let text = "";
  let last = "";
  for await (const event of eventsOf(response.body)) {
    last = event.id ?? last;
    switch (event.event) {
      case "run":
        assert.equal(event.data.id, response.headers.get("x-run-id"));
        assert.equal(event.data.status, "running");
        break;
      case "progress":
        assert(["waiting", "thinking", "queued", "working", "writing", "storing"].includes(event.data.stage));
        break;
      case "delta":
        text += event.data.text;
        break;
      case "output":
        assert.equal(event.data.kind, "text");
        break;
      case "done":
        return { text, done: event.data, last };
      case "failed":
        assert.fail(`${event.data.code}: ${event.data.detail}`);
    }
  }
  return assert.fail("the stream ended without `done`");
}

const prices = told(await api.GET("/v1/pricing", { params: { query: { currency: "VND" } } }));
const image = prices.tools.find((tool) => tool.tool === "image" && tool.is_default);
assert(image && image.enabled);

const { text, done, last } = await writeScript("Ten seconds about a red kite");
assert(text.length > 0 && done.status === "succeeded" && done.receipt?.ending === "complete");
assert(last.endsWith(".end"), last);
const shown = told(await api.GET("/v1/runs/{id}", { params: { path: { id: done.id } } }));
assert.equal(shown.outputs?.[0]?.text, text);

// The same run again is the same answer, and a picture has a link that opens.
const order = { tool: "image" as const, input: { prompt: "a red kite", size: "square" as const }, price: null };
const key = { params: { header: { "Idempotency-Key": "walk-1" } } };
const picture = told(await api.POST("/v1/runs", { body: order, ...key }));
const repeated = told(await api.POST("/v1/runs", { body: order, ...key }));
assert.deepEqual([repeated.id, repeated.replayed], [picture.id, true]);
assert(picture.outputs?.[0]?.view_url);
assert.equal((await fetch(picture.outputs[0].view_url)).headers.get("content-type"), "image/png");

// A top-up by bank transfer: the sandbox's bank pays it.
const topUp = told(
  await api.POST("/v1/top-ups", {
    body: { method: "viet_qr", credits: { amount: 500, unit: "USD cent" } },
    params: { header: { "Idempotency-Key": "walk-2" } },
  }),
);
assert.equal(topUp.status, "created");
assert(topUp.pay?.kind === "bank_transfer");
await fetch(`${base}/sandbox/bank/transfers`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ amount: topUp.amount_due.minor, memo: topUp.pay.memo, mangle: "spaces" }),
});
let paid = topUp;
for (let look = 0; look < 100 && paid.status === "created"; look += 1) {
  await new Promise((wake) => setTimeout(wake, 50));
  paid = told(await api.GET("/v1/top-ups/{id}", { params: { path: { id: topUp.id } } }));
}
assert.equal(paid.status, "paid");
assert.deepEqual(paid.credited, topUp.credits);

// The books: each page by its cursor, to the last one.
const account = told(await api.GET("/v1/account"));
let sum = 0;
let newest: number | undefined;
let cursor: string | undefined;
do {
  const page = told(await api.GET("/v1/account/transactions", { params: { query: { limit: 2, cursor } } }));
  sum += page.transactions.reduce((sum, entry) => sum + entry.credits.amount, 0);
  newest ??= page.transactions[0]?.balance_after?.amount;
  cursor = page.next_cursor ?? undefined;
} while (cursor);
assert.equal(newest, sum);
assert.equal(sum, account.available.amount + account.reserved.amount - account.debt.amount);
const history = told(await api.GET("/v1/runs", { params: { query: { limit: 10 } } }));
assert.deepEqual(history.runs.map((run) => [run.id, run.price]), [[picture.id, picture.price], [done.id, done.price]]);
assert(history.runs[0]?.outputs?.[0]?.view_url);

// Refusals: a code of a closed list, the field that is wrong, and what became of the credit.
const blank = await api.POST("/v1/runs", { body: { tool: "script", input: { prompt: " " } } });
assert(blank.error && blank.error.code === "invalid_input" && blank.error.credit === "not_taken");
assert.equal(blank.error.errors?.[0]?.pointer, "/input/prompt");
const dearer = await api.POST("/v1/runs", { body: { ...order, price: { ...picture.price, amount: 1 } } });
assert(dearer.error?.code === "price_changed" && dearer.response.status === 409);
const nothing = await api.GET("/v1/runs/{id}", { params: { path: { id: "01KABCDEFGHJKMNPQRSTVWXYZ0" } } });
assert(nothing.error?.code === "not_found");

console.log("the TypeScript client came to its end");

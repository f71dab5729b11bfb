// What the JavaScript checks of payments share: people who order top-ups at the running product.

import { equal } from "./harness.mjs";

export const product = process.env.SANDBOX;

async function call(person, method, path, body) {
  const token = await (await fetch(`${product}/sandbox/clerk/token?person=${person}`)).text();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(product + path, { method, headers, body: body && JSON.stringify(body) });
  return [answer.status, await answer.json()];
}

async function get(person, path) {
  const [status, body] = await call(person, "GET", path);
  equal([path, status], [path, 200]);
  return body;
}

/** A new order, which must be accepted. */
export async function topUp(person, method, cents) {
  const wish = { method, credits: { amount: cents, unit: "USD cent" } };
  const [status, body] = await call(person, "POST", "/v1/top-ups", wish);
  equal([status, body.status], [201, "created"]);
  return body;
}

export const order = (person, id) => get(person, `/v1/top-ups/${id}`);
export const orders = async (person) => (await get(person, "/v1/top-ups")).top_ups;
export const account = (person) => get(person, "/v1/account");

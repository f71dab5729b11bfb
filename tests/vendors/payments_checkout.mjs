// Card payments against SePay's own npm package (sepay-pg-node): the form the product answers, the sandbox's gateway.

import sepay from "sepay-pg-node";
import { Checks, assert, equal } from "./harness.mjs";
import { account, order, orders, product, topUp } from "./payments.mjs";

const { SePayPgClient } = sepay;
const config = { env: "sandbox", merchant_id: "SP-TEST-SANDBOX", secret_key: "spsk_test_sandbox_demo_key" };
const gateway = client();
const stranger = client("spsk_test_somebody_else");
const check = new Checks("payments checkout, sepay-pg-node");

/** The package keeps its hosts in statics, and every new client sets them to SePay's own. */
function client(secret_key = config.secret_key) {
  const made = new SePayPgClient({ ...config, secret_key });
  SePayPgClient.baseApiUrl = `${product}/sandbox/sepay/v1`;
  SePayPgClient.baseCheckoutUrl = `${product}/sandbox/sepay/v1/checkout`;
  return made;
}

/** Posts a form as a browser does; answers status and page. */
async function post(fields, action = gateway.checkout.initCheckoutUrl()) {
  const answer = await fetch(action, { method: "POST", body: new URLSearchParams(fields) });
  return [answer.status, await answer.text()];
}

const pairs = (order) => order.pay.fields.map(({ name, value }) => [name, value]);

/** A whole form in the order of the documentation, under an invoice number of its own. */
const documented = (invoice) => ({
  order_amount: "131350",
  merchant: config.merchant_id,
  currency: "VND",
  operation: "PURCHASE",
  order_description: "Nạp tiền Citipen, gói 5$ = 131.350đ & more",
  order_invoice_number: invoice,
  customer_id: "user_2abc",
  payment_method: "CARD",
  success_url: "https://app.example.com/topup/ok?o=1,2&x==",
  error_url: "https://app.example.com/topup/error",
  cancel_url: "https://app.example.com/topup/cancel",
});

check.add("the order's form bears the package's signature for the same fields in the same order", async () => {
  for (const cents of [500, 12300, 50000]) {
    const made = await topUp("ann", "sepay_card", cents);
    const form = pairs(made);
    equal(form.at(-1)[0], "signature");
    const fields = Object.fromEntries(form.slice(0, -1));
    const theirs = gateway.checkout.initOneTimePaymentFields({ ...fields });
    equal(Object.entries(theirs), form);
    equal([fields.order_amount, fields.order_invoice_number], [made.amount_due.decimal, made.reference]);
    equal(made.pay.action, gateway.checkout.initCheckoutUrl());
  }
});

check.add("the sandbox takes the order's form, and none with a value changed, two inputs swapped, or one left out", async () => {
  const made = await topUp("bob", "sepay_card", 2000);
  const form = pairs(made);
  for (const [at, [name, value]] of form.entries()) {
    // Another merchant and another signature are refused as such; all else because the signature does not fit.
    const other = form.with(at, [name, name === "signature" ? `A${value.slice(1)}` : `${value}1`]);
    equal([name, (await post(other))[0]], [name, 400]);
    equal([name, (await post(form.toSpliced(at, 1)))[0]], [name, 400]);
  }
  equal((await post(form.with(0, form[1]).with(1, form[0])))[0], 400);
  const unopened = await gateway.order.retrieve(made.reference).catch((error) => error.response.status);
  equal(unopened, 404);
  equal((await post(form, made.pay.action))[0], 200);
});

check.add("the sandbox takes the package's forms in every order of inputs, and with texts that nobody escapes", async () => {
  const { merchant, ...rest } = documented("CIT-vendors-1");
  const table = [
    documented("CIT-vendors-0"),
    rest,
    { ...Object.fromEntries(Object.entries(documented("CIT-vendors-2")).reverse()), custom_data: "user=42" },
    { order_amount: 10000, currency: "VND", order_invoice_number: "CIT_vendors_3", order_description: "10.000đ" },
  ];
  for (const fields of table) {
    const form = gateway.checkout.initOneTimePaymentFields({ ...fields });
    const [status] = await post(Object.entries(form));
    equal([status, fields.order_invoice_number], [200, fields.order_invoice_number]);
    equal((await post(Object.entries({ ...form, order_amount: "1" })))[0], 400);
  }
  equal((await post(Object.entries(stranger.checkout.initOneTimePaymentFields(documented("CIT-vendors-9")))))[0], 400);
});

check.add("the package reads, voids and cancels orders; the product credits and takes back what it says", async () => {
  const made = await topUp("carla", "sepay_card", 500);
  await post(pairs(made), made.pay.action);
  const [waiting] = (await gateway.order.all({ q: made.reference })).data.data;
  equal([waiting.order_status, waiting.order_amount], ["AUTHENTICATION_NOT_NEEDED", `${made.amount_due.decimal}.00`]);
  equal((await account("carla")).available.amount, 100);

  equal((await fetch(`${product}/sandbox/sepay/orders/${made.reference}/pay`, { method: "POST" })).status, 200);
  const captured = (await gateway.order.retrieve(made.reference)).data.data;
  equal([captured.order_status, captured.order_amount], ["CAPTURED", `${made.amount_due.decimal}.00`]);
  equal([(await order("carla", made.id)).status, (await account("carla")).available.amount], ["paid", 600]);

  const voided = (await gateway.order.voidTransaction(made.reference)).data.data;
  equal(voided.order_status, "CANCELLED");
  equal([(await order("carla", made.id)).status, (await account("carla")).available.amount], ["reversed", 100]);
  const again = await gateway.order.voidTransaction(made.reference).catch((error) => error.response.status);
  equal([again, (await account("carla")).available.amount], [422, 100]);
});

check.add("a stranger's key opens no order", async () => {
  equal(await stranger.order.all().catch((error) => error.response.status), 401);
  assert((await orders("ann")).every((order) => order.status === "created"), "ann has paid nothing");
});

await check.run();

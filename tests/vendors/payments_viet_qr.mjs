// The VietQR of an order: its text against vietnam-qr-pay, its pictures against a QR reader that is not ours (jsqr).

import { initWasm, Resvg } from "@resvg/resvg-wasm";
import jsQR from "jsqr";
import { readFile } from "node:fs/promises";
import { PNG } from "pngjs";
import vietnamQr from "vietnam-qr-pay";
import { Checks, assert, equal } from "./harness.mjs";
import { product, topUp } from "./payments.mjs";

const { QRPay } = vietnamQr;
const check = new Checks("payments VietQR, vietnam-qr-pay and jsqr");
await initWasm(await readFile(new URL(import.meta.resolve("@resvg/resvg-wasm/index_bg.wasm"))));

const bank = { bankBin: "970416", bankNumber: "12345678" };
const amounts = [500, 1300, 50000];
const made = Promise.all(amounts.map((cents, nth) => topUp(`payer${nth}`, "viet_qr", cents)));

/** Fetches a picture that the order links to. */
async function picture(url, type) {
  const answer = await fetch(url);
  equal([answer.status, answer.headers.get("content-type")], [200, type]);
  return Buffer.from(await answer.arrayBuffer());
}

/** The text of the code in these pixels, in its usual colours only. */
const read = ({ data, width, height }) =>
  jsQR(new Uint8ClampedArray(data), width, height, { inversionAttempts: "dontInvert" })?.data;

check.add("the package reads bank, account, amount and memo of each order, and would build the same text", async () => {
  for (const { amount_due: { decimal: amount }, reference, pay } of await made) {
    const code = new QRPay(pay.qr_payload);
    assert(code.isValid, "the package finds it invalid");
    equal([code.consumer.bankBin, code.consumer.bankNumber], [bank.bankBin, bank.bankNumber]);
    equal([code.consumer.bankBin, code.consumer.bankNumber], [pay.bank_bin, pay.account]);
    equal([code.amount, code.additionalData.purpose], [amount, reference]);
    equal([code.currency, code.nation, code.provider.service, pay.memo], ["704", "VN", "QRIBFTTA", reference]);
    equal(QRPay.initVietQR({ ...bank, amount, purpose: reference }).build(), pay.qr_payload);
  }
});

check.add("the sandbox's bank reads the package's codes, and refuses one whose amount was changed", async () => {
  const scan = async (body) => {
    const answer = await fetch(`${product}/sandbox/bank/viet-qr`, { method: "POST", body });
    return [answer.status, await answer.json()];
  };
  const theirs = QRPay.initVietQR({ ...bank, amount: "1299000", purpose: "CITAB2CDE" }).build();
  const expected = { bin: bank.bankBin, account: bank.bankNumber, amount: 1299000, memo: "CITAB2CDE" };
  const [status, seen] = await scan(theirs);
  equal([status, seen], [200, { ...seen, ...expected }]);
  const changed = theirs.replace("1299000", "1299001");
  equal([(await scan(changed))[0], new QRPay(changed).isValid], [422, false]);
});

check.add("the PNG of each order is read as exactly its text", async () => {
  for (const { pay } of await made) {
    const image = PNG.sync.read(await picture(pay.qr_png_url, "image/png"));
    equal(read(image), pay.qr_payload);
  }
});

check.add("the SVG of each order is read as exactly its text, drawn small, large and on a dark page", async () => {
  for (const { pay } of await made) {
    const svg = (await picture(pay.qr_svg_url, "image/svg+xml")).toString();
    for (const [value, background] of [[180, undefined], [177, "#000"], [1000, "#000"]]) {
      const drawn = new Resvg(svg, { fitTo: { mode: "width", value }, background }).render();
      equal([value, read({ data: drawn.pixels, width: drawn.width, height: drawn.height })], [value, pay.qr_payload]);
    }
  }
});

check.add("whoever has another order's key sees no picture", async () => {
  const [one, other] = await made;
  const key = (order) => new URL(order.pay.qr_png_url).searchParams.get("key");
  for (const url of [one.pay.qr_png_url, one.pay.qr_svg_url]) {
    equal((await fetch(url.replace(key(one), key(other)))).status, 404);
  }
});

await check.run();

// The sandbox's Clerk against the vendor's own server library (@clerk/backend).

import { createClerkClient, verifyToken } from "@clerk/backend";
import { TokenVerificationError, TokenVerificationErrorReason as reason } from "@clerk/backend/errors";
import { verifyWebhook } from "@clerk/backend/webhooks";
import { createPublicKey } from "node:crypto";
import { Checks, assert, equal, rejects } from "./harness.mjs";

const base = process.env.SANDBOX;
const apiUrl = `${base}/sandbox/clerk`;
const secretKey = "sandbox-clerk-secret-key";
const signingSecret = "whsec_c2FuZGJveC1jbGVyay13ZWJob29rLWRlbW8ta2V5ISE=";
const check = new Checks("sandbox Clerk, @clerk/backend");

const token = async (query = "") => (await fetch(`${apiUrl}/token?person=ann${query}`)).text();
const authorizedParties = [base];

check.add("verifyToken accepts a token, with the key set of the Backend API", async () => {
  const claims = await verifyToken(await token(), { secretKey, apiUrl, authorizedParties });
  equal([claims.sub, claims.iss, claims.azp, claims.sts], ["user_sandbox_ann", apiUrl, base, "active"]);
});

check.add("verifyToken accepts a token without a network, with the public key", async () => {
  const { keys } = await (await fetch(`${apiUrl}/.well-known/jwks.json`)).json();
  const jwtKey = createPublicKey({ key: keys[0], format: "jwk" }).export({ type: "spki", format: "pem" });
  equal((await verifyToken(await token(), { jwtKey, authorizedParties })).sub, "user_sandbox_ann");
});

check.add("verifyToken refuses what it should, for the right reason", async () => {
  const table = [
    ["&ttl=-60", authorizedParties, reason.TokenExpired],
    ["&azp=https://evil.example", authorizedParties, reason.TokenInvalidAuthorizedParties],
    ["&azp=", authorizedParties, reason.TokenInvalidAuthorizedParties],
    ["&kid=ins_other", authorizedParties, reason.JWKKidMismatch],
  ];
  for (const [query, parties, expected] of table) {
    const verified = verifyToken(await token(query), { secretKey, apiUrl, authorizedParties: parties });
    equal((await rejects(verified, TokenVerificationError)).reason, expected);
  }
});

check.add("users are read and deleted through the Backend API's client", async () => {
  const clerk = createClerkClient({ secretKey, apiUrl });
  // No other program knows tess: without a user at Clerk the product has no welcome credit for a person.
  const user = await clerk.users.getUser("user_sandbox_tess");
  const told = [user.id, user.firstName, user.primaryEmailAddress.emailAddress];
  equal(told, ["user_sandbox_tess", "Tess", "tess@example.com"]);
  equal(user.primaryEmailAddress.verification.status, "verified");
  equal((await clerk.users.deleteUser("user_sandbox_tess")).id, "user_sandbox_tess");
  const gone = await rejects(clerk.users.getUser("user_sandbox_tess"), Error);
  equal([gone.status, gone.errors[0].code], [404, "resource_not_found"]);
  const stranger = createClerkClient({ secretKey: "wrong", apiUrl });
  equal((await rejects(stranger.users.getUser("user_sandbox_ann"), Error)).status, 401);
});

check.add("verifyWebhook accepts every kind of event and refuses a broken signature", async () => {
  const request = async (query) => {
    const { body, headers } = await (await fetch(`${apiUrl}/people/ann/webhook-request?${query}`)).json();
    return new Request("https://product.example/v1/webhooks/clerk", { method: "POST", body, headers });
  };
  for (const type of ["user.created", "user.updated", "user.deleted"]) {
    const event = await verifyWebhook(await request(`type=${type}`), { signingSecret });
    equal([event.type, event.data.id], [type, "user_sandbox_ann"]);
    assert(event.instance_id === "ins_sandbox", "no instance id");
  }
  await rejects(verifyWebhook(await request("type=user.created&broken_signature=1"), { signingSecret }), Error);
});

await check.run();

// The price table as JSON: one call of DynamoDB over TLS, and no framework but the SDK.
import http from "node:http";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";

const dynamo = new DynamoDBClient({});
const table = `${process.env.TABLE_PREFIX}tool_pricing`;
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

const call = (method, path, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, agent, path: `/2018-06-01/runtime/${path}` }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(chunks) }));
    });
    request.on("error", reject);
    request.end(body);
  });

for (;;) {
  const event = await call("GET", "invocation/next");
  const { Items } = await dynamo.send(new ScanCommand({ TableName: table }));
  const tools = Items.map((row) => ({ tool: row.tool.S, model: row.option.S, cost: row.providerCostCents.S }));
  const answer = JSON.stringify({ tools });
  await call("POST", `invocation/${event.headers["lambda-runtime-aws-request-id"]}/response`, answer);
}

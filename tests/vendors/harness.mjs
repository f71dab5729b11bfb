// What the JavaScript checks share; prints the same lines as harness.py.

export class Checks {
  #claims = [];

  constructor(group) {
    this.group = group;
  }

  add(claim, body) {
    this.#claims.push([claim, body]);
  }

  async run() {
    for (const [claim, body] of this.#claims) {
      try {
        await body();
        console.log(`passed  ${this.group}: ${claim}`);
      } catch (error) {
        process.exitCode = 1;
        const text = `${error?.name} ${error?.message ?? error}`.replace(/\s+/g, " ").slice(0, 600);
        console.log(`failed  ${this.group}: ${claim} (${text})`);
      }
    }
  }
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(actual, expected) {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  assert(left === right, `${left} is not ${right}`);
}

export async function rejects(promise, kind) {
  const error = await promise.then(
    (value) => assert(false, `no error but ${JSON.stringify(value)}`),
    (error) => error,
  );
  assert(error instanceof kind, `${error?.name} ${error?.message} is no ${kind.name}`);
  return error;
}

#!/usr/bin/env bash
# Holds the OpenAPI document to the running product, from outside: Schemathesis makes requests that fit the document and
# requests that do not, and compares what comes back. See README.md. Everything lies under target/contract; it needs
# Python 3.11 and, the first time, a network.
#
#   tests/contract/check.sh                  all operations, a few minutes
#   tests/contract/check.sh show_account     one operation, by its operationId
#   CASES=400 SEED=7                         more cases for each operation (40), others (1)
#   CITIPEN_BIN=path                         an already built binary (default: target/debug/citipen, built if it is missing)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
contract="$root/target/contract"
work="$contract/work"
mkdir -p "$contract" && rm -rf "$work" && mkdir -p "$work"

children=()
clean_up() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if ! cmp -s "$here/requirements.txt" "$contract/venv/installed.txt"; then
  echo "installing requirements.txt"
  python3 -m venv --clear "$contract/venv"
  "$contract/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$contract/venv/installed.txt"
fi

bin="${CITIPEN_BIN:-$root/target/debug/citipen}"
[[ "$bin" = /* ]] || bin="$PWD/$bin"
if [[ ! -x "$bin" ]]; then
  (cd "$root" && cargo build --package citipen)
fi

# The product as `cargo run -- --memory` starts it, without any key of the caller's. Its limits of requests would only end
# the check early: they are tested elsewhere.
(cd "$work" && exec env -i PATH="$PATH" HOME="$work" \
  USER_REQUESTS_PER_MINUTE_MAX=1000000 NETWORK_REQUESTS_PER_MINUTE_MAX=1000000 RUNS_PER_MINUTE_MAX=1000000 \
  "$bin" --memory --port 0 --zero-latency) >"$work/product.log" 2>&1 &
children+=($!)
for _ in $(seq 300); do
  address=$(sed -n 's/.* running at \(http[^ ]*\).*/\1/p' "$work/product.log")
  [[ -n "$address" ]] && break
  sleep 0.1
done
[[ -n "$address" ]] || { cat "$work/product.log"; exit 1; }

# The administrator of the local run, signed in for the length of the check, so that no route is closed to it.
token=$(curl --silent --fail "$address/sandbox/clerk/token?person=admin&ttl=7200&fva=0")

only=()
[[ $# -eq 0 ]] || only=(--include-operation-id "$1")
status=0
(cd "$work" && env -i PATH="$PATH" HOME="$work" NO_PROXY=127.0.0.1 PYTHONDONTWRITEBYTECODE=1 \
  PYTHONPATH="$here" SCHEMATHESIS_HOOKS=hooks "$contract/venv/bin/schemathesis" --config-file "$here/schemathesis.toml" \
  run "$root/functions/pricing/openapi.json" --url "$address" --header "Authorization: Bearer $token" \
  --max-examples "${CASES:-40}" --seed "${SEED:-1}" --workers 2 "${only[@]}") | tee "$work/report.txt" || status=$?
if ((status)); then
  echo "1 failed: the document and the product differ, see above"
  exit 1
fi
echo "the document and the product say the same"

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

source "$here/product.sh"

# The administrator of the local run, signed in for the length of the check, so that no route is closed to it.
token=$(curl --silent --fail "$address/sandbox/clerk/token?person=admin&ttl=7200&fva=0")

only=()
[[ $# -eq 0 ]] || only=(--include-operation-id "$1")
status=0
# One worker: two threads that parse Python at once end in a SystemError of CPython 3.11 ("AST constructor recursion depth
# mismatch"), which the report counts as an error of the product.
(cd "$work" && env -i PATH="$PATH" HOME="$work" NO_PROXY=127.0.0.1 PYTHONDONTWRITEBYTECODE=1 \
  PYTHONPATH="$here" SCHEMATHESIS_HOOKS=hooks "$contract/venv/bin/schemathesis" --config-file "$here/schemathesis.toml" \
  run "$root/functions/pricing/openapi.json" --url "$address" --header "Authorization: Bearer $token" \
  --max-examples "${CASES:-40}" --seed "${SEED:-1}" --workers 1 "${only[@]}") | tee "$work/report.txt" || status=$?
if ((status)); then
  echo "1 failed: the document and the product differ, see above"
  exit 1
fi
echo "the document and the product say the same"

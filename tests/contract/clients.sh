#!/usr/bin/env bash
# Builds on the OpenAPI document as a stranger would: lints it (Redocly), makes a TypeScript and a Python client from it,
# and lets each do the README's walk against the product, type-checked. See README.md. Everything lies under
# target/contract; it needs Node 20, Python 3.11 and, the first time, a network.
#
#   tests/contract/clients.sh
#   CITIPEN_BIN=path           an already built binary (default: target/debug/citipen, built if it is missing)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
contract="$root/target/contract"
work="$contract/clients"
document="$root/functions/pricing/openapi.json"
mkdir -p "$work"

children=()
clean_up() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cp "$here"/clients/{package.json,package-lock.json,redocly.yaml,tsconfig.json,generator.yaml,walk.ts,walk.py} "$work/"
if ! cmp -s "$work/package-lock.json" "$work/node_modules/installed.json"; then
  echo "installing package-lock.json"
  npm ci --prefix "$work" --no-audit --no-fund --silent
  cp "$work/package-lock.json" "$work/node_modules/installed.json"
fi
if ! cmp -s "$here/clients/requirements.txt" "$work/venv/installed.txt"; then
  echo "installing requirements.txt"
  python3 -m venv --clear "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/clients/requirements.txt"
  cp "$here/clients/requirements.txt" "$work/venv/installed.txt"
fi

echo "Redocly"
(cd "$work" && REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
  node_modules/.bin/redocly lint --config redocly.yaml "$document" 2>lint.txt >&2) || { cat "$work/lint.txt"; exit 1; }

echo "the TypeScript client"
(cd "$work" && node_modules/.bin/openapi-typescript "$document" --output api.d.ts >/dev/null 2>types.txt) ||
  { cat "$work/types.txt"; exit 1; }
(cd "$work" && node_modules/.bin/tsc --project tsconfig.json)

echo "the Python client"
rm -rf "$work/citipen_client"
(cd "$work" && venv/bin/openapi-python-client generate --path "$document" --config generator.yaml --meta none \
  --output-path citipen_client --overwrite --fail-on-warning >python.txt 2>&1) || { cat "$work/python.txt"; exit 1; }
(cd "$work" && venv/bin/mypy --strict --no-error-summary walk.py)

source "$here/product.sh"
(cd "$work" && NO_PROXY=127.0.0.1 node built/walk.js "$address")
(cd "$work" && NO_PROXY=127.0.0.1 PYTHONDONTWRITEBYTECODE=1 venv/bin/python walk.py "$address")

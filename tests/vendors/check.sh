#!/usr/bin/env bash
# Checks our protocol code against code that is not ours: the sandbox against the vendors' own clients, the adapters
# against published fakes. See README.md. Everything lies under target/vendors; it needs Python 3.11, Node 20 and,
# the first time, a network.
#
#   tests/vendors/check.sh            all programs
#   tests/vendors/check.sh payments   only those whose name holds this (or ONLY=payments)
#   CITIPEN_BIN=path                  an already built binary (default: target/debug/citipen, built if it is missing)
set -euo pipefail

only="${1:-${ONLY:-}}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
vendors="$root/target/vendors"
work="$vendors/work"
mkdir -p "$vendors" && rm -rf "$work" && mkdir -p "$work"

children=()
clean_up() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- what is needed, in the pinned versions

install_python() { # folder, list of packages
  if ! cmp -s "$here/$2" "$vendors/$1/installed.txt"; then
    echo "installing $2"
    python3 -m venv --clear "$vendors/$1"
    "$vendors/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/$2"
    cp "$here/$2" "$vendors/$1/installed.txt"
  fi
}

install_node() {
  if ! cmp -s "$here/package-lock.json" "$vendors/node/installed.json"; then
    echo "installing package-lock.json"
    mkdir -p "$vendors/node"
    cp "$here/package.json" "$here/package-lock.json" "$vendors/node/"
    (cd "$vendors/node" && npm ci --silent --ignore-scripts --no-audit --no-fund)
    cp "$here/package-lock.json" "$vendors/node/installed.json"
  fi
  # A module's imports are looked up from where it lies.
  cp "$here"/*.mjs "$vendors/node/"
}

install_python venv requirements.txt
install_python comfyui requirements-comfyui.txt
install_node

export CITIPEN_BIN="${CITIPEN_BIN:-$root/target/debug/citipen}"
[[ "$CITIPEN_BIN" = /* ]] || CITIPEN_BIN="$PWD/$CITIPEN_BIN"
if [[ ! -x "$CITIPEN_BIN" ]]; then
  (cd "$root" && cargo build --package citipen)
fi

# ---- the sandbox, played by the product's local run; no key of the caller's reaches it

(cd "$work" && exec env -i PATH="$PATH" HOME="$work" "$CITIPEN_BIN" --memory --port 0) \
  >"$work/sandbox.log" 2>&1 &
children+=($!)
for _ in $(seq 100); do
  SANDBOX=$(sed -n 's/.* running at \(http[^ ]*\).*/\1/p' "$work/sandbox.log")
  [[ -n "$SANDBOX" ]] && break
  sleep 0.1
done
[[ -n "$SANDBOX" ]] || { cat "$work/sandbox.log"; exit 1; }

# ---- the checks: each program prints a line per claim, beginning with `passed` or `failed`

export PYTHONDONTWRITEBYTECODE=1 NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
clean=(env -i PATH="$PATH" HOME="$work" PYTHONDONTWRITEBYTECODE=1 NO_PROXY=127.0.0.1 SANDBOX="$SANDBOX"
  CITIPEN_BIN="$CITIPEN_BIN" VENDORS_WORK="$work" VENDORS_NODE="$vendors/node" VENDORS_VENV="$vendors/venv")

check() { # name, command…
  local name=$1 status=0
  shift
  [[ "$name" == *"$only"* ]] || return 0
  "${clean[@]}" timeout 300 "$@" >"$work/$name.out" 2>"$work/$name.err" &
  local child=$!
  children+=("$child")
  wait "$child" || status=$?
  tee -a "$work/results" <"$work/$name.out"
  if ! grep -q '^passed\|^failed' "$work/$name.out" || { ((status)) && ! grep -q '^failed' "$work/$name.out"; }; then
    echo "failed  $name: ended with $status before its checks did" | tee -a "$work/results"
    tail -n 20 "$work/$name.err" >&2
  fi
}

check sandbox_fal_python "$vendors/venv/bin/python" "$here/sandbox_fal.py"
check sandbox_fal_javascript node "$vendors/node/sandbox_fal.mjs"
check sandbox_deepseek "$vendors/venv/bin/python" "$here/sandbox_deepseek.py"
check sandbox_anthropic "$vendors/venv/bin/python" "$here/sandbox_anthropic.py"
check sandbox_clerk_python "$vendors/venv/bin/python" "$here/sandbox_clerk.py"
check sandbox_clerk_javascript node "$vendors/node/sandbox_clerk.mjs"
check sandbox_comfyui "$vendors/comfyui/bin/python" "$here/sandbox_comfyui.py"
check sandbox_replicate "$vendors/venv/bin/python" "$here/sandbox_replicate.py"
check sandbox_omnivoice "$vendors/venv/bin/python" "$here/sandbox_omnivoice.py"
check sandbox_groq "$vendors/venv/bin/python" "$here/sandbox_groq.py"
check sandbox_apify "$vendors/venv/bin/python" "$here/sandbox_apify.py"
check sandbox_google "$vendors/venv/bin/python" "$here/sandbox_google.py"
check sandbox_dropbox "$vendors/venv/bin/python" "$here/sandbox_dropbox.py"
check identity_tokens "$vendors/venv/bin/python" "$here/identity_tokens.py"
check payments_checkout node "$vendors/node/payments_checkout.mjs"
check payments_viet_qr node "$vendors/node/payments_viet_qr.mjs"
check payments_bank_list "$vendors/venv/bin/python" "$here/payments_bank_list.py"
check payments_addresses "$vendors/venv/bin/python" "$here/payments_addresses.py"
check adapters_aimock "$vendors/venv/bin/python" "$here/adapters_aimock.py"
check adapters_llmock "$vendors/venv/bin/python" "$here/adapters_llmock.py"

passed=$(grep -c '^passed' "$work/results" || true)
failed=$(grep -c '^failed' "$work/results" || true)
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))

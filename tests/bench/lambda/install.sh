#!/usr/bin/env bash
# Puts what the other languages' functions need into a folder, in the pinned versions: install.sh FOLDER.
# It needs Python 3.11, Node 20 and, the first time, a network.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder="$1"
mkdir -p "$folder/node"

if ! cmp -s "$here/requirements.txt" "$folder/python.txt"; then
  python3 -m venv --clear "$folder/python"
  "$folder/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  # Lambda's layers hold compiled modules too; without them the first start alone would compile.
  "$folder/python/bin/python" -m compileall -q "$folder/python/lib"
  cp "$here/requirements.txt" "$folder/python.txt"
fi

if ! cmp -s "$here/package-lock.json" "$folder/node.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$folder/node/"
  (cd "$folder/node" && npm ci --silent --ignore-scripts --no-audit --no-fund)
  cp "$here/package-lock.json" "$folder/node.json"
fi
# A module's imports are looked up from where it lies.
cp "$here/prices.mjs" "$folder/node/"

#!/usr/bin/env bash
# Takes every guard of every conditional write out once and looks whether a scenario notices. See README.md.
#
#   tests/mutants/conditions.sh               all mutants
#   tests/mutants/conditions.sh run_jobs drive only those whose name holds one of these
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

cd "$root"
binary=$(cargo test --locked --package citipen-tests --test it --no-run --message-format=json |
  python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("target", {}).get("name") == "it" and message.get("executable"):
        print(message["executable"])')
exec python3 "$here/conditions.py" "$binary" "$root/target/mutants" "$here/conditions-allowed.txt" "$*"

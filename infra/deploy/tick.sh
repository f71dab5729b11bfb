#!/usr/bin/env bash
# Runs a schedule's function now, waits for it and prints its report.
#
#   tick.sh <profile> <function> [payload]
#   tick.sh citipen reservation-sweep
#   tick.sh citipen payment-reconciliation '{"since":"2026-11-28T00:00:00Z"}'     compares every rail from then on
#       --stack NAME     a deployment that is not named like its profile
set -euo pipefail
# shellcheck source=infra/deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

read_arguments "$@"
set -- "${arguments[@]+"${arguments[@]}"}"
(($# == 2 || $# == 3)) || usage
need_tools aws python3
payload=${3:-"{}"}
python3 -c 'import json, sys; json.loads(sys.argv[1])' "$payload" 2>/dev/null || fail "The payload is not JSON."
open_deployment "$1" "${stack_option:-$1}"

# tron-poll → TronPoll
logical=$(sed -E 's/(^|-)([a-z])/\U\2/g' <<<"$2")
# A schedule's id begins with its function's. Other functions wait for requests and would not understand the event.
scheduled=$(stack_resources AWS::Scheduler::Schedule | cut -f1)
grep -q "^$logical" <<<"$scheduled" ||
  fail "$2 is not a schedule of $stack; there are: $(tr '\n' ' ' <<<"$scheduled")"
function=$(stack_resources AWS::Lambda::Function | awk -v id="$logical" '$1 == id { print $2 }')
[[ -n "$function" ]] || fail "$stack has no function $logical."

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
printf '%s' "$payload" >"$answer.payload"
trap 'rm -f "$answer" "$answer.payload"' EXIT
# Longer than any of them may take, and never twice by itself.
error=$(AWS_MAX_ATTEMPTS=1 aws lambda invoke --function-name "$function" --payload "fileb://$answer.payload" \
  --cli-read-timeout 900 --query FunctionError --output text "$answer")
python3 -m json.tool "$answer" 2>/dev/null || cat "$answer"
[[ "$error" == None ]] || fail "$2 failed ($error); its log: aws logs tail /$stack/$2 --since 15m"

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

demand_stack
tick "$2" "$payload"

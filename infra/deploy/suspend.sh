#!/usr/bin/env bash
# Stops a deployment from working, and lets it go on. What is under way ends as usual; nothing is deployed.
#
#   suspend.sh <profile> runs      no new runs; paying in, webhooks, schedules and everything else go on
#   suspend.sh <profile> all       nothing is executed any more: for restoring, or when money moves wrongly
#   suspend.sh <profile> resume    as it was before
#   suspend.sh <profile> show      what is suspended
#       --stack NAME     a deployment that is not named like its profile
#       --yes            ask nothing
set -euo pipefail
# shellcheck source=infra/deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Each function remembers what it had reserved and since when it rests (`20@1796000000`); that outlives this machine,
# and a second suspension does not change it. One that runs all the same (an earlier suspension was killed here, or a
# deployment wrote its reservation again) rests from now on only.
suspend() { # function's physical name
  local arn had before
  arn=$(function_arn "$1")
  had=$(reserved "$1")
  before=$(remembered "$arn")
  [[ "$had" == 0 && "$before" != None ]] && return
  aws lambda tag-resource --resource "$arn" --tags "suspended-from=$had@$(date +%s)"
  aws lambda put-function-concurrency --function-name "$1" --reserved-concurrent-executions 0 >/dev/null
}

resume() { # function's physical name
  local arn had
  arn=$(function_arn "$1")
  had=$(remembered "$arn")
  # What runs already keeps what it has: a deployment may have given it another reservation since.
  case $(reserved "$1")/${had%@*} in
    */None) return ;;
    0/none) aws lambda delete-function-concurrency --function-name "$1" ;;
    0/*) aws lambda put-function-concurrency --function-name "$1" --reserved-concurrent-executions "${had%@*}" >/dev/null ;;
  esac
  # Last, so that who is killed before it repeats the rest.
  aws lambda untag-resource --resource "$arn" --tag-keys suspended-from
}

read_arguments "$@"
set -- "${arguments[@]+"${arguments[@]}"}"
case ${2:-}/$# in
  runs/2 | all/2 | resume/2 | show/2) ;;
  *) usage ;;
esac
need_tools aws python3
open_deployment "$1" "${stack_option:-$1}"
demand_stack
functions=$(stack_resources AWS::Lambda::Function)
[[ -n "$functions" ]] || fail "There is no stack $stack with functions."
case $2 in
  all) confirm "Stop everything in $stack ($account, $region)? Callers get errors, and webhooks are not heard." ;;
  runs) confirm "Stop new runs in $stack ($account, $region)?" ;;
esac
while read -r logical physical; do
  case $2/$logical in
    runs/RunTool | all/*) suspend "$physical" ;;
    resume/*) resume "$physical" ;;
  esac
  arn=$(function_arn "$physical")
  had=$(remembered "$arn")
  case $(reserved "$physical")/$had in
    */None) ;;
    0/*) say "  $logical is suspended" ;;
    *) say "  $logical was suspended, but RUNS: suspend it again" ;;
  esac
done <<<"$functions"
[[ $2 != resume ]] || say "Everything runs. What was missed: OPERATIONS.md, \"Replay a day of webhooks\"."

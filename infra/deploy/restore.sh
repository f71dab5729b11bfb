#!/usr/bin/env bash
# All tables of a deployment as they were at one moment: beside the live ones first, then, if wanted, in their place.
#
#   restore.sh <profile> start TIME PREFIX     e.g. 2026-11-28T14:00:00Z citipen-drill-; half an hour and more
#   restore.sh <profile> check PREFIX          settings, and every account's balance against its ledger entries
#   restore.sh <profile> differences PREFIX    what `write-back` would change
#   restore.sh <profile> write-back PREFIX [N] makes the live tables equal to the restored ones; all is suspended first.
#                                              N: so many accounts that `check` named are noted, and will be mended
#   restore.sh <profile> remove PREFIX         deletes the restored tables
#       --stack NAME     a deployment that is not named like its profile
#       --yes            ask nothing
#
# Each may be repeated after an interruption. OPERATIONS.md, "Restore", tells when to do what.
set -euo pipefail
# shellcheck source=infra/deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A run may last this long after its function was suspended.
quiet_seconds=420

# ---- start: restore, wait, and put back what a restore does not bring

start() { # moment
  local name
  check_window "$1"
  for name in "${names[@]}"; do restore_table "$name" "$1"; done
  say "In progress: twenty minutes at least, hours for large tables."
  for name in "${names[@]}"; do
    until_active "$prefix$name"
    settle_table "$name"
    say "  $prefix$name is there"
  done
  check
}

# All tables must reach back so far, or the books would be of different times.
check_window() { # moment
  local name window bad=()
  for name in "${names[@]}"; do
    window=$(aws dynamodb describe-continuous-backups --table-name "$live$name" --output json)
    python3 -c "$in_window" "$1" <<<"$window" || bad+=("$live$name: $(python3 -c "$say_window" <<<"$window")")
  done
  ((${#bad[@]} == 0)) || fail "Not restorable to $1:" "$(printf '\n  %s' "${bad[@]}")"
}

read_window='
import json, sys
from datetime import datetime, timezone
def at(value):
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    return datetime.fromisoformat(value.replace("Z", "+00:00"))
about = json.load(sys.stdin)["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
'
in_window="$read_window
first, last = about.get('EarliestRestorableDateTime'), about.get('LatestRestorableDateTime')
sys.exit(0 if first and last and at(first) <= at(sys.argv[1]) <= at(last) else 1)"
say_window="$read_window
print(about.get('EarliestRestorableDateTime', 'no recovery'), 'to', about.get('LatestRestorableDateTime', '-'))"

restore_table() { # name, moment
  local state
  state=$(restored_from "$1")
  case $state in
    none)
      aws dynamodb restore-table-to-point-in-time --source-table-name "$live$1" --target-table-name "$prefix$1" \
        --no-use-latest-restorable-time --restore-date-time "$2" >/dev/null
      say "  $live$1 as of $2 → $prefix$1"
      ;;
    "$(same_moment "$2")") say "  $prefix$1 was begun before" ;;
    *) fail "$prefix$1 is there already and holds something else ($state); choose another prefix, or remove it." ;;
  esac
}

# `none`, or the moment of the live table that it shows: what proves that a table is ours to go on with, or to delete.
restored_from() { # name
  local said
  if said=$(aws dynamodb describe-table --table-name "$prefix$1" --output json 2>&1); then
    python3 -c "
import json, sys
from datetime import datetime, timezone
summary = json.load(sys.stdin)['Table'].get('RestoreSummary')
if not summary or not summary['SourceTableArn'].endswith(sys.argv[1]):
    print('not restored from ' + sys.argv[1].rsplit('/', 1)[1])
    sys.exit()
at = summary['RestoreDateTime']
at = datetime.fromtimestamp(at, timezone.utc) if isinstance(at, (int, float)) else datetime.fromisoformat(at.replace('Z', '+00:00'))
print(at.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'))" ":$region:$account:table/$live$1" <<<"$said"
  elif [[ "$said" == *ResourceNotFoundException* ]]; then
    printf none
  else
    fail "$said"
  fi
}

same_moment() { # moment, as restored_from prints it
  python3 -c "
import sys
from datetime import datetime, timezone
at = datetime.fromisoformat(sys.argv[1].replace('Z', '+00:00'))
print(at.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'))" "$1" 2>/dev/null ||
    fail "$1 is no moment; write it like 2026-11-28T14:00:00Z"
}

until_active() { # table
  local state
  while state=$(aws dynamodb describe-table --table-name "$1" --query Table.TableStatus --output text) &&
    [[ $state != ACTIVE ]]; do
    sleep 20
  done
  [[ $state == ACTIVE ]]
}

# Data, keys, indexes, billing mode and encryption come with a restore; the rest does not.
settle_table() { # name
  local from to days attribute had tags
  from=$(table_arn "$live$1")
  to=$(table_arn "$prefix$1")
  days=$(aws dynamodb describe-continuous-backups --table-name "$live$1" --output text --query \
    ContinuousBackupsDescription.PointInTimeRecoveryDescription.RecoveryPeriodInDays)
  patiently aws dynamodb update-continuous-backups --table-name "$prefix$1" --point-in-time-recovery-specification \
    "PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=$days" >/dev/null
  attribute=$(time_to_live "$live$1")
  had=$(time_to_live "$prefix$1")
  [[ "$attribute" == None || "$attribute" == "$had" ]] ||
    aws dynamodb update-time-to-live --table-name "$prefix$1" \
      --time-to-live-specification "Enabled=true,AttributeName=$attribute" >/dev/null
  aws dynamodb update-table --table-name "$prefix$1" --deletion-protection-enabled >/dev/null
  until_active "$prefix$1"
  tags=$(aws dynamodb list-tags-of-resource --resource-arn "$from" --output json \
    --query "Tags[?!starts_with(Key, 'aws:')]")
  [[ "$tags" == "[]" ]] || aws dynamodb tag-resource --resource-arn "$to" --tags "$tags"
}

table_arn() { aws dynamodb describe-table --table-name "$1" --query Table.TableArn --output text; }
time_to_live() {
  aws dynamodb describe-time-to-live --table-name "$1" --query TimeToLiveDescription.AttributeName --output text
}

# For some minutes a new table answers that its backups are being set up.
patiently() {
  local tries
  for tries in 1 2 3 4 5 6; do
    "$@" && return
    say "  again in 30 seconds ($tries of 6)"
    sleep 30
  done
  return 1
}

# ---- check, write-back, remove

check() {
  local status=0
  restored compare "$live" "$prefix" "${names[@]}" || status=1
  restored books "$prefix" || status=1
  return "$status"
}

restored() { "$python" "$here/restored.py" "$@"; }

# Sets `moment`. Tables that were begun at two moments, or that somebody else made, would be money of no time at all.
demand_one_moment() {
  local name from state
  moment=""
  for name in "${names[@]}"; do
    from=$(restored_from "$name")
    case $from in
      none) fail "$prefix$name is not there: infra/deploy/restore.sh $profile start TIME $prefix" ;;
      not*) fail "$prefix$name was $from; nothing is taken from it." ;;
    esac
    state=$(aws dynamodb describe-table --table-name "$prefix$name" --query Table.TableStatus --output text)
    [[ $state == ACTIVE ]] || fail "$prefix$name is $state: wait, or repeat the start."
    [[ -z "$moment" || "$from" == "$moment" ]] ||
      fail "$prefix$name is of $from, the tables before it of $moment: start anew with another prefix."
    moment=$from
  done
}

differences() {
  demand_one_moment
  say "What would make ${live}* equal to ${prefix}*, which is as of $moment:"
  restored differences "$live" "$prefix" "${names[@]}"
}

write_back() { # how many accounts are known to be off
  demand_quiet
  demand_one_moment
  restored books "$prefix" "$1" ||
    fail "Nothing was written. Choose a moment some seconds earlier, or note those accounts and say how many:" \
      "OPERATIONS.md, \"Restore\"."
  differences
  confirm "Make ${live}* equal to ${prefix}*, as of $moment ($account, $region)?"
  restored write-back "$live" "$prefix" "${names[@]}"
  restored books "$live" "$1"
  say "Next: OPERATIONS.md, \"Restore\", from the step \"go on\"."
}

# Somebody who reads or writes while tables are of different times would make new nonsense.
demand_quiet() {
  local physical logical arn had since
  while read -r logical physical; do
    arn=$(function_arn "$physical")
    had=$(remembered "$arn")
    # The tag only remembers; what Lambda says counts.
    [[ "$had" != None && $(reserved "$physical") == 0 ]] ||
      fail "$logical is not suspended: infra/deploy/suspend.sh $profile all"
    since=$(($(date +%s) - ${had#*@}))
    ((since >= quiet_seconds)) ||
      fail "$logical was suspended $since seconds ago; what it had begun may last $quiet_seconds."
  done <<<"$functions"
}

remove() {
  local name state
  confirm "Delete ${#names[@]} tables that begin with $prefix ($account, $region)?"
  for name in "${names[@]}"; do
    state=$(restored_from "$name")
    case $state in
      none) continue ;;
      not*) fail "$prefix$name was $state; it stays." ;;
    esac
    aws dynamodb update-table --table-name "$prefix$name" --no-deletion-protection-enabled >/dev/null
    until_active "$prefix$name"
    aws dynamodb delete-table --table-name "$prefix$name" >/dev/null
    say "  $prefix$name is gone"
  done
}

# ---- what was asked for

read_arguments "$@"
set -- "${arguments[@]+"${arguments[@]}"}"
case ${2:-}/$# in
  start/4) prefix=$4 ;;
  check/3 | differences/3 | write-back/3 | write-back/4 | remove/3) prefix=$3 ;;
  *) usage ;;
esac
need_tools aws python3
python=$(python_with_boto3)
open_deployment "$1" "${stack_option:-$1}"
demand_stack
live=$(stack_parameter TablePrefix)
functions=$(stack_resources AWS::Lambda::Function)
names=()
while read -r _ table; do
  [[ "$table" == "$live"* ]] || fail "The stack's table $table does not begin with $live."
  names+=("${table#"$live"}")
done < <(stack_resources AWS::DynamoDB::Table)
((${#names[@]} > 0)) || fail "There is no stack $stack with tables."
[[ "$prefix" =~ ^[a-z][a-z0-9-]*-$ && "$prefix" != "$live" ]] ||
  fail "A prefix is lower-case letters, digits and dashes, ends with a dash, and is not the live one ($live)."
[[ $2 != write-back || "${4:-0}" =~ ^[0-9]+$ ]] || fail "$4 is no number of accounts."
case $2 in
  start) start "$3" ;;
  check) check ;;
  differences) differences ;;
  write-back) write_back "${4:-0}" ;;
  remove) remove ;;
esac

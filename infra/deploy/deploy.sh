#!/usr/bin/env bash
# From an empty account to a running service, and from there to the next version. Every step may be repeated: after
# any interruption run the same command again.
#
#   deploy.sh <profile> [stack]              build, show what changes, deploy, look whether it answers
#   deploy.sh <profile> [stack] --list       the deployments that can be gone back to
#   deploy.sh <profile> [stack] --rollback NAME   put one of them in place again, without building; parameters stay
#       --yes            ask nothing
#       --let-go ID      this table, key, bucket or API may be replaced or removed; may be given several times
#
# It reads <stack>.parameters and <stack>.secrets in this folder; README.md tells how to make them.
set -euo pipefail
# shellcheck source=infra/deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ---- what was asked for

action=deploy again="" let_go=() words=()
read_arguments "$@"
set -- "${arguments[@]+"${arguments[@]}"}"
while (($#)); do
  case $1 in
    --list) action=list ;;
    --rollback) action=rollback again=${2:?--rollback needs a name, see --list} && shift ;;
    --let-go) let_go+=("${2:?--let-go needs a logical id}") && shift ;;
    -*) usage ;;
    *) words+=("$1") ;;
  esac
  shift
done
((${#words[@]} == 1 || ${#words[@]} == 2)) || usage
name_of_profile=${words[0]}
name_of_stack=${words[1]:-${stack_option:-$name_of_profile}}
secrets="$here/$name_of_stack.secrets"

# ---- the steps

check_tools() {
  step "tools"
  if [[ $action == deploy ]]; then
    need_tools aws sam cargo cargo-lambda git python3
    say "  $(sam --version), cargo-lambda $(cargo-lambda lambda --version | grep -oE '[0-9]+(\.[0-9]+)+' | head -1)"
  else
    need_tools aws git python3
  fi
  say "  $(aws --version 2>&1)"
}

check_account() {
  step "settings, account, region"
  open_deployment "$name_of_profile" "$name_of_stack"
  say "  profile $profile, stack $stack, account $account, region $region"
  [[ $action == list ]] || confirm "Is this the right place?"
}

# What would be found only after a quarter of an hour otherwise.
check_before_building() {
  step "secrets"
  python3 "$here/secret_store.py" check "$settings" "$secrets"
  check_quota
  step "template"
  "$here/validate.sh"
}

# Lambda keeps 100 executions unreserved; a new account has ten in all.
check_quota() {
  local quota runs
  [[ $(setting ReserveConcurrency) != no ]] || return 0
  quota=$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions --output text)
  runs=$(setting RunToolConcurrencyMax)
  # 50 for webhooks and schedules.
  ((quota >= ${runs:-500} + 50 + 100)) || fail "This account may run $quota functions at once in $region, but" \
    "RunToolConcurrencyMax, the webhooks and 100 unreserved need $((${runs:-500} + 150)). Ask for more" \
    "(OPERATIONS.md, \"Raise limits\"), or set ReserveConcurrency=no until you have it."
}

build() {
  step "build"
  # One package after the other, as they are deployed; cargo keeps what they share.
  (cd "$root" && sam build --template template.yaml --build-dir "$work/build")
  python3 "$here/binaries.py" "$work/build" "$root/template.yaml"
}

package() {
  step "package"
  (cd "$root" && sam package --template-file "$work/build/template.yaml" --output-template-file "$work/packaged.yaml" \
    --resolve-s3 --s3-prefix "$stack" --region "$region" --no-progressbar >"$work/package.log") ||
    { cat "$work/package.log" >&2 && exit 1; }
  find_bucket
  deployment="$(date -u +%Y%m%dT%H%M%SZ)-$(git -C "$root" describe --always --dirty --abbrev=10 --exclude '*')"
  aws s3 cp --only-show-errors "$work/packaged.yaml" "s3://$bucket/$stack/deployments/$deployment.yaml"
  say "  $deployment"
}

# Where sam keeps packages; made by `sam package`.
find_bucket() {
  bucket=$(aws cloudformation describe-stacks --stack-name aws-sam-cli-managed-default --output text \
    --query "Stacks[0].Outputs[?OutputKey=='SourceBucket'].OutputValue")
}

# The first time the schedules are off: they need secrets, the secrets need the stack's key.
create_stack() {
  step "first deployment: everything, with the schedules off"
  local given
  given=$(setting ApiUrl)
  change_stack "$deployment.yaml" automatic Schedules=DISABLED "ApiUrl=${given:-$(own_domain)}"
}

protect_stack() {
  aws cloudformation update-termination-protection --enable-termination-protection --stack-name "$stack" >/dev/null
}

own_domain() {
  local domain
  domain=$(setting DomainName)
  [[ -z "$domain" ]] || printf 'https://%s' "$domain"
}

store_secrets() {
  step "secrets"
  python3 "$here/secret_store.py" sync "$settings" "$secrets"
}

# A first deployment that was interrupted is finished without questions; everything later is shown first, also a
# deployment that switches on schedules that somebody had switched off.
is_first() {
  local state recorded
  state=$(stack_state)
  case $state in
    none | REVIEW_IN_PROGRESS | CREATE_FAILED) return 0 ;;
  esac
  recorded=$(list_deployments) || fail "What was deployed before could not be read."
  [[ -z "$recorded" && $(setting Schedules) != DISABLED && $(stack_parameter Schedules) == DISABLED ]]
}

update_stack() { # `review` or `automatic`
  step "deployment"
  local schedules address domain
  schedules=$(setting Schedules)
  schedules=${schedules:-ENABLED}
  address=$(setting ApiUrl)
  address=${address:-$(own_domain)}
  domain=$(stack_parameter DomainName)
  if [[ -n "$address" || -z "$domain" ]]; then
    address=${address:-$(stack_output ApiUrl)}
  else
    # The output is the domain's until the domain has gone; payers must not be sent to that name.
    change_stack "$deployment.yaml" "$1" "Schedules=$schedules" ApiUrl=
    address=$(stack_output ApiUrl)
    step "the address that API Gateway gave"
  fi
  change_stack "$deployment.yaml" "$1" "Schedules=$schedules" "ApiUrl=$address"
  record
}

# A deployment can be gone back to once its parameters lie beside its template.
record() {
  aws s3 cp --only-show-errors "$work/parameters.json" "s3://$bucket/$stack/deployments/$deployment.parameters.json"
}

list_deployments() {
  find_bucket
  aws s3api list-objects-v2 --bucket "$bucket" --prefix "$stack/deployments/" --output text \
    --query "sort_by(Contents[?ends_with(Key, '.parameters.json')] || \`[]\`, &LastModified)[].Key" |
    tr '\t' '\n' | sed -n "s|^$stack/deployments/\(.*\)\.parameters\.json$|  \1|p"
}

roll_back() {
  step "back to $again"
  find_bucket
  deployment=$again
  aws s3 cp --only-show-errors "s3://$bucket/$stack/deployments/$again.parameters.json" "$work/then.json" ||
    fail "There is no deployment $again; see --list."
  # The template of then with the parameters in force: who is paid, who may decide and what is switched off since stay.
  aws cloudformation describe-stacks --stack-name "$stack" --output json --query 'Stacks[0].Parameters' \
    >"$work/in-force.json"
  aws cloudformation get-template-summary --template-url "$(deployments_url)/$again.yaml" --output json \
    --query Parameters >"$work/known.json"
  python3 "$here/settings.py" back "$work/in-force.json" "$work/known.json" "$work/then.json" >"$work/parameters.json"
  change_stack "$again.yaml" review
  record
}

deployments_url() { printf 'https://%s.s3.%s.amazonaws.com/%s/deployments' "$bucket" "$region" "$stack"; }

# ---- one change set: made, shown, judged, carried out

change_stack() { # template's name, `review` or `automatic`, NAME=value…
  local template=$1 review=$2 state kind change_set status=0 options=()
  shift 2
  # Without any, what `roll_back` chose lies there already.
  (($# == 0)) || python3 "$here/settings.py" parameters "$settings" "$@" >"$work/parameters.json"
  settle
  state=$(stack_state)
  case $state in
    # What was made so far stays and the next try goes on from it. Rolled back, tables and log groups would stay as
    # nobody's (`Retain`), and stand in the way.
    none | REVIEW_IN_PROGRESS) kind=CREATE options=(--on-stack-failure DO_NOTHING) ;;
    *_COMPLETE | *_FAILED) kind=UPDATE ;;
    *) fail "The stack is $state; OPERATIONS.md, \"A bad deployment\", tells what to do." ;;
  esac
  case $state in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | DELETE_* | UPDATE_ROLLBACK_FAILED)
      fail "The stack is $state; OPERATIONS.md, \"A bad deployment\", tells what to do." ;;
  esac
  change_set="deploy-$(date -u +%Y%m%d%H%M%S)-$$"
  aws cloudformation create-change-set --stack-name "$stack" --change-set-name "$change_set" \
    --change-set-type "$kind" --template-url "$(deployments_url)/$template" \
    --parameters "file://$work/parameters.json" --capabilities CAPABILITY_NAMED_IAM \
    ${options[@]+"${options[@]}"} >/dev/null
  until describe "$change_set" && ! grep -qE '"Status": "CREATE_(PENDING|IN_PROGRESS)"' "$work/changes.json"; do
    sleep 3
  done
  python3 "$here/change_set.py" ${let_go[@]+"${let_go[@]}"} <"$work/changes.json" || status=$?
  if ((status)); then
    aws cloudformation delete-change-set --stack-name "$stack" --change-set-name "$change_set"
    ((status == 3)) && return
    exit 1
  fi
  [[ $review == automatic ]] || confirm "Carry this out?"
  carry_out "$change_set" "$kind" "$state"
}

carry_out() { # change set, kind, state before it
  local rollback=() before
  case $2/$3 in
    CREATE/*) ;;
    # CloudFormation goes on from a failed state only without rolling back.
    */*_FAILED) rollback=(--disable-rollback) ;;
    *) rollback=(--no-disable-rollback) ;;
  esac
  before=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  aws cloudformation execute-change-set --stack-name "$stack" --change-set-name "$1" \
    ${rollback[@]+"${rollback[@]}"}
  say "  in progress; a first deployment takes about ten minutes"
  settle
  case $(stack_state) in
    CREATE_COMPLETE | UPDATE_COMPLETE) say "  $(stack_state)" ;;
    *)
      say "It failed ($(stack_state)). What CloudFormation said:" >&2
      aws cloudformation describe-stack-events --stack-name "$stack" --output text \
        --query "StackEvents[?Timestamp>='$before' && contains(ResourceStatus, 'FAILED')].[LogicalResourceId,ResourceStatusReason]" >&2
      fail "Mend it and run the same command again; OPERATIONS.md, \"A bad deployment\"."
      ;;
  esac
}

# All its pages in one document.
describe() { # change set
  aws cloudformation describe-change-set --stack-name "$stack" --change-set-name "$1" --output json \
    >"$work/changes.json" || exit 1
}

# Until CloudFormation is at rest, also when an earlier run of this script was killed while it waited.
settle() {
  local state
  while state=$(stack_state) && [[ $state == *_IN_PROGRESS && $state != REVIEW_IN_PROGRESS ]]; do
    sleep 10
  done
  [[ -n "$state" ]]
}

# ---- is it there?

look() {
  local address origins rails=()
  address=$(stack_parameter ApiUrl)
  [[ -n "$address" && "$address" != None ]] || address=$(stack_output ApiUrl)
  origins=$(stack_parameter AllowedOrigins)
  [[ -z $(setting SepayMerchantId) ]] || rails+=(cards)
  [[ -z $(setting BankAccount) ]] || rails+=(transfers)
  # First, because a domain that is kept elsewhere answers only once its record is made of what is told here.
  tell_addresses "$address" ${rails[@]+"${rails[@]}"}
  step "does it answer?"
  python3 "$here/smoke.py" "$address" "${origins%%,*}" ${rails[@]+"${rails[@]}"} ||
    fail "It is deployed, but does not answer as it should: look at the logs (OPERATIONS.md, \"What is where\")." \
      "To go back: infra/deploy/deploy.sh $profile $stack --list"
}

tell_addresses() { # address, rails…
  local address=$1 rail target
  shift
  target=$(stack_output ApiDomainTarget)
  [[ -n $(setting HostedZoneId) || -z "$target" || "$target" == None ]] ||
    say "$(setting DomainName) must be a CNAME of $target"
  step "to enter elsewhere, once; what they give you goes into Parameter Store"
  say "  Clerk, webhook with user.created, user.updated, user.deleted:  $address/v1/webhooks/clerk"
  say "      infra/deploy/secret.sh $profile put CLERK_WEBHOOK_SECRET --stack $stack"
  for rail in "$@"; do
    case $rail in
      cards)
        say "  SePay, payment gateway, IPN with a secret key:  $address/v1/webhooks/sepay/ipn"
        say "      infra/deploy/secret.sh $profile put SEPAY_IPN_SECRETS --stack $stack"
        ;;
      transfers)
        say "  SePay, bank webhook, signed, with automatic retries:  $address/v1/webhooks/sepay/bank"
        say "      infra/deploy/secret.sh $profile put SEPAY_BANK_HMAC_SECRETS --stack $stack"
        ;;
    esac
  done
  [[ ! -e "$secrets" ]] ||
    say "  The secrets are in Parameter Store now; $(basename "$secrets") is not needed any more."
}

# ---- in this order

check_tools
check_account
case $action in
  list) list_deployments ;;
  rollback)
    roll_back
    look
    ;;
  deploy)
    check_before_building
    build
    package
    review=review
    settle
    if is_first; then
      review=automatic
      [[ $(stack_state) != @(none|REVIEW_IN_PROGRESS|CREATE_FAILED) ]] || create_stack
      protect_stack
    fi
    store_secrets
    update_stack "$review"
    look
    ;;
esac

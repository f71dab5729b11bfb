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
    need_build_tools aws sam cargo rustc cargo-lambda git python3
    say "  $(sam --version), cargo-lambda $(version_of cargo-lambda lambda --version)"
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
  step "stack"
  check_stack
  step "secrets"
  python3 "$here/secret_store.py" check "$settings" "$secrets"
  check_quota
  step "template"
  "$here/validate.sh"
}

# Waits for what another run, or another person, has begun.
check_stack() {
  local state way
  state=$(settled_state)
  way=$(way_on "$state")
  say "  $stack: $state"
  [[ $way != person ]] || tell_person "$state"
  [[ $way != create ]] || check_left_over
}

# What outlives a stack stands in the way of the next one of that name.
check_left_over() {
  local wanted table tables left=()
  tables=$(aws dynamodb list-tables --query "TableNames[]" --output text | tr '\t' '\n')
  while read -r wanted; do
    table=$(setting TablePrefix)$wanted
    if grep -qxF "$table" <<<"$tables"; then left+=("$table"); fi
  done < <(sed -n 's/^      TableName: !Sub .{TablePrefix}//p' "$root/template.yaml")
  while read -r wanted; do
    [[ -z "$wanted" ]] || left+=("$wanted")
  done < <(aws logs describe-log-groups --log-group-name-prefix "/$stack/" --output text \
    --query "logGroups[].logGroupName" | tr '\t' '\n')
  ((${#left[@]} == 0)) ||
    fail "There is no stack $stack, but these are left of an earlier one and would be in its way:" \
      "$(printf '\n  %s' "${left[@]}")"$'\n'"OPERATIONS.md, \"left over\", tells what to do with them."
}

# Lambda keeps 100 executions unreserved; a new account has ten in all.
check_quota() {
  local state limit=ConcurrentExecutions quota runs
  [[ $(setting ReserveConcurrency) != no ]] || return 0
  state=$(stack_state)
  # A new stack takes its share of what others in the account have not reserved; an existing one has its share.
  [[ $(way_on "$state") != create ]] || limit=UnreservedConcurrentExecutions
  quota=$(aws lambda get-account-settings --query "AccountLimit.$limit" --output text)
  runs=$(setting RunToolConcurrencyMax)
  # 50 for webhooks and schedules.
  ((quota >= ${runs:-500} + 50 + 100)) || fail "This account may run $quota functions at once in $region" \
    "($limit), but RunToolConcurrencyMax, the webhooks and 100 unreserved need $((${runs:-500} + 150)). Ask for more" \
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
  # Out of an archive there is no commit to name.
  deployment="$(date -u +%Y%m%dT%H%M%SZ)-$(git -C "$root" describe --always --dirty --abbrev=10 --exclude '*' 2>/dev/null ||
    printf unversioned)"
  aws s3 cp --only-show-errors "$work/packaged.yaml" "s3://$bucket/$stack/deployments/$deployment.yaml"
  say "  $deployment"
}

# Where sam keeps packages; made by `sam package`.
find_bucket() {
  local said
  said=$(aws cloudformation describe-stacks --stack-name aws-sam-cli-managed-default --output text \
    --query "(Stacks[0].Outputs || \`[]\`)[?OutputKey=='SourceBucket'].OutputValue | [0] || ''" 2>&1) || {
    [[ "$said" == *"does not exist"* ]] || fail "$said"
    said=""
  }
  bucket=$said
  [[ -n "$bucket" ]] || fail "Nothing was deployed from this account and region yet: the stack" \
    "aws-sam-cli-managed-default, where packages and templates are kept, has no bucket."
}

# API Gateway writes the logs of all APIs of an account and region by one role, which is therefore no stack's: a stack that
# owns it takes it from all others when it is deleted. What the account has is left as it is.
give_account_log_role() {
  [[ $(setting ApiLogs) != no ]] || return 0
  local arn state name="" owned=""
  arn=$(aws apigateway get-account --query "cloudwatchRoleArn || ''" --output text)
  [[ -z "$arn" ]] || name=${arn##*/}
  # Deployments of earlier versions own one. It goes with the next change of the stack, so the account gets another first.
  state=$(stack_state)
  [[ $(way_on "$state") == create ]] ||
    owned=$(stack_resources AWS::IAM::Role | awk '$1 == "ApiLogsRole" { print $2 }')
  [[ -z "$name" || "$name" == "$owned" ]] || ! has_role "$name" || return 0
  step "a role for API Gateway's logs, once per account and region"
  make_log_role
}

has_role() { # name
  local said
  said=$(aws iam get-role --role-name "$1" 2>&1 >/dev/null) && return
  [[ "$said" == *NoSuchEntity* ]] || fail "$said"
  return 1
}

log_role=api-gateway-logs
make_log_role() {
  local partition tries=0 said
  partition=$(aws sts get-caller-identity --query Arn --output text | cut -d: -f2)
  has_role "$log_role" || aws iam create-role --role-name "$log_role" \
    --description "API Gateway writes the logs of this account's APIs by it" --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"sts:AssumeRole"}]}' \
    >/dev/null
  aws iam attach-role-policy --role-name "$log_role" \
    --policy-arn "arn:$partition:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
  # API Gateway looks whether the role has these rights, and does not know a new role at once. It takes one change of the
  # account in twenty seconds.
  until said=$(aws apigateway update-account --patch-operations \
    "op=replace,path=/cloudwatchRoleArn,value=arn:$partition:iam::$account:role/$log_role" 2>&1 >/dev/null); do
    case $said in
      *"required permissions"* | *TooManyRequests* | *"Too Many Requests"*) ;;
      *) fail "$said" ;;
    esac
    ((++tries < 10)) || fail "API Gateway does not take the role $log_role after three minutes: $said"
    say "  API Gateway does not know the role yet; again in 20 seconds ($tries of 10)"
    sleep 20
  done
  say "  $log_role"
}

# The first time the schedules are off: they need secrets, the secrets need the stack's key.
create_stack() {
  step "first deployment: everything, with the schedules off"
  local try
  for try in 1 2 3; do
    change_stack "$deployment.yaml" automatic Schedules=DISABLED "ApiUrl=$(wanted_address)"
    [[ $outcome == failed ]] || return 0
    if ((try == 3)) || ! is_too_early; then break; fi
    say "  Nothing of that is wrong for good: what was made a moment ago is not known everywhere yet. Again in a minute."
    sleep 60
  done
  mend_it
}

# Every failure is one of those that a new role, key or policy causes for some seconds, or one that came of them.
is_too_early() {
  local early='not (yet )?(be )?assumed|cannot be assumed|must allow .* to assume|required permissions configured'
  early+='|must be set in account settings|not allowed to be used with|KMS key .* could not be found|Invalid principal'
  early+='|Rate exceeded|TooManyRequests|Too Many Requests|Throttling|(creation|update) cancell?ed'
  [[ -s "$work/failures" ]] && ! grep -qvE "$early" "$work/failures"
}

protect_stack() {
  aws cloudformation update-termination-protection --enable-termination-protection --stack-name "$stack" >/dev/null
}

# Where links in orders begin, as far as the file says it.
wanted_address() {
  local address domain
  address=$(setting ApiUrl)
  domain=$(setting DomainName)
  [[ -n "$address" || -z "$domain" ]] || address="https://$domain"
  printf '%s' "$address"
}

# The address that API Gateway gave; nothing while the stack has no outputs. Stacks of earlier versions tell only the
# address that callers use, which is the domain's as long as there is one.
gateways_address() {
  local address
  address=$(stack_output GatewayUrl)
  [[ -n "$address" || -n $(stack_parameter DomainName) ]] || address=$(stack_output ApiUrl)
  printf '%s' "$address"
}

store_secrets() {
  step "secrets"
  python3 "$here/secret_store.py" sync "$settings" "$secrets"
}

# Until a first deployment has come to its end it is gone on with without questions; everything later is shown first,
# also a deployment that switches on schedules that a person had switched off.
is_first() {
  local state way created recorded
  state=$(stack_state) || exit 1
  way=$(way_on "$state")
  [[ $way != create ]] || return 0
  # What an earlier stack of this name was given is no deployment of this one.
  created=$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].CreationTime' --output text) ||
    exit 1
  recorded=$(list_deployments "${created:0:19}") || fail "What was deployed before could not be read."
  [[ -z "$recorded" ]] || return 1
  [[ $way == resume ]] ||
    [[ $(setting Schedules) != DISABLED && $(stack_parameter Schedules) == DISABLED ]]
}

update_stack() { # `review` or `automatic`
  step "deployment"
  local schedules address
  schedules=$(setting Schedules)
  schedules=${schedules:-ENABLED}
  address=$(wanted_address)
  address=${address:-$(gateways_address)}
  if [[ -z "$address" ]]; then
    # Only the stack's outputs tell it: not those of an earlier version with a domain, nor of an update that failed.
    change_stack "$deployment.yaml" "$1" "Schedules=$schedules" ApiUrl=
    [[ $outcome != failed ]] || mend_it
    address=$(gateways_address)
    [[ -n "$address" ]] || fail "The stack does not tell the address that API Gateway gave (its output GatewayUrl)."
    step "the address that API Gateway gave"
  fi
  change_stack "$deployment.yaml" "$1" "Schedules=$schedules" "ApiUrl=$address"
  [[ $outcome != failed ]] || mend_it
  record
}

# A deployment can be gone back to once its parameters lie beside its template.
record() {
  aws s3 cp --only-show-errors "$work/parameters.json" "s3://$bucket/$stack/deployments/$deployment.parameters.json"
}

list_deployments() { # since when, as 2026-11-28T14:00:00; all without
  find_bucket
  aws s3api list-objects-v2 --bucket "$bucket" --prefix "$stack/deployments/" --output text --query \
    "sort_by(Contents[?ends_with(Key, '.parameters.json') && LastModified>='${1:-}'] || \`[]\`, &LastModified)[].Key" |
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
  [[ $outcome != failed ]] || mend_it
  record
}

deployments_url() { printf 'https://%s.s3.%s.amazonaws.com/%s/deployments' "$bucket" "$region" "$stack"; }

# ---- one change set: made, shown, judged, carried out

# Sets `outcome`: `done`, `unchanged`, or `failed` with the reasons in $work/failures.
change_stack() { # template's name, `review` or `automatic`, NAME=value…
  local template=$1 review=$2 state way change_set status=0
  shift 2
  # Without any, what `roll_back` chose lies there already.
  (($# == 0)) || python3 "$here/settings.py" parameters "$settings" "$@" >"$work/parameters.json"
  state=$(settled_state)
  way=$(way_on "$state")
  [[ $way != person ]] || tell_person "$state"
  change_set="deploy-$(date -u +%Y%m%d%H%M%S)-$$"
  aws cloudformation create-change-set --stack-name "$stack" --change-set-name "$change_set" \
    --change-set-type "$([[ $way == create ]] && echo CREATE || echo UPDATE)" \
    --template-url "$(deployments_url)/$template" --parameters "file://$work/parameters.json" \
    --capabilities CAPABILITY_NAMED_IAM >/dev/null
  until describe "$change_set" && ! grep -qE '"Status": "CREATE_(PENDING|IN_PROGRESS)"' "$work/changes.json"; do
    sleep 3
  done
  python3 "$here/change_set.py" ${let_go[@]+"${let_go[@]}"} <"$work/changes.json" || status=$?
  if ((status)); then
    aws cloudformation delete-change-set --stack-name "$stack" --change-set-name "$change_set"
    ((status == 3)) || exit 1
    outcome=unchanged
    [[ $way == resume ]] || return 0
    try_again "$template"
    return
  fi
  [[ $review == automatic ]] || confirm "Carry this out?"
  carry_out "$change_set" "$way"
}

carry_out() { # change set, way on
  local rollback=--no-disable-rollback
  # A first creation keeps what it made, and the next try goes on from it: rolled back, tables and log groups would stay as
  # no stack's (`Retain`), and stand in the way. From a failed state CloudFormation goes on only in this way. Not by
  # `--on-stack-failure DO_NOTHING`, which means the same, but leaves a stack that refuses every update.
  [[ $2 == update ]] || rollback=--disable-rollback
  aws cloudformation execute-change-set --stack-name "$stack" --change-set-name "$1" --client-request-token "$1" "$rollback"
  see_through "$1"
}

# The cause lay outside of template and parameters (a quota, a right, a name that was taken): nothing differs, and yet there
# is something to do.
try_again() { # template's name
  local token
  token="again-$(date -u +%Y%m%d%H%M%S)-$$"
  say "  once more, for what failed before"
  aws cloudformation update-stack --stack-name "$stack" --template-url "$(deployments_url)/$1" \
    --parameters "file://$work/parameters.json" --capabilities CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND \
    --client-request-token "$token" --disable-rollback >/dev/null
  see_through "$token"
}

see_through() { # the token that its events carry
  local state
  say "  in progress; a first deployment takes about ten minutes"
  state=$(settled_state)
  case $state in
    CREATE_COMPLETE | UPDATE_COMPLETE)
      say "  $state"
      outcome="done"
      return
      ;;
  esac
  outcome=failed
  aws cloudformation describe-stack-events --stack-name "$stack" --output text --query "StackEvents[?\
ClientRequestToken=='$1' && contains(ResourceStatus, 'FAILED')].[LogicalResourceId,ResourceStatusReason]" |
    grep -v "^$stack"$'\t' >"$work/failures" || true
  say "It failed ($state). What CloudFormation said:" >&2
  cat "$work/failures" >&2
}

mend_it() { fail "Mend it and run the same command again; OPERATIONS.md, \"A bad deployment\"."; }

# All its pages in one document.
describe() { # change set
  aws cloudformation describe-change-set --stack-name "$stack" --change-set-name "$1" --output json \
    >"$work/changes.json" || exit 1
}

# Once CloudFormation is at rest, also when an earlier run of this script was killed while it waited.
settled_state() {
  local state
  while state=$(stack_state) && [[ $(way_on "$state") == wait ]]; do
    sleep 10
  done
  [[ -n "$state" ]] || return 1
  printf '%s' "$state"
}

# ---- is it there?

# The schedule's own first tick is the next morning, and without a rate there are no orders in VND until then.
first_rate() {
  [[ $(setting Schedules) != DISABLED ]] || return 0
  ! has_rate || return 0
  step "no exchange rate yet: asking for one"
  (tick exchange-rates '{}') || true
}

# The row that orders read (shared/rates), and not what the API shows, which a function remembers for ten minutes.
has_rate() {
  [[ -n $(aws dynamodb get-item --table-name "$(setting TablePrefix)exchange_rates" --consistent-read \
    --key '{"currency":{"S":"VND"}}' --query "Item.currency.S || ''" --output text) ]]
}

look() {
  local address origins closed="" rails=() senders=() failed=0
  address=$(wanted_address)
  [[ -n "$address" ]] || address=$(stack_parameter ApiUrl)
  [[ -n "$address" ]] || address=$(gateways_address)
  [[ -n "$address" ]] || fail "The stack tells no address to ask."
  [[ -z $(stack_parameter DomainName) ]] || closed=$(stack_output GatewayUrl)
  origins=$(stack_parameter AllowedOrigins)
  [[ -z $(setting SepayMerchantId) ]] || rails+=(cards)
  [[ -z $(setting BankAccount) ]] || rails+=(transfers)
  # First, because a domain that is kept elsewhere answers only once its record is made of what is told here.
  tell_addresses "$address" ${rails[@]+"${rails[@]}"}
  step "does it answer?"
  look_for_senders
  python3 "$here/smoke.py" "$address" "${origins%%,*}" ${closed:+"closed=$closed"} ${senders[@]+"${senders[@]}"} || failed=1
  look_for_rate || failed=1
  ((failed == 0)) ||
    fail "It is deployed, but does not answer as it should: look at the logs (OPERATIONS.md, \"What is where\")." \
      "To go back: infra/deploy/deploy.sh $profile $stack --list"
}

# A function that believes a sender by a secret does not start without it, and the sender tells it only once the address is
# entered there, which the first deployment gives. So only what has its secrets is asked. Sets `senders`.
look_for_senders() {
  local stored path missing=()
  path=$(setting SecretsPath)
  stored=$(aws ssm get-parameters-by-path --path "${path%/}" --query "Parameters[].Name" --output text | tr '\t' '\n')
  if is_stored CLERK_WEBHOOK_SECRET; then
    senders+=(clerk)
  else
    say "  not asked: /v1/webhooks/clerk, which works once CLERK_WEBHOOK_SECRET is stored"
  fi
  # One function for both of SePay's, which is not there if the profile offers none of its rails.
  if ! stack_resources AWS::Lambda::Function | grep -q '^SepayWebhook\s'; then
    say "  not asked: /v1/webhooks/sepay/…, whose rails the profile does not offer"
    return
  fi
  [[ -z $(setting SepayMerchantId) ]] || is_stored SEPAY_IPN_SECRETS || missing+=(SEPAY_IPN_SECRETS)
  [[ -z $(setting BankAccount) ]] || is_stored SEPAY_BANK_HMAC_SECRETS || is_stored SEPAY_BANK_API_KEYS ||
    missing+=(SEPAY_BANK_HMAC_SECRETS)
  if ((${#missing[@]})); then
    say "  not asked: /v1/webhooks/sepay/…, which work once ${missing[*]} is stored"
  else
    [[ -z $(setting SepayMerchantId) ]] || senders+=(cards)
    [[ -z $(setting BankAccount) ]] || senders+=(transfers)
  fi
}
is_stored() { grep -qx ".*/$1" <<<"$stored"; }

look_for_rate() {
  if [[ $(setting Schedules) == DISABLED ]]; then
    say "  not asked: whether there is an exchange rate (Schedules=DISABLED)"
  elif has_rate; then
    say "  passed  there is an exchange rate for orders in VND"
  else
    say "  failed  there is an exchange rate for orders in VND: none was ever good. Vietcombank is asked once in five" \
      "minutes at most: infra/deploy/tick.sh $profile exchange-rates --stack $stack"
    return 1
  fi
}

tell_addresses() { # address, rails…
  local address=$1 rail target
  shift
  target=$(stack_output ApiDomainTarget)
  [[ -n $(setting HostedZoneId) || -z "$target" ]] ||
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
    give_account_log_role
    if is_first; then
      review=automatic
      state=$(settled_state)
      [[ $(way_on "$state") == update ]] || create_stack
    fi
    protect_stack
    store_secrets
    update_stack "$review"
    # A stack that owned the role has let it go now.
    give_account_log_role
    first_rate
    look
    ;;
esac

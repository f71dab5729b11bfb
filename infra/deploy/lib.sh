# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# Installed there by `pip install -r infra/deploy/tools.txt`; at the end, so that a person's own tools win.
PATH="$PATH:$root/target/deploy-tools/bin"
# Prompts, pagers and telemetry have no place in a script.
export AWS_PAGER="" SAM_CLI_TELEMETRY=0 PYTHONDONTWRITEBYTECODE=1

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# All that is missing in one message, with the versions this was tried with.
need_tools() {
  local tool missing=()
  for tool in "$@"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) && return
  {
    echo "These programs are missing: ${missing[*]}."
    echo "The Python packages among them, in versions that are known to work:"
    echo "    python3 -m venv target/deploy-tools && target/deploy-tools/bin/pip install -r infra/deploy/tools.txt"
    grep -v '^#' "$here/tools.txt" | sed 's/^/        /'
    echo "cargo is Rust's own (rust-lang.org), git and python3 (3.10 or newer) come with the system."
  } >&2
  exit 1
}

confirm() { # question
  [[ "${assume_yes:-no}" == yes ]] && return
  local answer
  # Not by `read -p`, which asks nothing of a pipe: what was agreed to stands in every log.
  printf '%s [y/N] ' "$1" >&2
  read -r answer || true
  [[ "$answer" == [yY] ]] || fail "Nothing was done."
}

# Reads and checks the settings file of a deployment, and holds the caller to its account and region.
open_deployment() { # profile, stack
  profile=$1 stack=$2
  work="$root/target/deploy/$stack"
  settings="$work/settings"
  mkdir -p "$work"
  python3 "$here/settings.py" check "$root/template.yaml" "$here/$stack.parameters" "$profile" "$stack" \
    >"$work/settings.new" || exit 1
  mv "$work/settings.new" "$settings"
  region=$(setting region)
  # Version 1 of the CLI reads the one, version 2 the other.
  export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
  local wanted
  wanted=$(setting account)
  account=$(aws sts get-caller-identity --query Account --output text) ||
    fail "No credentials: sign in to the account $wanted first (aws sso login, or AWS_PROFILE)."
  [[ "$account" == "$wanted" ]] ||
    fail "You are signed in to the account $account, but $stack.parameters says $wanted."
}

# Nothing if it is not set.
setting() { sed -n "s/^$1=//p" "$settings"; }

# `none` when there is no such stack.
stack_state() {
  local said
  if said=$(aws cloudformation describe-stacks --stack-name "$stack" \
    --query 'Stacks[0].StackStatus' --output text 2>&1); then
    printf '%s' "$said"
  elif [[ "$said" == *"does not exist"* ]]; then
    printf none
  else
    fail "$said"
  fi
}

stack_parameter() { # name
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Parameters[?ParameterKey=='$1'].ParameterValue"
}

stack_output() { # name
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# Lines of `logical-id physical-id`; not describe-stack-resources, which stops at a hundred.
stack_resources() { # type
  aws cloudformation list-stack-resources --stack-name "$stack" --output text \
    --query "StackResourceSummaries[?ResourceType=='$1'].[LogicalResourceId,PhysicalResourceId]"
}

# `--stack NAME` and `--yes` may stand anywhere; the rest is left in `arguments`.
read_arguments() {
  assume_yes=no stack_option=""
  arguments=()
  while (($#)); do
    case $1 in
      --stack)
        (($# > 1)) || fail "--stack needs a name."
        # shellcheck disable=SC2034 # read by the scripts
        stack_option=$2
        shift
        ;;
      --yes) assume_yes=yes ;;
      *) arguments+=("$1") ;;
    esac
    shift
  done
}

# A script's own head is its help.
usage() { fail "$(sed -n '2,/^set/s/^# \{0,1\}//p' "$0")"; }

function_arn() { aws lambda get-function-configuration --function-name "$1" --query FunctionArn --output text; }
# `<what it had reserved>@<seconds>` of a function that suspend.sh stopped, or None.
remembered() { aws lambda list-tags --resource "$1" --query 'Tags."suspended-from"' --output text; }
# What Lambda lets a function run at once: 0 when it is suspended, `none` without a reservation.
reserved() { # function's physical name
  local count
  count=$(aws lambda get-function-concurrency --function-name "$1" --query ReservedConcurrentExecutions --output text)
  [[ -n "$count" && "$count" != None ]] || count=none
  printf '%s' "$count"
}

python_with_boto3() {
  local candidate
  for candidate in python3 "$root/target/deploy-tools/bin/python"; do
    if "$candidate" -c 'import boto3' 2>/dev/null; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail "This needs boto3: python3 -m venv target/deploy-tools &&" \
    "target/deploy-tools/bin/pip install -r infra/deploy/tools.txt"
}

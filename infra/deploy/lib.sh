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

# Programs in versions that are too old, and those that are missing, in one message.
need_tools() { # programs…
  missing=()
  look_for_programs "$@"
  tell_missing
}

# The same, with what a build asks for later on by itself: a linker, the Rust target, a signed-in account. Nothing is
# installed here: cargo-lambda would change the machine's toolchain without asking.
need_build_tools() { # programs…
  missing=()
  look_for_programs "$@"
  if is_there sam; then
    is_at_least "$(version_of sam --version)" "$(tried_version aws-sam-cli)" ||
      missing+=("sam $(tried_version aws-sam-cli) or newer; this one is $(version_of sam --version)")
  fi
  if is_there cargo-lambda; then
    is_at_least "$(version_of cargo-lambda lambda --version)" "$(tried_version cargo-lambda)" ||
      missing+=("cargo-lambda $(tried_version cargo-lambda) or newer; this one is $(version_of cargo-lambda lambda --version)")
    find_zig || missing+=("zig, which cargo-lambda links with: it finds neither a \`zig\` nor a \`python3 -m ziglang\`")
  fi
  if is_there rustc; then
    local rust
    rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    is_at_least "$(version_of rustc --version)" "$rust" ||
      missing+=("Rust $rust or newer; this one is $(version_of rustc --version): rustup update stable")
    [[ -d "$(cd "$root" && rustc --print sysroot)/lib/rustlib/$lambda_target/lib" ]] ||
      missing+=("Rust's target for Lambda: rustup target add $lambda_target")
  fi
  if is_there python3; then
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
      missing+=("Python's venv, which validate.sh installs its tools with (Debian: apt install python3-venv)")
  fi
  if is_there aws; then
    # Any region will do to ask who one is.
    AWS_REGION="${AWS_REGION:-us-east-1}" AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}" \
      aws sts get-caller-identity >/dev/null 2>&1 ||
      missing+=("credentials: sign in to the account first (aws sso login, or AWS_PROFILE)")
  fi
  tell_missing
}

lambda_target=aarch64-unknown-linux-gnu
is_there() { command -v "$1" >/dev/null; }
version_of() { "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -1; }
tried_version() { sed -n "s/^$1==//p" "$here/tools.txt"; }

is_at_least() { # found, wanted
  is_there python3 || return 0
  python3 - "$1" "$2" <<'PYTHON'
import sys
found, wanted = ([int(part) for part in version.split(".")] if version else [] for version in sys.argv[1:])
sys.exit(found < wanted)
PYTHON
}

# cargo-lambda asks the `zig` and then the `python3` that come first on the PATH; the one of tools.txt comes last.
find_zig() {
  has_zig && return
  [[ -z "${CARGO_ZIGBUILD_PYTHON_PATH:-}" && -x "$root/target/deploy-tools/bin/python3" ]] || return 1
  export CARGO_ZIGBUILD_PYTHON_PATH="$root/target/deploy-tools/bin/python3"
  has_zig
}
# What it will really use: `"command": "/usr/bin/python3 -m ziglang"`, or how to install one.
has_zig() { cargo-lambda lambda system --output-format json 2>/dev/null </dev/null | grep -q '"command"'; }

look_for_programs() {
  local tool absent=()
  for tool in "$@"; do
    is_there "$tool" || absent+=("$tool")
  done
  ((${#absent[@]} == 0)) || missing+=("these programs: ${absent[*]}")
  if is_there python3; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
      missing+=("Python 3.10 or newer; this one is $(version_of python3 --version)")
  fi
}

tell_missing() {
  ((${#missing[@]} > 0)) || return 0
  {
    echo "This is missing:"
    printf '  - %s\n' "${missing[@]}"
    echo "aws, sam, cargo-lambda and zig are Python packages, in versions that are known to work:"
    echo "    python3 -m venv target/deploy-tools && target/deploy-tools/bin/pip install -r infra/deploy/tools.txt"
    grep -v '^#' "$here/tools.txt" | sed 's/^/        /'
    echo "cargo, rustc and rustup are Rust's own (rust-lang.org); git and python3 come with the system."
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

# What CloudFormation takes next from a stack in this state; each of its states stands here.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-stack-status-codes
way_on() { # state
  case $1 in
    none | REVIEW_IN_PROGRESS | DELETE_COMPLETE) printf create ;;
    CREATE_COMPLETE | UPDATE_COMPLETE | UPDATE_ROLLBACK_COMPLETE | IMPORT_COMPLETE | IMPORT_ROLLBACK_COMPLETE)
      printf update ;;
    # Goes on from what was made so far, and only without rolling back.
    CREATE_FAILED | UPDATE_FAILED) printf resume ;;
    *_IN_PROGRESS) printf wait ;;
    *) printf person ;;
  esac
}

# Ends the script where CloudFormation takes nothing but what a person must decide.
tell_person() { # state
  local ask="aws cloudformation" then="Then the same command again."
  case $1 in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED)
      fail "The stack is $1: its creation was rolled back, and it can only be deleted." \
        "$ask delete-stack --stack-name $stack; what it leaves: OPERATIONS.md, \"left over\". $then" ;;
    DELETE_FAILED)
      fail "The stack is $1: its deletion did not come to its end, and only that can be gone on with." \
        "$ask describe-stack-events --stack-name $stack tells why; then $ask delete-stack --stack-name $stack" \
        "(OPERATIONS.md, \"Delete a deployment\")." ;;
    UPDATE_ROLLBACK_FAILED)
      fail "The stack is $1: an update failed, and so did going back." \
        "$ask continue-update-rollback --stack-name $stack (OPERATIONS.md, \"A bad deployment\"). $then" ;;
    IMPORT_ROLLBACK_FAILED)
      fail "The stack is $1: an import of resources, which none of these scripts does, failed, and so did going back." \
        "$ask describe-stack-events --stack-name $stack tells why; AWS's guide, \"Import existing resources\"." ;;
    *) fail "The stack is $1, which this script does not know; OPERATIONS.md, \"A bad deployment\"." ;;
  esac
}

# Ends the script when there is nothing of the stack yet.
demand_stack() {
  local state
  state=$(stack_state)
  [[ $(way_on "$state") != create ]] ||
    fail "There is no stack $stack in $region yet: infra/deploy/deploy.sh $profile $stack"
}

# Nothing where there is none: a stack whose first operation failed has no outputs, and one under review no parameters.
stack_parameter() { # name
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "(Stacks[0].Parameters || \`[]\`)[?ParameterKey=='$1'].ParameterValue | [0] || ''"
}

stack_output() { # name
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "(Stacks[0].Outputs || \`[]\`)[?OutputKey=='$1'].OutputValue | [0] || ''"
}

# Lines of `logical-id physical-id` of what is really there; not describe-stack-resources, which stops at a hundred.
stack_resources() { # type
  aws cloudformation list-stack-resources --stack-name "$stack" --output text --query "StackResourceSummaries[?\
ResourceType=='$1' && PhysicalResourceId && ResourceStatus!='CREATE_FAILED' && ResourceStatus!='DELETE_COMPLETE'\
].[LogicalResourceId,PhysicalResourceId]"
}

# Runs a schedule's function now, waits for it and prints its report.
tick() { # function as its folder is called, payload
  local logical scheduled function answer error status=0
  # tron-poll → TronPoll
  logical=$(awk -F- '{ for (i = 1; i <= NF; i++) printf "%s%s", toupper(substr($i, 1, 1)), substr($i, 2) }' <<<"$1")
  # A schedule's id begins with its function's. Other functions wait for requests and would not understand the event.
  scheduled=$(stack_resources AWS::Scheduler::Schedule | cut -f1)
  grep -q "^$logical" <<<"$scheduled" ||
    fail "$1 is not a schedule of $stack; there are: $(tr '\n' ' ' <<<"$scheduled")"
  function=$(stack_resources AWS::Lambda::Function | awk -v id="$logical" '$1 == id { print $2 }')
  [[ -n "$function" ]] || fail "$stack has no function $logical."
  answer=$(mktemp)
  printf '%s' "$2" >"$answer.payload"
  # Longer than any of them may take, and never twice by itself.
  error=$(AWS_MAX_ATTEMPTS=1 aws lambda invoke --function-name "$function" --payload "fileb://$answer.payload" \
    --cli-read-timeout 900 --query FunctionError --output text "$answer") || status=$?
  ((status)) || python3 -m json.tool "$answer" 2>/dev/null || cat "$answer"
  rm -f "$answer" "$answer.payload"
  ((status == 0)) || return "$status"
  [[ "$error" == None ]] || fail "$1 failed ($error); its log: aws logs tail /$stack/$1 --since 15m"
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

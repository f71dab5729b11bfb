#!/usr/bin/env bash
# Everything about template.yaml that can be known without an account: needs Python and, the first time, a package
# index; no credentials. Plain `sam validate`, `--lint` and the transform each find what the other two let pass, and
# checkov asks what an attacker would.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/deploy-venv

# Two environments, because checkov and sam want different versions of boto3.
install() {
  local name=$1
  shift
  if [ "$(cat "$venv/$name/versions" 2>/dev/null)" != "$*" ]; then
    python3 -m venv --clear "$venv/$name"
    "$venv/$name/bin/pip" install --quiet "$@"
    echo "$*" > "$venv/$name/versions"
  fi
}
install sam aws-sam-cli==1.170.0 cfn-lint==1.58.0 aws-sam-translator==1.115.0
install checkov checkov==3.3.30

# A region decides which properties exist; none is called.
export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}" SAM_CLI_TELEMETRY=0

"$venv/sam/bin/sam" validate --template template.yaml
"$venv/sam/bin/sam" validate --lint --template template.yaml
"$venv/sam/bin/cfn-lint" template.yaml
"$venv/sam/bin/python" infra/deploy/check_transform.py template.yaml
"$venv/checkov/bin/python" infra/deploy/check_security.py template.yaml

#!/usr/bin/env bash
# Everything about template.yaml that can be known without an account: needs Python and, the first time, a package
# index; no credentials. Plain `sam validate`, `--lint` and the transform each find what the other two let pass.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/deploy-venv
versions="aws-sam-cli==1.170.0 cfn-lint==1.58.0 aws-sam-translator==1.115.0"
if [ "$(cat "$venv/versions" 2>/dev/null)" != "$versions" ]; then
  python3 -m venv --clear "$venv"
  # shellcheck disable=SC2086 # three packages
  "$venv/bin/pip" install --quiet $versions
  echo "$versions" > "$venv/versions"
fi

# A region decides which properties exist; none is called.
export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}" SAM_CLI_TELEMETRY=0

"$venv/bin/sam" validate --template template.yaml
"$venv/bin/sam" validate --lint --template template.yaml
"$venv/bin/cfn-lint" template.yaml
"$venv/bin/python" infra/deploy/check_transform.py template.yaml

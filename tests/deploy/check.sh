#!/usr/bin/env bash
# The scripts of infra/deploy against a small account: what CloudFormation, S3 and Lambda's quota say is played
# (cloud.py), Parameter Store, KMS, DynamoDB and functions are moto's, reached by the real AWS CLI. Needs Python 3.10
# and, the first time, a package index. Everything lies under target/deploy-tests.
#
#   tests/deploy/check.sh               all of it
#   tests/deploy/check.sh -k killed     only tests whose name holds this
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv="$root/target/deploy-tests/venv"
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/installed.txt"
fi
cd "$root"
"$venv/bin/shellcheck" -x infra/deploy/*.sh tests/deploy/*.sh
# Nothing of the caller's own account.
exec env -i PATH="$venv/bin:$PATH" HOME="$root/target/deploy-tests" PYTHONDONTWRITEBYTECODE=1 \
  "$venv/bin/python" "$here/run.py" "$@"

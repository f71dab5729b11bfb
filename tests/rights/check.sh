#!/usr/bin/env bash
# Takes every right out of template.yaml once and shows that a scenario fails without it. Needs Python 3.10 and nothing
# else; a whole check takes four minutes on two cores. Everything lies under target/rights.
#
#   tests/rights/check.sh                 all rights
#   tests/rights/check.sh TronPoll        only those of functions whose name holds this
#   IT_BINARY=path                        an already built test binary (default: built here)
#   RIGHTS_RECORD=path                    what a run of the scenarios with TEST_RIGHTS_RECORD=path wrote (default: they run here)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec python3 "$here/check.py" "$@"

#!/usr/bin/env bash
# One secret of a deployment, in Parameter Store. The functions read again every five minutes; nothing is deployed.
#
#   secret.sh <profile> list            what is stored, without values
#   secret.sh <profile> put NAME        stores a value, typed or from a pipe
#   secret.sh <profile> rotate NAME     a new value; beside the old one where both can be believed
#   secret.sh <profile> finish NAME     ends such a rotation: only the new value is left
#   secret.sh <profile> remove NAME     for what nothing asks for any more
#       --stack NAME     a deployment that is not named like its profile
#
# OPERATIONS.md, "Rotate a secret", tells for each what to do before and after.
set -euo pipefail
# shellcheck source=infra/deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

read_arguments "$@"
set -- "${arguments[@]+"${arguments[@]}"}"
case ${2:-}/$# in
  list/2 | put/3 | rotate/3 | finish/3 | remove/3) ;;
  *) usage ;;
esac
need_tools aws python3
open_deployment "$1" "${stack_option:-$1}"
# What is written is encrypted with the stack's key, which the first deployment makes.
demand_stack
shift
command=$1
shift
python3 "$here/secret_store.py" "$command" "$settings" "$@"

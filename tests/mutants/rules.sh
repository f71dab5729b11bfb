#!/usr/bin/env bash
# Changes one thing at a time in the files of rules.txt and looks whether a unit test notices. See README.md.
#
#   tests/mutants/rules.sh                     all of them
#   tests/mutants/rules.sh shared/rails        only the files whose path holds this
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work="$root/target/mutants"
version=27.1.0 # of cargo-mutants

mkdir -p "$work"
if [[ ! -x "$work/tools-$version/bin/cargo-mutants" ]]; then
  cargo install --quiet --locked --root "$work/tools-$version" --version "$version" cargo-mutants
fi

mapfile -t files < <(grep -v '^#' "$here/rules.txt" | grep -F -- "${1:-}")
((${#files[@]})) || { echo "rules.txt names no file whose path holds $1" >&2; exit 1; }
selected=()
for file in "${files[@]}"; do
  [[ -f "$root/$file" ]] || { echo "$file of rules.txt is gone" >&2; exit 1; }
  selected+=(--file "$file")
done

# The tracked files as they are now, so that nothing here is ever left changed.
rm -rf "$work/tree" && mkdir "$work/tree"
(cd "$root" && git ls-files -z | tar --create --null --files-from=- --file=-) | tar --extract --file=- --directory="$work/tree"

# Exit codes 2 and 3 are of mutants that were missed or hung; the names decide below.
status=0
(cd "$work/tree" && PATH="$work/tools-$version/bin:$PATH" CARGO_TARGET_DIR="$work/build" CARGO_INCREMENTAL=1 \
  cargo mutants --in-place --no-shuffle --cap-lints=true --timeout 120 --output "$work" \
  "${selected[@]}" -- --lib) || status=$?
((status == 0 || status == 2 || status == 3)) || exit "$status"

# Without line and column: a reason stays with what was changed, wherever it stands.
nameless() { sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' "$1" | sort -u; }
survivors=$(comm -23 <(nameless "$work/mutants.out/missed.txt") <(grep -v '^#' "$here/rules-allowed.txt" | sort -u))
if [[ -n "$survivors" ]]; then
  printf 'These survived, without a reason in rules-allowed.txt:\n%s\n' "$survivors"
  exit 1
fi
echo "no rule was changed without a test that noticed it, or a written reason"

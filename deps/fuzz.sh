#!/usr/bin/env bash
# Runs every fuzz target of the tree, one after another: deps/fuzz.sh [time for each, 30m]. What
# fails is kept by Go under testdata/fuzz beside the target, where every later `go test` tries it.
set -uo pipefail
cd "$(dirname "$0")/.."
source deps/env.sh
each=${1:-30m}
failed=()
while IFS=: read -r file _ target; do
  target=${target#func }; target=${target%%(*}
  echo "== $(dirname "$file") $target, $each"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "$(dirname "$file")" || failed+=("$(dirname "$file") $target")
done < <(grep -rn '^func Fuzz' --include='*_test.go' . | sort)
[ ${#failed[@]} -eq 0 ] && exit 0
printf 'failed: %s\n' "${failed[@]}" >&2
exit 1

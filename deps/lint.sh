#!/usr/bin/env bash
# What is wrong with the form of the code: nothing is printed where nothing is. deps/tools pins the tools.
set -euo pipefail
cd "$(dirname "$0")/.."
source deps/env.sh
tool() { go tool -modfile=deps/tools/go.mod "$@"; }
check() { # what it is about, what was found
  [ -z "$2" ] && return
  printf '%s:\n%s\n' "$1" "$2" >&2
  failed=1
}
failed=0
check "gofmt -l: run gofmt -w on" "$(gofmt -l $(git ls-files '*.go'))"
go vet ./... || failed=1
check "who may import whom" "$(go test ./cmd/internal/imports | grep -v ^ok || true)"
check "staticcheck" "$(tool staticcheck -checks 'inherit,-ST1000' ./... || true)"
check "an error in a log line has the key telemetry.Err" "$(git grep -nE '\.(Warn|Error|Info|Debug|Log|With)\(.*"(error|err|problem)", ' -- '*.go' ':!*_test.go' || true)"
check "NOTICE is not what deps/notice.sh prints" "$(deps/notice.sh | diff NOTICE - || true)"
check "deadcode: no program and no test can reach" "$(tool deadcode -test ./...)"
exit "$failed"

# Cloud Canvas. `make demo` shows the main job, `make test` proves it; both include set-up and build.
SHELL := /bin/bash
env   := source deps/env.sh
tests ?= ./...

.PHONY: setup build demo test soak bench stack stack-down lint clean clean-cache
setup:
	@deps/setup.sh

build: setup
	@$(env) && mkdir -p bin && go build -ldflags "$$CANVAS_LDFLAGS -X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o bin/ ./cmd/...

demo: build
	@bin/canvas demo

test: build
	@$(env) && go vet ./... && go test -race -shuffle=on -timeout 15m $(tests)

lint:
	@$(env) && test -z "$$(gofmt -l $$(git ls-files '*.go'))" && go vet ./...

clean:
	rm -rf bin demo-out .bench .stack

clean-cache:
	rm -rf "$${CANVAS_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/cloudcanvas}"

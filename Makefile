# Cloud Canvas. `make demo` shows the main job, `make test` proves it; both include set-up and build.
SHELL := /bin/bash
env   := source deps/env.sh
# The packages whose tests take longest come first, so that none runs alone at the end.
tests ?= ./cmd/integration ./cloud/worker ./shared/infer ./shared/sar ./cloud/coord/zk ./cloud/mosaic ./cloud/bridge ./lab/anomaly ./edge/outbox ./...

.PHONY: setup build demo docs test soak fuzz bench install packages gpu stack stack-down lint clean clean-cache
setup:
	@deps/setup.sh

build: setup
	@$(env) && mkdir -p bin && go build -ldflags "$$CANVAS_LDFLAGS -X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o bin/ ./cmd/...

demo: build
	@bin/canvas demo

# The tables of docs/configuration.md, from the settings that the programs read.
docs: build
	@$(env) && go test ./cmd/canvas -run TestTheTablesOfTheDocumentation -update

# The linter has vetted the tests already.
test: build
	@$(env) && deps/lint.sh && go test -race -vet=off -shuffle=on -timeout 18m -p 2 $(tests)

# The fault and load tests again and again, in other orders, then the long forms of all: 200 SIGKILLs,
# 100 power cuts and the like, and then those with limits on the clock, without the race detector, whose
# cost is not the product's. Run it on a machine that has hours.
timed := MutatedItems|BridgeThatIsKilled|KafkaThatIsAway|WorkersOf|AlertsPass|BacklogDrains|PagesStayQuick|WhatIsSaidOfACamera
soak: build
	@$(env) && go test -race -shuffle=on -timeout 3h -count=10 ./edge/outbox ./edge/uplink/... ./cloud/... ./cmd/integration
	@$(env) && CANVAS_SOAK=1 go test -race -shuffle=on -timeout 3h -p 1 ./...
	@$(env) && CANVAS_SOAK=1 go test -timeout 3h -p 1 -run '$(timed)' ./edge/uplink ./cloud/bridge ./cloud/worker ./cloud/console ./cmd/internal/appliance ./cmd/integration
	@$(env) && CANVAS_SOAK=1 go test "$${GOFLAGS%% *},matprofile" -timeout 1h -run NoMat ./shared/infer
	@deps/fuzz.sh

# Every fuzz target for a while: make fuzz each=1m
fuzz: build
	@deps/fuzz.sh $(each)

# Ratios to a limit or a peer measured in the same run; docs/benchmarks.md says what each means.
bench: build
	@$(env) && deps/bench.sh

# Installs what was built: make install DESTDIR=/some/root
install: build
	@$(env) && deps/install.sh "$(DESTDIR)"

# Debian packages for the distribution of this machine, in dist/.
packages: build
	@$(env) && deps/package.sh

# What a GPU does here, where there is one.
gpu:
	@deps/gpu.sh

stack: setup
	@deps/stack.sh start
stack-down:
	@deps/stack.sh stop

# Form, vet, staticcheck, and what no program and no test can reach. Who may import whom is a test of
# its own: docs/architecture.md.
lint: build
	@$(env) && deps/lint.sh

clean:
	rm -rf bin demo-out .bench .stack

clean-cache:
	rm -rf "$${CANVAS_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/cloudcanvas}"

# Everything that a change has to pass: `make lint test`. The modules are those of go.work; internal/build holds our own tools.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Linters and tests see each module as its users do, alone. What looks at several at once uses the workspace.
WORKSPACE := $(CURDIR)/go.work
export GOWORK := off
# A checkout that belongs to another user must build as well.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

BIN := $(CURDIR)/internal/build/bin
GOLANGCI_LINT := $(BIN)/golangci-lint
export GOVULNCHECK := $(BIN)/govulncheck

MODULES := $(patsubst ./%,%,$(shell go work edit -json go.work | sed -n 's/.*"DiskPath": "\(.*\)".*/\1/p'))
LINTED := $(MODULES) internal/build
# The modules of adapters: each gets a generated alias.go.
ADAPTERS := gin echo echov5 fiber fiberv3 nethttp
# What make check tests: no package of these needs a server.
CHECKED := ./core/... $(ADAPTERS:%=./%/...)
# The modules whose interface is compared with that of their last release.
API := $(MODULES)
# Packages whose files must not use each other in a circle.
ACYCLIC := ./core ./core/adapter ./core/adapter/httpwriter ./core/internal/cookie ./core/internal/record \
	./core/internal/storekit ./core/internal/ticket ./core/store ./core/memstore ./core/storetest ./core/adaptertest \
	./core/sessiontest ./core/migrate ./core/fiberstore ./core/internal/carry ./core/internal/valuetable ./core/cborcodec ./core/redisstore ./core/memcachedstore ./core/mongostore ./core/sqlstore ./core/otelsessions \
	$(ADAPTERS:%=./%)

# How many modules are worked on side by side; JOBS=1 takes them one by one.
JOBS ?=
# $(side-by-side) TARGETS makes them all, whatever fails, and keeps what they print together.
side-by-side = @$(MAKE) --no-print-directory --keep-going --output-sync=target \
	--jobs=$(or $(JOBS),$(shell getconf _NPROCESSORS_ONLN))

.PHONY: help check test stress bench bench-stores generate cover fmt tools \
	lint lint-code lint-format lint-modules lint-core lint-generated lint-circles lint-api lint-vulnerabilities release

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 22

check: ## Vet and test core and the adapters in a minute: no servers, no race detector. For every save.
	GOWORK=$(WORKSPACE) go vet $(CHECKED)
	GOWORK=$(WORKSPACE) go test -vet=off $(CHECKED)

test: ## Run every test of every module; ONLY="core gin" chooses, FUZZTIME=1m fuzzes longer, JOBS=1 takes one by one.
	internal/build/setup.sh
	go -C internal/testserver run ./cmd/install || test -z "$${CI:-}" # at home, tests without their server are skipped
	go -C internal/build test ./...
	go -C internal/build run . $(JOBS:%=-jobs %) $(ONLY)

stress: ## Random faults under traffic, checked exactly; STRESS=60s STORE=redis SEED=7 choose, else each store for 30s.
	go -C internal/testserver run ./cmd/install
	go -C internal/stress build -o "$${TMPDIR:-/tmp}/cloakroom-stress" . && exec "$${TMPDIR:-/tmp}/cloakroom-stress"

bench-stores: ## Measure every store side by side; BENCHTIME=200x for a quick look.
	go -C internal/testserver run ./cmd/install
	internal/build/bench-stores.sh

bench: ## Measure beside the peers and write docs/benchmarks.md, in twenty-five minutes; BENCH=quick takes three.
	TEST_REQUIRE=redis go -C internal/bench test -run '^$$' -bench '^BenchmarkReport$$' -benchtime 1x -timeout 2h -v .

lint: tools ## Run every check below.
	$(side-by-side) lint-format lint-core lint-generated lint-circles lint-api $(LINTED:%=lint-code/%) $(LINTED:%=lint-modules/%) \
		$(LINTED:%=lint-vulnerabilities/%)

lint-format: tools ## Are all Go files formatted?
	$(GOLANGCI_LINT) fmt --diff .

lint-code: tools ## golangci-lint, which has the analyzers of go vet.
	$(side-by-side) $(LINTED:%=lint-code/%)

lint-modules: ## Is every go.mod tidy?
	$(side-by-side) $(LINTED:%=lint-modules/%)

lint-core: ## Does core depend on the standard library and google/uuid alone?
	internal/build/core-deps.sh

lint-generated: ## Is alias.go of each adapter what make generate writes?
	go -C internal/build run ./alias -check $(ADAPTERS)

lint-circles: ## Do files use each other in a circle? CIRCLES=-v prints the size of each package's largest.
	go -C internal/build run -exec 'env GOWORK=$(WORKSPACE)' ./circles $(CIRCLES) $(ACYCLIC)

lint-api: ## Does a change break programs that use the last release?
	@GOBIN=$(BIN) go install golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
	@internal/build/api.sh $(API)

lint-vulnerabilities: tools ## Is a known vulnerability called? VULNDB=URL names a mirror of the database.
	$(side-by-side) $(LINTED:%=lint-vulnerabilities/%)

# The same for one module each.
.PHONY: $(foreach check,code modules vulnerabilities,$(LINTED:%=lint-$(check)/%))
$(LINTED:%=lint-code/%): lint-code/%: tools
	@echo "== $*: golangci-lint" && cd $* && $(GOLANGCI_LINT) run ./...
$(LINTED:%=lint-modules/%): lint-modules/%:
	@echo "== $*: go mod tidy -diff" && cd $* && go mod tidy -diff
$(LINTED:%=lint-vulnerabilities/%): lint-vulnerabilities/%: tools
	@internal/build/vulncheck.sh $*

tools:
	@GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	@GOBIN=$(BIN) go install golang.org/x/vuln/cmd/govulncheck@v1.9.0

release: ## Rehearse a release of all modules: VERSION=v0.1.0. PUBLISH=yes tags it; OUT=folder gets what is published beside it.
	go -C internal/release run . -version "$(VERSION)" $(if $(OUT),-out "$(abspath $(OUT))") $(if $(filter yes,$(PUBLISH)),-publish)

generate: ## Write alias.go of each adapter from core's documentation.
	go -C internal/build run ./alias $(ADAPTERS)

cover: ## Measure how much of the code the tests reach.
	GOWORK=$(WORKSPACE) go test -coverprofile=coverage.out -coverpkg=github.com/cloakroom-go/sessions/... $(MODULES:%=./%/...)
	GOWORK=$(WORKSPACE) go tool cover -func=coverage.out | tail -n 1

fmt: tools ## Format all Go files.
	$(GOLANGCI_LINT) fmt .

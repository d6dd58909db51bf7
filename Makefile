# Everything that a change has to pass: `make lint test`. The modules are those of go.work; internal/build holds our own tools.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Linters see each module as its users do, alone; tests and coverage use the workspace.
WORKSPACE := $(CURDIR)/go.work
export GOWORK := off
# A checkout that belongs to another user must build as well.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
export GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0

MODULES := $(shell go work edit -json go.work | sed -n 's/.*"DiskPath": "\(.*\)".*/\1/p')
CHECKED := $(MODULES) ./internal/build

# $(call each,COMMAND) runs it in every module and fails at the end if it failed in one.
each = @failed=; for m in $(CHECKED); do echo "== $$m: $(1)"; (cd $$m && $(1)) || failed=1; done; test -z "$$failed"

# The modules of adapters: each gets a generated alias.go.
ADAPTERS := gin echo fiber
# Packages whose files must not use each other in a circle.
ACYCLIC := ./core ./core/adapter ./core/adapter/httpwriter ./core/internal/cookie ./core/internal/record \
	./core/internal/storekit ./core/internal/ticket ./core/store ./core/memstore ./core/storetest ./core/adaptertest \
	./core/sessiontest ./core/redisstore ./core/memcachedstore ./core/mongostore ./core/sqlstore ./core/otelsessions \
	./gin ./echo ./fiber

.PHONY: help test stress bench bench-stores generate lint lint-code lint-format lint-modules lint-core lint-generated lint-circles lint-vulnerabilities cover fmt

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 22

test: ## Run every test of every module; FUZZTIME=1m fuzzes longer than 5s.
	internal/build/setup.sh
	go -C internal/testserver run ./cmd/install || test -z "$${CI:-}" # at home, tests without their server are skipped
	go -C internal/build test ./...
	go -C internal/build run .

stress: ## Random faults under traffic, checked exactly; STRESS=60s STORE=redis SEED=7 choose, else each store for 30s.
	go -C internal/testserver run ./cmd/install
	go -C internal/stress build -o "$${TMPDIR:-/tmp}/cloakroom-stress" . && exec "$${TMPDIR:-/tmp}/cloakroom-stress"

bench-stores: ## Measure every store side by side; BENCHTIME=200x for a quick look.
	go -C internal/testserver run ./cmd/install
	internal/build/bench-stores.sh

bench: ## Measure beside the peers and write docs/benchmarks.md, in twenty minutes; BENCH=quick takes two.
	TEST_REQUIRE=redis go -C internal/bench test -run '^$$' -bench '^BenchmarkReport$$' -benchtime 1x -timeout 2h -v .

lint: lint-format lint-code lint-modules lint-core lint-generated lint-circles lint-vulnerabilities ## Run every check below.

lint-format: ## Are all Go files formatted?
	$(GOLANGCI_LINT) fmt --diff .

lint-code: ## go vet and golangci-lint.
	$(call each,go vet ./... && $(GOLANGCI_LINT) run ./...)

lint-modules: ## Is every go.mod tidy?
	$(call each,go mod tidy -diff)

lint-core: ## Does core depend on the standard library and google/uuid alone?
	internal/build/core-deps.sh

lint-generated: ## Is alias.go of each adapter what make generate writes?
	go -C internal/build run ./alias -check $(ADAPTERS)

lint-circles: ## Do files use each other in a circle? CIRCLES=-v prints the size of each package's largest.
	go -C internal/build run -exec 'env GOWORK=$(WORKSPACE)' ./circles $(CIRCLES) $(ACYCLIC)

lint-vulnerabilities: ## Is a known vulnerability called? VULNDB=URL names a mirror of the database.
	internal/build/vulncheck.sh $(CHECKED)

generate: ## Write alias.go of each adapter from core's documentation.
	go -C internal/build run ./alias $(ADAPTERS)

cover: ## Measure how much of the code the tests reach.
	GOWORK=$(WORKSPACE) go test -coverprofile=coverage.out -coverpkg=github.com/cloakroom-go/sessions/... $(MODULES:%=%/...)
	GOWORK=$(WORKSPACE) go tool cover -func=coverage.out | tail -n 1

fmt: ## Format all Go files.
	$(GOLANGCI_LINT) fmt .

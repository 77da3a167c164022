# Every target has one line of help behind "##".
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Tools that are built from Go modules live outside of the repository.
TOOLS ?= $(HOME)/.cache/rollproof-tools
COSIGN_VERSION := v3.1.3
SLSA_VERIFIER_VERSION := aaf98fd77ddc1963c0f34f34c46bd84d7a08c260
ACTIONLINT_VERSION := v1.7.12
ACTIONLINT := $(TOOLS)/actionlint-$(ACTIONLINT_VERSION)/actionlint
FUZZTIME ?= 1m

.PHONY: help build test check fmt vet lint workflows fuzz bench interop demo golden clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./rollproof, with its own version stamped in
	GOENV=off GOFLAGS= CGO_ENABLED=0 go build -trimpath -o rollproof ./cmd/rollproof

test: ## run every test
	go test -timeout 25m ./...

check: fmt vet lint test ## what has to be green before a change lands

fmt: ## fail if gofmt would change a file
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change:"; echo "$$out"; exit 1; }

vet: ## go vet, here and for Windows (with the flags of a release, to share its build cache)
	go vet ./...
	GOOS=windows CGO_ENABLED=0 GOFLAGS=-trimpath go vet ./...

lint: workflows ## golangci-lint, where it is installed, and the CI files
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: skipped"; fi

workflows: ## actionlint on .github, where it can be built (outside of the repository)
	@[ -x "$(ACTIONLINT)" ] || GOBIN="$(dir $(ACTIONLINT))" go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION) >/dev/null 2>&1 || true
	@if [ -x "$(ACTIONLINT)" ]; then "$(ACTIONLINT)" -shellcheck= -pyflakes=; \
	elif [ "$$ROLLPROOF_REQUIRE_TOOLS" = 1 ]; then echo "actionlint $(ACTIONLINT_VERSION) cannot be built"; exit 1; \
	else echo "actionlint cannot be built here: skipped"; fi

fuzz: ## run each fuzz target for FUZZTIME (1m)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
	  done; \
	done

bench: ## measure against go build, openssl, a start of the program, plain SQLite and an idle server; prints ratios (ROLLPROOF_BENCH_RECORDS=1000000 for a larger store)
	go test -run '^$$' -bench . -benchtime 5x -timeout 30m ./cmd/rollproof
	@echo "load: $$(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime)"
	go test -run '^$$' -bench . -benchtime 100x -timeout 60m ./evidence/sqlite
	go test -run '^$$' -bench Serve -benchtime 1x -timeout 30m ./internal/httpapi

interop: $(TOOLS)/cosign $(TOOLS)/slsa-verifier ## let cosign and slsa-verifier verify what rollproof signs (builds them outside of the repository)
	PATH="$(TOOLS):$$PATH" ROLLPROOF_REQUIRE_INTEROP=1 go test -count=1 -run Interop -v ./cmd/rollproof
	PATH="$(TOOLS):$$PATH" ROLLPROOF_REQUIRE_INTEROP=1 go test -count=1 -run 'TestScripts/^(reproduce|upgrade|promotion|smoke|from-dist)$$' -v ./cmd/rollproof
	PATH="$(TOOLS):$$PATH" ROLLPROOF_REQUIRE_INTEROP=1 go test -count=1 ./evidence/keys
	PATH="$(TOOLS):$$PATH" ROLLPROOF_REQUIRE_INTEROP=1 go test -count=1 -run Interop -v ./release/vsa
	ROLLPROOF_REQUIRE_INTEROP=1 go test -count=1 -timeout 30m -run TestRealModules -v ./release/rebuild

$(TOOLS)/cosign:
	GOBIN="$(TOOLS)" go install github.com/sigstore/cosign/v3/cmd/cosign@$(COSIGN_VERSION)

$(TOOLS)/slsa-verifier:
	GOBIN="$(TOOLS)" go install github.com/slsa-framework/slsa-verifier/v2/cli/slsa-verifier@$(SLSA_VERIFIER_VERSION) || echo "slsa-verifier cannot be built: its test is skipped"

demo: ## package this repository, verify it, tamper with a copy and be refused
	@bash docs/demo.sh

golden: ## write the golden files and the manual again
	go test ./cmd/rollproof ./schemas ./internal/arch -run 'Manual|Index|Linked' -update
	go test ./release/sbom ./release/sbom/license ./evidence/trust -update

clean: ## remove what the other targets made
	rm -rf rollproof rollproof-verify build

# `make help` lists the targets. `make test` needs Go, git and a C compiler; `make test-all` installs what else it needs.

export TOOLS_BIN ?= $(CURDIR)/.tools/bin

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null)
STAMP     = github.com/prometheus/common/version
LDFLAGS   = -s -w -X $(STAMP).Version=$(VERSION:v%=%) -X $(STAMP).Revision=$(REVISION) -X $(STAMP).Branch=$(BRANCH)

GOLANGCI_LINT = v2.15.0

# Each fuzz target runs this long; `make fuzz FUZZ_TIME=1h` looks harder.
FUZZ_TIME ?= 5s

.PHONY: help build release test test-all fuzz lint bench scale fmt docs dashboard tools clean

build: ## Build the binary for this machine.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o aliyun_dbs_exporter .

release: ## Build what is published below dist: make release VERSION=1.2.3
	deploy/release/build.sh $(VERSION:v%=%) dist

help: ## List the targets.
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The exporter that the tests of the second module start. Without it, each of their packages builds one.
EXPORTER_BINARY = $(CURDIR)/.tools/exporter-race

# Most tests of the second module wait for polls and scrapes, so more of them run at a time than there are cores. Go's
# cache of results does not see the exporter that they start: hence -count=1.
test: ## Run the tests that need nothing but Go, git and a C compiler: 3 minutes on two cores.
	go test -race -shuffle=on -timeout 30m ./...
	go build -race -o $(EXPORTER_BINARY) .
	cd test && EXPORTER_BINARY=$(EXPORTER_BINARY) go test -count=1 -parallel 10 -timeout 30m ./...

# The random histories of lists take eight times as long under the race detector.
test-all: ## Run every test, also against Prometheus, a browser, packages, the image and npm clients: 20 minutes.
	@./test/tools/install || echo 'make: the suites that need what is missing fail below'
	@failed=0; set -x; \
	go test -race -shuffle=on -tags suites -timeout 30m ./... || failed=1; \
	go test -tags suites -timeout 30m ./collector/download ./collector/poll || failed=1; \
	go build -race -o $(EXPORTER_BINARY) . || failed=1; \
	(cd test && EXPORTER_BINARY=$(EXPORTER_BINARY) go test -count=1 -tags suites -p 1 -parallel 6 -timeout 45m ./...) || failed=1; \
	exit $$failed

tools: ## Install what test-all needs: Debian packages as root, programs in Go into .tools, npm packages below test.
	./test/tools/install

# `go test -fuzz` takes one target at a time, and passes if there is none: hence the loops and the check.
fuzz: ## Run each fuzz target of both modules for $(FUZZ_TIME).
	@for module in . test; do \
		targets=$$(cd $$module && grep -ro --include='*_test.go' --exclude-dir=test '^func Fuzz[A-Za-z0-9]*' . | sed 's|/[^/]*:func | |' | sort); \
		[ -n "$$targets" ] || { echo "make: no fuzz target in module $$module" >&2; exit 1; }; \
		echo "$$targets" | while read -r package target; do \
			echo "go -C $$module test -fuzz $$target $$package"; \
			go -C $$module test -tags suites -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x "$$package" || exit 1; \
		done || exit 1; \
	done

lint: $(TOOLS_BIN)/golangci-lint-$(GOLANGCI_LINT) ## Run golangci-lint on both modules, and check the wording of all texts.
	$< run
	cd test && $< run
	./test/tools/plain-english

bench: ## Measure one page of 100 tasks beside the official clients, and run every benchmark.
	cd test && go run ./bench
	go test -run '^$$' -bench . -benchmem ./...

scale: ## Measure what one process carries; the figures in docs/scaling.md: 20 minutes on two idle cores.
	cd test && go run ./scale

fmt: $(TOOLS_BIN)/golangci-lint-$(GOLANGCI_LINT) ## Format both modules.
	$< fmt
	cd test && $< fmt

docs: ## Write the tables in docs that come from the code.
	go test ./collector -run '^TestDocs$$' -update

dashboard: ## Write the Grafana dashboard.
	cd test && go run ./dashboard

$(TOOLS_BIN)/golangci-lint-$(GOLANGCI_LINT):
	GOBIN=$(TOOLS_BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv $(TOOLS_BIN)/golangci-lint $@

clean: ## Remove what was built and installed here.
	rm -rf aliyun_dbs_exporter .tools dist test/*/npm/node_modules

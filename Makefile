# Everything here needs Go and git; `make test` fetches what else it needs.

export TOOLS_BIN ?= $(CURDIR)/.tools/bin
export GOTOOLCHAIN = local

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null)
STAMP     = github.com/prometheus/common/version
LDFLAGS   = -s -w -X $(STAMP).Version=$(VERSION:v%=%) -X $(STAMP).Revision=$(REVISION) -X $(STAMP).Branch=$(BRANCH)

GOLANGCI_LINT = v2.15.0

# A fuzz target each line: package and name. Each runs this long; `make fuzz FUZZ_TIME=1h` looks harder.
FUZZ_TIME ?= 5s
FUZZ = ./dbsapi:FuzzDecode ./collector:FuzzParseConfig ./dbsapi/dbssim:FuzzServeHTTP

.PHONY: build test test-unit test-suites fuzz lint bench scale fmt docs dashboard tools clean

build: ## Build the binary for this machine.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o aliyun_dbs_exporter .

test: tools test-unit test-suites ## Run every test.

test-unit: ## Test the exporter itself; needs nothing but Go.
	go test -race -shuffle=on ./...

# The suites mostly wait for polls and scrapes, so more of their tests run at a time than there are cores.
test-suites: ## Test it from outside: official clients, Prometheus, packages, a browser.
	cd test && go test -p 1 -parallel 6 -timeout 10m ./...

fuzz: ## Fuzz every parser for a short while.
	$(foreach target,$(FUZZ),go test $(firstword $(subst :, ,$(target))) -run '^$$' -fuzz '^$(lastword $(subst :, ,$(target)))$$' -fuzztime $(FUZZ_TIME) -fuzzminimizetime 10x &&) true

lint: $(TOOLS_BIN)/golangci-lint-$(GOLANGCI_LINT) ## Lint both modules.
	$< run
	cd test && $< run

bench: ## Measure one page of 100 tasks beside the official clients, and a scrape.
	cd test && go run ./bench
	go test ./collector -run '^$$' -bench . -benchmem

scale: ## Measure what one process carries; the figures in docs/scaling.md.
	cd test && go run ./scale

fmt: $(TOOLS_BIN)/golangci-lint-$(GOLANGCI_LINT) ## Format both modules.
	$< fmt
	cd test && $< fmt

docs: ## Write the tables in docs that come from the code.
	go test ./collector -run '^TestDocs$$' -update

dashboard: ## Write the Grafana dashboard.
	cd test && go run ./dashboard

tools: ## Install what the suites need: Debian packages as root, Go tools into .tools.
	./test/tools/install

$(TOOLS_BIN)/golangci-lint-$(GOLANGCI_LINT):
	GOBIN=$(TOOLS_BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv $(TOOLS_BIN)/golangci-lint $@

clean:
	rm -rf aliyun_dbs_exporter .tools dist

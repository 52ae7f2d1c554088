# make            builds ./meerkat, one static binary
# make run        starts a node from testdata/ejabberd.cfg in the folder run
# make test       runs all tests; installs what they need from Debian when run as root
# make lint       vet, staticcheck, gofumpt, go.mod tidy, generated files fresh
# make bench      measures the node beside a bare relay, and ejabberd and Prosody where installed
# make fuzz       fuzzes every parser for T each (T=30s)
# make generate   writes generated files and golden files anew

GO      ?= go
T       ?= 30s
VERSION ?=
LDFLAGS := -s -w $(if $(VERSION),-X main.version=$(VERSION))

# Tools, by exact version; they are not part of go.mod.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0

.DEFAULT_GOAL := build
.PHONY: build run deps test lint bench bench-quick fuzz generate clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o meerkat ./cmd/meerkat

run: build
	mkdir -p run
	cd run && ../meerkat serve -c ../testdata/ejabberd.cfg --data data --self-signed --allow-missing-modules

deps:
	.ci/deps

test: deps
	$(GO) test -race ./...

lint:
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@test -z "$$($(GO) run $(GOFUMPT) -l cmd cfgterm compat httpmods listeners router)" || { echo "not formatted (gofumpt -w):"; $(GO) run $(GOFUMPT) -l cmd cfgterm compat httpmods listeners router; exit 1; }
	$(GO) mod tidy -diff

bench: build
	$(GO) test -run '^$$' -bench . -benchmem ./cfgterm ./router/... ./listeners/...
	$(GO) run ./cmd/loadgen suite --bin ./meerkat

bench-quick: build
	$(GO) run ./cmd/loadgen suite --bin ./meerkat --quick

fuzz:
	@set -e; for pkg in $$(grep -rl --include=*_test.go '^func Fuzz' cmd cfgterm compat httpmods listeners router | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -h --include=*_test.go -o '^func Fuzz[A-Za-z0-9]*' $$pkg/*_test.go | cut -c6-); do \
			echo "$$pkg $$f"; $(GO) test ./$$pkg -run '^$$' -fuzz "^$$f\$$" -fuzztime $(T); \
		done; \
	done

generate:
	$(GO) test ./cfgterm ./cfgterm/diag ./cmd/loadgen ./cmd/meerkat -update

clean:
	rm -rf meerkat run

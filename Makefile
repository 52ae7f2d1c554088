# make         builds
# make run     starts a node from testdata/ejabberd.cfg in the folder run
# make test    runs all tests; installs what they need from Debian when run as root
# make lint    vet, staticcheck, gofumpt, go.mod tidy
# make bench   measures the node beside a bare relay and the peers that are installed
# make fuzz    fuzzes every parser for T (default 30s) each

GO       ?= go
T        ?= 30s
VERSION  ?=
LDFLAGS  := -s -w $(if $(VERSION),-X main.version=$(VERSION))

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
BENCHSTAT   := golang.org/x/perf/cmd/benchstat@v0.0.0-20260709024250-82a0b07e230d

.DEFAULT_GOAL := build
.PHONY: build run test race lint fuzz bench bench-quick clean

# One static binary.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o meerkat ./cmd/meerkat

run: build
	mkdir -p run
	cd run && ../meerkat serve -c ../testdata/ejabberd.cfg --data data --self-signed --allow-missing-modules

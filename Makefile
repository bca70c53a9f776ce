# Every target sets up what it needs; nothing here needs root or Docker.

ENVOY_VERSION := 1.40.0
BUF         := go tool -modfile=tools/go.mod buf
STATICCHECK := go tool -modfile=$(CURDIR)/tools/go.mod staticcheck

# Flags of the demo, for instance another port: make run ARGS='-envoy-port 18080' (bin/demo -h lists them), or of the
# benchmark: make bench ARGS='-rounds 2 -out /tmp/results' (bin/bench -h).
ARGS     ?=
FUZZTIME ?= 10s

# Link-time facts for `corsproc version`, where the folder is a Git clone.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
# The same sources give the same bytes, wherever and whenever they are built: no path, no time, and of Git only the two
# names above (-buildvcs would also look at files that are no part of the build).
REPRODUCIBLE := -trimpath -buildvcs=false
LDFLAGS := -s -w $(if $(VERSION),-X main.version=$(VERSION)) $(if $(COMMIT),-X main.commit=$(COMMIT))

# The race detector needs a C compiler; without one Go has switched cgo off by itself.
CGO := $(shell go env CGO_ENABLED 2>/dev/null)

# The tests of envoy/e2e about meshes and other ways to run Envoy and corsproc. They belong to test-mesh, whose other half is
# envoy/helm; make test runs both once.
MESH_TESTS := ^Test(Mesh|XDS|OlderEnvoys|ReloadAtScale|RollingReplacement)

# For modules whose tests read files outside of them, which the go command does not look at when it takes an old result.
ANEW := -count=1

.DEFAULT_GOAL := help
.PHONY: help run build module test test-mesh mesh-golden lint generate check-generated fuzz bench bench-engine sbom vuln envoy clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

run: build ## start the demo: Envoy, corsproc, an echo upstream and the page at http://localhost:8081
	@ENVOY="$$(tools/envoy $(ENVOY_VERSION))" && export ENVOY && exec bin/demo $(ARGS)

build: ## build bin/corsproc (static, reproducible) and bin/demo
	CGO_ENABLED=0 go build $(REPRODUCIBLE) -ldflags '$(LDFLAGS)' -o bin/corsproc ./cmd/corsproc
	CGO_ENABLED=0 go build $(REPRODUCIBLE) -o bin/demo ./envoy/demo

# Envoy loads it with dlopen, so it is the C library's and not static. The C in it is built without paths, too.
module: ## build bin/libcorsproc.so, the engine for Envoy 1.40 to load (needs a C compiler; for arm64: GOARCH=arm64 CC=aarch64-linux-gnu-gcc)
	@rm -f bin/libcorsproc.so # an Envoy that has it loaded keeps the old file; to write into that would end it
	CGO_ENABLED=1 go build $(REPRODUCIBLE) -ldflags '-s -w' -buildmode=c-shared -o bin/libcorsproc.so ./envoy/module
	@rm -f bin/libcorsproc.h

test: ## run every test, with a real Envoy and, if there is one, a real Chromium
	@tools/browser
	ENVOY="$$(tools/envoy $(ENVOY_VERSION))" && export ENVOY && go test -timeout 20m -skip '$(MESH_TESTS)' ./...
ifeq ($(CGO),1)
	go test -race -timeout 20m ./policy/... ./server/... ./cmd/...
endif
	cd envoy/alerting && go test $(ANEW) ./...
	cd tools && go test ./...
	@$(MAKE) --no-print-directory test-mesh
ifneq ($(CGO),1)
	@echo "SKIPPED: there is no C compiler, so the module for Envoy was not tested, and the race detector did not run."
endif

test-mesh: ## of these, the tests of Istio, Envoy Gateway, Kubernetes, the Helm chart, and older Envoys
	@tools/older-envoys
	ENVOY="$$(tools/envoy $(ENVOY_VERSION))" && export ENVOY && go test -timeout 20m -run '$(MESH_TESTS)' ./envoy/e2e
	cd envoy/helm && go test $(ANEW) -timeout 20m ./...
	@tools/browser

# Not the module in envoy/internal/mesh/istio: to compile what it imports takes five minutes from nothing. mesh-golden, which needs
# that anyway, vets it.
lint: ## gofmt, go vet, staticcheck, buf lint
	@untidy="$$(git ls-files -co --exclude-standard -- '*.go' | xargs gofmt -l)"; \
	  if [ -n "$$untidy" ]; then echo "not gofmt-ed:"; echo "$$untidy"; exit 1; fi
	go vet ./...
	$(STATICCHECK) ./...
	cd envoy/alerting && go vet ./... && $(STATICCHECK) ./...
	cd envoy/helm && go vet ./... && $(STATICCHECK) ./...
	cd tools && go vet ./... && $(STATICCHECK) ./...
	$(BUF) lint proto

mesh-golden: ## ask the control planes anew what they make of our manifests, and copy their CRDs (half an hour: it builds them)
	go run ./envoy/internal/mesh/crds
	cd envoy/internal/mesh/istio && go vet ./... && $(STATICCHECK) ./... && go test -count=1 -timeout 30m . -out ../../../e2e/testdata/golden
	go run ./envoy/internal/mesh/envoygateway $(ARGS)
	cd envoy/helm && go test -count=1 . -update

generate: ## write what is generated: the Go from proto/, the page of findings
	$(BUF) generate proto --template proto/buf.gen.yaml -o proto
	go generate ./policy/...

check-generated: ## fail if the generated Go in proto/ is not what proto/ says
	@fresh="$$(mktemp -d)" && trap 'rm -rf "$$fresh"' EXIT && \
	  $(BUF) generate proto --template proto/buf.gen.yaml -o "$$fresh" && \
	  for f in $$(cd "$$fresh" && find . -type f; cd "$(CURDIR)/proto" && find . -name '*.pb.go'); do \
	    diff -u "proto/$$f" "$$fresh/$$f" || { echo "proto/$$f is not current: run make generate"; exit 1; }; \
	  done

# Not every input that finds something new is made as small as can be: where goroutines run, what is new comes and goes, and
# that would take all of the time.
fuzz: ## run every fuzz test for FUZZTIME (10s)
	@for package in $$(go list ./...); do \
	  for name in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
	    echo "$$package $$name"; \
	    go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package" || exit 1; \
	  done; \
	done

# The module is measured where it can be built.
ifeq ($(CGO),1)
MODULE := bin/libcorsproc.so
bench: module
endif

bench: build ## measure what corsproc costs behind a real Envoy, beside Envoy's own filter and a service that does nothing (8 minutes)
	@[ -n '$(MODULE)' ] || echo "SKIPPED: there is no C compiler, so corsproc as a module is not measured."
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./envoy/bench
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/bench-stock ./envoy/bench/stock
	@ENVOY="$$(tools/envoy $(ENVOY_VERSION))" && export ENVOY && exec bin/bench -module '$(MODULE)' $(ARGS)

bench-engine: ## measure a decision, beside the CORS middleware github.com/rs/cors
	go test -run '^$$' -bench '^BenchmarkBeside' ./policy

sbom: build ## write the bill of materials of bin/corsproc, CycloneDX, to bin/corsproc.cdx.json
	go run -C tools ./sbom -module .. $(if $(VERSION),-version '$(VERSION)') ../bin/corsproc > bin/corsproc.cdx.json

vuln: ## look for known vulnerabilities with govulncheck (needs its database: VULNDB, or https://vuln.go.dev)
	@tools/vuln

envoy: ## say where Envoy is, and fetch it into .tools/ if there is none
	@tools/envoy $(ENVOY_VERSION)

clean: ## remove what these targets made
	rm -rf bin .tools

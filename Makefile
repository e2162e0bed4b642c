# Mainstay. `make help` lists every target. Go, git, make and a C compiler are all
# that a machine needs; the rest is built from pinned Go modules into _output/.

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

OUT := $(CURDIR)/_output
BIN := $(OUT)/bin
VERSION ?= v0.1.0
KUBERNETES_VERSION := v1.35.3
CROSSPLANE_VERSION := v2.4.0
# How many clusters `make bench` simulates.
CLUSTERS ?= 100
# How many changes `make throughput` has, on how many clusters, and how many at a time. With
# MINUTES it opens none after so long.
CHANGES ?= 500
SITES ?= 1000
AUTHORS ?= 24
MINUTES ?= 0
# Where `make package` pushes to, where it is asked to push.
REGISTRY ?=

# The same flags everywhere: the libraries that control planes, provider and
# functions share are then compiled once.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false
export MAINSTAY_BINARIES := $(BIN)

# Packages whose tests start real control planes run one at a time: two cores
# that serve four API servers at once make every wait longer, not shorter.
REAL_PACKAGES := ./provider/... ./test/argocd
PURE_PACKAGES := ./apis/... ./internal/... ./functions/... ./cmd/... ./hack/... ./examples/... ./dashboards/... ./test/schema/...

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

##@ Use

.PHONY: demo
demo: binaries build ## Start a hub, three real clusters and three applications on this machine.
	@$(BIN)/mainstay demo up

.PHONY: demo-change
demo-change: binaries gitea build ## Show three merge requests on a real Gitea: one becomes true, one is refused, one goes back.
	@$(BIN)/mainstay demo change

.PHONY: demo-down
demo-down: ## Stop everything that the demo started and remove its state.
	@if [ -x $(BIN)/mainstay ]; then $(BIN)/mainstay demo down; else echo "No demo here: nothing to stop."; fi

.PHONY: demo-status
demo-status: ## Say what of the demo runs.
	@if [ -x $(BIN)/mainstay ]; then $(BIN)/mainstay demo status; else echo "No demo here. Start it with: make demo"; fi

##@ Develop

.PHONY: build
build: | $(BIN) ## Compile the command, the provider and the functions for this machine.
	$(call say,Compiling Mainstay)
	@go build -ldflags "-s -w -X github.com/mainstay-dev/mainstay/internal/version.version=$(VERSION)" -o $(BIN)/ ./cmd/mainstay
	@ln -sf mainstay $(BIN)/kubectl-mainstay
	@go build -ldflags "-s -w -X github.com/mainstay-dev/mainstay/internal/version.version=$(VERSION)" -o $(BIN)/provider ./provider/cmd/provider
	@for f in cluster-fleet fleet-cell product-application; do \
		go build -ldflags "-s -w" -o $(BIN)/function-$$f ./functions/$$f || exit 1; done

.PHONY: test
test: test-unit test-real ## Run every test: unit, golden, conformance and end to end. Needs no root.
	$(call say,All tests passed. Next: make demo)

.PHONY: test-unit
test-unit: ## Run the tests that need no control plane, and hold internal/ and functions/ to 85 % coverage.
	$(call say,Unit and golden tests)
	@mkdir -p $(OUT)
	@go test $(PURE_PACKAGES) -coverpkg=./internal/...,./functions/... -coverprofile=$(OUT)/cover.out -timeout 20m
	@go run ./hack/covercheck -profile $(OUT)/cover.out -floor 85 internal functions

.PHONY: test-real
test-real: binaries gitea argocd build ## Run the tests on real control planes, with real Crossplane.
	$(call say,Tests on real control planes and a real Gitea: about eight minutes)
	@go test -p 1 $(REAL_PACKAGES) -timeout 20m
	$(call say,The provider is killed among a thousand simulated clusters: about five minutes)
	@go test -v ./test/scale -timeout 30m
	$(call say,Twenty merge requests flow through a real Gitea to fifty simulated clusters: about three minutes)
	@go test -v -count 1 ./test/throughput -timeout 20m
	$(call say,End to end with real Crossplane and Argo CD: about twenty-five minutes)
	@go test -v ./test/e2e -timeout 45m

.PHONY: bench
bench: binaries build peer ## Run the benchmarks, and measure what a change to CLUSTERS simulated clusters costs.
	@go test -run '^$$' -bench . -benchtime 3x -benchmem ./internal/... ./functions/... ./provider/planner
	$(call say,A change to $(CLUSTERS) clusters against a floor: about twenty-five minutes)
	@go run ./test/bench --binaries $(BIN) --clusters $(CLUSTERS) --out $(OUT)/bench.md

.PHONY: throughput
throughput: binaries gitea build ## Have CHANGES merge requests flow through a real Gitea to SITES simulated clusters.
	$(call say,$(CHANGES) changes on $(SITES) simulated clusters)
	@MAINSTAY_THROUGHPUT_CHANGES=$(CHANGES) MAINSTAY_THROUGHPUT_CLUSTERS=$(SITES) MAINSTAY_THROUGHPUT_AUTHORS=$(AUTHORS) \
		MAINSTAY_THROUGHPUT_MINUTES=$(MINUTES) go test -v -count 1 ./test/throughput -timeout 4h

.PHONY: measure-breaker
measure-breaker: binaries build ## Time 25 real clusters with Crossplane's default circuit breaker. Wants 10 GiB.
	@hack/measure-breaker.sh

.PHONY: lint
lint: $(BIN)/golangci-lint ## Check style and the import arrows of the rooms.
	$(call say,Linting)
	@$(BIN)/golangci-lint run ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'Run: gofmt -w .'; exit 1; }

.PHONY: generate
generate: $(BIN)/controller-gen ## Derive deep copies, CRDs, XRDs and the API reference from the Go types.
	$(call say,Generating)
	@$(BIN)/controller-gen object:headerFile=hack/boilerplate.go.txt paths=./apis/...
	@rm -rf package/provider/crds $(OUT)/crds
	@$(BIN)/controller-gen crd:crdVersions=v1 paths=./apis/m/... output:artifacts:config=package/provider/crds
	@$(BIN)/controller-gen crd:crdVersions=v1 paths=./apis/v1alpha1/... output:artifacts:config=$(OUT)/crds
	@mv $(OUT)/crds/mainstay.dev_{componentdefinitions,traitdefinitions,definitionrevisions}.yaml package/provider/crds/
	@go run ./hack/xrdgen -crds $(OUT)/crds -out apis
	@go run ./hack/policygen
	@rm -rf docs/reference && go run ./hack/refgen -out docs/reference $(OUT)/crds package/provider/crds

.PHONY: check-generate
check-generate: generate ## Fail where generated files are not what the Go types say.
	@git add -AN . && git diff --exit-code --stat -- apis package docs/reference internal/oam/schema || { echo 'Generated files differ. Run: make generate, and commit.'; exit 1; }

##@ Ship

.PHONY: package
package: build ## Build the Crossplane packages for amd64 and arm64. REGISTRY=host/path pushes them too.
	$(call say,Building packages)
	@$(BIN)/mainstay package build --package-version $(VERSION) --output $(OUT)/packages
	@if [ -n "$(REGISTRY)" ]; then $(BIN)/mainstay package push --package-version $(VERSION) --registry $(REGISTRY); fi

.PHONY: verify-packages
verify-packages: package $(BIN)/crossplane-cli ## Prove that the official Crossplane command accepts the packages.
	$(call say,Checking the packages with the official Crossplane command)
	@hack/verify-packages.sh $(BIN)/crossplane-cli $(OUT)/packages

##@ Tools

.PHONY: binaries
binaries: $(BIN)/.controlplane $(BIN)/.kwok ## Build control planes, Crossplane core and kubectl from pinned modules.

CONTROLPLANE_FLAGS := -s -w \
	-X k8s.io/component-base/version.gitVersion=$(KUBERNETES_VERSION) \
	-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35 \
	-X github.com/crossplane/crossplane-runtime/v2/pkg/version.version=$(CROSSPLANE_VERSION)

# One binary after another, so that a long build shows where it is.
$(BIN)/.controlplane: tools/controlplane/go.mod tools/controlplane/go.sum | $(BIN)
	$(call say,Building control planes: about eight minutes the first time)
	@cd tools/controlplane && for p in go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver \
		k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-scheduler \
		k8s.io/kubernetes/cmd/kubectl github.com/crossplane/crossplane/v2/cmd/crossplane; do \
		n=$$(basename $$p); [ $$n = v3 ] && n=etcd; s=$$SECONDS; \
		go build -ldflags "$(CONTROLPLANE_FLAGS)" -o $(BIN)/$$n.new $$p && mv $(BIN)/$$n.new $(BIN)/$$n || exit 1; \
		printf '    %-26s %4d s\n' $$n $$((SECONDS - s)); done
	@touch $@

$(BIN)/.kwok: tools/kwok/go.mod tools/kwok/go.sum | $(BIN)
	$(call say,Building kwok: about two minutes the first time)
	@cd tools/kwok && go build -ldflags "-s -w" -o $(BIN)/kwok sigs.k8s.io/kwok/cmd/kwok
	@touch $@

# Who is measured beside Mainstay by `make bench`, with the definitions of its kinds.
.PHONY: peer
peer: $(BIN)/.peer ## Build provider-kubernetes, for the bench.

$(BIN)/.peer: tools/peer/go.mod tools/peer/go.sum | $(BIN)
	$(call say,Building provider-kubernetes: about four minutes the first time)
	@cd tools/peer && go build -ldflags "-s -w" -o $(BIN)/provider-kubernetes github.com/crossplane-contrib/provider-kubernetes/cmd/provider
	@rm -rf $(BIN)/provider-kubernetes.crds && mkdir $(BIN)/provider-kubernetes.crds
	@cd tools/peer && install -m 644 "$$(go list -m -f '{{.Dir}}' github.com/crossplane-contrib/provider-kubernetes)"/package/crds/*.yaml $(BIN)/provider-kubernetes.crds/
	@touch $@

.PHONY: gitea
gitea: $(BIN)/.gitea ## Build Gitea, the forge of tests and of the demo of changes.

# It needs C for SQLite, and its templates beside it. Without its built front end its
# pages are plain; API and Git are whole.
$(BIN)/.gitea: tools/gitea/go.mod tools/gitea/go.sum | $(BIN)
	$(call say,Building Gitea: about six minutes the first time)
	@cd tools/gitea && CGO_ENABLED=1 go build -tags sqlite,sqlite_unlock_notify -ldflags "-s -w" -o $(BIN)/gitea.new code.gitea.io/gitea
	@rm -rf $(BIN)/gitea.d && mkdir $(BIN)/gitea.d && mv $(BIN)/gitea.new $(BIN)/gitea
	@cd tools/gitea && src=$$(go list -m -f '{{.Dir}}' code.gitea.io/gitea) && \
		cp -r "$$src/templates" "$$src/options" "$$src/public" $(BIN)/gitea.d/ && chmod -R u+w $(BIN)/gitea.d
	@touch $@

.PHONY: argocd
argocd: $(BIN)/.argocd ## Build Argo CD, the GitOps engine of tests.

# One program, which is what it is called as; a cache in Go, so that no Redis has to be
# installed; and the definitions of its kinds.
$(BIN)/.argocd: tools/argocd/go.mod tools/argocd/go.sum tools/argocd/redis/main.go | $(BIN)
	$(call say,Building Argo CD: about ten minutes the first time)
	@cd tools/argocd && go build -ldflags "-s -w" -o $(BIN)/argocd.new github.com/argoproj/argo-cd/v3/cmd && mv $(BIN)/argocd.new $(BIN)/argocd
	@cd tools/argocd && go build -ldflags "-s -w" -o $(BIN)/argocd-redis ./redis
	@for n in repo-server application-controller; do ln -sf argocd $(BIN)/argocd-$$n; done
	@rm -rf $(BIN)/argocd.d && mkdir $(BIN)/argocd.d
	@cd tools/argocd && for k in application applicationset appproject; do \
		install -m 644 "$$(go list -m -f '{{.Dir}}' github.com/argoproj/argo-cd/v3)"/manifests/crds/$$k-crd.yaml $(BIN)/argocd.d/ || exit 1; done
	@touch $@

$(BIN)/golangci-lint: tools/lint/go.mod tools/lint/go.sum | $(BIN)
	$(call say,Building the linter: about four minutes the first time)
	@cd tools/lint && go build -ldflags "-s -w" -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/controller-gen: tools/lint/go.mod tools/lint/go.sum | $(BIN)
	@cd tools/lint && go build -ldflags "-s -w" -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(BIN)/crossplane-cli: tools/crossplane-cli/go.mod tools/crossplane-cli/go.sum | $(BIN)
	$(call say,Building the official Crossplane command: about five minutes the first time)
	@cd tools/crossplane-cli && go build -ldflags "-s -w" -o $@ github.com/crossplane/cli/v2/cmd/crossplane

$(BIN):
	@mkdir -p $@

.PHONY: clean
clean: demo-down ## Stop the demo and remove everything that was built.
	@rm -rf $(OUT)

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*##/ {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Milepost. `make` lists the targets.

GO ?= go
# Tools have a module of their own, so that the product's stays small.
TOOL = $(GO) tool -modfile=internal/tools/go.mod
# A count, not a time: a run that ends by time may report its own deadline as a failure.
FUZZTIME ?= 20000x
# Or file:// and the path of an unpacked https://vuln.go.dev/vulndb.zip. Beware: in an empty folder nothing is found.
VULNDB ?= https://vuln.go.dev

# What packages and images are made with has a module of its own as well.
VERSION ?= 0.0.0
ARCH ?= amd64
# Of the last commit, so that the same source gives the same package.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

# How a release is built; docs/decisions/16-small-binary.md says what each part saves.
# All that ships is built by the target binary: packages, images, archives.
OS ?= linux
OUT ?= bin/milepost
COMMIT ?= $(shell git rev-parse HEAD)
DATE ?= $(shell git log -1 --format=%cI)
# pgx does not register a PostgreSQL type for every Go type: internal/store/postgres.go does for those in use.
TAGS = nopgxregisterdefaulttypes
# No function is inlined in what runs for a person, once at the start, or once for a sync or a call to a vendor, so speed does not matter.
COLD = milepost/cmd/... milepost/clients/... milepost/mapping $(addprefix milepost/internal/,account adminapi alert app automation backup \
	catalog claim connection console contract erase ical mcp meeting move operate outage outbound outcome people reconcile sandbox/...) \
	github.com/alecthomas/... github.com/danielgtaylor/... go.yaml.in/... golang.org/x/net/... golang.org/x/text/... \
	github.com/expr-lang/expr/... $(addprefix github.com/riverqueue/river/,internal/leadership internal/maintenance rivermigrate rivershared/riversharedmaintenance) golang.org/x/oauth2/... \
	archive/... crypto/tls crypto/x509 encoding/asn1 encoding/csv encoding/pem encoding/xml flag html/template log/slog/... math/big mime/... net/http/httputil net/mail net/smtp \
	os/exec os/user regexp/syntax text/tabwriter text/template/...
# Functions begin at 16 bytes, not 32.
LDFLAGS = -s -w -funcalign=16 $(foreach kv,version=$(VERSION) commit=$(COMMIT) date=$(DATE),-X milepost/internal/version.$(kv))

.PHONY: help build binary package image release test check deploy-check upgrade-check fmt vuln fuzz bench attack screenshots clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

build: ## Build the binary, bin/milepost
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/milepost ./cmd/milepost

binary: # as it is released: for OS and ARCH, without what only a debugger needs
	CGO_ENABLED=0 GOOS=$(OS) GOARCH=$(ARCH) $(GO) build -trimpath -tags=$(TAGS) $(COLD:%=-gcflags=%=-l) -ldflags='$(LDFLAGS)' -o $(OUT) ./cmd/milepost

package: binary ## Build the Debian package, bin/*.deb (VERSION, ARCH)
	gzip -9nc CHANGELOG.md >bin/changelog.gz
	gzip -9nc deploy/man/milepost.1 >bin/milepost.1.gz
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) VERSION=$(VERSION) ARCH=$(ARCH) \
		$(GO) tool -modfile=deploy/go.mod nfpm package -f deploy/debian/nfpm.yaml -p deb -t bin/

image: binary ## Build the container image without an engine, bin/milepost-image.tar (VERSION, ARCH)
	$(GO) -C deploy run ./image -binary ../bin/milepost -arch $(ARCH) -tag milepost:$(VERSION) -out ../bin/milepost-image.tar

release: ## Build archives for all platforms, checksums and bills of materials, bin/release/ (VERSION)
	$(GO) -C deploy run ./release -version $(VERSION) -out ../bin/release

test: ## Run the tests
	$(GO) test -tags=$(TAGS) ./...

check: ## What CI runs besides the tests: format, lint, vet for Windows, tidy
	$(TOOL) golangci-lint fmt --diff
	$(TOOL) golangci-lint run
	GOOS=windows $(GO) vet ./cmd/... ./internal/app/...
	$(GO) mod tidy -diff

deploy-check: image package ## Test what lies in deploy/; in CI the package is installed and removed
	MILEPOST_TEST_BINARY=$(CURDIR)/bin/milepost $(GO) -C deploy test -count=1 ./...

# The last release, which works beside a new version during an upgrade.
RELEASED ?= 9a9a2c0

upgrade-check: ## Upgrade two processes on PostgreSQL one by one from RELEASED, a commit, under load
	@if git cat-file -e $(RELEASED) 2>/dev/null; then \
		mkdir -p bin/released && git archive $(RELEASED) | tar -x -C bin/released && \
		$(GO) -C bin/released build -o ../milepost-released ./cmd/milepost && rm -r bin/released && \
		MILEPOST_TEST_OLDER=$(CURDIR)/bin/milepost-released $(GO) test -count=1 -run TestAnOlderVersionServesBesideANewer ./cmd/milepost; \
	else echo "skipped: the history does not have $(RELEASED), the last release"; fi

fmt: ## Format the code
	$(TOOL) golangci-lint fmt

vuln: ## Look for known vulnerabilities in what is called (needs VULNDB, https://vuln.go.dev)
	$(TOOL) govulncheck -db $(VULNDB) ./...

fuzz: ## Run each fuzz target for FUZZTIME (20000x)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$package; \
		done; done

bench: ## Measure, as ratios in one run; `go run ./internal/bench -only attack` plays all attacks
	$(GO) run ./internal/bench
	$(GO) test ./internal/budget -run NineTenthsOfTheAllowance -count 1 -v -real 20s

attack: ## Play the attacks that hold most memory: no webhook is lost, and memory stays bounded
	$(GO) run ./internal/bench -only attack -attack stall -length 100ms -check

screenshots: build ## Take the pictures of the console in docs/screenshots, from the sandbox (needs Chromium, Node and npm)
	@set -e; dir=$$(mktemp -d); trap 'rm -rf '$$dir EXIT; \
		cp internal/sandbox/testdata/axe/package*.json internal/tools/screenshots.mjs $$dir; \
		npm --prefix $$dir ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error; \
		node $$dir/screenshots.mjs bin/milepost "$$(command -v chromium || command -v chromium-browser || command -v google-chrome)" docs/screenshots

clean: ## Remove what was built
	rm -rf bin

# The commands of this project; "make help" lists them. Everything they need beyond Go they fetch by name and version.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.release=$(VERSION) -X main.commit=$(COMMIT)

# Many tests wait for a file, a timer or another process: more packages and tests than processors run at once.
TEST = $(GO) test -parallel 8

# Tools run at fixed versions, apart from go.mod: their dependencies are none of the product's.
LINT      = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VULNCHECK = $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help
help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: test
test: ## run the tests, the policies' own among them
	$(TEST) -p 4 ./...

.PHONY: check
check: format vet lint race cover policies vuln ## everything that must hold before a change lands

.PHONY: format
format: ## fail on files that are not gofmt-ed
	@out=$$(gofmt -l clients cmd internal policy_test sidecarclient); if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet: ## go vet, the files of all tags included
	$(GO) vet -tags real,gateways,bench ./...

.PHONY: lint
lint: ## golangci-lint
	$(LINT) run ./...

# Packages in which neither the code nor a test starts a goroutine.
SEQUENTIAL = docs/rules internal internal/bundle/signature internal/config policy_test

# These start other processes, in which nothing is raced that the tests of internal/app do not race.
UNRACED = TestDevLaysTheExampleOutAndServesFromThere TestDevNeedsNothingButTheBinary TestDocs \
	TestEveryLineThatDevPrintsWorksWhenPasted TestScripts TestTheExampleBundleIsReleasedAsItsReadmeSays \
	TestTheFirstSuitePassesForEachKindOfServer TestWhatInitWroteIsTestedCheckedAndServed
# These compute for long or fill memory. What else runs beside them, others of their packages race.
UNRACED += FuzzVirtualCacheIsLikeOPAs TestACachedTokenOf1KBTakesLessThan4KB TestADroppedPathIsNoticed \
	TestAnExpressionWithoutTheIndexCostsItselfOnly TestAnswersAreThoseOfAnEvaluation \
	TestARequestIsAllowedIfAndOnlyIfAnAlternativeIsMet TestAResultThatCannotBeSentLoggedAndMaskedIsRefused \
	TestARuleThatStatesProblemsHasTheTimeForCompiling TestASchemaWithoutEndIsRefused TestASettledStoreHasTheSameData \
	TestBordersAreInTheKey TestDataAtRestTakeAtMostFiveTimesTheirSize TestDataThatAreLookedUpTakeTwiceTheirSize \
	TestDecisionsAreTheSameOnceDataAreSettled TestEachPolicyMistakeIsAnsweredWithItsPlaceAndWhatToDo \
	TestEachShapeCompiles TestEachUsualEditOfTheShippedPoliciesIsFoundWithAWitness \
	TestEditsOfPoliciesOfOtherStylesAreFound TestEV1_TheLogOfRevocationsAnswersAsAPlainListWould \
	TestEV3_TheIndexTakesLittleMemory TestExplainOfAHugeEvaluationEndsAndSaysSo \
	TestInputsThatCollideNeverShareAVerdict TestKeptRoutesAreThoseOfAnEvaluation \
	TestMoreRequestsThanAreKeptHaveValuesOfTheirOwn TestNoProofIsContradictedByADocument \
	TestNoTextThatACallerSendsEndsOrHoldsTheProcess TestPartsOfATextAreWhatIsThere TestRefusals TestReplayIsExact \
	TestReview_ASurprisingChangeIsOnTheFirstScreen TestTermsAreHeldOfDataThatAPolicyReadsWhole \
	TestTheIndexAnswersAsTheRulesSay TestTheIndexChangesNoAnswerOfDrawnPrograms TestTheIndexHidesNoErrorOfAnyBuiltin \
	TestTwoHundredThousandRandomTokensLeaveMemoryBounded TestWhatIsLeftIsBounded TestWhatIsNarrowedDecidesNothing \
	TestWhatIsNarrowedInDrawnProgramsDecidesNothing TestWhatPrintWritesIsBounded TestWhatWouldEndTheProcessIsRefused

empty =
list = $(subst $(empty) $(empty),|,$(strip $(1)))

.PHONY: race
race: ## the tests, but for SEQUENTIAL and UNRACED: raced and shuffled, with the coverage of internal/
	@mkdir -p .cache
	all=$$($(GO) list ./...) && $(GO) test -timeout 30m -parallel 4 -race -shuffle=on \
		-skip '^($(call list,$(UNRACED)))$$' -coverpkg=./internal/... -coverprofile=.cache/cover.out \
		$$(echo "$$all" | grep -vE '/sidecar/($(call list,$(SEQUENTIAL)))$$')

.PHONY: cover
cover: ## fail when the tests of race cover less than 85 % of internal/
	@$(GO) tool cover -func=.cache/cover.out | awk '/^total:/ { print "coverage of internal/: " $$3; if ($$3 + 0 < 85) exit 1 }'

.PHONY: policies
policies: ## review the shipped policies and run their tests, with coverage
	$(GO) run ./cmd/sidecar check --strict policies bundles/example
	CLIENT_SECRET=none $(GO) run ./cmd/sidecar check --strict --config bundles/todo.yaml
	CLIENT_SECRET=none $(GO) run ./cmd/sidecar test --config bundles/todo.yaml --min-coverage 95 bundles/todo
	$(GO) run ./cmd/sidecar test --min-coverage 95 policies policy_test bundles/example

.PHONY: vuln
vuln: ## govulncheck, where its database can be had
	@out=$$($(VULNCHECK) ./... 2>&1); code=$$?; echo "$$out" | tail -20; \
	if echo "$$out" | grep -qE 'vuln\.go\.dev.*(dial|lookup|connect|Forbidden|refused|timeout|403)'; then echo "govulncheck: its database cannot be had from here"; \
	else exit $$code; fi

.PHONY: outdated
outdated: ## list direct dependencies that lag behind their newest version
	@$(GO) list -m -u -f '{{if and (not .Indirect) .Update}}{{.Path}} {{.Version}} -> {{.Update.Version}}{{end}}' all

.PHONY: test-real
test-real: ## the tests against real servers, which they provision themselves
	$(GO) test -parallel 6 -tags real -count=1 -timeout 30m -v ./internal/realtest/...

.PHONY: test-gateways
test-gateways: ## the tests against gateways that are built from source, which takes minutes
	$(GO) test -tags real,gateways -count=1 -timeout 30m -v -run 'TestGatewaysThatAreBuilt' ./internal/realtest

.PHONY: bench
bench: ## measure against bare handlers and OPA's server; prints tables, and with WRITE=1 puts them into docs/performance.md
	BENCH_PAGE=$(if $(WRITE),$(CURDIR)/docs/performance.md) $(GO) test -tags bench -count=1 -timeout 60m -v -run 'TestBench$$' ./internal/bench

.PHONY: bench-scale
bench-scale: ## measure how costs grow; draws docs/performance/*.svg
	BENCH_OUT=$(CURDIR)/docs/performance $(GO) test -tags bench -count=1 -timeout 60m -v -run TestScale ./internal/bench

# A package and a pattern: make bench-micro BENCH=Remembered PKG=./internal/engine > old.txt; then benchstat old.txt new.txt
.PHONY: bench-micro
bench-micro: ## ten runs of the benchmarks of a package, for benchstat: BENCH=pattern PKG=./internal/engine
	@$(GO) test -tags bench -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -count 10 $(or $(PKG),./internal/engine)

.PHONY: bench-pair
bench-pair: ## measure against another build of the sidecar: OTHER=/path/to/sidecar
	BENCH_OTHER=$(OTHER) $(GO) test -tags bench -count=1 -timeout 30m -v -run TestPair ./internal/bench

.PHONY: build
build: ## build dist/sidecar, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/sidecar ./cmd/sidecar

.PHONY: release
release: ## dist/: archives, deb, rpm, SBOMs and checksums of the last commit
	deploy/release.sh

.PHONY: golden
golden: ## write golden files anew; read the change before committing it
	$(GO) test ./internal/config ./internal/input ./internal/migrate ./internal/reports -update
	$(GO) test ./internal/app -run Description -update
	$(GO) test ./cmd/sidecar -run "Reference|Mistake" -update

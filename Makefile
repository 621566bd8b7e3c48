# The one entry point. `npm start`, `npm test` and `npm run bench` install what is missing and come here.
# Every ring of tests is a target of its own; tools/test-rings.ts runs several, times them and adds up their reports.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := node_modules/.bin
NODE := $(BIN)/node
VITEST := $(NODE) node_modules/vitest/vitest.mjs run
RINGS := $(NODE) tools/test-rings.ts
# Reports of the last run; test-rings.ts sets it, a single ring may leave it alone.
RESULTS ?= .cache/results
ARGS ?=
C_FILES = $(wildcard datapath/src/*.c datapath/test/*.c datapath/fuzz/*.c) datapath/test/tool/codec.c

STATIC_RINGS := check-format check-lint check-types check-imports check-vocabulary check-tidy check-generated
C_RINGS := test-datapath test-datapath-sanitized test-datapath-fuzz-replay check-clang-tidy
CHECK_RINGS := $(STATIC_RINGS) test-unit test-postgres test-differential $(C_RINGS)
ROOT_RINGS := test-netns test-tsan test-e2e

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  One test file:  $(VITEST) --project unit packages/core/src/FILE.test.ts"
	@echo "  Arguments:      make bench ARGS='--json bench.json --only vxlan,etherloom'"

## Whole runs

.PHONY: check
check: ## Everything that needs no root: static checks, unit tests, C in two builds, clang-tidy
	@$(RINGS) $(CHECK_RINGS)

.PHONY: check-root
check-root: datapath console ## Tests in network namespaces and in a browser (root)
	@$(RINGS) $(ROOT_RINGS)

.PHONY: test
test: ## Every ring, root ones included; the last line is the sum; a skipped test is a failure
	@$(RINGS) --skips-fail $(CHECK_RINGS) test-sim $(ROOT_RINGS)

.PHONY: sim
sim: ## Simulation: many agents on a lossy network with a virtual clock
	@$(RINGS) test-sim

.PHONY: bench
bench: datapath bench-tools ## Throughput, packets, latency and CPU beside the kernel and others (root)
	@$(NODE) bench/run.ts $(ARGS)

.PHONY: fuzz
fuzz: ## Search with the fuzz targets of the data path (clang); ARGS='--seconds 600'
	@command -v clang >/dev/null || { echo 'clang is missing: apt-get install clang' >&2; exit 1; }
	@$(MAKE) -C datapath -f fuzz/Makefile fuzz
	@$(NODE) tools/fuzz.ts $(ARGS)

.PHONY: flood
flood: datapath ## What is left of one TCP stream under each kind of flood (root)
	@$(NODE) test/flood/run.ts $(ARGS)

.PHONY: soak
soak: datapath ## Hosts under churn, loss and rekeys; ARGS='--minutes 60' (root)
	@$(NODE) test/soak/run.ts $(ARGS)

.PHONY: tsan
tsan: ## Compile the data path under ThreadSanitizer (clang)
	@command -v clang >/dev/null || { echo 'clang is missing: apt-get install clang' >&2; exit 1; }
	@$(MAKE) -C datapath -f tsan.mk

.PHONY: run
run: datapath console ## The demonstration of `npm start` (root)
	@$(NODE) tools/bootstrap.mjs start -- $(ARGS)

## Single static checks

.PHONY: check-format
check-format: ## Format of TypeScript and JSON
	@$(BIN)/oxfmt --check .

.PHONY: check-lint
check-lint: ## Lint, type-aware
	@$(BIN)/oxlint --deny-warnings

.PHONY: check-types
check-types: ## Type check
	@$(BIN)/tsc --noEmit -p .
	@$(BIN)/tsc --noEmit -p packages/console

.PHONY: check-imports
check-imports: ## Which package may import which
	@$(NODE) tools/check-imports.ts

.PHONY: check-vocabulary
check-vocabulary: ## One noun per thing (docs/design.md)
	@$(NODE) tools/check-vocabulary.ts

.PHONY: check-tidy
check-tidy: ## Lengths, banned calls, names, changelog
	@$(NODE) tools/check-tidy.ts

.PHONY: check-generated
check-generated: ## Generated files are what their generators write
	@$(NODE) tools/generate-control-header.ts --check
	@if [ -e tools/generate-control-vectors.ts ]; then $(NODE) tools/generate-control-vectors.ts --check; fi

.PHONY: check-clang-tidy
check-clang-tidy: ## clang-tidy on the data path, findings are errors
	@command -v clang-tidy >/dev/null || { echo 'clang-tidy is missing: apt-get install clang-tidy' >&2; exit 1; }
	@clang-tidy --quiet $(C_FILES) -- -std=gnu11 -D_GNU_SOURCE -iquote datapath/src -iquote datapath/fuzz

## Single rings of tests

.PHONY: test-unit
test-unit: ## Unit and contract tests of TypeScript
	@$(VITEST) --project unit --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-unit.json $(ARGS)

.PHONY: test-postgres
test-postgres: ## The controller's tests on PostgreSQL, and those of that engine
	@$(VITEST) --project postgres --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-postgres.json $(ARGS)

.PHONY: test-sim
test-sim: ## The simulation's tests
	@$(VITEST) --project sim --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-sim.json $(ARGS)

.PHONY: test-netns
test-netns: datapath ## The tests in namespaces (root)
	@$(VITEST) --project netns --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-netns.json $(ARGS)

.PHONY: test-tsan
test-tsan: tsan ## Threads of the data path under load, watched by ThreadSanitizer (root)
	@$(VITEST) --project tsan --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-tsan.json $(ARGS)

.PHONY: test-e2e
test-e2e: datapath console ## The console in a browser, before a real controller and real agents (root)
	@$(VITEST) --project e2e --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-e2e.json $(ARGS)

.PHONY: test-datapath
test-datapath: ## C build with all warnings as errors, and its tests
	@mkdir -p $(RESULTS)
	@$(MAKE) -C datapath all build/tests
	@cd datapath && build/tests | tee $(abspath $(RESULTS))/test-datapath.log

.PHONY: test-datapath-sanitized
test-datapath-sanitized: ## The same with address and undefined-behaviour sanitizers
	@mkdir -p $(RESULTS)
	@$(MAKE) -C datapath asan build/asan/tests
	@cd datapath && build/asan/tests | tee $(abspath $(RESULTS))/test-datapath-sanitized.log

FUZZ_TARGETS := frame_from_tap datagram_from_udp control_message offload_split_join

.PHONY: test-datapath-fuzz-replay
test-datapath-fuzz-replay: ## The fuzzers' committed inputs, under sanitizers
	@mkdir -p $(RESULTS)
	@$(MAKE) -C datapath -f fuzz/Makefile replay
	@cd datapath && for target in $(FUZZ_TARGETS); do \
		build/fuzz/replay-$$target fuzz/corpus/$$target; \
	done | tee $(abspath $(RESULTS))/test-datapath-fuzz-replay.log

.PHONY: test-differential
test-differential: ## The data path against the reference implementation, on random cases
	@$(MAKE) -C datapath -f fuzz/Makefile codec
	@$(VITEST) --project differential --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test-differential.json $(ARGS)

## Making things

.PHONY: datapath
datapath: ## Compile the data path
	@$(MAKE) -C datapath

CONSOLE_SOURCES = $(shell find packages/console/index.html packages/console/src packages/api/src -type f -not -name '*.test.ts')

.PHONY: console
console: packages/console/dist/index.html ## Build the console that the controller serves

packages/console/dist/index.html: tools/build-console.ts package-lock.json $(CONSOLE_SOURCES)
	@$(NODE) tools/build-console.ts

.PHONY: bench-tools
bench-tools: .cache/bench/udp_blast

.cache/bench/udp_blast: bench/udp_blast.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -o $@ $<

.PHONY: generate
generate: ## Write the generated files
	@$(NODE) tools/generate-control-header.ts
	@if [ -e tools/generate-control-vectors.ts ]; then $(NODE) tools/generate-control-vectors.ts; fi

.PHONY: format
format: ## Format TypeScript and JSON in place
	@$(BIN)/oxfmt .

.PHONY: clean
clean: ## Remove what was built and the reports; node_modules stays
	@$(MAKE) -C datapath clean
	@rm -rf .cache packages/console/dist

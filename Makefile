# The one door for people and for CI. `make` alone lists what there is.

PYTHON ?= python3
# What the targets hand on: make test ARGS='-k recovery', make demo ARGS=--help, ...
ARGS ?=
# How long `make fuzz` looks for new inputs, all targets together.
SECONDS ?= 30

# What tests the engine and the edges, and with them what has a compiled and a plain form.
TWO_FORMS := tests/engine tests/sim tests/ports tests/test_form.py tests/test_worker.py tests/test_worker_process.py \
	tests/netns/test_traffic.py tests/netns/test_link_changes.py tests/netns/test_faults.py

# What shows on the real kernel what a user relies on.
ON_THE_KERNEL := tests/netns

BIN := .venv/bin
INSTALL := scripts/install-packages
.DEFAULT_GOAL := help
.PHONY: help build demo test test-browser test-forms lint types fuzz sanitize bench profile docs config clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: packages-build .venv/compiled  ## install what is needed; then .venv/bin/alagg works
	@echo "alagg: ready; try: $(BIN)/alagg --help"

demo: packages-lab .venv/compiled  ## two hosts, two links, one of them pulled: with and without alagg (needs root)
	$(BIN)/alagg lab demo $(ARGS)

test: packages-test .venv/compiled  ## run all tests, what has two forms in both (as root: some make namespaces)
	$(if $(ARGS),$(BIN)/python -m pytest $(ARGS),scripts/test-all $(TWO_FORMS))

test-browser: packages-browser .venv/browser  ## the dashboard in Chromium: accessibility, pushes, screenshots in build/browser
	ALAGG_TEST_BROWSER=1 $(BIN)/python -m pytest $(or $(ARGS),tests/browser)

test-forms: packages-test .venv/compiled  ## run the tests on the kernel in every other form: plain, with gso = no, both (long)
	ALAGG_TEST_GSO=no $(BIN)/python -m pytest $(or $(ARGS),$(ON_THE_KERNEL))
	ALAGG_PURE=1 $(BIN)/python -m pytest $(or $(ARGS),$(ON_THE_KERNEL))
	ALAGG_PURE=all ALAGG_TEST_GSO=no $(BIN)/python -m pytest $(or $(ARGS),$(ON_THE_KERNEL))

lint: packages-build .venv/stamp  ## ruff, all rules
	$(BIN)/ruff check $(ARGS) .

types: packages-build .venv/compiled  ## mypy, strict; stubs against what was compiled
	$(BIN)/mypy $(ARGS)
	$(BIN)/stubtest --mypy-config-file pyproject.toml alagg.native

fuzz: packages-build .venv/compiled  ## property tests with more examples, then SECONDS of coverage-guided fuzzing
	$(BIN)/python -m pytest -m fuzz --hypothesis-profile=fuzz --timeout=600 $(ARGS)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

sanitize: packages-build .venv/stamp  ## test the compiled forms with AddressSanitizer and UBSan
	scripts/sanitize $(ARGS)

bench: packages-bench .venv/compiled  ## measure alagg beside others, against its goals (ARGS=--quick; needs root)
	$(BIN)/python -m bench $(ARGS)

profile: packages-bench .venv/compiled  ## where both nodes' time goes during a TCP transfer (needs root)
	$(BIN)/python -m bench.profiling $(ARGS)

docs: packages-build .venv/compiled  ## build the API reference into docs/api
	rm -rf docs/api
	@# pdoc reads sources: the plain form. It cannot look up all types: those in the constructor of a NamedTuple, and
	@# those that a library of ours imports for type checkers only.
	ALAGG_PURE=all $(BIN)/python -W error -W 'ignore:Error parsing type annotation' \
		-W 'ignore:Failed to run TYPE_CHECKING code' \
		-m pdoc --docformat google --output-directory docs/api alagg

config: packages-build .venv/stamp  ## write default_config.cfg anew from the tables of options
	$(BIN)/python -m alagg.default_config > default_config.tmp
	mv default_config.tmp alagg/default_config.cfg

clean:  ## remove everything that was built
	rm -rf .venv build dist docs/api .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find alagg -name "*.c" -o -name "*.so" | xargs rm -f
	rm -f bench/_flood.* bench/_reference.*
	find alagg tests bench scripts -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# --- not for the command line ----------------------------------------------------------------------------------

.PHONY: packages-build packages-lab packages-test packages-browser packages-bench
packages-build: ; @$(INSTALL) build
packages-lab:   ; @$(INSTALL) build lab
packages-test:  ; @$(INSTALL) build lab test
packages-browser: ; @$(INSTALL) build browser
packages-bench: ; @$(INSTALL) build lab bench

# The packages come first: without them there may be no Python yet.
.venv/stamp: pyproject.toml scripts/make-venv | packages-build
	@scripts/make-venv "$(PYTHON)"
	@touch $@

.venv/browser: .venv/compiled
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'alagg[browser]'
	@touch $@

# The installation compiles everything; afterwards an old compiled module would hide its changed source.
COMPILED := setup.py $(shell find alagg -name "*.pxd" -o -name "*.pyx") $(wildcard $(patsubst %.pxd,%.py,$(shell find alagg -name "*.pxd")))
.venv/compiled: $(COMPILED) .venv/stamp
	@[ -z "$$(find $(COMPILED) -newer .venv/stamp)" ] || scripts/compile
	@touch $@

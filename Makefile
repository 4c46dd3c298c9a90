# What a contributor needs; `make help` lists it. A fresh machine needs CPython 3.11 and make.

PYTHON ?= python3.11
PYTEST_FLAGS ?= tests suites -n auto
RUN_FLAGS ?=

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
# The stamp says that setup was completed, the mark that one was begun and not completed: the next
# one then starts over, since a half-installed package looks installed.
STAMP := $(VENV)/.setup-complete
BEGUN := $(VENV)/.setup-begun
TEST := $(VENV_PYTHON) -m pytest $(PYTEST_FLAGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test proof report semantics faults lint format clean test-command

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with the project, its default frameworks and its tools.
	@:

test: setup ## Run all tests (PYTEST_FLAGS="tests -x" runs those you name).
	@$(TEST)

proof: setup ## Print how far the reference and the suite are proven; fails where they are not.
	@$(VENV_PYTHON) -m tests.proof

report: setup ## Judge the default implementations and write build/report.
	@$(VENV)/bin/bnconform run $(RUN_FLAGS)

semantics: report ## Judge the default implementations and write docs/semantics.md.
	@$(VENV_PYTHON) -m reports.semantics build/report/results.json docs

faults: setup ## Write docs/faults.md: which scenario catches which planted fault.
	@$(VENV_PYTHON) -m tests.faults_page

lint: setup ## Check style, formatting and types.
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: setup ## Reformat the source and repair what can be repaired safely.
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

clean: ## Remove .venv, build and every cache in this folder.
	@rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -type d -name __pycache__ -prune -exec rm -rf {} +

# make turns every failure into its own status 2; who needs pytest's status runs this command.
test-command:
	@echo '$(TEST)'

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo >&2 \
	  "$(PYTHON) was not found. Install CPython 3.11 or newer, or run 'make setup PYTHON=/path/to/it'."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	  "$(PYTHON) does not run as CPython 3.11 or newer. Run 'make setup PYTHON=/path/to/one' instead."; exit 2; }
	@echo 'Making $(VENV), which takes some minutes the first time.'
	@rm -f $(STAMP)
	@if [ -e $(BEGUN) ]; then rm -rf $(VENV); fi
	@mkdir -p $(VENV) && touch $(BEGUN)
	@$(PYTHON) -m venv $(VENV) || { echo >&2 \
	  "$(PYTHON) could not make $(VENV): see above. On Debian the package python3.11-venv is needed."; exit 2; }
	@$(VENV_PYTHON) -m harness.install
	@rm -f $(BEGUN)
	@touch $@

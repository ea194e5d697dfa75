# Every target makes what it needs; only Python (with venv) has to be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RECORDING ?=
PROCESSES := tests/processes tests/setup tests/recipes

.PHONY: demo test test-processes check format test-matrix bench docs clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(READY)  ## play the main job, no key, no network (RECORDING=path.jsonl: real recorded traffic)
	@$(BIN)/python -m runspan.cli.demo $(RECORDING)

test: $(READY)  ## the tests, in parallel
	$(BIN)/python -m pytest -n auto $(PROCESSES:%=--ignore=%)

test-processes: $(READY)  ## the tests that start processes of their own: exit, fork, signals, exporters, imports
	$(BIN)/python -m pytest -n auto $(PROCESSES)

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-matrix: $(READY)  ## the end-to-end tests on every supported openai version, as a table
	@$(BIN)/python tools/matrix.py

docs: $(READY)  ## the documentation, into site/
	$(BIN)/mkdocs build --strict

bench: $(READY)  ## every number of the design beside its budget
	@$(BIN)/python tools/bench.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venvs .mypy_cache .ruff_cache build dist site

# Every target makes what it needs; only Python (with venv) has to be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROCESSES := tests/processes tests/setup tests/endings
WILD := tests/chaos tests/recipes tests/cli
BACKENDS := tests/backends
BROWSER := tests/browser
INSTALL := tests/install
BASE := .venvs/base
DEMO := $(if $(wildcard $(READY)),$(VENV),.venvs/demo)
UI ?=
FUZZ := .venvs/fuzz
AUDIT := .venvs/audit
CHAOS := .venvs/chaos
ENDINGS := .venvs/endings
EXAMPLES ?= 3000
SECONDS ?= 300
RUNS ?= 1000000
MINUTES ?= 20
MUTATE := .venvs/mutate
# What tests/conftest.py needs, for environments that have less than [dev].
TEST_TOOLS := 'pytest>=8.3,<10' 'hypothesis>=6.130,<7'
JOBS ?= 2
FILES ?=
TESTS ?=
PURE := core apis conventions
COMMA := ,
SPACE := $(subst ,, )
COVERAGE := $(BIN)/python -m coverage

.PHONY: demo test test-processes test-install test-cli test-recipes test-prometheus test-browser check audit format test-matrix test-backends load
.PHONY: bench bench-peers compare-tracers bench-viewer chaos test-endings soak coverage coverage-all mutate fuzz fuzz-viewer pictures docs clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(DEMO)/.ready  ## play example conversations, no key, no network (UI=1: in the viewer)
	@$(DEMO)/bin/python -m runspan.cli demo $(if $(UI),,--terminal)

.venvs/demo/.ready: pyproject.toml
	@echo "Installing runspan and its viewer into .venvs/demo, once; about half a minute."
	@$(PYTHON) -m venv .venvs/demo
	@.venvs/demo/bin/python -m pip install --disable-pip-version-check -e '.[ui]'
	@touch $@

test: $(READY)  ## the tests, in parallel
	$(BIN)/python -m pytest -n auto $(PROCESSES:%=--ignore=%) $(WILD:%=--ignore=%) --ignore=$(BACKENDS) --ignore=$(BROWSER) --ignore=$(INSTALL)

test-processes: $(READY)  ## the tests that start processes of their own: exit, fork, signals, exporters, imports
	$(BIN)/python -m pytest -n auto $(PROCESSES)

test-install: $(READY) $(BASE)/.ready  ## what a plain `pip install .` brings: the command, without the viewer's web part
	@$(BASE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	RUNSPAN_BASE=$(BASE) $(BIN)/python -m pytest -n 0 $(INSTALL)

$(BASE)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(BASE)
	$(BASE)/bin/python -m pip install --quiet --disable-pip-version-check .
	@touch $@

test-browser: $(READY)  ## the viewer in a real browser (chromium and chromedriver; skipped where there are none)
	$(BIN)/python -m pytest -n 0 -rs $(BROWSER)

fuzz-viewer: $(READY)  ## 20,000 broken bodies and odd requests (HTTP, gRPC, the JSON API) against a running viewer
	@$(BIN)/python tools/viewer/fuzz.py

check: $(READY) $(AUDIT)/.ready  ## lint, format, types, and what is installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typed_calls.py
	@$(MAKE) --no-print-directory audit

audit: $(READY) $(AUDIT)/.ready  ## requirements, licences, known vulnerabilities (SKIPPED, in so many letters, where PyPI is not reached)
	@$(AUDIT)/bin/python tools/audit.py $(BIN)/python

$(AUDIT)/.ready: pyproject.toml
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3' 'pip-licenses>=5,<6'
	@touch $@

coverage: $(READY)  ## every branch of core/, apis/ and conventions/ is taken by their own tests
	@rm -f .coverage .coverage.*
	$(COVERAGE) run -m pytest -n 0 $(PURE:%=tests/%)
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --fail-under=100 --include='$(subst $(SPACE),$(COMMA),$(PURE:%=*/runspan/%/*))'

coverage-all: $(READY)  ## the branches that all tests together take, file by file (states it, fails for none)
	@rm -f .coverage .coverage.*
	-$(COVERAGE) run -m pytest -n auto --ignore=$(BACKENDS) --ignore=$(BROWSER)
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --skip-covered --sort=cover

mutate: $(MUTATE)/.ready  ## faults put into core/ and apis/, one by one: at least 90 % must be seen by their own tests
	@$(MUTATE)/bin/python tools/mutate.py '$(JOBS)' '$(FILES)' '$(TESTS)'

$(MUTATE)/.ready: pyproject.toml
	$(PYTHON) -m venv $(MUTATE)
	$(MUTATE)/bin/python -m pip install --quiet --disable-pip-version-check -e . 'mutmut>=3.8,<4' $(TEST_TOOLS)
	@touch $@

test-prometheus: $(READY)  ## the metrics of 100 runs, read back from a real Prometheus (Debian: apt-get install prometheus)
	$(BIN)/python -m pytest -n 0 -rs $(BACKENDS)/test_prometheus.py

test-matrix: $(READY)  ## the end-to-end tests on every supported openai version, as a table
	@$(BIN)/python tools/matrix.py

chaos: $(CHAOS)/.ready  ## threads, tasks, signals, finalizers, gevent, eventlet, gunicorn, Celery at the size of a bad day; as a table
	RUNSPAN_CHAOS=1 $(CHAOS)/bin/python -m pytest -rs tests/chaos

$(CHAOS)/.ready: pyproject.toml
	$(PYTHON) -m venv $(CHAOS)
	$(CHAOS)/bin/python -m pip install --quiet --disable-pip-version-check -e . $(TEST_TOOLS) \
		'celery>=5.6,<6' 'eventlet>=0.40,<1' 'gevent>=26,<27' 'gunicorn>=27,<28' 'redis>=8,<9' 'uvloop>=0.22,<1'
	@touch $@

test-endings: $(ENDINGS)/.ready  ## servers ended by SIGTERM right after the last answer, 20 times each, with and without runspan; as a table
	RUNSPAN_ENDINGS=1 $(ENDINGS)/bin/python -m pytest -rs tests/endings

$(ENDINGS)/.ready: pyproject.toml
	$(PYTHON) -m venv $(ENDINGS)
	$(ENDINGS)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[ui]' $(TEST_TOOLS) 'celery>=5.6,<6' \
		'daphne>=4.2,<5' 'granian>=2.5,<3' 'gunicorn>=27,<28' 'hypercorn>=0.18,<1' 'uvicorn>=0.30,<1' 'uvicorn-worker>=0.4,<1'
	@touch $@

soak: $(READY)  ## a million runs under simulated time (RUNS=), a busy app in real time (MINUTES=), and what grew meanwhile
	@RUNS=$(RUNS) MINUTES=$(MINUTES) $(BIN)/python tools/bench.py simulated real

fuzz: $(READY) $(FUZZ)/.ready  ## spoilt and disordered traffic (EXAMPLES= a property), then the same properties guided by coverage (SECONDS=)
	RUNSPAN_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n auto tests/fuzz
	$(FUZZ)/bin/python tools/fuzz.py $(SECONDS)

$(FUZZ)/.ready: pyproject.toml
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check -e . 'atheris>=3,<4' $(TEST_TOOLS)
	@touch $@

test-backends: $(READY)  ## Jaeger, the Collector, Phoenix, MLflow: installed, used, asked; as a table (needs root)
	@$(BIN)/python tools/try_backends.py

load: $(READY)  ## 500 runs a second through the Collector, and where dropping begins
	@$(BIN)/python tools/bench.py load

test-cli: $(READY)  ## the runspan command, each subcommand in processes of its own
	$(BIN)/python -m pytest -n auto tests/cli

test-recipes: $(READY)  ## the recipes of the docs as they stand (Celery, RQ: where they are installed, with redis-server)
	$(BIN)/python -m pytest -n 0 -rs tests/recipes

docs: $(READY)  ## the documentation, into site/
	$(BIN)/mkdocs build --strict

bench-instructions: $(READY)  ## instructions of the whole process, with : without (valgrind; the same on a busy machine)
	@$(BIN)/python tools/bench.py instructions

bench: $(READY)  ## every number of the design beside its budget
	@$(BIN)/python tools/bench.py

bench-viewer: $(READY)  ## the viewer with 100,000 runs: a million spans in, pages out, a restart, a SIGKILL
	@$(BIN)/python tools/bench.py viewer

pictures: $(READY)  ## the viewer's pictures in docs/images, from real runs
	$(BIN)/python tools/viewer/pictures.py

bench-peers: $(READY)  ## what the decorators of other tools cost, each in an environment of its own
	@$(BIN)/python tools/peers.py

compare-tracers: $(READY)  ## what other tracers make of background Responses, each in an environment of its own; writes docs/compared-responses.md
	@$(BIN)/python tools/compare_tracers.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venvs .mypy_cache .ruff_cache .coverage* build dist mutants site

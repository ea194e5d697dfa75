# Every target makes what it needs; only Python (with venv) has to be there. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2
SECONDS ?= 300
EXAMPLES ?= 3000
RUNS ?= 1000000
MINUTES ?= 20
FILES ?=
TESTS ?=
UI ?=
VERSION ?=
VERSIONS ?=
WORKERS ?= $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN) / 2)))  # half of a test's time is waiting
unexport PYTHONDONTWRITEBYTECODE  # each process of the tests would compile all of it anew

# Environments of their own in .venvs/, for what few need, and what is in each; the groups stand in pyproject.toml.
WITH_audit := --group audit
WITH_base := .
WITH_chaos := -e . --group chaos
WITH_demo := -e .
WITH_demo-ui := -e '.[ui]'
WITH_endings := -e '.[ui]' --group endings
WITH_fuzz := -e . --group fuzz
WITH_litellm := --group litellm
WITH_mutate := -e . --group mutate
WITH_package := --group package
WITH_recipes := -e '.[ui]' --group recipes
DEMO := $(if $(wildcard $(READY)),$(VENV),.venvs/demo$(if $(UI),-ui))

# What `make test` leaves to targets of its own: processes, other programs, a browser.
PROCESSES := tests/processes tests/setup tests/endings
APART := $(PROCESSES) tests/backends tests/browser tests/chaos tests/cli tests/install tests/recipes
HERE := -n $(WORKERS) --dist loadfile $(APART:%=--ignore=%)

PURE := core apis conventions
COMMA := ,
SPACE := $(subst ,, )
PYTEST := $(BIN)/python -m pytest
COVERAGE := $(BIN)/python -m coverage
PIP := -m pip --disable-pip-version-check install
NAMED = | awk '/^Collecting/ { sub(/[^A-Za-z0-9._-].*/, "", $$2); printf " %s", $$2; fflush() } END { print "" }'
SHELL := bash
.SHELLFLAGS := -o pipefail -c

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs clean
.PHONY: test-wide test-processes test-cli test-install test-recipes test-browser test-endings chaos
.PHONY: test-pythons test-matrix test-backends test-prometheus test-litellm try-dialects
.PHONY: coverage coverage-all mutate fuzz fuzz-viewer soak audit package test-wheel check-version
.PHONY: bench bench-instructions bench-viewer bench-peers load compare-tracers pictures

help:  ## print this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-20s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@echo "Installing runspan and what its tests need into $(VENV), once; about a minute:"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) --quiet 'pip>=25.1'  # an older one knows no groups
	@$(BIN)/python $(PIP) -e '.[cost,mcp,ui]' --group dev $(NAMED)
	@touch $@

.venvs/%/.ready: pyproject.toml
	@echo "Installing what is needed into .venvs/$*, once; about half a minute:"
	@$(PYTHON) -m venv .venvs/$*
	@.venvs/$*/bin/python $(PIP) --quiet 'pip>=25.1'
	@.venvs/$*/bin/python $(PIP) $(WITH_$*) $(NAMED)
	@echo ".venvs/$* has $$(du -sm .venvs/$* | cut -f 1) MB."
	@touch $@

##@ Every day
demo: $(DEMO)/.ready  ## play example conversations, no key, no network (UI=1: in the viewer)
	@$(DEMO)/bin/python -m runspan.cli demo $(if $(UI),,--terminal)
	@$(if $(UI),,echo 'The same in the local viewer:  make demo UI=1')
	@$(if $(UI),,echo 'In an app of your own, step by step:  docs/tutorial.md')

test: $(READY)  ## the tests, in parallel, within a minute and a half on two cores
	$(PYTEST) -m 'not wide' $(HERE)

check: $(READY) .venvs/audit/.ready  ## lint, format, types, and what is installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typed_calls.py
	@$(MAKE) --no-print-directory audit

format: $(READY)  ## fix what lint can fix, and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## delete all environments and everything that was built
	rm -rf $(VENV) .venvs .mypy_cache .ruff_cache .coverage* build dist mutants site

##@ More tests (.ci/run runs these, too)
test-wide: $(READY)  ## the same, over all recordings, modes, functions and options
	$(PYTEST) -m wide $(HERE)

test-processes: $(READY)  ## the tests that start processes of their own: exit, fork, signals, exporters, imports
	$(PYTEST) -n auto $(PROCESSES)

test-cli: $(READY)  ## the runspan command, each subcommand in processes of its own
	$(PYTEST) -n auto tests/cli

test-install: $(READY) .venvs/base/.ready  ## what a plain `pip install .` brings: the command, without the viewer's web part
	@.venvs/base/bin/python $(PIP) --quiet --no-deps --force-reinstall .
	RUNSPAN_BASE=.venvs/base $(PYTEST) -n 0 tests/install

test-recipes: .venvs/recipes/.ready  ## the recipes of the docs as they stand, by real workers (Debian: apt-get install redis-server)
	.venvs/recipes/bin/python -m pytest tests/recipes

test-browser: $(READY) tests/browser/node_modules  ## the viewer in a real browser (Debian: apt-get install chromium chromium-driver)
	$(PYTEST) -n 0 tests/browser

tests/browser/node_modules: tests/browser/package.json
	-@command -v npm > /dev/null && npm install --silent --no-fund --no-audit --prefix tests/browser && touch $@

##@ Pythons, versions, other programs
test-pythons: $(READY)  ## the tests on Python 3.10 to 3.14 (VERSIONS=3.13), as a table; what this machine has not is SKIPPED
	@$(BIN)/python tools/pythons.py $(VERSIONS)

test-matrix: $(READY)  ## the end-to-end tests on every supported openai version, as a table
	@$(BIN)/python tools/matrix.py

test-litellm: $(READY) .venvs/litellm/.ready  ## the real LiteLLM proxy before our fake server: what it serves, what it lacks; as a table
	@$(BIN)/python tools/try_litellm.py .venvs/litellm/bin/litellm

try-dialects: $(READY)  ## what the traces of one program hold on each dialect of the Assistants wire; as a table
	@$(BIN)/python tools/try_dialects.py

test-backends: $(READY)  ## Jaeger, the Collector, Phoenix, MLflow: installed, used, asked; as a table (needs root)
	@$(BIN)/python tools/try_backends.py

test-prometheus: $(READY)  ## the metrics of 100 runs, read back from a real Prometheus (Debian: apt-get install prometheus)
	$(PYTEST) -n 0 tests/backends/test_prometheus.py

test-endings: .venvs/endings/.ready  ## servers ended by SIGTERM right after the last answer, 20 times each, with and without runspan; as a table
	RUNSPAN_ENDINGS=1 .venvs/endings/bin/python -m pytest tests/endings

chaos: .venvs/chaos/.ready  ## threads, tasks, signals, finalizers, gevent, eventlet, gunicorn, Celery at the size of a bad day; as a table
	RUNSPAN_CHAOS=1 .venvs/chaos/bin/python -m pytest tests/chaos

##@ How good are the tests
coverage: $(READY)  ## every branch of core/, apis/ and conventions/ is taken by their own tests
	@rm -f .coverage .coverage.*
	$(COVERAGE) run -m pytest -n 0 $(PURE:%=tests/%)
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --fail-under=100 --include='$(subst $(SPACE),$(COMMA),$(PURE:%=*/runspan/%/*))'

coverage-all: $(READY)  ## the branches that all tests together take, file by file (states it, fails for none)
	@rm -f .coverage .coverage.*
	-$(COVERAGE) run -m pytest -n auto --ignore=tests/backends --ignore=tests/browser
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --skip-covered --sort=cover

mutate: .venvs/mutate/.ready  ## faults put into core/ and apis/, one by one: at least 90 % must be seen by their own tests
	@.venvs/mutate/bin/python tools/mutate.py '$(JOBS)' '$(FILES)' '$(TESTS)'

fuzz: $(READY) .venvs/fuzz/.ready  ## all properties, EXAMPLES= each, then those of tests/fuzz guided by coverage (SECONDS=)
	RUNSPAN_FUZZ_EXAMPLES=$(EXAMPLES) $(PYTEST) -m hypothesis $(HERE)
	.venvs/fuzz/bin/python tools/fuzz.py $(SECONDS)

fuzz-viewer: $(READY)  ## 20,000 broken bodies and odd requests (HTTP, gRPC, the JSON API) against a running viewer
	RUNSPAN_FUZZ_EXAMPLES=6700 $(PYTEST) -n 0 tests/fuzz/test_viewer.py

soak: $(READY)  ## a million runs under simulated time (RUNS=), a busy app in real time (MINUTES=), and what grew meanwhile
	@RUNS=$(RUNS) MINUTES=$(MINUTES) $(BIN)/python tools/bench.py simulated real

##@ The package
package: .venvs/package/.ready  ## sdist and wheel into dist/, and what is wrong with them
	@rm -rf dist
	@.venvs/package/bin/python -m build --quiet
	@.venvs/package/bin/twine check --strict dist/*
	@.venvs/package/bin/check-wheel-contents dist/*.whl

test-wheel: package  ## a user's first minutes with the wheel on each Python (VERSIONS=3.13), as a table
	@.venvs/package/bin/python tools/try_wheel.py $(VERSIONS)

check-version: package  ## is what `make package` built the release VERSION=v0.2.0?
	@ls dist/runspan-$(VERSION:v%=%)-py3-none-any.whl dist/runspan-$(VERSION:v%=%).tar.gz

audit: $(READY) .venvs/audit/.ready  ## requirements, licences, known vulnerabilities (SKIPPED, in so many letters, where PyPI is not reached)
	@.venvs/audit/bin/python tools/audit.py $(BIN)/python

##@ Numbers and pictures
bench: $(READY)  ## every number of the design beside its budget
	@$(BIN)/python tools/bench.py

bench-instructions: $(READY)  ## instructions of the whole process, with : without (valgrind; the same on a busy machine)
	@$(BIN)/python tools/bench.py instructions

bench-viewer: $(READY)  ## the viewer with 100,000 runs: a million spans in, pages out, a restart, a SIGKILL
	@$(BIN)/python tools/bench.py viewer

bench-peers: $(READY)  ## what the decorators of other tools cost, each in an environment of its own
	@$(BIN)/python tools/peers.py

load: $(READY)  ## 500 runs a second through the Collector, and where dropping begins
	@$(BIN)/python tools/bench.py load

compare-tracers: $(READY)  ## what other tracers make of background Responses, each in an environment of its own; writes docs/contributing/compared-responses.md
	@$(BIN)/python tools/compare_tracers.py

pictures: $(READY)  ## the viewer's pictures in docs/images, from real runs
	$(BIN)/python tools/viewer/pictures.py

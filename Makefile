# Everything that a developer runs. `make` alone lists it; README.md says when to use what.
# Variables: DJANGO (52, 60 or 61), PYTHON, VENV, PYTEST_ARGS, DATABASE_TESTS, SUITES_ARGS,
# BENCH_ARGS, DEMO_PORT.

DJANGO ?= 52
VENV ?= $(if $(filter 52,$(DJANGO)),.venv,.ci/cache/django$(DJANGO))
DEMO_PORT ?= 8000
PYTEST_ARGS ?=

# Found out only where a virtual environment has to be made. Django 6 wants Python 3.12.
PYTHON ?= $(shell $(if $(filter 52,$(DJANGO)),.ci/find-python,.ci/find-python 3.13 || .ci/find-python 3.12))

py := $(VENV)/bin/python
pip := $(py) -m pip --disable-pip-version-check --quiet --quiet install
django := requirements/django$(DJANGO).txt
manage := $(py) example_project/manage.py

.DEFAULT_GOAL := help
.PHONY: help test programs test-core test-databases test-thirdparty sdists postgresql mariadb browser otlp rotel pictures django-suites matrix lint format \
        types imports check bench bench-audit \
        demo demo-data demo-asgi build docs-check lock clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- virtual environment: each stamp stands for one set of packages, installed once ---

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python was found: 3.11 or newer is needed, 3.12 or newer for Django 6." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The package itself, editable. Built with the pinned backend, so that nothing unpinned is fetched.
$(VENV)/.package: pyproject.toml requirements/build.txt $(django) | $(py)
	$(pip) -r requirements/build.txt -r $(django)
	$(pip) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.%: requirements/%.txt $(django) $(VENV)/.package
	$(pip) -r $< -r $(django)
	@touch $@

# --- tests ---

# In one process a core, or two where programs are waited for (tests/conftest.py), at most eight. The
# tests of a file share servers, and stay together.
parallel := -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# Tests start hundreds of processes: without bytecode each would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/.tests ## Run the tests, but for those of the targets below that have servers or the apps of others
	$(py) -m pytest -m "not browser and not otlp and not programs and not thirdparty" $(parallel) $(PYTEST_ARGS)

programs: $(VENV)/.tests ## Run the tests that start the shop, servers, workers and other runs of pytest
	$(py) -m pytest -m "programs and not thirdparty" $(parallel) $(PYTEST_ARGS)

# What depends on Python and Django themselves: the wrapper, and what it knows of the code around
# it. Not the rooms, the servers and the documents.
core := $(filter-out tests/test_benchmarks.py tests/test_example%.py tests/test_seed_page.py, \
          $(wildcard tests/test_*.py)) tests/names tests/testing

test-core: $(VENV)/.tests ## Run those of them that depend the most on Python and Django
	$(py) -m pytest $(core) $(parallel) $(PYTEST_ARGS)

# What depends on the database: the audit, and what it knows of transactions and connections.
DATABASE_TESTS ?= tests/audit tests/test_connection_log.py tests/test_databases.py \
                  tests/test_queries.py tests/test_transactions.py

test-databases: $(VENV)/.tests $(VENV)/.databases ## Run what depends on the database on the server of SIGNAL_INSPECTOR_TEST_DATABASE
	@test -n "$$SIGNAL_INSPECTOR_TEST_DATABASE" || { echo "Say where: SIGNAL_INSPECTOR_TEST_DATABASE=postgresql://user:password@host:port/name, or have a server made: .ci/databases run postgresql make test-databases" >&2; exit 1; }
	$(py) -m pytest $(DATABASE_TESTS) -m "not browser and not otlp" $(parallel) $(PYTEST_ARGS)

test-thirdparty: $(VENV)/.tests $(VENV)/.thirdparty sdists ## Run the system checks on real apps, and the own tests of others inspected
	THIRDPARTY=required $(py) -m pytest -m thirdparty -o faulthandler_timeout=1200 $(PYTEST_ARGS)

# The packages whose own tests are run, as requirements/thirdparty.txt pins them.
with_tests := django-axes django-filter django-guardian django-reversion django-simple-history openedx-events

sdists: .ci/cache/sdists/.fetched ## Fetch the sdists that hold these tests

.ci/cache/sdists/.fetched: requirements/thirdparty.txt | $(VENV)/.tests $(VENV)/.thirdparty
	$(py) -m pip freeze | grep -E "^($$(echo $(with_tests) | tr ' ' '|'))==" > $(VENV)/sdists.txt
	$(py) -m pip --disable-pip-version-check --quiet --quiet download --no-deps --no-binary :all: \
	    --dest .ci/cache/sdists --requirement $(VENV)/sdists.txt
	@touch $@

postgresql: ## The same on a PostgreSQL that is made for it, and removed
	.ci/databases run $@ $(MAKE) --no-print-directory test-databases

mariadb: ## The same on a MariaDB
	.ci/databases run $@ $(MAKE) --no-print-directory test-databases

browser: $(VENV)/.tests ## Run the tests in Chromium, on the real demo
	$(py) -m pytest -m browser $(PYTEST_ARGS)

otlp: $(VENV)/.tests rotel ## Run the tests that send traces to a real collector
	$(py) -m pytest -m otlp $(parallel) $(PYTEST_ARGS)

rotel: .ci/cache/rotel/rotel ## Install the collector that these tests send to

.ci/cache/rotel/rotel: .ci/rotel requirements/rotel.txt
	.ci/rotel

pictures: $(VENV)/.tests ## Take the pictures that the documents show, on the real demo
	$(py) -m tests.browser.pictures docs/images

django-suites: $(VENV)/.tests ## Run Django's own tests with every signal recorded
	$(py) tests/django_suites/run.py $(SUITES_ARGS)

matrix: ## Run the tests on each supported pair of Python and Django
	.ci/matrix

# --- checks ---

lint: $(VENV)/.lint ## Check style and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.lint ## Mend style and format where a tool can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(VENV)/.lint $(VENV)/.tests ## Check the types, strictly
	$(VENV)/bin/mypy

imports: $(VENV)/.lint ## Check that imports point down
	$(VENV)/bin/lint-imports

check: lint types imports docs-check ## All of the checks that run nothing

docs-check: $(VENV)/.tests ## Check that links and names in the documents lead somewhere
	$(py) .ci/check_docs.py

# --- figures ---

bench: $(VENV)/.tests ## Measure the cost of a dispatch beside bare Django and sentry-sdk
	$(py) -m tests.benchmarks $(BENCH_ARGS)

# On servers too: BENCH_ARGS="--database postgresql://… --database mysql://…". A log of millions:
# tests/benchmarks/audit_data.py makes it, tests/benchmarks/audit_pages.py measures its pages.
bench-audit: $(VENV)/.tests $(VENV)/.databases ## Measure what the audit adds to a send, and what it writes a second
	$(py) -m tests.benchmarks.audit $(BENCH_ARGS)

# --- the shop ---

demo-data: $(VENV)/.demo
	@$(manage) migrate --verbosity 0
	@$(manage) demo_data

define where_to_look
@printf '  %-22s %s\n' \
    'What to click first:' 'http://127.0.0.1:$(DEMO_PORT)/guide/' \
    'The shop:' 'http://127.0.0.1:$(DEMO_PORT)/' \
    'Its e-mails:' 'http://127.0.0.1:$(DEMO_PORT)/mailbox/' \
    'Its traces:' 'http://127.0.0.1:$(DEMO_PORT)/traces/' \
    'kept as OTLP JSON in:' '$(or $(SHOP_DATA_DIR),example_project/var)/traces.jsonl' \
    'Its admin:' 'http://127.0.0.1:$(DEMO_PORT)/admin/' \
    'Its audit:' 'http://127.0.0.1:$(DEMO_PORT)/admin/signal_audit/' \
    'Sign in as:' 'user admin, password admin (or ada/ada, grace/grace, hedy/hedy, joan/joan)' \
    'The panel:' '"Signal Inspector", in the toolbar at the right of each page' \
    'Two warnings:' 'of its checks, where it starts, are meant: the shop makes these mistakes to show them' \
    'To stop it:' 'Ctrl-C'
@echo
endef

demo: demo-data ## Start the example shop (DEMO_PORT=8000) and say where to look
	$(where_to_look)
	@$(manage) runserver $(DEMO_PORT)

demo-asgi: demo-data ## The same shop on ASGI, under uvicorn
	$(where_to_look)
	@$(py) -m uvicorn --app-dir example_project --lifespan off --port $(DEMO_PORT) config.asgi:application

# --- the distribution ---

build: $(VENV)/.package ## Build the wheel and the source distribution, and look into them
	rm -rf dist
	$(py) -m build --no-isolation .
	$(py) .ci/check_wheel.py dist

lock: ## Resolve requirements/*.in anew (needs uv)
	.ci/lock

clean: ## Remove what was made here: environments, caches, distributions
	rm -rf .venv .ci/cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

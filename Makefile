# Everything a person does with this repo. `make help` lists it.
# A fresh Debian or Ubuntu with Python 3.11+ needs only `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
PACKAGES := ingest publish synthetic followup portal
# Tests run in as many processes; a file's tests stay together. WORKERS=0 runs them in one, where a debugger can stop.
WORKERS ?= 2
# What ruff looks at: every folder that may hold Python.
PYTHON_FOLDERS := $(wildcard ingest publish synthetic followup portal dags bi tests benchmarks tools)

# A program that mounts small disks of its own: nobody else sees them, and nothing stays mounted.
ALONE = unshare $$([ "$$(id -u)" = 0 ] && echo -m || echo -rm)

# These run in .venv-superset, with packages that .venv lacks.
BI_MODULES := $(filter-out bi/superset/browser.py bi/superset/accessible.py,$(wildcard bi/superset/*.py))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Nothing calls home.
export GX_ANALYTICS_ENABLED := false
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED := False

.PHONY: help setup demo test test-system test-bi bi test-portal screenshots test-metrics test-spark bench-spark lock-spark lock-bi lock-metrics lock-audit sbom licences audit-packages check lint types sql imports parse docs up down bench fuzz fuzz-api drill test-attack test-cluster test-year test-kills test-full-disk test-freeze kill-portal lock clean clean-data

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from the lock (does nothing when it is up to date)
	@tools/setup.sh python
	@tools/setup.sh assets || echo "setup: going on without them; the portal's pages have no look until then" >&2

demo: setup ## two synthetic years through a real Airflow, then a table of the city's figures
	@$(PY) -m followup.local.rehearsal

up: setup ## start Airflow with its web page and a PostgreSQL for BI, and leave them running
	@$(PY) -m followup.local.orchestrator up

down: setup ## stop what `make up` started
	@$(PY) -m followup.local.orchestrator down

test: setup test-system ## the whole test suite
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(or $(ARGS),tests)

test-system:
	@tools/setup.sh system

test-bi: setup test-system ## Superset's dashboard on a small release, figure by figure (its own .venv-superset; minutes)
	@tools/bi_environment.sh superset
	@$(PY) -m pytest bi/superset -o timeout=1800 $(ARGS)

test-portal: setup ## the portal's pages in a real Chromium: stories, keyboard, 360 px, axe (minutes)
	@tools/setup.sh assets
	@tools/setup.sh browser
	@$(PY) -m pytest $(or $(ARGS),tests/portal_browser)

screenshots: setup ## pictures of every page of the portal into build/pictures, and README's three (minutes)
	@tools/setup.sh assets
	@tools/setup.sh browser
	@PYTHONPATH=. $(PY) tests/portal_browser/screenshots.py

test-metrics: setup ## every metric, asked of MetricFlow, against the marts (its own .venv-metrics; minutes)
	@tools/bi_environment.sh metrics
	@$(PY) -m pytest bi/metrics -o pythonpath=tests/dbt_project $(ARGS)

bi: setup ## Superset with the dashboard, on the PostgreSQL of `make up`, until Ctrl-C
	@tools/bi_environment.sh superset
	@$(PY) bi/superset/serve.py

check: setup ## style, types, SQL, import borders, dbt parse: what pre-commit and CI run too
	@$(MAKE) --keep-going lint types sql imports parse

lint:
	@echo "ruff"
	@$(PY) -m ruff check $(PYTHON_FOLDERS)
	@$(PY) -m ruff format --check $(PYTHON_FOLDERS)

types:
	@echo "mypy --strict"
	@$(PY) -m mypy --strict $(addprefix -p ,$(PACKAGES))
	@MYPYPATH=bi/superset $(PY) -m mypy --strict $(BI_MODULES)

sql:
	@echo "sqlfluff"
	@cd dbt_project && ../.venv/bin/sqlfluff lint --disable-progress-bar .
	@cd publish/views && ../../.venv/bin/sqlfluff lint --disable-progress-bar .

imports:
	@echo "import-linter"
	@.venv/bin/lint-imports --no-logo

parse:
	@echo "dbt parse"
	@tools/dbt_parse.sh

docs: setup ## build/docs: lineage, glossary, a page per mart; webb/ in it for readers; opens without a network
	@tools/dbt_docs.sh

bench: setup ## measure speed and memory; prints figures, asserts nothing
	@shopt -s nullglob; for script in benchmarks/bench_*.py; do echo "== $$script"; $(PY) "$$script"; done

fuzz: setup ## throw broken files at intake for a while: SECONDS=600 SEED=1
	@$(PY) tests/ingest/fuzz_readers.py --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)

fuzz-api: setup ## send many requests of every kind to the portal's API, by its description: API_EXAMPLES=200
	@API_EXAMPLES=$(or $(API_EXAMPLES),200) $(PY) -m pytest -o timeout=3600 tests/portal/test_api_described.py

kill-portal: setup ## kill the portal's processes at random moments: ROUNDS=50 SEED=0
	@$(PY) tests/portal_kills.py --rounds $(or $(ROUNDS),50) --seed $(or $(SEED),0)

test-spark: setup ## small cities on Apache Spark and on DuckDB: every table, test and a release (its own .venv-spark; an hour)
	@tools/setup.sh spark
	@.venv-spark/bin/python -m pytest -o timeout=3600 -n 0 $(or $(ARGS),tests/spark)

bench-spark: setup ## DuckDB and Spark at scales 1, 10 and 100: SCALES="1 10", LIMIT=seconds of each (its own .venv-spark)
	@tools/setup.sh spark
	@LIMIT=$(LIMIT) .venv-spark/bin/python benchmarks/spark_scales.py $(or $(SCALES),1 10 100)

test-cluster: setup test-system ## the services of docker-compose.yml, natively: each by itself, and a quarter while parts are killed (minutes)
	@$(PY) -m pytest -vv -s -o timeout=3000 $(or $(ARGS),tests/cluster)

test-year: setup test-system ## a year with every trouble beside a quiet one, all figures the same: SEED=7 (minutes)
	@$(PY) tests/year --seed $(or $(SEED),7)

test-kills: setup test-system ## kill every type of process at drawn steps, run it again, compare: ROUNDS=50 SEED=7 (minutes)
	@$(PY) tests/kills --rounds $(or $(ROUNDS),50) --seed $(or $(SEED),7)

test-full-disk: setup ## fill the disk at many points of receive, build, publish, backup and restore: POINTS="0 0.5 0.9" (minutes)
	@$(ALONE) $(PY) tests/followup/full_disk.py receive,build,publish $(or $(POINTS),0 0.02 0.1 0.2 0.35 0.5 0.65 0.8 0.9 0.97)
	@$(ALONE) $(PY) tests/followup/backup_full_disk.py - $(or $(POINTS),0 0.02 0.1 0.2 0.35 0.5 0.65 0.8 0.9 0.97)

test-freeze: setup ## freeze and erase the oldest of eight synthetic quarters: all figures and the release as before (minutes)
	@$(PY) tests/followup/freeze_rehearsal.py

drill: setup test-system ## back up a synthetic city, restore it, compare all; after a rotation and an erasing too (minutes)
	@$(PY) tests/followup/drill.py

test-attack: setup ## attack the releases of many random cities: CITIES=500 SEED=0 FIRST=0
	@$(PY) tests/publish/attack_many.py --cities $(or $(CITIES),500) --seed $(or $(SEED),0) --first $(or $(FIRST),0)

lock: setup ## remake requirements.txt from requirements.in
	@tools/lock.sh

lock-bi: setup ## remake bi/superset/requirements.txt from bi/superset/requirements.in
	@tools/bi_environment.sh superset lock

lock-spark: setup ## remake requirements-spark.txt from requirements-spark.in
	@.venv/bin/uv pip compile requirements-spark.in --output-file requirements-spark.txt --python-version 3.11 \
		--python-platform x86_64-manylinux_2_28 --generate-hashes --no-header --quiet

lock-metrics: setup ## remake bi/metrics/requirements.txt from bi/metrics/requirements.in
	@tools/bi_environment.sh metrics lock

lock-audit: setup ## remake tools/supply_chain/requirements.txt from tools/supply_chain/requirements.in
	@tools/bi_environment.sh audit lock

sbom: setup ## build/sbom.cdx.json: CycloneDX of the Python lock, the browser's files, Debian packages and images
	@$(PY) tools/supply_chain/sbom.py build/sbom.cdx.json

licences: setup ## the licence of every component, against those that tools/supply_chain/licences.yml allows
	@$(PY) tools/supply_chain/licences.py

audit-packages: setup ## known vulnerabilities of locked packages, by pip-audit (its own .venv-audit): SERVICE=pypi or osv
	@tools/bi_environment.sh audit
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT; \
		.venv-audit/bin/python tools/supply_chain/audit.py requirements.txt $(or $(SERVICE),pypi) "$$scratch"

clean: ## remove .venv, caches and the demo's data; what an installation has collected stays
	@tools/clean.sh

clean-data: ## remove data/ too: every file received, the ledger, the warehouse AND the keys (asks for CONFIRM=yes)
	@tools/clean.sh data

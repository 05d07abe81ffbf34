#!/usr/bin/env bash
# Removes what can be made again. What an installation has received, and its keys, only on request.
#
#   tools/clean.sh          .venv, .venv-superset, .venv-metrics, .venv-spark, .venv-audit, caches, dbt's output, the portal's browser files, data/demo
#   tools/clean.sh data     the above and all of data/ (needs CONFIRM=yes)
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = data ] && [ "${CONFIRM:-}" != yes ]; then
    echo "clean: data/ holds the ledger, every file received and the keys; without the keys nothing received can be" >&2
    echo "clean: read again. If that is meant: make clean-data CONFIRM=yes" >&2
    exit 2
fi
if [ -x .venv/bin/python ] && [ -d data ]; then
    for home in data/airflow data/demo/airflow; do
        database="$(dirname "$home")/postgres"
        if [ -d "$home" ] || [ -d "$database" ]; then
            FOLLOWUP_POSTGRES_HOME="$database" .venv/bin/python -m followup.local.orchestrator down --home "$home" \
                >/dev/null 2>&1 || true
        fi
    done
fi
rm -rf .venv .venv-superset .venv-metrics .venv-spark .venv-audit ./*.egg-info build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
    dbt_project/target dbt_project/logs dbt_project/.user.yml logs data/demo portal/static/vendor
find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +
echo "clean: removed .venv, .venv-superset, .venv-metrics, .venv-spark, .venv-audit, caches, dbt's output, the portal's browser files and data/demo"
if [ "${1:-}" = data ]; then
    rm -rf data
    echo "clean: removed data/"
fi

#!/usr/bin/env bash
# Parses the dbt project as the build would: refs, contracts, unit tests and YAML are checked, nothing is run.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export FOLLOWUP_WAREHOUSE="${FOLLOWUP_WAREHOUSE:-$scratch/warehouse.duckdb}"
.venv/bin/dbt --quiet --warn-error parse --project-dir dbt_project --profiles-dir dbt_project \
    --target-path "$scratch/target" --log-path "$scratch/logs"

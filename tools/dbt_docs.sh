#!/usr/bin/env bash
# Builds dbt's documentation as one page that needs no network and no warehouse: lineage, glossary, a page per mart;
# and beside it the site for readers of releases, without figures.
#
#   tools/dbt_docs.sh [FOLDER]     writes FOLDER/index.html and FOLDER/webb/; FOLDER is build/docs by default
set -euo pipefail
cd "$(dirname "$0")/.."
site="${1:-build/docs}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export FOLLOWUP_WAREHOUSE="$scratch/warehouse.duckdb"

# dbt reads doc blocks only inside its project, and the glossary's one home is outside it: a copy gets both.
cp -R dbt_project "$scratch/project"
rm -rf "$scratch/project/target" "$scratch/project/logs"
.venv/bin/python tools/dbt_docs_page.py overview GLOSSARY.md "$scratch/project/docs/overview.md"

where=(--project-dir "$scratch/project" --profiles-dir "$scratch/project"
    --target-path "$scratch/target" --log-path "$scratch/logs")
# Nothing is compiled: models can be compiled only over files in force, and the page is about none in particular.
.venv/bin/dbt --quiet --warn-error parse "${where[@]}"
.venv/bin/dbt --quiet docs generate --static --no-compile --empty-catalog "${where[@]}"
mkdir -p "$site"
.venv/bin/python tools/dbt_docs_page.py offline "$scratch/target/static_index.html" "$site/index.html"
.venv/bin/python tools/readers_site.py "$scratch/target/manifest.json" "$site/webb"
echo "docs: $site/index.html, for readers of releases $site/webb/index.html"

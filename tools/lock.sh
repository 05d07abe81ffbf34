#!/usr/bin/env bash
# Remakes requirements.txt from requirements.in, for every Python that the project supports, with hashes and without
# the address of any index.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/uv pip compile requirements.in --output-file requirements.txt --universal --python-version 3.11 \
    --generate-hashes --no-header --quiet "$@"
echo "requirements.txt: $(grep -c '==' requirements.txt) packages"

#!/usr/bin/env bash
# Makes .venv-bi: Superset and a browser's driver, from bi/requirements.txt. Safe to repeat.
#
#   tools/bi.sh          the environment
#   tools/bi.sh lock     remakes bi/requirements.txt from bi/requirements.in
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'bi: %s\n' "$*"; }
fail() { printf 'bi: %s\n' "$*" >&2; exit 1; }
fits() { "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

if [ "${1:-}" = lock ]; then
    .venv/bin/uv pip compile bi/requirements.in --output-file bi/requirements.txt --universal --python-version 3.11 \
        --generate-hashes --no-header --quiet
    say "bi/requirements.txt: $(grep -c '==' bi/requirements.txt) packages"
    exit
fi

python=
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3; do
    if command -v "$candidate" >/dev/null && fits "$candidate"; then
        python=$(command -v "$candidate")
        break
    fi
done
[ -n "$python" ] || fail "Superset's lock is for Python 3.11, and there is none here (python3 is $(python3 -V 2>&1 || true)).
    On Debian 12: sudo apt-get install python3.11 python3.11-venv; or say which: make test-bi PYTHON=/path/to/python3.11"

made_from=$({ cat bi/requirements.txt tools/bi.sh; "$python" -VV; pwd; } | sha256sum | cut -d ' ' -f 1)
[ "$(cat .venv-bi/.made-from 2>/dev/null)" = "$made_from" ] && exit
say "making .venv-bi with $("$python" -V): $(grep -c '==' bi/requirements.txt) locked packages"
rm -rf .venv-bi
.venv/bin/uv venv --quiet --python "$python" .venv-bi
VIRTUAL_ENV=$PWD/.venv-bi .venv/bin/uv pip sync --quiet --require-hashes --link-mode copy --compile-bytecode bi/requirements.txt
echo "$made_from" >.venv-bi/.made-from
say "ready: .venv-bi with Superset $(.venv-bi/bin/python -c 'from importlib.metadata import version; print(version("apache-superset"))')"

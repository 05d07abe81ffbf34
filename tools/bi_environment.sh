#!/usr/bin/env bash
# Makes an environment of its own for what doesn't go with our packages: .venv-NAME from the requirements.txt of its folder.
# Safe to repeat.
#
#   tools/bi_environment.sh superset       Superset and a browser's driver
#   tools/bi_environment.sh metrics        MetricFlow
#   tools/bi_environment.sh audit          pip-audit
#   tools/bi_environment.sh superset lock  remakes bi/superset/requirements.txt from bi/superset/requirements.in
set -euo pipefail
cd "$(dirname "$0")/.."
folder=bi/$1
[ "$1" = audit ] && folder=tools/supply_chain
lock=$folder/requirements.txt venv=.venv-$1

say() { printf '%s: %s\n' "$folder" "$*"; }
fail() { printf '%s: %s\n' "$folder" "$*" >&2; exit 1; }
fits() { "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

if [ "${2:-}" = lock ]; then
    .venv/bin/uv pip compile "$folder/requirements.in" --output-file "$lock" --universal --python-version 3.11 \
        --generate-hashes --no-header --quiet
    say "$lock: $(grep -c '==' "$lock") packages"
    exit
fi

python=
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3; do
    if command -v "$candidate" >/dev/null && fits "$candidate"; then
        python=$(command -v "$candidate")
        break
    fi
done
[ -n "$python" ] || fail "$lock is for Python 3.11, and there is none here (python3 is $(python3 -V 2>&1 || true)).
    On Debian 12: sudo apt-get install python3.11 python3.11-venv; or say which: make test-${1/superset/bi} PYTHON=/path/to/python3.11"

made_from=$({ cat "$lock" tools/bi_environment.sh; "$python" -VV; pwd; } | sha256sum | cut -d ' ' -f 1)
[ "$(cat "$venv/.made-from" 2>/dev/null)" = "$made_from" ] && exit
say "making $venv with $("$python" -V): $(grep -c '==' "$lock") locked packages"
rm -rf "$venv"
.venv/bin/uv venv --quiet --python "$python" "$venv"
VIRTUAL_ENV=$PWD/$venv .venv/bin/uv pip sync --quiet --require-hashes --link-mode copy --compile-bytecode "$lock"
echo "$made_from" >"$venv/.made-from"
say "ready: $venv"

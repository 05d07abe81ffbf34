#!/usr/bin/env bash
# Prepares what the other services need: Airflow's database, its administrator, the pools. Safe to repeat.
set -euo pipefail

: "${AIRFLOW_ADMIN_USER:?}" "${AIRFLOW_ADMIN_PASSWORD:?}" "${AIRFLOW_ADMIN_EMAIL:?}"
pools="$(dirname "$0")/../dags/pools.json"

airflow db migrate
airflow users create --role Admin --username "$AIRFLOW_ADMIN_USER" --password "$AIRFLOW_ADMIN_PASSWORD" \
    --email "$AIRFLOW_ADMIN_EMAIL" --firstname Follow-up --lastname Administrator
# An administrator who was there already gets the password that the environment says.
airflow users reset-password --username "$AIRFLOW_ADMIN_USER" --password "$AIRFLOW_ADMIN_PASSWORD"
airflow pools import "$pools"

"""Trials on one machine: a native Airflow and PostgreSQL, and the rehearsal of two synthetic years on them."""

"""Building the warehouse: a snapshot of the ledger, dbt on DuckDB, the swap; and what a build would change."""

"""Building the warehouse: a snapshot of the ledger, dbt on DuckDB, the swap; previews and the figure diff."""

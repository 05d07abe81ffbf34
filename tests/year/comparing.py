"""Comparing the marts of two installations, table by table."""

from __future__ import annotations

import duckdb
from places import Installation, require, say

ABOUT_ARRIVAL = {"version", "is_on_time", "error_count", "attempts", "files_on_time", "timeliness_rate",
                 "timeliness_rate_numerator", "timeliness_rate_denominator", "timeliness_rate_low",
                 "timeliness_rate_high"}  # fmt: skip
"""Columns of mart_submission_status that say how files came in, which differs between the years."""
LATE = "late"
"""A column of every mart: how many files came in late."""


def differences(one: Installation, other: Installation) -> list[str]:
    """What differs between two installations' marts: a line for each table, none where all is the same."""
    with duckdb.connect() as connection:
        for name, installation in (("one", one), ("other", other)):
            connection.execute(f"attach '{installation.home / 'warehouse.duckdb'}' as {name} (read_only)")
        tables = {
            name: {
                table
                for (table,) in connection.execute(
                    "select table_name from duckdb_tables() where database_name = ? and schema_name = 'marts'", [name]
                ).fetchall()
            }
            for name in ("one", "other")
        }
        require(tables["one"] == tables["other"] and len(tables["one"]) > 15, "the years have different tables")
        found, rows = [], 0
        for table in sorted(tables["one"]):
            columns = [
                column
                for (column,) in connection.execute(
                    "select column_name from duckdb_columns() where database_name = 'one' and schema_name = 'marts' "
                    "and table_name = ? order by column_index", [table],
                ).fetchall()
                if column != LATE and not (table == "mart_submission_status" and column in ABOUT_ARRIVAL)
            ]  # fmt: skip
            listed = ", ".join(f'"{column}"' for column in columns)
            more, less = (
                connection.execute(
                    f"select count(*) from (select {listed} from {a}.marts.{table} "
                    f"except all select {listed} from {b}.marts.{table})"
                ).fetchone()[0]
                for a, b in (("one", "other"), ("other", "one"))
            )
            (count,) = connection.execute(f"select count(*) from one.marts.{table}").fetchone()
            rows += count
            if more or less:
                found.append(f"{table}: {more} rows of the quiet year, {less} of the hard one")
        say(f"Compared {len(tables['one'])} tables with {rows:,} rows.")
        return found

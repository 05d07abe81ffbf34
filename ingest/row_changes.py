"""Which rows differ between two versions of a file, matched by the contract's row key.

The result holds nothing personal: counts, names of columns, row numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from ingest.contracts import Contract

LISTED_ROWS = 200
"""Row numbers listed of each kind; all rows are counted."""
_PERSON = "person_key"


@dataclass(frozen=True)
class RowsChanged:
    """How many rows there are of one kind, and the numbers of the first, as Excel numbers them."""

    count: int
    first: tuple[int, ...]


@dataclass(frozen=True)
class Changes:
    """How a file differs from the version in force.

    Attributes:
        version: the version in force.
        added, changed: rows of the new file.
        gone: rows of the version in force.
        by_column: column and in how many of the changed rows it differs; most first.
        is_replacing: whether the new file is replacing that version now.
    """

    version: int
    added: RowsChanged
    gone: RowsChanged
    changed: RowsChanged
    by_column: tuple[tuple[str, int], ...]
    is_replacing: bool = False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        rows = {"added": self.added, "gone": self.gone, "changed": self.changed}
        return {
            "version": self.version,
            **{kind: found.count for kind, found in rows.items()},
            "by_column": [{"column": column, "count": count} for column, count in self.by_column],
            "rows": {kind: list(found.first) for kind, found in rows.items()},
        }

    def as_text(self, shown: int) -> Iterator[str]:
        """Lines of Swedish text, with at most so many row numbers of each kind."""
        head = f"Jämfört med version {self.version}{', som ersätts' if self.is_replacing else ' som gäller'}"
        if not (self.added.count or self.gone.count or self.changed.count):
            yield f"  {head}: samma rader."
            return
        columns = ", ".join(f"{column} {count}" for column, count in self.by_column)
        kinds = [(self.added, "tillkommer"), (self.gone, "försvinner"), (self.changed, "ändras")]
        occurring = [(found, verb) for found, verb in kinds if found.count]
        parts = [f"{found.count} {verb}" for found, verb in occurring]
        parts[0] = parts[0].replace(" ", " rad " if occurring[0][0].count == 1 else " rader ", 1)
        if self.by_column:
            parts[-1] += f" ({columns})"
        yield f"  {head}: {', '.join(parts)}."
        for found, verb in occurring:
            where = f" i version {self.version}" if verb == "försvinner" else ""
            numbers = ", ".join(map(str, found.first[:shown]))
            more = f" … och {found.count - shown} till" if found.count > shown else ""
            yield f"    {verb.capitalize()}: rad {numbers}{more}{where}"


def compare_rows(before: pa.Table, after: pa.Table, contract: Contract, version: int) -> Changes:
    """Compare two tables of stored rows.

    Args:
        before: rows in force; columns that a newer contract has added may be missing and are not compared.
        after: rows of the new file.
        contract: the dataset's: its row key says which rows are the same one.
        version: of the rows in force.

    Raises:
        duckdb.Error: a column that the key needs is missing.
    """
    key = [_PERSON if name == "person" else name for name in contract.row_key]
    compared = _compared(contract, key, frozenset(before.column_names))
    differs = "".join(f", {test} as {_quoted(name)}" for name, test in compared.items())
    with duckdb.connect() as connection:
        connection.register("before_rows", before)
        connection.register("after_rows", after)
        is_unique = all(_is_unique(connection, rows, key) for rows in ("before_rows", "after_rows"))
        # Rows that share a key are matched in their order. Today no rule lets such rows in.
        twin = "0" if is_unique else f"row_number() over (partition by {', '.join(key)} order by source_row_number)"
        same = " and ".join(f"b.{name} is not distinct from a.{name}" for name in [*key, "twin"])
        connection.execute(
            f"""
            create temp table pairs as
            with b as (select *, {twin} as twin from before_rows), a as (select *, {twin} as twin from after_rows)
            select b.source_row_number as row_before, a.source_row_number as row_after{differs}
            from b full join a on {same}
            """
        )
        both = "row_before is not null and row_after is not null"
        any_differs = " or ".join(map(_quoted, compared)) or "false"
        sums = ", ".join(f"count(*) filter ({_quoted(name)})" for name in compared)
        counted = connection.execute(f"select {sums or 0} from pairs where {both}").fetchone() or ()
        by_column = [(name, int(count)) for name, count in zip(compared, counted, strict=False) if count]

        def rows(column: str, where: str) -> RowsChanged:
            found = f"from pairs where {where}"
            (count,) = connection.execute(f"select count(*) {found}").fetchone() or (0,)
            first = connection.execute(f"select {column} {found} order by 1 limit {LISTED_ROWS}").fetchall()
            return RowsChanged(int(count), tuple(int(number) for (number,) in first))

        return Changes(
            version,
            rows("row_after", "row_before is null"),
            rows("row_before", "row_after is null"),
            rows("row_after", f"{both} and ({any_differs})"),
            tuple(sorted(by_column, key=lambda pair: -pair[1])),
        )


def _is_unique(connection: duckdb.DuckDBPyConnection, rows: str, key: list[str]) -> bool:
    counted = connection.execute(f"select count(*), count(distinct row({', '.join(key)})) from {rows}").fetchone()
    return counted is not None and counted[0] == counted[1]


def _quoted(name: str) -> str:
    return f'"differs_{name}"'


def _compared(contract: Contract, key: list[str], before: frozenset[str]) -> dict[str, str]:
    """Column of the contract → SQL that says whether a pair of rows differs in it."""
    tests = {}
    if contract.about_persons:
        if _PERSON not in key:
            tests["personnummer"] = f"b.{_PERSON} is distinct from a.{_PERSON}"
        # Of a person with a number the birth date follows from it; of others from the year.
        tests["fodelsear"] = (
            f"b.{_PERSON} is not distinct from a.{_PERSON} and b.birth_date is distinct from a.birth_date"
        )
        tests["id_typ"] = "b.id_typ is distinct from a.id_typ"
    for column in contract.stored_columns:
        if column.name not in key and column.name in before:
            tests[column.name] = f"b.{column.name} is distinct from a.{column.name}"
    return tests

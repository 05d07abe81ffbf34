"""Which rows and columns of the marts a unit's extract has: its own, of today's division, that no other unit has a
part in (`own_rows.yml`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from ingest.organisation import whole_code
from publish.marts.dimensions import TOTAL
from publish.release.keyed import TODAY

DECLARED = Path(__file__).with_name("own_rows.yml")


class ExtractRefused(Exception):
    """No extract is made; the message says why and what to do."""


class OwnRows(BaseModel):
    """What is left out of one mart, each with its reason in Swedish. See `own_rows.yml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    left_out: str | None = None
    columns: dict[str, str] = {}
    not_cut_by: dict[str, str] = {}
    without: dict[str, dict[str, str]] = {}

    @model_validator(mode="after")
    def _agrees(self) -> OwnRows:
        if self.left_out is not None and (self.columns or self.not_cut_by or self.without):
            raise ValueError("a mart that is left out has nothing else")
        return self

    def named_columns(self) -> set[str]:
        """Every column that it names."""
        return {*self.columns, *self.not_cut_by, *self.without}

    def reasons(self) -> Iterator[tuple[str, str]]:
        """(what is left out, why): a column, or the rows of a code."""
        yield from self.columns.items()
        yield from self.not_cut_by.items()
        yield from (pair for codes in self.without.values() for pair in codes.items())


@dataclass(frozen=True)
class ChosenMart:
    """A mart of an extract: the columns it has, and the query that gives its rows for the unit `?`."""

    name: str
    columns: tuple[str, ...]
    query: str
    rules: OwnRows


@lru_cache(maxsize=1)
def load_own_rows() -> dict[str, OwnRows]:
    """The declaration, by mart.

    Raises:
        pydantic.ValidationError: it is not as it must be.
    """
    found = yaml.safe_load(DECLARED.read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, OwnRows]).validate_python(found)


def chosen_marts(connection: duckdb.DuckDBPyConnection) -> list[ChosenMart]:
    """The marts of the warehouse that is attached as `warehouse`, with what is left out of each.

    Raises:
        ExtractRefused: a mart is not declared, or lacks a column that the declaration names.
    """
    found: dict[str, list[str]] = {}
    for mart, column in connection.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'warehouse' "
        "and schema_name = 'marts' order by table_name, column_index"
    ).fetchall():
        found.setdefault(mart, []).append(column)
    declared = load_own_rows()
    if unknown := sorted(found.keys() - declared.keys()):
        raise ExtractRefused(f"{DECLARED.name} does not say what of {', '.join(unknown)} is a unit's own")
    chosen = []
    for mart, columns in found.items():
        rules = declared[mart]
        if rules.left_out is not None:
            continue
        if missing := sorted(rules.named_columns() - set(columns)):
            raise ExtractRefused(f"{DECLARED.name} names columns that {mart} has not: {', '.join(missing)}")
        kept = tuple(column for column in columns if column not in {*rules.columns, *rules.not_cut_by})
        chosen.append(ChosenMart(mart, kept, _query(mart, kept, rules), rules))
    return chosen


def _query(mart: str, columns: tuple[str, ...], rules: OwnRows) -> str:
    """Columns and codes are of our own declarations; only the unit's code is given from outside, as `?`."""
    conditions = ["district_code = ?", f"district_basis = '{TODAY}'"]
    conditions += [f"{column} = '{TOTAL}'" for column in rules.not_cut_by]
    conditions += [f"{column} <> '{code}'" for column, codes in rules.without.items() for code in codes]
    # all but the measures, so that the file is in one order whenever it is made
    return (
        f"select {', '.join(columns)} from warehouse.marts.{mart} where {' and '.join(conditions)} "
        f"order by period_kind, period, {', '.join(columns)}"
    )


def require_own_unit(connection: duckdb.DuckDBPyConnection, code: str) -> str:
    """The label of a unit of today's division.

    Raises:
        ExtractRefused: there is no such unit, it is the city, or it has gone up in another one.
    """
    found = connection.execute(
        "select district_label, current_district_code from warehouse.core.dim_district where district_code = ?", [code]
    ).fetchone()
    if found is None:
        units = connection.execute(
            "select district_code from warehouse.core.dim_district where district_code = current_district_code "
            "and district_code <> ? order by 1",
            [whole_code()],
        ).fetchall()
        raise ExtractRefused(f"there is no unit {code}; there are {', '.join(unit for (unit,) in units)}")
    label, current = found
    if code == whole_code():
        raise ExtractRefused(f"{code} is the city: an extract is of one unit")
    if current != code:
        raise ExtractRefused(f"{code} is part of {current} today: extract --district {current}, which has its rows too")
    return str(label)

"""A unit's extract rests on its own rows: built without the other units' rows, every figure of it is the same."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt_built import Warehouse, build_warehouse
from dbt_inputs import Inputs, Row
from dbt_small_city import submit_small_city
from dbt_small_city_counts import submit_counts
from made_once import made_once

from publish.extract.choosing import ExtractRefused, chosen_marts, load_own_rows, require_own_unit

UNIT, ITS_FILES = "hagersten-alvsjo", {"hagersten-alvsjo", "hagersten-liljeholmen", "alvsjo"}


class OneUnit(Inputs):
    """Takes in the unit's files, and its predecessors'. Those of others are empty: which files are expected of the unit
    depends on which datasets the city has begun to send."""

    def submit(self, district: str, dataset: str, quarter: str, *rows: Row, **about: Any) -> None:
        super().submit(district, dataset, quarter, *(rows if district in ITS_FILES else ()), **about)


def _build_alone(folder: Path) -> None:
    inputs = OneUnit(folder / "inputs", as_of_date="2020-10-25")
    submit_small_city(inputs)
    submit_counts(inputs)
    build_warehouse(folder, inputs)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = made_once("small_city_of_one_unit", _build_alone)
    return Path(shutil.copy(built / "warehouse.duckdb", tmp_path_factory.mktemp("alone")))


def extracted(warehouse: Path) -> dict[str, tuple[tuple[str, ...], Counter[tuple[object, ...]]]]:
    """Mart → the extract's columns and rows."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
        return {
            mart.name: (mart.columns, Counter(connection.execute(mart.query, [UNIT]).fetchall()))
            for mart in chosen_marts(connection)
        }


def test_an_extract_is_the_same_with_and_without_other_units_rows(warehouse: Warehouse, alone: Path) -> None:
    among_others, by_itself = extracted(warehouse.path), extracted(alone)
    assert (
        among_others.keys()
        == by_itself.keys()
        == {name for name, rules in load_own_rows().items() if rules.left_out is None}
    )
    for mart, (columns, rows) in among_others.items():
        assert rows == by_itself[mart][1], (mart, columns, list((rows - by_itself[mart][1]).items())[:3])
    assert sum(rows.total() for _, rows in among_others.values()) > 500
    assert all(rows for mart, (_, rows) in among_others.items() if mart in ("mart_case_flow", "mart_equity"))


def test_an_extract_has_the_rows_of_units_that_the_unit_took_over(warehouse: Warehouse) -> None:
    columns, rows = extracted(warehouse.path)["mart_case_flow"]
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    # of 2020Q2, before the merger: Älvsjö's case and Hägersten-Liljeholmen's
    (total,) = (
        row for row in named
        if row["cut"] == "total" and row["period"] == "2020Q2" and row["cohort_basis"] == "inkommen"
    )  # fmt: skip
    assert total["cases"] == 2
    assert {row["district_code"] for row in named} == {UNIT}
    assert {row["district_basis"] for row in named} == {"today"}


def test_an_extract_says_nothing_of_what_other_units_did_for_the_same_child(warehouse: Warehouse) -> None:
    found = extracted(warehouse.path)
    assert not any(
        "re_referral" in column or column == "history" for columns, _ in found.values() for column in columns
    )
    for mart, column in (("mart_goal_indicators", "indicator_code"), ("mart_equity", "measure")):
        columns, rows = found[mart]
        assert not {row[columns.index(column)] for row in rows if "re_referral" in str(row[columns.index(column)])}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("alvsjo", "is part of hagersten-alvsjo today"),
        ("stockholm", "is the city"),
        ("uppsala", "there are bromma, enskede"),
        ("' or true --", "there is no unit"),
    ],
)
def test_an_extract_is_of_one_unit_of_today(warehouse: Warehouse, code: str, said: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse.path}' as warehouse (read_only)")
        assert require_own_unit(connection, UNIT) == "Hägersten-Älvsjö"
        with pytest.raises(ExtractRefused, match=said):
            require_own_unit(connection, code)


def test_a_mart_that_is_not_declared_stops_the_extract(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tmp_path / 'w.duckdb'}' as warehouse; create schema warehouse.marts")
        connection.execute("create table warehouse.marts.mart_new (district_code varchar)")
        with pytest.raises(ExtractRefused, match="mart_new"):
            chosen_marts(connection)
        connection.execute("drop table warehouse.marts.mart_new; create table warehouse.marts.mart_equity (n integer)")
        with pytest.raises(ExtractRefused, match=r"names columns that mart_equity has not: .*city_value"):
            chosen_marts(connection)

"""Views and dimension tables of a release of the small city, beside queries of its marts that were written by hand."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from publish.marts.declared import load_marts
from publish.marts.dimensions import load_dimensions, references_of_codes
from publish.release.approving import Release
from publish.serving import read_release
from publish.views.declared import View, load_views

NAMES = {"clinic"}
"""Columns of marts whose values are names that a reader understands."""
VIEWS = pytest.mark.parametrize("view", load_views(), ids=lambda view: view.name)


@pytest.fixture(scope="module")
def shown(released: Release) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file that readers open."""
    assert released.served is not None
    with duckdb.connect(str(released.served.duckdb_file), read_only=True) as connection:
        yield connection


def rows(shown: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in shown.execute(query).fetchall()]


def texts(shown: duckdb.DuckDBPyConnection, prefix: str) -> list[tuple[str, str]]:
    found = rows(
        shown,
        "select table_name, column_name from duckdb_columns() "
        f"where data_type = 'VARCHAR' and starts_with(table_name, '{prefix}') order by all",
    )
    return [(str(table), str(column)) for table, column in found]


def test_every_code_of_every_mart_has_its_row_and_a_label_that_is_another_word(
    shown: duckdb.DuckDBPyConnection,
) -> None:
    kinds, lost, seen = load_dimensions(), [], set()
    for table, column in texts(shown, "mart_"):
        to = [one.table for one in references_of_codes((column,)) if one.table in kinds]
        to += [name for name, kind in kinds.items() if column in kind.lists]
        if column in NAMES | {"period", "reporting_quarter"} or column.endswith(("_label", "_counted_quarter")):
            assert column in NAMES or not to
            continue
        (name,) = to
        kind, seen = kinds[name], {*seen, name}
        code = f"unnest(string_split({column}, '|'))" if column in kind.lists else column
        lost += rows(
            shown,
            f"select distinct '{table}', '{column}', c, {kind.label} from (select {code} as c from published.{table}) "
            f"left join published.{name} on c = {kind.key} "
            f"where c <> '' and ({kind.label} is null or {kind.label} = c or {kind.label} = '')",
        )
    assert lost == []
    assert {"dim_sex", "dim_cut", "dim_language", "dim_provider", "dim_measure", "dim_history"} <= seen


@pytest.mark.parametrize("name", load_dimensions())
def test_a_dimension_table_has_labels_and_an_order_for_what_is_declared(
    shown: duckdb.DuckDBPyConnection, name: str
) -> None:
    kind = load_dimensions()[name]
    found = rows(shown, f"select {kind.key}, {kind.label}, sort_order from published.{name} order by sort_order")
    codes, labels, order = zip(*found, strict=True)
    assert set(kind.known()) <= set(codes)
    assert (("alla" in codes), codes[0] == "alla") == (kind.total, kind.total)
    assert list(order) == list(range(len(codes)))
    assert len(set(labels)) == len(labels)
    assert [code for code, label in zip(codes, labels, strict=True) if code == label or not label] == []


def test_every_reference_finds_its_row(released: Release) -> None:
    assert released.served is not None
    release = read_release(released.served.duckdb_file.resolve())
    tables = {table.name: table for table in release.tables}
    lost = []
    with release.reading() as connection:
        for table in release.tables:
            for one in table.references:
                on = " and ".join(
                    f"a.{column} = b.{other}" for column, other in zip(one.columns, one.table_columns, strict=True)
                )
                lost += connection.execute(
                    f"select '{table.name}', '{one.columns[-1]}' from release.published.{table.name} as a "
                    f"left join release.published.{one.table} as b on {on} "
                    f"where a.{one.columns[-1]} is not null and b.{one.table_columns[0]} is null limit 1"
                ).fetchall()
    assert lost == []
    referred = {one.table for table in release.tables for one in table.references}
    assert {"dim_period", "dim_district", "dim_quarter"} <= referred
    assert {one.columns for one in tables["mart_vacancies"].references} >= {
        ("seats_district_code",), ("district_code",), ("period_kind", "period")
    }  # fmt: skip
    assert {one.columns for one in tables["vy_insatser"].references} == {
        ("stadsdel",), ("periodtyp",), ("period",), ("insatskategori",), ("insats",), ("kon",)
    }  # fmt: skip


@VIEWS
def test_a_view_is_a_table_described_in_swedish_whose_query_answers(
    shown: duckdb.DuckDBPyConnection, view: View
) -> None:
    columns = rows(shown, f"select column_name, comment from duckdb_columns() where table_name = '{view.name}'")
    assert columns == [(column.name, f"{column.label}: {column.explanation}") for column in view.columns]
    ((comment,),) = rows(shown, f"select comment from duckdb_tables() where table_name = '{view.name}'")
    assert view.question in str(comment) and view.traps in str(comment)
    key = ", ".join(view.key)
    assert rows(shown, f"select {key} from published.{view.name} group by {key} having count(*) > 1") == []
    assert f"published.{view.name}" in view.query and shown.execute(view.query).description
    kinds = {row[0] for row in rows(shown, f"select distinct periodtyp from published.{view.name}")}
    assert kinds <= {{"kvartal": "Kvartal", "ar": "Kalenderår", "rullande_ar": "Rullande år"}[view.period_kind]}


@VIEWS
def test_a_view_has_no_totals_among_its_parts_and_no_bare_code(shown: duckdb.DuckDBPyConnection, view: View) -> None:
    for column in view.columns:
        if column.kind == "text":
            found = {str(row[0]) for row in rows(shown, f"select distinct {column.name} from published.{view.name}")}
            assert found.isdisjoint({"Alla", "alla", "Stockholms stad", "stockholm"}), column.name
            assert [one for one in found if "_" in one] == [], column.name


@VIEWS
def test_a_rate_is_missing_only_where_a_column_says_why(shown: duckdb.DuckDBPyConnection, view: View) -> None:
    names = {column.name for column in view.columns}
    because = " or ".join(["false", *(flag for flag in ("for_fa", "vantar_pa_tid") if flag in names)])
    for column in view.columns:
        if column.kind == "rate" and not column.name.startswith("staden_"):
            bare = f"select * from published.{view.name} where {column.name} is null and not ({because}) limit 1"
            assert rows(shown, bare) == [], column.name


def test_every_mart_is_in_a_view() -> None:
    assert {source for view in load_views() for source in view.sources} == set(load_marts())

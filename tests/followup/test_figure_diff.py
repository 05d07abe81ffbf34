"""Which figures differ between two warehouses, on marts written by hand."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from followup.build import figure_diff
from followup.build.figure_diff import Figure, KeyNotDeclared, MartDiff, diff_marts, mart_keys
from followup.build.snapshot import PROJECT

KEY = ("district_code", "reporting_quarter", "district_basis", "sex", "age_band")
COLUMNS = (
    "district_code varchar, reporting_quarter varchar, district_basis varchar, sex varchar, age_band varchar, "
    "cases integer, rate double, is_complete boolean, note varchar, written_at timestamp"
)
TOTAL = "('farsta', '2018Q1', 'today', 'alla', 'alla', 10, 0.5, true, 'a', '2018-04-01')"
GIRLS = "('farsta', '2018Q1', 'today', 'kvinna', 'alla', 4, 0.25, true, 'a', '2018-04-01')"


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_diff, "mart_keys", lambda _: {"mart_a": KEY, "mart_b": KEY})


def warehouse(path: Path, *rows: str, mart: str = "mart_a") -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists marts")
        connection.execute(f"create table marts.{mart} ({COLUMNS})")
        for row in rows:
            connection.execute(f"insert into marts.{mart} values {row}")
    return path


def moved(tmp_path: Path, before: list[str], after: list[str], most: int | None = None) -> list[MartDiff]:
    old, new = warehouse(tmp_path / "old.duckdb", *before), warehouse(tmp_path / "new.duckdb", *after)
    return diff_marts(old, new, "farsta", "2018Q1", most)


def figure(measure: str, before: object, after: object, cuts: int = 0, **key: str) -> Figure:
    whole = dict(zip(KEY, ("farsta", "2018Q1", "today", "alla", "alla"), strict=True))
    return Figure({**whole, **key}, measure, before, after, cuts)


def test_every_measure_that_moves_is_a_figure_and_words_and_times_are_none(tmp_path: Path) -> None:
    (found,) = moved(
        tmp_path, [TOTAL], ["('farsta', '2018Q1', 'today', 'alla', 'alla', 12, 0.75, false, 'b', '2018-05-01')"]
    )
    assert found.figures == (
        figure("cases", 10, 12), figure("rate", 0.5, 0.75), figure("is_complete", True, False),
    )  # fmt: skip
    assert (found.mart, found.here, found.total) == ("mart_a", 3, 3)


def test_nothing_moves_when_only_the_last_binary_place_of_a_fraction_differs(tmp_path: Path) -> None:
    assert moved(tmp_path, [TOTAL], [TOTAL.replace("0.5", "0.5000000000000001")]) == []


def test_row_that_comes_or_goes_has_none_on_the_other_side(tmp_path: Path) -> None:
    (found,) = moved(tmp_path, [TOTAL], [TOTAL, GIRLS])
    key = {"sex": "kvinna"}
    assert found.figures == (figure("cases", None, 4, 1, **key), figure("rate", None, 0.25, 1, **key))


def test_years_are_left_out_as_they_are_sums_of_quarters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_diff, "mart_keys", lambda _: {"mart_a": (*KEY, "period_kind")})
    paths = [warehouse(tmp_path / f"{name}.duckdb", TOTAL) for name in ("old", "new")]
    with duckdb.connect(str(paths[1])) as connection:
        connection.execute("alter table marts.mart_a add column period_kind varchar")
        year = TOTAL.replace("10, 0.5", "40, 0.6")[:-1] + ", 'rullande_ar')"
        connection.execute(
            f"update marts.mart_a set period_kind = 'kvartal', cases = 11; insert into marts.mart_a values {year}"
        )
    # the old warehouse is of a release before years: its rows are all of quarters
    (found,) = diff_marts(*paths, "farsta", "2018Q1", None)
    assert found.figures == (figure("cases", 10, 11),)


def test_row_that_comes_with_nothing_counted_moves_nothing(tmp_path: Path) -> None:
    empty = "('farsta', '2018Q1', 'today', 'kvinna', 'alla', 0, null, true, 'a', '2018-04-01')"
    assert moved(tmp_path, [TOTAL], [TOTAL, empty]) == []


def test_totals_come_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    """One row a cut: whole, by sex, by age, by both. `today` is no cut: no row says `alla` there."""
    cuts = [("kvinna", "0-5"), ("alla", "6-12"), ("kvinna", "alla"), ("alla", "alla")]
    before, after = (
        [f"('farsta', '2018Q1', 'today', '{sex}', '{age}', {n}, null, true, '', null)" for sex, age in cuts]
        for n in (1, 2)
    )
    (found,) = moved(tmp_path, before, after, most=3)
    assert [(f.cuts, f.key["sex"], f.key["age_band"]) for f in found.figures] == [
        (0, "alla", "alla"), (1, "alla", "6-12"), (1, "kvinna", "alla"),
    ]  # fmt: skip
    assert found.here == 4


def test_other_quarters_the_city_and_other_districts_are_counted_apart(tmp_path: Path) -> None:
    places = [
        ("farsta", "2018Q1"), ("farsta", "2018Q2"), ("farsta", "2017Q4"), ("stockholm", "2018Q1"), ("bromma", "2018Q1"),
    ]  # fmt: skip
    before, after = (
        [f"('{d}', '{q}', 'today', 'alla', 'alla', {n}, null, true, '', null)" for d, q in places] for n in (1, 2)
    )
    (found,) = moved(tmp_path, before, after)
    assert (found.here, found.other_quarters, found.city, found.elsewhere) == (1, 2, 1, 1)


def test_a_key_column_may_be_called_as_what_a_figure_is_said_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ("district_code", "reporting_quarter", "measure", "place", "cuts", "was", "nth")
    monkeypatch.setattr(figure_diff, "mart_keys", lambda _: {"mart_a": key})
    paths = []
    for name, value in (("old", 1), ("new", 2)):
        paths.append(tmp_path / f"{name}.duckdb")
        with duckdb.connect(str(paths[-1])) as connection:
            connection.execute("create schema marts")
            columns = ", ".join(f"{column} varchar" for column in key)
            connection.execute(f"create table marts.mart_a ({columns}, value integer)")
            connection.execute(
                f"insert into marts.mart_a values ('farsta', '2018Q1', 'median', 'a', 'b', 'c', 'd', {value})"
            )
    (found,) = diff_marts(paths[0], paths[1], "farsta", "2018Q1", None)
    (one,) = found.figures
    assert (one.measure, one.before, one.after, one.key["measure"]) == ("value", 1, 2, "median")


def test_mart_without_a_declared_key_is_a_fault(tmp_path: Path) -> None:
    old = warehouse(tmp_path / "old.duckdb", mart="mart_c")
    with pytest.raises(KeyNotDeclared, match="mart_c"):
        diff_marts(old, warehouse(tmp_path / "new.duckdb", mart="mart_c"), "farsta", "2018Q1", None)


def test_every_mart_of_the_project_declares_its_key() -> None:
    marts = {path.stem for path in (PROJECT / "models" / "marts").rglob("mart_*.sql")}
    assert len(marts) >= 4
    assert marts - set(mart_keys(PROJECT)) == set()

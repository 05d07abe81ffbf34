"""Tables for others: sums of what a release shows, and nothing of what it hides."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest

from publish.exports import HIDDEN, make_exports, write_exports
from publish.serving import ServingError
from publish.tables import load_tables


def _release(path: Path, services: list[tuple[object, ...]] = [], goals: list[tuple[object, ...]] = []) -> Path:  # noqa: B006
    """A release with rows of services (year, group, age, sex, count) and goals (quarter, district, code, n, d)."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; use published")
        connection.execute("create table about (key varchar, value varchar)")
        if services:
            connection.execute(
                "create table mart_service_interventions_started_yearly (district_code varchar default 'stockholm', "
                "district_basis varchar default 'today', calendar_year integer, intervention_category varchar, "
                "age_band varchar, sex varchar, started integer)"
            )
            connection.executemany(
                "insert into mart_service_interventions_started_yearly (calendar_year, intervention_category, "
                "age_band, sex, started) values (?, ?, ?, ?, ?)",
                services,
            )
        if goals:
            connection.execute(
                "create table mart_goal_indicators (district_code varchar, district_basis varchar default 'today', "
                "reporting_quarter varchar, indicator_code varchar, sex varchar default 'alla', age_band varchar "
                "default 'alla', numerator integer, denominator integer)"
            )
            connection.executemany(
                "insert into mart_goal_indicators (reporting_quarter, district_code, indicator_code, numerator, "
                "denominator) values (?, ?, ?, ?, ?)",
                goals,
            )
    return path


def test_services_are_told_by_group_age_and_sex_together_with_margins(tmp_path: Path) -> None:
    rows = [
        (2018, "barngrupp", "6-12", "man", 5),
        (2018, "barngrupp", "6-12", "kvinna", 22),
        (2018, "barngrupp", "alla", "alla", 27),
        (2018, "alla", "alla", "alla", 400),
        (2017, "alla", "alla", "alla", 0),
    ]
    services, _ = make_exports(_release(tmp_path / "r.duckdb", services=rows))
    assert services.rows == (
        (2017, "alla", "Alla", "alla", "alla", 0),
        (2018, "alla", "Alla", "alla", "alla", 400),
        (2018, "barngrupp", "barngrupp", "6-12", "kvinna", 22),
        (2018, "barngrupp", "barngrupp", "6-12", "man", 5),
        (2018, "barngrupp", "barngrupp", "alla", "alla", 27),
    )


def test_a_hidden_count_of_services_keeps_its_row(tmp_path: Path) -> None:
    release = _release(tmp_path / "r.duckdb", services=[(2018, "barngrupp", "6-12", "man", None)])
    services, _ = make_exports(release)
    assert services.rows == ((2018, "barngrupp", "barngrupp", "6-12", "man", None),)
    write_exports(release, tmp_path)
    text = (tmp_path / "exports" / "insatser_utan_behovsprovning.csv").read_text(encoding="utf-8")
    assert text.splitlines()[1] == "2018,barngrupp,barngrupp,6-12,man,.."


@pytest.mark.parametrize(("column", "value"), [("district_code", "farsta"), ("district_basis", "as_submitted")])
def test_services_are_of_the_whole_city_in_the_division_of_today(tmp_path: Path, column: str, value: str) -> None:
    release = _release(tmp_path / "r.duckdb", services=[(2018, "alla", "alla", "alla", count) for count in (400, 100)])
    with duckdb.connect(str(release)) as connection:
        connection.execute(
            f"update published.mart_service_interventions_started_yearly set {column} = '{value}' where started = 100"
        )
    services, _ = make_exports(release)
    assert [row[-1] for row in services.rows] == [400]


def test_the_tables_publish_what_the_layout_asks_for() -> None:
    table = load_tables().tables["mart_service_interventions_started_yearly"]
    (block,) = table.blocks
    assert set(block.cuts) == {("intervention_category", "sex", "age_band")}
    assert (table.grain, block.geography, table.leave_out_zero) == ("year", "all", None)


def _goal(quarter: str, numerator: int | None, denominator: int | None, code: str = "0_12") -> tuple[object, ...]:
    return quarter, "farsta", f"re_referral_kkik_{code}", numerator, denominator


def test_not_back_is_of_the_first_half_of_the_year_before(tmp_path: Path) -> None:
    # 2018Q1: 20 of 30, 2018Q2: 15 of 20 → 35 of 50 are not back: 70 %. What ended in autumn is in no year.
    goals = [_goal("2018Q1", 20, 30), _goal("2018Q2", 15, 20), _goal("2018Q3", 1, 9), _goal("2018Q4", 1, 9)]
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=goals))
    assert back.rows == ((2019, "farsta", "0-12", 50, 35, "70.0"),)


def test_ages_are_told_apart_and_other_indicators_left_out(tmp_path: Path) -> None:
    goals = [_goal(quarter, 1, 3, code) for quarter in ("2018Q1", "2018Q2") for code in ("0_12", "13_20")]
    goals += [("2018Q1", "farsta", "acceptance_rate", 1, 2), ("2018Q2", "farsta", "acceptance_rate", 1, 2)]
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=goals))
    assert [(row[2], row[-1]) for row in back.rows] == [("0-12", "33.3"), ("13-20", "33.3")]


def test_a_half_year_of_which_only_a_quarter_is_out_is_not_told(tmp_path: Path) -> None:
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=[_goal("2018Q1", 20, 30)]))
    assert back.rows == ()


@pytest.mark.parametrize(
    ("second", "told"),
    [((None, 20), (50, None, None)), ((None, None), (None, None, None)), ((15, None), (None, 35, None))],
)
def test_a_hidden_count_hides_the_share(
    tmp_path: Path, second: tuple[int | None, int | None], told: tuple[object, ...]
) -> None:
    goals = [_goal("2018Q1", 20, 30), _goal("2018Q2", *second)]
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=goals))
    assert back.rows[0][3:] == told


def test_nobody_has_no_share(tmp_path: Path) -> None:
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=[_goal("2018Q1", 0, 0), _goal("2018Q2", 0, 0)]))
    assert back.rows[0][3:] == (0, 0, "")


@pytest.mark.parametrize(("because", "told"), [("nobody", (30, 20, "66.7")), ("not_protectable", (None, None, None))])
def test_a_quarter_left_out_is_0_where_nobody_is_counted_and_hidden_where_nothing_protects_it(
    tmp_path: Path, because: str, told: tuple[object, ...]
) -> None:
    release = _release(tmp_path / "r.duckdb", goals=[_goal("2018Q1", 20, 30)])
    where = "cohort_basis=allt_avslutat,indicator_code=re_referral_kkik_0_12"
    with duckdb.connect(str(release)) as connection:
        connection.execute(
            "create table published.left_out (table_name varchar, rows_where varchar, district_code varchar, "
            "district_basis varchar, period varchar, cut varchar, left_out_because varchar)"
        )
        connection.execute(
            f"insert into published.left_out values ('mart_goal_indicators', '{where}', 'farsta', 'today', '2018Q2', "
            f"'alla', '{because}')"
        )
    _, back = make_exports(release)
    assert [row[3:] for row in back.rows] == [told]


def test_a_release_without_the_tables_gives_exports_without_rows(tmp_path: Path) -> None:
    assert [export.rows for export in make_exports(_release(tmp_path / "r.duckdb"))] == [(), ()]


def test_files_say_two_dots_for_what_is_hidden_and_are_described(tmp_path: Path) -> None:
    release = _release(tmp_path / "r.duckdb", goals=[_goal("2018Q1", 20, 30), _goal("2018Q2", None, 20)])
    written = write_exports(release, tmp_path)
    assert {path.name for path in written} == {
        "insatser_utan_behovsprovning.csv", "ej_ateraktualiserade.csv", "datapackage.json",
    }  # fmt: skip
    text = (tmp_path / "exports" / "ej_ateraktualiserade.csv").read_bytes().decode("utf-8")
    assert text.splitlines()[1] == f"2019,farsta,0-12,50,{HIDDEN},{HIDDEN}"
    package = json.loads((tmp_path / "exports" / "datapackage.json").read_text(encoding="utf-8"))
    for resource in package["resources"]:
        with (tmp_path / "exports" / resource["path"]).open(encoding="utf-8", newline="") as handle:
            header, *rows = csv.reader(handle)
        assert header == [field["name"] for field in resource["schema"]["fields"]]
        casts = {"integer": int, "number": float, "string": str}
        for row in rows:
            for cell, field in zip(row, resource["schema"]["fields"], strict=True):
                assert cell in resource["schema"]["missingValues"] or casts[field["type"]](cell) is not None


def test_what_is_no_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.duckdb").write_bytes(b"nothing")
    with pytest.raises(ServingError):
        make_exports(tmp_path / "r.duckdb")


def test_the_page_about_exports_explains_every_field(root: Path = Path(__file__).parents[2]) -> None:
    page = (root / "docs" / "exports.md").read_text(encoding="utf-8")
    from publish.exports import RE_REFERRAL, SERVICES

    for field in (*SERVICES, *RE_REFERRAL):
        assert f"| `{field.name}` |" in page

"""Tables for others: sums of what a release publishes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from publish.exports import TOO_FEW, make_exports, write_exports
from publish.serving import ServingError

Service = tuple[str, str, str, str, str, int]
Goal = tuple[str, str, str, int, int]


def _release(path: Path, services: Sequence[Service] = (), goals: Sequence[Goal] = ()) -> Path:
    """A release with rows of services (kind of period, period, group, age, sex, count), and of goals (quarter,
    district, code, n, d)."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; use published")
        connection.execute("create table about (key varchar, value varchar)")
        connection.execute("insert into about values ('too_few', '20'), ('how_to_read', 'how to read')")
        if services:
            connection.execute(
                "create table mart_service_interventions (district_code varchar default 'stockholm', district_basis "
                "varchar default 'today', period_kind varchar, period varchar, intervention_category varchar, "
                "age_band varchar, sex varchar, intervention_code varchar default 'alla', "
                "target_group varchar default 'alla', referred_from varchar default 'alla', started integer)"
            )
            connection.executemany(
                "insert into mart_service_interventions (period_kind, period, intervention_category, age_band, "
                "sex, started) values (?, ?, ?, ?, ?, ?)",
                services,
            )
        if goals:
            connection.execute(
                "create table mart_goal_indicators (district_code varchar, district_basis varchar default 'today', "
                "period_kind varchar default 'kvartal', reporting_quarter varchar, indicator_code varchar, "
                "sex varchar default 'alla', age_band varchar default 'alla', "
                "socioeconomic varchar default 'alla', pilot varchar default 'alla', "
                "numerator integer, denominator integer)"
            )
            connection.executemany(
                "insert into mart_goal_indicators (reporting_quarter, district_code, indicator_code, numerator, "
                "denominator) values (?, ?, ?, ?, ?)",
                goals,
            )
    return path


def test_services_are_of_calendar_years_by_group_age_and_sex(tmp_path: Path) -> None:
    rows = [
        ("ar", "2018", "alla", "alla", "alla", 400),
        ("ar", "2018", "barngrupp", "alla", "alla", 27),
        ("ar", "2018", "barngrupp", "6-12", "man", 18),
        ("kvartal", "2018Q4", "alla", "alla", "alla", 100),
        ("rullande_ar", "2019Q1", "alla", "alla", "alla", 390),
    ]
    services, _ = make_exports(_release(tmp_path / "r.duckdb", services=rows))
    assert services.rows == (
        (2018, "alla", "Alla", "alla", "alla", 400),
        (2018, "barngrupp", "barngrupp", "6-12", "man", 18),
        (2018, "barngrupp", "barngrupp", "alla", "alla", 27),
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("district_code", "farsta"),
        ("district_basis", "as_submitted"),
        ("intervention_code", "x"),
        ("target_group", "x"),
    ],
)
def test_services_are_of_the_whole_city_in_the_division_of_today(tmp_path: Path, column: str, value: str) -> None:
    rows = [("ar", "2018", "alla", "alla", "alla", count) for count in (400, 7)]
    release = _release(tmp_path / "r.duckdb", services=rows)
    with duckdb.connect(str(release)) as connection:
        connection.execute(f"update published.mart_service_interventions set {column} = '{value}' where started = 7")
    services, _ = make_exports(release)
    assert [row[-1] for row in services.rows] == [400]


def _goals(district: str, *counts: tuple[str, int, int], code: str = "0_12") -> list[Goal]:
    return [(quarter, district, f"re_referral_kkik_{code}", part, whole) for quarter, part, whole in counts]


def test_not_back_is_of_the_first_half_of_the_year_before(tmp_path: Path) -> None:
    # 2018Q1: 20 of 30, 2018Q2: 15 of 20 → 35 of 50 are not back: 70 %. What ended in autumn is in no year.
    counts = [("2018Q1", 20, 30), ("2018Q2", 15, 20), ("2018Q3", 1, 9), ("2018Q4", 1, 9)]
    goals = [*_goals("farsta", *counts), *_goals("stockholm", *counts)]
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=goals))
    assert back.rows == ((2019, "farsta", "0-12", 50, 35, "70.0"), (2019, "stockholm", "0-12", 50, 35, "70.0"))


def test_ages_are_apart_and_other_indicators_left_out(tmp_path: Path) -> None:
    half = [("2018Q1", 10, 30), ("2018Q2", 10, 30)]
    goals = [*_goals("stockholm", *half), *_goals("stockholm", *half, code="13_20")]
    goals += [("2018Q1", "stockholm", "acceptance_rate", 1, 2), ("2018Q2", "stockholm", "acceptance_rate", 1, 2)]
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=goals))
    assert [(row[2], row[-1]) for row in back.rows] == [("0-12", "33.3"), ("13-20", "33.3")]


def test_a_half_year_that_the_city_has_not_whole_is_left_out(tmp_path: Path) -> None:
    goals = [*_goals("farsta", ("2018Q1", 20, 30), ("2018Q2", 20, 30)), *_goals("stockholm", ("2018Q1", 20, 30))]
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=goals))
    assert back.rows == ()


def test_a_district_without_a_row_in_a_quarter_has_a_published_0_and_too_few_no_share(tmp_path: Path) -> None:
    city = _goals("stockholm", ("2018Q1", 20, 30), ("2018Q2", 20, 30))
    _, back = make_exports(_release(tmp_path / "r.duckdb", goals=[*city, *_goals("farsta", ("2018Q1", 12, 19))]))
    assert back.rows[0] == (2019, "farsta", "0-12", 19, 12, None)


def test_a_release_without_the_tables_gives_exports_without_rows(tmp_path: Path) -> None:
    assert [export.rows for export in make_exports(_release(tmp_path / "r.duckdb"))] == [(), ()]


def test_files_say_two_dots_for_a_share_of_too_few_and_are_described(tmp_path: Path) -> None:
    goals = _goals("stockholm", ("2018Q1", 5, 6), ("2018Q2", 5, 6))
    written = write_exports(_release(tmp_path / "r.duckdb", goals=goals), tmp_path)
    assert {path.name for path in written} == {
        "insatser_utan_behovsprovning.csv", "ej_ateraktualiserade.csv", "datapackage.json",
    }  # fmt: skip
    text = (tmp_path / "exports" / "ej_ateraktualiserade.csv").read_bytes().decode("utf-8")
    assert text.splitlines()[1] == f"2019,stockholm,0-12,12,10,{TOO_FEW}"
    package = json.loads((tmp_path / "exports" / "datapackage.json").read_text(encoding="utf-8"))
    assert "how to read" in package["description"] and "läggs ihop" in package["description"]
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
    from publish.exports import MUNICIPALITY, RE_REFERRAL, SERVICES

    for field in (*SERVICES, *RE_REFERRAL, MUNICIPALITY):
        assert f"| `{field.name}` |" in page


def test_codes_of_municipalities_are_there_where_the_organisation_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.settings import ORGANISATION
    from synthetic.country.writing import municipalities, write_country

    first, second = (one.code for one in municipalities()[:2])
    goals = [
        (f"2018Q{number}", district, "re_referral_kkik_0_12", 50, 60)
        for number in (1, 2)
        for district in ("riket", first, second)
    ]
    path = _release(tmp_path / "r.duckdb", goals=goals)
    assert "kommunkod" not in [field.name for field in make_exports(path)[1].fields]
    monkeypatch.setenv(ORGANISATION, str(write_country(tmp_path, 2)))
    export = make_exports(path)[1]
    assert export.fields[-1].name == "kommunkod"
    assert {(row[1], row[-1]) for row in export.rows} == {(first, "3101"), (second, "3102"), ("riket", "")}

"""The rehearsal's tables of groups (the city's rows, by the quarter of each count) and of what a release let out."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
from rich.console import Console

from followup.local.figures import groups_table, release_table

RECRUITMENT = """
create schema core;
create table core.dim_district as select * from (
    values ('stockholm', 'city'), ('farsta', 'district'), ('bromma', 'district')
) as units (district_code, kind);
create schema marts;
create table marts.mart_recruitment (
    district_code varchar, district_basis varchar, reporting_quarter varchar, cohort_basis varchar,
    intervention_category varchar, intervention_code varchar, groups_started int, groups_cancelled int,
    groups_cancelled_for_too_few int, seats int, participants int, is_survivors_only boolean,
    period_kind varchar default 'kvartal'
);
insert into marts.mart_recruitment values
    ('stockholm', 'as_submitted', '2018Q3', 'startad', 'alla', 'alla', 4, 0, 0, 40, 30, false, 'kvartal'),
    ('stockholm', 'as_submitted', '2018Q3', 'planerad', 'alla', 'alla', 5, 3, 2, 60, 30, false, 'kvartal'),
    ('stockholm', 'today', '2018Q3', 'startad', 'alla', 'alla', 9, 0, 0, 90, 80, false, 'kvartal'),
    ('stockholm', 'as_submitted', '2018Q3', 'startad', 'barngrupp', 'alla', 1, 0, 0, 10, 8, false, 'kvartal'),
    ('farsta', 'as_submitted', '2018Q3', 'startad', 'alla', 'alla', 1, 0, 0, 10, 8, false, 'kvartal'),
    ('stockholm', 'as_submitted', '2018Q3', 'startad', 'alla', 'alla', 20, 0, 0, 300, 200, false, 'rullande_ar');
create table marts.mart_vacancies (
    district_code varchar, district_basis varchar, reporting_quarter varchar, intervention_code varchar,
    seats_district_code varchar, queue int, period_kind varchar default 'kvartal'
);
insert into marts.mart_vacancies values
    ('farsta', 'as_submitted', '2018Q3', 'komet', 'bromma', 5, 'kvartal'),
    ('farsta', 'as_submitted', '2018Q3', 'komet', 'sodermalm', 5, 'kvartal'),
    ('farsta', 'as_submitted', '2018Q3', 'abc', 'bromma', 2, 'kvartal'),
    ('bromma', 'today', '2018Q3', 'abc', 'farsta', 90, 'kvartal');
"""


def test_groups_table_counts_a_queue_once_however_many_districts_have_seats(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(RECRUITMENT)
    console = Console(width=160, record=True, file=(tmp_path / "printed").open("w", encoding="utf-8"))
    console.print(groups_table(path))
    rows = [line for line in console.export_text().splitlines() if "2018Q3" in line]
    # 30 of 40 seats; 3 cancelled, 2 for too few; 5 wait for Komet and 2 for ABC, though Komet has seats in two places.
    assert [cell.strip() for cell in rows[0].strip("│ ").split("│")] == [
        "2018Q3", "4", "40", "30", "75 %", "3", "2", "7",
    ]  # fmt: skip
    assert len(rows) == 1


def test_release_table_shows_rows_and_rates_of_too_few_of_each_mart(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "followup.duckdb")) as connection:
        connection.execute("create schema published; create table published.mart_case_flow as from range(1200)")
        connection.execute("create table published.dim_district as from range(14)")
    counts = {"name": "mart_case_flow", "rows": 1200, "rates": 2000, "too_few": 30}
    certificate = {"release_id": 3, "until_quarter": "2019Q3", "tables": [counts]}
    (tmp_path / "certificate.json").write_text(json.dumps(certificate), encoding="utf-8")
    console = Console(width=160, record=True, file=(tmp_path / "printed").open("w", encoding="utf-8"))
    console.print(release_table(tmp_path))
    text = console.export_text()
    assert "Release 3, up to 2019Q3 (synthetic)" in text and "deviate a little" in text
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in text.splitlines() if "│" in line]
    assert rows == [["mart_case_flow", "1 200", "2 000", "30"], ["all others", "14", "–", "–"]]

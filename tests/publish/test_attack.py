"""Releases of small random cities, attacked with everything that readers have; and that the attacker is worth fearing.

`make test-attack` does the same to many more cities.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from attack_by_trying import Sum, try_all
from attack_city import City, Close, Published, draw_city, publish, recipes, tables_of, write_warehouse
from attack_many import MOST_BLOCKED
from attacked_city import Outcome, Truth, attack_city, attack_figures, meaning_of
from attacker import NEAR, Attack, Figure, Target, read_figures

CITIES = int(os.environ.get("CITIES", "25"))
SEED = int(os.environ.get("SEED", "0"))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    return [attack_city(draw_city(s), tmp_path_factory.mktemp("city") / "home") for s in range(SEED, SEED + CITIES)]


@pytest.mark.timeout(900)
def test_nothing_published_of_any_city_bounds_what_is_protected(outcomes: list[Outcome]) -> None:
    failed = {one.seed: one.failures[:3] for one in outcomes if one.failures}
    assert not failed, f"of {sum(len(one.intervals) for one in outcomes)} intervals: {failed}"
    assert sum(one.hidden for one in outcomes) > 20 * CITIES
    assert min(one.narrowest for one in outcomes) >= 5 - NEAR


@pytest.mark.timeout(900)
def test_few_releases_are_blocked(outcomes: list[Outcome]) -> None:
    blocked = {one.seed: one.blocked[:1] for one in outcomes if one.blocked}
    assert len(blocked) <= MOST_BLOCKED * len(outcomes), blocked


@pytest.mark.timeout(900)
def test_zeros_are_among_what_is_hidden(outcomes: list[Outcome]) -> None:
    assert sum(one.hidden_zero_rows for one in outcomes) > 0.02 * sum(one.hidden for one in outcomes)


def figure(sex: str, value: int | None) -> Figure:
    codes = (("sex", sex),) if sex else ()
    return Figure(1, "concluded", "farsta", "as_submitted", "2018Q1", codes, value)


def of_one_district(girls: int, boys: int) -> Truth:
    """One district, one quarter, two sexes."""
    city = City(0, tables_of({"mart_case_flow": recipes()[4]["mart_case_flow"]}), 4, (), ("farsta",))
    cases = pd.DataFrame(
        [
            ("farsta", "2018Q1", sex, "0-12", "skola", "ingen", False, False, -1, 1)
            for sex, n in (("kvinna", girls), ("man", boys))
            for _ in range(n)
        ],
        columns=["unit", "quarter", "sex", "age_band", "reason_code", "intervention_category", "is_offered",
                 "is_accepted", "days", "weight"],
    )  # fmt: skip
    published = {1: Published(Close("2018Q1", cases, False), Path())}
    meaning = meaning_of(replace(city, closes=(published[1].close,)), published)
    return Truth(meaning, published)


def judged(figures: list[Figure], truth: Truth) -> Outcome:
    outcome = Outcome(0)
    attack_figures(figures, truth, outcome)
    return outcome


def test_attacker_finds_what_a_lonely_hidden_figure_is() -> None:
    outcome = judged([figure("", 12), figure("kvinna", None), figure("man", 9)], of_one_district(3, 9))
    assert any("sex=kvinna is 3, and known to be 3 to 3" in failure for failure in outcome.failures)


def test_attacker_finds_an_interval_that_is_too_narrow() -> None:
    outcome = judged([figure("", 4), figure("kvinna", None), figure("man", None)], of_one_district(3, 1))
    assert any("sex=kvinna is 3, and known to be 0 to 4" in failure for failure in outcome.failures)


def test_attacker_finds_nothing_where_two_figures_cover_each_other() -> None:
    outcome = judged([figure("", 12), figure("kvinna", None), figure("man", None)], of_one_district(3, 9))
    assert not outcome.failures and outcome.narrowest == 12 and outcome.systems_tried == 1


def test_trying_and_solving_find_the_same() -> None:
    # a + b = 7, b + c = 9, c + d = 6
    a, b, c, d = (0,), (1,), (2,), (3,)
    targets = {cells: Target(str(cells), cells) for cells in (a, b, c, d)}
    wholes = {(0, 1): 7, (1, 2): 9, (2, 3): 6}
    tried, systems = try_all([Sum(whole, ((whole[0],), (whole[1],))) for whole in wholes], wholes, targets)
    attack = Attack(known=dict(wholes))
    solved = attack.run(list(targets.values()), 4)
    assert systems == 1
    assert [(i.low, i.high) for i in tried] == [(0, 4), (3, 7), (2, 6), (0, 4)]
    assert [(i.low, i.high) for i in solved] == [(0, 4), (3, 7), (2, 6), (0, 4)]


def test_attacker_succeeds_where_only_small_figures_are_hidden(tmp_path: Path) -> None:
    city = draw_city(4)
    published = {
        n: p for n, p in enumerate(publish(city, tmp_path / "home", is_whole=False), 1) if not isinstance(p, str)
    }
    figures, _ = read_figures({n: p.folder for n, p in published.items()}, city.tables)
    truth = Truth(meaning_of(city, published), published)
    naive = []
    for one in figures:
        value = truth.of(truth.unknowns.of(one))
        naive.append(replace(one, value=None if 1 <= value <= 4 else value))
    assert len(judged(naive, truth).failures) > 10


# What the files themselves may give away.


@pytest.fixture(scope="module")
def whole_release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """The files of a release in which a large figure had to be hidden, and the large hidden figures."""
    root = tmp_path_factory.mktemp("files")
    drawn = draw_city(4)
    first = drawn.closes[0]
    cases = first.cases.assign(weight=first.cases["sex"].map({"kvinna": 74_713, "man": 1}))
    cases = cases[(cases["sex"] == "kvinna") | (cases.groupby(["unit", "sex"]).cumcount() < 2)]
    cases = cases.assign(days=-1)
    city = replace(drawn, closes=(replace(first, cases=cases, late=None),))
    (release,) = publish(city, root / "home")
    assert isinstance(release, Published)
    figures, wrong = read_figures({1: release.folder}, city.tables)
    assert not wrong
    truth = Truth(meaning_of(city, {1: release}), {1: release})
    values = {truth.of(truth.unknowns.of(one)) for one in figures if one.value is None}
    shown = {one.value for one in figures}
    return release.folder, sorted(v for v in values - shown if v > 9_999)


def test_no_file_of_a_release_holds_a_hidden_figure(whole_release: tuple[Path, list[int]]) -> None:
    folder, hidden = whole_release
    assert hidden, "no large figure is hidden: nothing to look for"
    names = set()
    for path in (p for p in folder.rglob("*") if p.is_file()):
        held = path.read_bytes()
        names.add(path.suffix)
        for value in hidden:
            coded = [str(value).encode(), struct.pack("<i", value), struct.pack("<q", value), struct.pack("<d", value)]
            assert not any(code in held for code in coded), f"{path.name} holds {value}"
    assert {".duckdb", ".parquet", ".csv", ".html", ".json"} <= names


def test_what_is_shown_is_found_the_same_way(whole_release: tuple[Path, list[int]]) -> None:
    folder, _ = whole_release
    with duckdb.connect(str(folder / "followup.duckdb"), read_only=True) as snapshot:
        (largest,) = snapshot.execute("select max(cases) from published.mart_case_flow").fetchone()
    assert str(largest).encode() in (folder / "csv" / "mart_case_flow.csv").read_bytes()
    assert struct.pack("<i", largest) in (folder / "parquet" / "mart_case_flow.parquet").read_bytes()


def test_statistics_of_columns_tell_of_what_is_shown_alone(whole_release: tuple[Path, list[int]]) -> None:
    folder, _ = whole_release
    with duckdb.connect(str(folder / "followup.duckdb"), read_only=True) as snapshot:
        listed = snapshot.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        assert {schema for schema, _ in listed} == {"published"}
        assert not snapshot.execute("select view_name from duckdb_views() where not internal").fetchall()
        shown = snapshot.execute("select min(cases), max(cases) from published.mart_case_flow").fetchone()
        (stats,) = snapshot.execute("select stats(cases) from published.mart_case_flow limit 1").fetchone()
        assert f"Min: {shown[0]}, Max: {shown[1]}" in stats
        rows = snapshot.execute("select count(*) from published.mart_case_flow").fetchone()
        stored = snapshot.execute(
            "select sum(count) from pragma_storage_info('published.mart_case_flow') "
            "where column_name = 'cases' and segment_type = 'VALIDITY'"
        ).fetchone()
        assert rows == stored
    metadata = pq.read_metadata(folder / "parquet" / "mart_case_flow.parquet")
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if chunk.path_in_schema == "cases" and chunk.statistics is not None:
                assert shown[0] <= chunk.statistics.min <= chunk.statistics.max <= shown[1]


def test_every_flavour_hides_the_same(whole_release: tuple[Path, list[int]]) -> None:
    folder, _ = whole_release
    for name in ("mart_case_flow", "mart_investigation_times"):
        with duckdb.connect(str(folder / "followup.duckdb"), read_only=True) as snapshot:
            told = snapshot.execute(f"select * from published.{name}").df()
        parquet = pq.read_table(folder / "parquet" / f"{name}.parquet").to_pandas()
        csv = pd.read_csv(folder / "csv" / f"{name}.csv")
        excel = pd.read_csv(folder / "csv_excel" / f"{name}.csv", sep=";", decimal=",", encoding="utf-8-sig")
        for other in (parquet, csv, excel):
            assert np.array_equal(other.isna().to_numpy(), told.isna().to_numpy()), name


def test_certificate_counts_and_names_no_cell(whole_release: tuple[Path, list[int]]) -> None:
    folder, _ = whole_release
    told = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    assert not {"failures", "primary", "seed", "cells_hidden"} & set(told)
    assert "farsta" not in (folder / "certificate.html").read_text(encoding="utf-8")


def test_a_city_is_drawn_the_same_by_its_seed(tmp_path: Path) -> None:
    one, other = draw_city(8), draw_city(8)
    assert all(a.cases.equals(b.cases) for a, b in zip(one.closes, other.closes, strict=True))
    write_warehouse(tmp_path / "w.duckdb", one, one.closes[-1])
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as warehouse:
        (cases,) = warehouse.execute(
            "select sum(cases) from marts.mart_case_flow where district_code = 'stockholm' and sex = 'alla' "
            "and age_band = 'alla' and reason_side = 'alla' and intervention_category = 'alla' "
            "and district_basis = 'today'"
        ).fetchone()
    assert cases == len(one.closes[-1].cases)

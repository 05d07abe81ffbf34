"""Making figures: which deviate how, what a correction draws anew, what waits, and which rows are published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.ledger.draws import Draw
from publish.cell_keys.keys import Group
from publish.cell_keys.revisions import draws_to_record
from publish.policy import load_policy
from publish.release.choosing import cut_names
from publish.release.keyed import NotKeyed
from publish.release.making import Made, make
from publish.release.tables import table_of
from tests.publish.keyed_city import (
    DISTRICTS,
    FLOW,
    MARTS,
    MEASURES,
    QUARTERS,
    Case,
    cases,
    many_changed,
    write_warehouse,
)

SECRET = bytes(range(32))
POLICY = load_policy().cell_keys
Release = Callable[..., Made]
Figure = dict[tuple[str, ...], int]


class City:
    """Releases of a city one after the other, as the ledger and the current release's file would hold them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.draws: list[Draw] = []
        self.current: Path | None = None

    def release(self, given: list[Case], **options: object) -> Made:
        self.number += 1
        incomplete = options.pop("incomplete", ())
        merged = options.pop("merged", None)
        warehouse = write_warehouse(self.folder / "warehouse.duckdb", given, incomplete=incomplete, merged=merged)
        declared = options.pop("declared", MARTS)
        made = make(
            warehouse, declared, MEASURES, POLICY, SECRET, earlier=self.draws, current=self.current, **options
        )  # fmt: skip
        self.draws += draws_to_record(made.decided, self.number)
        self.current = self.folder / f"release{self.number}.duckdb"
        with duckdb.connect(str(self.current)) as connection:
            connection.execute("create schema published")
            for name, found in made.marts.items():
                connection.register("published_rows", table_of(found, made.chosen[name]))
                connection.execute(f"create table published.{name} as select * from published_rows")
        return made


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def figures(made: Made, mart: str, column: str) -> Figure:
    """Published figures by district, quarter and dimensions, as reported."""
    table = table_of(made.marts[mart], made.chosen[mart])
    names = ["district_code", "reporting_quarter", *MARTS[mart].columns_of_dimensions]
    rows = table.filter(pa.compute.equal(table["district_basis"].cast(pa.string()), "as_submitted"))
    keys = zip(*(rows[name].cast(pa.string()).to_pylist() for name in names), strict=True)
    return dict(zip(keys, rows[column].to_pylist(), strict=True))


def of(found: Figure, district: str, quarter: str) -> Figure:
    return {key: value for key, value in found.items() if key[:2] == (district, quarter)}


def moved(before: Figure, after: Figure) -> float:
    """The share of figures that differ."""
    both = [key for key in before if key in after]
    return sum(before[key] != after[key] for key in both) / len(both)


def test_no_figure_of_1_to_4_none_further_than_7_and_0_stays_0(city: City) -> None:
    made = city.release(cases(40))
    for found in made.marts.values():
        for column in found.rows.mart.person_counts:
            true, shown = found.rows.ints(column), found.counts[column]
            is_free = ~found.capped[column]
            assert not np.isin(shown, (1, 2, 3, 4)).any()
            assert np.abs(shown - true)[is_free].max() <= POLICY.greatest_deviation
            assert not shown[true == 0].any()


def test_the_same_records_have_one_figure_in_all_marts_and_columns(city: City) -> None:
    made = city.release(cases())
    flow, back = figures(made, "mart_case_flow", "concluded"), figures(made, "mart_re_referral", "concluded")
    totals = {key[:2]: value for key, value in flow.items() if set(key[2:]) == {"alla"}}
    assert len(totals) == 9
    assert {key[:2]: value for key, value in back.items() if key[2] == "alla"} == totals
    assert figures(made, "mart_re_referral", "re_referral_rate_365_denominator") == back
    assert figures(made, "mart_case_flow", "offer_rate_denominator") == flow


def test_both_divisions_and_one_districts_city_have_the_districts_figures(city: City) -> None:
    made = city.release([one for one in cases() if one.district == "bromma"])
    found = made.marts["mart_case_flow"]
    units, names = found.rows.codes("district_code")
    concluded = found.counts["concluded"]
    own, whole = (np.sort(concluded[units == names.index(name)]) for name in ("bromma", "stockholm"))
    assert (own == whole).all()
    today = found.rows.where("district_basis", "today")
    assert (np.sort(concluded[today]) == np.sort(concluded[~today])).all()


def test_two_homes_write_byte_identical_parquet(tmp_path: Path) -> None:
    written = []
    for home in ("one", "other"):
        (tmp_path / home).mkdir()
        given = cases()
        made = City(tmp_path / home).release(given if home == "one" else given[::-1])
        for name, found in made.marts.items():
            table = table_of(found, made.chosen[name])
            by = [*found.rows.mart.keys, *found.rows.mart.columns_of_dimensions]
            columns = [one.cast(pa.string()) if pa.types.is_dictionary(one.type) else one for one in table.columns]
            plain = pa.table(columns, names=table.column_names)
            pq.write_table(plain.sort_by([(one, "ascending") for one in by]), tmp_path / home / f"{name}.parquet")
        written.append({path.name: path.read_bytes() for path in sorted((tmp_path / home).glob("*.parquet"))})
    assert written[0] == written[1]
    assert len(written[0]) == len(MARTS)


def test_unchanged_data_draw_nothing_anew(city: City) -> None:
    before = city.release(cases())
    after = city.release(cases())
    assert {one.decision for one in after.decided} == {"same"}
    assert figures(before, "mart_case_flow", "offered") == figures(after, "mart_case_flow", "offered")
    assert not draws_to_record(after.decided, 2)


def test_changed_records_draw_their_unit_quarter_and_the_city_anew_and_nothing_else(city: City) -> None:
    given = cases(60)
    before = city.release(given)
    after = city.release(many_changed(given, "bromma-2018Q2", 40, reason_code="halsa"))
    for mart, column in (
        ("mart_case_flow", "concluded"),
        ("mart_case_flow", "offered"),
        ("mart_re_referral", "re_referral_rate_365_denominator"),
    ):
        old, new = figures(before, mart, column), figures(after, mart, column)
        for district in (*DISTRICTS, "stockholm"):
            for quarter in QUARTERS:
                share = moved(of(old, district, quarter), of(new, district, quarter))
                if quarter == "2018Q2" and district != "farsta":
                    assert share > 0.25, (mart, column, district)
                else:
                    assert share == 0
    anew = {(one.group.family, one.group.unit) for one in after.decided if one.decision == "anew"}
    assert anew == {(family, unit) for family in ("avslutad", "retur") for unit in ("bromma", "stockholm")}


def test_one_changed_record_waits_with_the_city_until_enough_have_changed(city: City) -> None:
    given = cases(60)
    before = city.release(given)
    for number, yearly in ((1, False), (1, True), (9, False)):
        after = city.release(
            many_changed(given, "bromma-2018Q2", number, reason_code="halsa"), is_yearly_revision=yearly
        )
        waiting = {(one.group.family, one.group.unit) for one in after.decided if one.decision == "held"}
        assert waiting == {(family, unit) for family in ("avslutad", "retur") for unit in ("bromma", "stockholm")}
        for mart, column in (("mart_case_flow", "concluded"), ("mart_case_flow", "offered")):
            assert figures(before, mart, column) == figures(after, mart, column)
    taken_in = city.release(many_changed(given, "bromma-2018Q2", 40, reason_code="halsa"))
    assert "anew" in {one.decision for one in taken_in.decided}


def test_the_city_waits_with_a_unit_whose_change_it_would_tell(city: City) -> None:
    given = cases(60)
    city.release(given)
    both = many_changed(given, "bromma-2018Q2", 40, reason_code="halsa")
    after = city.release(many_changed(both, "farsta-2018Q2", 1, reason_code="halsa"))
    said = {one.group.unit: one.decision for one in after.decided if one.group.period == "2018Q2"}
    assert said == {"bromma": "anew", "farsta": "held", "stockholm": "held"}


def test_a_unit_that_is_part_of_another_now_is_not_counted_beside_it_in_todays_division(city: City) -> None:
    few = [case for case in cases(30, districts=["alvsjo"]) if int(case.name.rpartition("-")[2]) < 6]
    given = [*cases(60), *few]
    before = city.release(given)
    after = city.release(given, merged={"alvsjo": "bromma"}, locked=["2018Q1", "2018Q2"])

    def rows_of_alvsjo(made: Made, basis: str) -> int:
        marts = [(one.rows, made.chosen[name]) for name, one in made.marts.items()]
        return sum(
            int((rows.where("district_basis", basis) & rows.where("district_code", "alvsjo") & chosen).sum())
            for rows, chosen in marts
        )

    assert rows_of_alvsjo(before, "today") == rows_of_alvsjo(before, "as_submitted") > 0
    assert (rows_of_alvsjo(after, "today"), rows_of_alvsjo(after, "as_submitted")) == (
        0, rows_of_alvsjo(before, "as_submitted")
    )  # fmt: skip
    decided = {one.decision for one in after.decided if one.group.unit == "alvsjo" and one.group.basis == "today"}
    assert decided == {"emptied"}


def test_a_place_that_is_incomplete_again_waits_as_a_whole(city: City) -> None:
    few = [case for case in cases(60) if not case.name.startswith("farsta-2018Q2")]
    few += cases(12, districts=["farsta"], quarters=["2018Q2"])
    places = [("bromma", "2018Q2"), ("farsta", "2018Q2"), ("stockholm", "2018Q2")]  # many records, and fewer than 30

    def shown(made: Made) -> list[Figure]:
        columns = [(name, column) for name, mart in MARTS.items() for column in (*mart.person_counts, *mart.rates)]
        return [figures(made, mart, column) for mart, column in columns]

    before = shown(city.release(few))
    for _ in range(2):
        waiting = city.release([case for case in few if case.quarter != "2018Q2"])  # their files are taken back
        assert {(one.group.unit, one.group.period) for one in waiting.decided if one.decision == "held"} == {*places}
        assert shown(waiting) == before
    waiting = city.release(few, incomplete=places)
    assert shown(waiting) == before and {one.decision for one in waiting.decided} == {"same", "held"}
    assert {one.decision for one in city.release(few).decided} == {"same"}


def test_a_place_that_one_mart_lacks_waits_in_all_marts_that_count_its_families(city: City) -> None:
    given = cases(60)
    before = city.release(given)
    changed = many_changed(given, "bromma-2018Q2", 40, is_offered=True)
    after = city.release(changed, incomplete=[("bromma", "2018Q2", "mart_re_referral")])
    for mart, column in (("mart_case_flow", "offered"), ("mart_re_referral", "concluded")):
        place = [of(figures(made, mart, column), "bromma", "2018Q2") for made in (before, after)]
        assert place[0] == place[1] and any(place[0].values())
    assert of(figures(before, "mart_case_flow", "offered"), "farsta", "2018Q2") == of(
        figures(after, "mart_case_flow", "offered"), "farsta", "2018Q2"
    )


def test_what_ripens_does_not_draw_anew_what_was_settled(city: City) -> None:
    given = cases(60)
    before = city.release(given)
    after = city.release(many_changed(given, "bromma-2018Q2", 40, is_returned=True))
    assert figures(before, "mart_case_flow", "offered") == figures(after, "mart_case_flow", "offered")
    decided = {(one.group.family, one.decision) for one in after.decided if one.group.unit == "bromma"}
    assert ("retur", "anew") in decided
    assert ("avslutad", "anew") not in decided


def test_a_fourth_draw_waits_with_the_current_figures_until_the_yearly_revision(city: City) -> None:
    given = cases(60)
    for number in range(POLICY.draws):
        last = city.release(many_changed(given, "bromma-2018Q2", 40, reason_code=f"skola{number}"))
    # records move to a reason nobody had, and those of another reason are gone
    correction = many_changed(given, "bromma-2018Q2", 40, reason_code="ny")
    correction += [Case(f"more-{number}", "bromma", "2018Q2", reason_code="ny") for number in range(12)]
    held = city.release(correction)
    assert {one.decision for one in held.decided if one.group.period == "2018Q2" and one.group.unit == "bromma"} == {
        "held"
    }
    for mart, column in (
        ("mart_case_flow", "concluded"),
        ("mart_case_flow", "offered"),
        ("mart_re_referral", "re_referral_rate_365_denominator"),
    ):
        assert figures(held, mart, column) == figures(last, mart, column)
    assert figures(held, "mart_case_flow", "offer_rate") == figures(last, "mart_case_flow", "offer_rate")
    taken_in = city.release(correction, is_yearly_revision=True)
    assert "anew" in {one.decision for one in taken_in.decided}
    assert ("bromma", "2018Q2", "vuxna", "ny", "alla", "alla") in figures(taken_in, "mart_case_flow", "concluded")


def test_quarters_that_can_still_change_and_later_ones_are_left_out(city: City) -> None:
    made = city.release(cases(), incomplete=[("bromma", "2018Q2"), ("stockholm", "2018Q2")], until="2018Q2")
    found = {key[:2] for key in figures(made, "mart_case_flow", "concluded")}
    assert found == {("bromma", "2018Q1"), ("farsta", "2018Q1"), ("stockholm", "2018Q1"), ("farsta", "2018Q2")}
    assert not [one for one in made.decided if one.group.period == "2018Q3"]


def test_a_sensitive_breakdown_needs_a_whole_of_20_published_and_at_most_one_other_dimension(city: City) -> None:
    small = [one for one in cases(30) if one.district == "farsta"] + cases(12, districts=["bromma"])
    made = city.release(small)
    concluded = figures(made, "mart_case_flow", "concluded")
    assert concluded["bromma", "2018Q1", "alla", "alla", "alla", "alla"] < POLICY.too_few
    assert not [key for key in concluded if key[0] == "bromma" and key[2] != "alla"]
    assert [key for key in concluded if key[0] == "farsta" and key[2] != "alla" and key[4] == "alla"]
    # sex × age × reason of a quarter, though the whole by sex and age might be large enough
    assert not [key for key in concluded if "alla" not in (key[2], key[4], key[5])]
    assert [key for key in concluded if "alla" not in key[4:6] and key[2] == "alla"]


def test_rows_without_a_published_figure_are_left_out(city: City) -> None:
    made = city.release([Case("alone"), *cases(30, districts=["farsta"])])
    found = made.marts["mart_case_flow"]
    chosen = made.chosen["mart_case_flow"]
    shown = sum(found.counts[name] for name in MARTS["mart_case_flow"].person_counts)
    assert (shown[chosen] > 0).all()
    assert ((found.rows.ints("concluded") > 0) & ~chosen).any()


def test_all_of_n_is_capped_by_reason_and_said_so(city: City) -> None:
    given = [replace(one, is_offered=True) for one in cases(80, districts=["farsta"], quarters=["2018Q1"])]
    table = table_of((made := city.release(given)).marts["mart_case_flow"], made.chosen["mart_case_flow"]).to_pylist()
    for row in table:
        if row["reason_side"] == "alla":
            assert not row["is_capped"]
            assert row["offer_rate_numerator"] <= row["offer_rate_denominator"]
        else:
            assert 100 * row["offered"] < POLICY.all_of_n_percent * max(row["concluded"], 1)
            assert row["offer_rate"] in (None, 0.75) or not row["is_capped"]
    assert sum(row["is_capped"] for row in table) > len(table) / 3


def test_a_part_that_its_code_says_of_each_is_not_capped(city: City) -> None:
    given = [replace(one, is_offered=True) for one in cases(80, districts=["farsta"], quarters=["2018Q1"])]
    by_code = {"whole_where_cut": ("reason_side",)}
    counts = {
        name: count.model_copy(update=by_code if count.part_of else {}) for name, count in FLOW.person_counts.items()
    }
    flow = FLOW.model_copy(update={"person_counts": counts})
    made = city.release(given, declared={**MARTS, "mart_case_flow": flow})
    rows = table_of(made.marts["mart_case_flow"], made.chosen["mart_case_flow"]).to_pylist()
    by_reason = [row for row in rows if row["reason_side"] != "alla" and row["offer_rate"] is not None]
    assert (len(by_reason) > 3, any(row["is_capped"] for row in rows)) == (True, False)
    assert all(row["offer_rate"] > 0.75 for row in by_reason)


def test_a_rate_of_too_few_is_null_and_nothing_else_is(city: City) -> None:
    made = city.release(cases(30))
    table = table_of(made.marts["mart_case_flow"], made.chosen["mart_case_flow"])
    nulls = {name for name in table.column_names if table[name].null_count}
    assert nulls == {"offer_rate", "offer_rate_low", "offer_rate_high"}
    rows = table.to_pylist()
    assert {row["too_few"] for row in rows} == {True, False}
    assert all(
        (row["offer_rate"] is None) == row["too_few"] == (row["offer_rate_denominator"] < POLICY.too_few)
        for row in rows
    )


def test_cuts_are_named_by_the_innermost_columns_in_order(city: City) -> None:
    made = city.release(cases(30))
    table = table_of(made.marts["mart_case_flow"], made.chosen["mart_case_flow"])
    assert set(table["cut"].cast(pa.string()).to_pylist()) == {
        "total", "sex", "age_band", "reason_side", "reason_code", "age_band+sex", "reason_side+sex", "reason_code+sex",
        "age_band+reason_code",
    }  # fmt: skip
    flags = [[np.array([True, True, False]), np.array([False, True, False])], [np.array([False, True, False])]]
    codes, names = cut_names([["outer", "inner"], ["area"]], flags, 3)
    assert [names[code] for code in codes] == ["outer", "area+inner", "total"]


def test_each_period_is_published_under_its_own_salts(city: City) -> None:
    made = city.release(cases())
    by = Counter((one.group.unit, one.group.period) for one in made.decided)
    # two families, two divisions
    assert set(by.values()) == {4}
    salts = {one.group: one.salt for one in made.decided}
    first = Group("avslutad", "bromma", "as_submitted", "kvartal", "2018Q1")
    assert salts[first] == salts[replace(first, basis="today")]
    assert salts[first] != salts[replace(first, period="2018Q2")] != salts[replace(first, unit="farsta")]


def test_a_warehouse_without_keys_is_refused_in_words(tmp_path: Path) -> None:
    warehouse = write_warehouse(tmp_path / "warehouse.duckdb", cases())
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("alter table keyed.mart_case_flow drop column offered__key")
    with pytest.raises(NotKeyed, match="mart_case_flow has no column offered__key"):
        make(warehouse, MARTS, MEASURES, POLICY, SECRET)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop table keyed.mart_re_referral")
    with pytest.raises(NotKeyed, match="no mart_re_referral"):
        make(warehouse, MARTS, MEASURES, POLICY, SECRET)

"""Every declared rule about the marts is broken by rows that break it, and by no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest
import yaml

from ingest.settings import ROOT
from publish.gate.arithmetic import KINDS, Break, Marts
from publish.gate.suite import SUITE, _declared, load_mart_rules

MODELS = {
    model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
    for path in sorted((ROOT / "dbt_project" / "models" / "marts").glob("mart_*.yml"))
    for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
}
DECLARED = {entry["meta"]["code"]: entry for entry in _declared(SUITE)}
KIND_OF = {
    "expect_city_to_be_sum_of_districts": "city_is_sum",
    "expect_no_jump_of_totals": "no_jump",
    "expect_parts_within_whole": "parts_within",
    "expect_shares_to_be_shares": "shares_within",
    "expect_keys_to_be_filled": "keys_filled",
    "expect_districts_in_force_to_be_present": "districts_present",
    "expect_files_in_force": "files_in_force",
}
FILLER = {"varchar": "alla", "boolean": False, "double": 0.0, "date": "2018-01-01"}


def _codes(kind: str) -> list[str]:
    return [code for code, entry in DECLARED.items() if KIND_OF[entry["type"]] == kind]


@pytest.fixture
def marts() -> Iterator[Marts]:
    with duckdb.connect() as connection:
        connection.execute("create schema marts; create schema core")
        connection.execute(
            "create table core.fct_reporting_status (district_code varchar, reporting_quarter varchar, "
            "dataset varchar, is_expected boolean, is_in_force boolean, state varchar, row_count integer)"
        )
        yield Marts(connection)


def _fill(marts: Marts, table: str, *rows: Mapping[str, Any]) -> None:
    """A mart as its model declares it, with rows that say only what matters."""
    columns = MODELS[table]
    marts.connection.execute(f"create table marts.{table} ({', '.join(f'{n} {t}' for n, t in columns.items())})")
    for row in rows:
        place = {"district_code": "farsta", "district_basis": "as_submitted", "reporting_quarter": "2018Q1"}
        place["period_kind"] = "kvartal"
        whole = {name: FILLER.get(kind, 0) for name, kind in columns.items()}
        whole |= {name: value for name, value in place.items() if name in columns} | row
        assert set(whole) == set(columns)
        marts.connection.execute(
            f"insert into marts.{table} ({', '.join(whole)}) values ({', '.join('?' * len(whole))})",
            list(whole.values()),
        )


def _try(marts: Marts, code: str) -> list[Break]:
    entry = DECLARED[code]
    return KINDS[KIND_OF[entry["type"]]](marts, **entry["kwargs"])


def test_rules_name_only_columns_that_the_marts_have() -> None:
    for code, entry in DECLARED.items():
        given = entry["kwargs"]
        named = [*given.get("columns", []), *given.get("by", []), *given.get("measures", []), *given.get("parts", [])]
        named += [*given.get("totals", []), *given.get("only", {})]
        named += [given[argument] for argument in ("whole", "measure") if argument in given]
        assert set(named) <= set(MODELS.get(given.get("table"), {})), code


def test_every_mart_has_its_keys_and_its_shares_looked_at() -> None:
    for kind in ("keys_filled", "shares_within"):
        looked_at = {DECLARED[code]["kwargs"]["table"] for code in _codes(kind)}
        rated = {name for name, columns in MODELS.items() if any(c.endswith("rate") for c in columns)}
        assert (set(MODELS) if kind == "keys_filled" else rated) <= looked_at


def test_rules_are_numbered_once_and_say_why() -> None:
    rules = load_mart_rules()
    assert [rule.code for rule in rules] == [f"MAR-{number:03d}" for number in range(1, len(rules) + 1)]
    assert all(len(rule.why) > 30 for rule in rules)
    assert {rule.severity for rule in rules if rule.kind != "expect_files_in_force"} == {"error"}


@pytest.mark.parametrize("code", _codes("keys_filled"))
def test_a_null_in_any_column_of_the_key_breaks_the_rule(marts: Marts, code: str) -> None:
    table, columns = DECLARED[code]["kwargs"]["table"], DECLARED[code]["kwargs"]["columns"]
    _fill(marts, table, {}, *({column: None} for column in columns))
    assert [found.found for found in _try(marts, code)].count(f"{columns[-1]} is null in 1 rows") == 1
    assert len(_try(marts, code)) == len(columns)


@pytest.mark.parametrize("code", _codes("city_is_sum"))
def test_a_city_that_is_not_its_districts_breaks_the_rule(marts: Marts, code: str) -> None:
    table, measures = DECLARED[code]["kwargs"]["table"], DECLARED[code]["kwargs"]["measures"]
    _fill(
        marts,
        table,
        {"district_code": "stockholm"} | dict.fromkeys(measures, 7),
        {"district_code": "farsta"} | dict.fromkeys(measures, 4),
        {"district_code": "skarpnack"} | dict.fromkeys(measures, 3),
    )
    assert _try(marts, code) == []
    marts.connection.execute(f"update marts.{table} set {measures[-1]} = 5 where district_code = 'skarpnack'")
    expected = f"{measures[-1]}: the city is not the sum of its districts in 1 cuts"
    assert _try(marts, code) == [Break("stockholm", "2018Q1", expected)]


@pytest.mark.parametrize("code", _codes("parts_within"))
def test_more_of_the_parts_than_of_the_whole_breaks_the_rule(marts: Marts, code: str) -> None:
    given = DECLARED[code]["kwargs"]
    right = {given["whole"]: len(given["parts"])} | dict.fromkeys(given["parts"], 1)
    _fill(marts, given["table"], right, right | {given["whole"]: len(given["parts"]) - 1})
    said = " + ".join(given["parts"])
    assert _try(marts, code) == [Break("farsta", "2018Q1", f"{said} is more than {given['whole']} in 1 rows")]


@pytest.mark.parametrize("code", _codes("shares_within"))
@pytest.mark.parametrize("wrong", [1.0000001, -0.1, float("nan"), float("inf")])
def test_what_is_no_share_breaks_the_rule(marts: Marts, code: str, wrong: float) -> None:
    table, columns = DECLARED[code]["kwargs"]["table"], DECLARED[code]["kwargs"]["columns"]
    right = [dict.fromkeys(columns, value) for value in (None, 0.0, 1.0)]
    _fill(marts, table, *right, {columns[0]: wrong})
    assert [found.found for found in _try(marts, code)] == [f"{columns[0]} is not between 0 and 1 in 1 rows"]


def _report(marts: Marts, *rows: tuple[str, str, str, bool, bool, str], size: int = 0) -> None:
    marts.connection.executemany(
        "insert into core.fct_reporting_status values (?, ?, ?, ?, ?, ?, ?)", [(*row, size) for row in rows]
    )


@pytest.mark.parametrize("code", _codes("districts_present"))
def test_a_district_in_force_without_a_row_breaks_the_rule(marts: Marts, code: str) -> None:
    table, dataset = DECLARED[code]["kwargs"]["table"], DECLARED[code]["kwargs"]["dataset"]
    # neither today's division nor a year that ends with the quarter is the quarter's row
    year = {"district_code": "skarpnack", "period_kind": "rullande_ar"}
    _fill(marts, table, {}, {"district_code": "skarpnack", "district_basis": "today"}, year)
    _report(
        marts,
        ("farsta", "2018Q1", dataset, True, True, "i_kraft"),
        ("skarpnack", "2018Q1", dataset, True, True, "i_kraft"),
        ("norrmalm", "2018Q1", dataset, True, False, "saknas"),
        ("alvsjo", "2018Q1", "another", True, True, "i_kraft"),
        size=DECLARED[code]["kwargs"]["at_least"],
    )
    small = ("kista", "2018Q1", dataset, True, True, "i_kraft")
    _report(marts, small, size=DECLARED[code]["kwargs"]["at_least"] - 1)
    assert _try(marts, code) == [Break("skarpnack", "2018Q1", f"no row, although {dataset} is in force")]


@pytest.mark.parametrize("code", _codes("files_in_force"))
def test_files_that_are_still_awaited_are_not_missing(marts: Marts, code: str) -> None:
    dataset = DECLARED[code]["kwargs"]["dataset"]
    _report(
        marts,
        ("farsta", "2018Q1", dataset, True, True, "i_kraft"),
        ("norrmalm", "2018Q1", dataset, True, False, "saknas"),
        ("alvsjo", "2018Q1", dataset, True, False, "avvisad"),
        ("skarpnack", "2018Q2", dataset, True, False, "vantas"),
        ("socialforvaltningen", "2018Q1", dataset, False, False, "saknas"),
    )
    found = _try(marts, code)
    assert found == [Break(None, "2018Q1", f"no {dataset} in force from alvsjo, norrmalm")]
    assert [one.missing for one in found] == [("alvsjo", "norrmalm")]


def _totals(marts: Marts, code: str, *totals: tuple[str, int], **more: object) -> None:
    given = DECLARED[code]["kwargs"]
    rows = [given["only"] | {"reporting_quarter": quarter, given["measure"]: total} | more for quarter, total in totals]
    _fill(marts, given["table"], *rows)


@pytest.mark.parametrize("code", _codes("no_jump"))
def test_over_three_times_what_is_usual_for_the_quarter_breaks_the_rule(marts: Marts, code: str) -> None:
    measure = DECLARED[code]["kwargs"]["measure"]
    # 2018Q1 and 2019Q1: median 41; 3 × 41 = 123 is no jump, 124 is. The second quarter is judged by second quarters.
    _totals(marts, code, ("2018Q1", 40), ("2019Q1", 42), ("2020Q1", 123), ("2019Q2", 500), ("2020Q2", 500))
    assert _try(marts, code) == []
    marts.connection.execute(
        f"update marts.{DECLARED[code]['kwargs']['table']} set {measure} = 124 where reporting_quarter = '2020Q1'"
    )
    assert _try(marts, code) == [Break("farsta", "2020Q1", f"{measure} is 124, where 41 is usual for that quarter")]


@pytest.mark.parametrize("code", _codes("no_jump"))
def test_under_a_third_breaks_the_rule_and_a_small_figure_is_not_reported(marts: Marts, code: str) -> None:
    measure = DECLARED[code]["kwargs"]["measure"]
    _totals(marts, code, ("2018Q1", 40), ("2019Q1", 4))
    said = f"{measure} is fewer than 5, where 40 is usual for that quarter"
    assert _try(marts, code) == [Break("farsta", "2019Q1", said)]


@pytest.mark.parametrize("code", _codes("no_jump"))
@pytest.mark.parametrize(
    ("totals", "more"),
    [
        ([("2018Q1", 1), ("2019Q1", 39)], {}),
        ([("2018Q1", 400), ("2018Q2", 1)], {}),
        ([("2018Q1", 1), ("2019Q1", 400)], {"is_survivors_only": True}),
        ([("2018Q1", 1), ("2019Q1", 400)], {"district_code": "stockholm"}),
        ([("2018Q1", 1), ("2019Q1", 400)], {"district_basis": "today"}),
        ([("2018Q4", 1), ("2019Q4", 400)], {"period_kind": "ar"}),
    ],
    ids=["both small", "another quarter", "survivors only", "the city", "the division of today", "years"],
)
def test_what_is_no_jump(marts: Marts, code: str, totals: list[tuple[str, int]], more: dict[str, object]) -> None:
    _totals(marts, code, *totals, **more)
    assert _try(marts, code) == []


def test_rows_cut_further_are_no_totals(marts: Marts) -> None:
    (code,) = [code for code in _codes("no_jump") if DECLARED[code]["kwargs"]["table"] == "mart_case_flow"]
    _fill(
        marts,
        "mart_case_flow",
        {"cohort_basis": "inkommen", "reporting_quarter": "2018Q1", "cases": 50},
        {"cohort_basis": "inkommen", "reporting_quarter": "2019Q1", "cases": 50},
        {"cohort_basis": "inkommen", "reporting_quarter": "2019Q1", "cases": 500, "sex": "kvinna"},
        {"cohort_basis": "avgjord", "reporting_quarter": "2019Q1", "cases": 500},
    )
    assert _try(marts, code) == []

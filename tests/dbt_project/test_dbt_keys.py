"""Keys of what the marts count: the same records have one key in every mart and submission, and no key is in a mart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import md5
from typing import Any

import pytest
from dbt_built import DIMENSIONS, Warehouse, build_warehouse, whole
from dbt_inputs import Inputs
from dbt_small_city import submit_small_city
from dbt_small_city_counts import submit_counts

FACTS = {
    "fct_case": "case_key",
    "fct_investigation": "case_key",
    "fct_outpatient_episode": "episode_key",
    "fct_outpatient_stock": "stock_key",
    "fct_closing": "closing_key",
    "fct_group": "group_key",
    "fct_group_quarter": "group_quarter_key",
    "fct_service_intervention": "",
    "fct_youth_clinic": "",
    "fct_protection_follow_up": "",
}
"""What carries record keys, by its own key; rows that arrive as counts have none that outlives a submission."""
EXACT = {
    "mart_activities",
    "mart_equity",
    "mart_routines",
    "mart_submission_status",
    "mart_supply",
}
"""Marts without keys: they count no persons, or (equity) are computed from other marts' figures."""

Place = tuple[str, str, str]
"""A mart, a count in it, and the condition on its rows."""

AVSLUTAD = "cohort_basis = 'avslutad'"
ASSESSED, SERVICE = "wait_kind = 'assessed'", "wait_kind = 'service'"
SAME: list[tuple[Sequence[Place], Sequence[str]]] = [
    (
        [
            ("mart_case_flow", "concluded", AVSLUTAD),
            ("mart_case_flow", "cases", AVSLUTAD),
            ("mart_case_flow", "child_heard_rate_denominator", AVSLUTAD),
            ("mart_re_referral", "concluded", "true"),
            ("mart_goal_indicators", "in_scope", "indicator_code = 're_referral_rate_365'"),
        ],
        ["sex", "age_band", "socioeconomic"],
    ),
    (
        [
            ("mart_case_flow", "offered", AVSLUTAD),
            ("mart_intervention_chain", "offered", "true"),
            ("mart_goal_indicators", "numerator", "indicator_code = 'offer_rate'"),
        ],
        ["sex", "age_band"],
    ),
    (
        [
            ("mart_case_flow", "investigation_rate_numerator", "cohort_basis = 'avgjord'"),
            ("mart_goal_indicators", "numerator", "indicator_code = 'investigation_rate'"),
        ],
        ["sex", "age_band", "socioeconomic"],
    ),
    (
        [
            ("mart_investigation_times", "investigations", "true"),
            ("mart_goal_indicators", "in_scope", "indicator_code = 'within_60_days_rate'"),
        ],
        ["sex", "age_band", "socioeconomic"],
    ),
    (
        [
            ("mart_outpatient_care", "completion_rate_denominator", "true"),
            ("mart_goal_indicators", "denominator", "indicator_code = 'completion_rate'"),
        ],
        ["sex", "age_band"],
    ),
    (
        [("mart_outpatient_care", "wait_total_n", "true"), ("mart_waiting_times", "wait_n", ASSESSED)],
        ["intervention_category", "intervention_code"],
    ),
    (
        [("mart_outpatient_care", "wait_total__sum", "true"), ("mart_waiting_times", "wait__sum", ASSESSED)],
        ["intervention_category", "intervention_code"],
    ),
    (
        [("mart_outpatient_care", "waiting", "true"), ("mart_waiting_times", "queue", ASSESSED)],
        ["intervention_category", "intervention_code"],
    ),
    (
        [("mart_service_interventions", "wait_n", "true"), ("mart_waiting_times", "wait_n", SERVICE)],
        ["intervention_category", "intervention_code"],
    ),
    (
        [("mart_youth_clinic", "wait_n", "true"), ("mart_waiting_times", "wait_n", "wait_kind = 'youth_clinic'")],
        [],
    ),
]
"""Counts that are one measure: by these columns too they have one count and one key."""


def record_key(*parts: object) -> int:
    """The record key of a text, as ADR 0056 says it is made."""
    return int(md5("|".join(str(part) for part in parts).encode()).hexdigest()[:8], 16) | 1


def private_columns(warehouse: Warehouse, mart: str) -> list[str]:
    """The columns that only the release reads."""
    rows = warehouse.rows(
        f"select column_name from duckdb_columns() where schema_name = 'keyed' and table_name = '{mart}' "
        "and contains(column_name, '__')"
    )
    return [str(row["column_name"]) for row in rows]


def test_a_mart_holds_its_contract_only_and_keyed_the_same_and_more(warehouse: Warehouse) -> None:
    tables = "select table_name, column_name, data_type from duckdb_columns() where schema_name = "
    public = {(r["table_name"], r["column_name"], r["data_type"]) for r in warehouse.rows(f"{tables}'marts'")}
    keyed = {(r["table_name"], r["column_name"], r["data_type"]) for r in warehouse.rows(f"{tables}'keyed'")}
    assert [name for name in public if "__" in name[1]] == []
    assert public == {name for name in keyed if "__" not in name[1]}
    assert {mart for mart, *_ in public} - {name[0] for name in keyed - public} == EXACT
    for mart in sorted({name[0] for name in public}):
        columns = ", ".join(sorted(f'"{name[1]}"' for name in public if name[0] == mart))
        differing = warehouse.rows(
            f"from (select {columns} from keyed.{mart} except all select {columns} from marts.{mart})"
        )
        assert differing == [], mart


def test_every_count_above_0_has_a_key_and_0_has_key_0(warehouse: Warehouse) -> None:
    marts = [str(row["table_name"]) for row in warehouse.rows("from duckdb_tables() where schema_name = 'keyed'")]
    wrong = []
    for mart in marts:
        for key in private_columns(warehouse, mart):
            count = key.removesuffix("__key")
            if key == count:
                continue
            found = warehouse.row(
                f"select count(*) as n from keyed.{mart} where ({key} > 0) is distinct from (coalesce({count}, 0) > 0)"
            )
            wrong += [f"{mart}.{key}"] if found["n"] else []
    assert wrong == []


@pytest.mark.parametrize(("places", "by"), SAME, ids=[f"{places[0][0]}.{places[0][1]}" for places, _ in SAME])
def test_a_measure_has_one_key_in_all_marts(warehouse: Warehouse, places: Sequence[Place], by: Sequence[str]) -> None:
    def cells(place: Place) -> dict[tuple[Any, ...], tuple[int, int]]:
        mart, count, condition = place
        uncut = " and ".join(f"{column} = 'alla'" for column in DIMENSIONS[mart] if column not in by)
        keys = ", ".join(["district_code", "district_basis", "reporting_quarter", *by])
        rows = warehouse.rows(
            f"select {keys}, {count} as n, {count}__key as k from keyed.{mart} "
            f"where {uncut or 'true'} and {condition} and {count} > 0"
        )
        return {tuple(row.values())[:-2]: (row["n"], row["k"]) for row in rows}

    first, *others = [cells(place) for place in places]
    assert first
    assert all(other == first for other in others)


def test_a_cells_key_is_the_sum_of_its_records_keys_modulo_2_32(warehouse: Warehouse) -> None:
    cases = warehouse.rows("from core.fct_case where district_code = 'farsta' and received_quarter = '2020Q3'")
    total = warehouse.row(
        "from keyed.mart_case_flow where district_code = 'farsta' and district_basis = 'today' and cohort_basis = "
        f"'inkommen' and reporting_quarter = '2020Q3' and {whole('mart_case_flow')}"
    )
    assert len(cases) == total["cases"] == 2
    keys = [
        record_key(
            *(case[c] for c in ("case_key", "reason_side", "reason_code", "source_code", "referral_type")),
            *(case[c] for c in ("intervention_category", "intervention_code", "history", "sex", "socioeconomic")),
            case["pilot_from_date"] or "",
            case["age_band_at_receipt"],
            "pilot" if case["pilot_from_date"] and case["pilot_from_date"] <= case["received_date"] else "linje",
        )
        for case in cases
    ]
    assert [case["received_record_key"] for case in cases] == keys
    assert total["cases__key"] == sum(keys) % 2**32


def test_the_key_of_persons_has_each_person_once(warehouse: Warehouse) -> None:
    """F7 and F8 are two cases of p7: in all of Farsta's quarter one person, and by reason one in each cell."""
    key = record_key("p7")
    rows = warehouse.rows(
        "select distinct cases, persons, persons__key from keyed.mart_case_flow where district_code = 'farsta' "
        "and cohort_basis = 'inkommen' and reporting_quarter = '2020Q3'"
    )
    assert {(row["cases"], row["persons"], row["persons__key"]) for row in rows} == {(2, 1, key), (1, 1, key)}


def test_every_persons_key_is_that_of_the_distinct_persons_of_the_quarter(warehouse: Warehouse) -> None:
    persons = warehouse.rows(
        "select m.counts_in_code as unit, m.counts_in_basis as basis, c.received_quarter as quarter, "
        "list(distinct c.person_key) as persons from core.fct_case as c "
        "inner join core.dim_district_membership as m on c.district_code = m.district_code group by all"
    )
    totals = {
        (row["district_code"], row["district_basis"], row["reporting_quarter"]): row["persons__key"]
        for row in warehouse.rows(
            f"from keyed.mart_case_flow where cohort_basis = 'inkommen' and {whole('mart_case_flow')}"
        )
    }
    assert len(persons) > 5
    for row in persons:
        for basis in ("as_submitted", "today") if row["basis"] == "both" else (row["basis"],):
            expected = sum(record_key(person) for person in row["persons"]) % 2**32
            assert totals[row["unit"], basis, row["quarter"]] == expected, row


def test_a_row_of_counts_has_its_key_as_many_times_as_it_counts(warehouse: Warehouse) -> None:
    key = record_key("farsta", "2020Q2", "foraldrautbildning", "komet", "foralder", "man", "vuxen", "okand")
    row = warehouse.row(
        "from keyed.mart_service_interventions where district_code = 'farsta' and district_basis = 'today' "
        "and reporting_quarter = '2020Q2' and intervention_code = 'komet' and target_group = 'alla' and sex = 'alla' "
        "and age_band = 'alla' and referred_from = 'alla' and legal_ground = 'alla'"
    )
    assert (row["started"], row["started__key"]) == (4, 4 * key % 2**32)
    assert (row["completed"], row["completed__key"]) == (0, 0)


def test_a_mean_has_its_sum_and_the_two_largest_beside_it(warehouse: Warehouse) -> None:
    waits = sorted(
        row["wait_total_observed_days"]
        for row in warehouse.rows(
            "from core.fct_outpatient_episode where started_quarter = '2020Q2' and wait_total_days is not null"
        )
    )
    row = warehouse.row(
        "from keyed.mart_outpatient_care where district_code = 'stockholm' and district_basis = 'today' "
        f"and reporting_quarter = '2020Q2' and {whole('mart_outpatient_care')}"
    )
    assert row["wait_total_n"] == len(waits)
    assert row["wait_total__sum"] == sum(waits)
    assert [row["wait_total__largest"], row["wait_total__second"]] == [*waits[::-1], 0, 0][:2]


@pytest.fixture(scope="module")
def resubmitted(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The core of the small city, every file sent again with its rows in another order, and F8's reason corrected."""
    folder = tmp_path_factory.mktemp("resubmitted")
    inputs = Inputs(folder / "inputs", as_of_date="2020-10-25")
    submit_small_city(inputs)
    submit_counts(inputs)
    inputs.submissions = [
        replace(one, version=(one.version or 0) + 5, rows=[_corrected(row) for row in reversed(one.rows)])
        for one in inputs.submissions
    ]
    return build_warehouse(folder, inputs, *(f"+{fact}" for fact in FACTS))


def _corrected(row: Any) -> Any:
    return {**row, "orsak": "vuxen_missbruk"} if row.get("arende_id") == "F8" else row


def test_a_resubmission_with_the_same_content_gives_the_same_keys(warehouse: Warehouse, resubmitted: Warehouse) -> None:
    """F1, F3, F5 and A1 are in several files each, I1 and I2 in two; F8 alone was corrected, and received only."""
    assert warehouse.rows("select distinct submission_id from core.fct_case") != resubmitted.rows(
        "select distinct submission_id from core.fct_case"
    )
    changed = []
    for fact, own_key in FACTS.items():
        columns = "select column_name from duckdb_columns() where schema_name = 'core' and table_name = "
        keys = [
            row["column_name"]
            for row in warehouse.rows(f"{columns}'{fact}'")
            if str(row["column_name"]).endswith("record_key")
        ]
        assert keys, fact
        for key in keys:
            before, after = (
                sorted((str(row.get(own_key)), row[key]) for row in built.rows(f"from core.{fact}"))
                for built in (warehouse, resubmitted)
            )
            assert before, fact
            changed += [(fact, key) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        ("fct_case", "received_record_key"),
        ("fct_case", "decided_record_key"),
        ("fct_case", "concluded_record_key"),
    ]

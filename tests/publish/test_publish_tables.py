"""What is declared of releases: tables, policy, which cells need protection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ingest.settings import ROOT
from publish.labels import label
from publish.linking import link, remember
from publish.policy import POLICY_FILE, PolicyError, load_policy
from publish.primary import needs_protection
from publish.sums import COLUMNS, Nesting
from publish.tables import TABLES_FILE, TablesError, is_acyclic, load_tables


def declared() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TABLES_FILE.read_text(encoding="utf-8"))
    return loaded


def write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def test_marts_that_go_out_are_those_that_exposures_say() -> None:
    exposures = yaml.safe_load((ROOT / "dbt_project/models/marts/_exposures.yml").read_text(encoding="utf-8"))
    said = {
        ref.removeprefix("ref('").removesuffix("')")
        for exposure in exposures["exposures"]
        if exposure["config"]["meta"]["publish"]
        for ref in exposure["depends_on"]
    }
    assert said == load_tables().marts()


def test_yearly_tables_are_named_so_and_no_others() -> None:
    for name, table in load_tables().tables.items():
        assert name.endswith("_yearly") == (table.grain == "year"), name


def test_a_table_is_named_after_a_mart_that_goes_out_and_has_a_label() -> None:
    # the data dictionary finds the mart's page and columns by the beginning of the name
    tables = load_tables()
    for name in tables.names():
        assert any(name == mart or name.startswith(f"{mart}_") for mart in tables.marts()), name
        assert label(name), name


def test_services_started_by_quarter_and_sex_and_age_make_a_cycle_with_the_year_s_cells(tmp_path: Path) -> None:
    content = declared()
    content["tables"]["mart_service_interventions"]["blocks"][0]["cuts"].append(["sex", "age_band"])
    with pytest.raises(TablesError, match=r"the cuts of service\.started, service\.waited make a cycle"):
        load_tables(write(tmp_path / "t.yml", content))


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        (["ab", "bc"], True),
        (["ab", "bc", "ca"], False),
        (["abc", "ab", "bc", "ca"], True),
        (["ab", "bc", "cd", "da"], False),
        ([], True),
        (["qds", "qda", "dr"], True),
        (["qs", "qa", "sar"], False),
    ],
)
def test_margins_in_a_cycle_are_told_from_those_that_always_fit_together(edges: list[str], expected: bool) -> None:
    assert is_acyclic(frozenset(edge) for edge in edges) is expected


def test_a_cut_that_closes_a_cycle_is_refused_by_name(tmp_path: Path) -> None:
    content = declared()
    content["tables"]["mart_goal_indicators"]["blocks"][4]["cuts"].append(["sex"])
    path = write(tmp_path / "t.yml", content)
    with pytest.raises(TablesError, match=r"the cuts of avslutad\..* make a cycle"):
        load_tables(path)


def test_a_measure_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    content = declared()
    del content["measures"]["inkommen.cases"]
    with pytest.raises(TablesError, match=r"inkommen\.cases: no such measure"):
        load_tables(write(tmp_path / "t.yml", content))


def test_a_word_that_tables_yml_does_not_know_is_refused(tmp_path: Path) -> None:
    content = declared()
    content["tables"]["mart_case_flow"]["blocks"][0]["cutz"] = []
    with pytest.raises(TablesError, match="cutz"):
        load_tables(write(tmp_path / "t.yml", content))


def test_a_rate_that_could_be_of_nobody_is_refused(tmp_path: Path) -> None:
    content = declared()
    del content["tables"]["mart_goal_indicators"]["leave_out_zero"]
    with pytest.raises(TablesError, match="name it in leave_out_zero"):
        load_tables(write(tmp_path / "t.yml", content))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": 1}, "threshold"),
        ({"width": 9}, "width can't be larger"),
        ({"minimum_n": {"mean": 5, "median": 5, "grouped_median": 20}}, "lacks p90"),
        ({"minimum_n": {"mean": 5, "median": 2, "grouped_median": 20, "p90": 20}}, "smaller than threshold"),
        ({"attacker": "weak"}, "attacker"),
        ({"treshold": 5}, "treshold"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    content = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8")) | change
    with pytest.raises(PolicyError, match=said):
        load_policy(write(tmp_path / "p.yml", content))


def cells(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    """Cells of one unit and year from (measure, codes, value)."""
    made = [(f"{m}|farsta|2018|{codes}", m, "farsta", "2018", codes, value, False, True) for m, codes, value in rows]
    return pd.DataFrame(made, columns=COLUMNS)


def test_small_counts_small_rests_and_all_or_none_by_reason_need_protection() -> None:
    told = cells(
        [
            ("avslutad.concluded", "reason_code=vanvard", 40),
            ("avslutad.child_heard", "reason_code=vanvard", 37),  # 3 not heard
            ("avslutad.concluded", "reason_code=skola", 30),
            ("avslutad.child_heard", "reason_code=skola", 0),  # nobody heard
            ("avslutad.concluded", "reason_code=annan", 9),
            ("avslutad.child_heard", "reason_code=annan", 9),  # everybody heard
            ("avslutad.concluded", "reason_code=bostad", 0),
            ("avslutad.child_heard", "reason_code=bostad", 0),  # nobody at all
            ("avgjord.decided", "sex=man", 30),
            ("avgjord.investigations", "sex=man", 0),  # not by a dimension of group disclosure
            ("avslutad.concluded", "reason_code=vald", 4),
        ]
    )
    nesting = Nesting(load_tables(), {})
    rest, _ = nesting.complements(told)
    together = pd.concat([told, rest], ignore_index=True)
    needs = together.loc[needs_protection(together, load_tables(), load_policy()), "key"]
    assert set(needs) == {
        "avslutad.concluded−avslutad.child_heard|farsta|2018|reason_code=vanvard",
        "avslutad.child_heard|farsta|2018|reason_code=skola",
        "avslutad.concluded−avslutad.child_heard|farsta|2018|reason_code=annan",
        "avslutad.concluded|farsta|2018|reason_code=vald",
    }


def test_sums_over_codes_levels_quarters_units_and_merged_units() -> None:
    def at(geography: str, period: str, codes: str, value: int) -> tuple[object, ...]:
        return (f"m|{geography}|{period}|{codes}", "m", geography, period, codes, value, False, True)

    told = pd.DataFrame(
        [
            at("a", "2018Q1", "", 5),  # 0
            at("a", "2018Q1", "reason_side=child", 5),  # 1
            at("a", "2018Q1", "reason_code=x", 2),  # 2
            at("a", "2018Q1", "reason_code=y", 3),  # 3
            at("b", "2018Q1", "", 7),  # 4
            at("stockholm", "2018Q1", "", 12),  # 5
            at("today:ab", "2018Q1", "", 12),  # 6
            at("a", "2018", "", 5),  # 7
        ],
        columns=COLUMNS,
    )
    outer = {"reason_code=x": "reason_side=child", "reason_code=y": "reason_side=child"}
    nesting = Nesting(load_tables(), {"a": "today:ab", "b": "today:ab"}, outer)
    assert set(nesting.sums(told)) == {(0, 1), (1, 2, 3), (5, 0, 4), (6, 0, 4), (7, 0)}
    system = link(told, nesting, load_policy(), remember([]))
    assert len(system.linked.values) == len(told) and not system.changed


def test_a_part_that_is_nearly_always_the_whole_is_shown_or_hidden_with_it() -> None:
    told = cells(
        [
            ("avslutad.concluded", "age_band=0-5", 7),
            ("avslutad.followed_365", "age_band=0-5", 7),  # all could be followed
            ("avslutad.concluded", "age_band=6-12", 9),
            ("avslutad.followed_365", "age_band=6-12", 8),
        ]
    )
    system = link(told, Nesting(load_tables(), {}), load_policy(), remember([]))
    first, second, third, fourth = system.current.numbers[:4]
    assert first == second and third != fourth

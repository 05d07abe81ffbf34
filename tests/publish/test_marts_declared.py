"""Declarations of the marts: every column typed, every count of a measure that is one everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ingest.settings import ROOT
from publish.marts.declared import (
    FOLDER,
    DeclarationError,
    Mart,
    Measures,
    family_of,
    load_marts,
    load_measures,
)

MODELS = sorted((ROOT / "dbt_project" / "models" / "marts").glob("mart_*.yml"))


def columns_of(path: Path) -> list[str]:
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return [column["name"] for column in model["columns"]]


def test_every_mart_is_declared() -> None:
    assert len(MODELS) == 19
    assert list(load_marts()) == [path.stem for path in MODELS]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_column_of_a_mart_has_a_type_and_no_other_is_named(path: Path) -> None:
    assert sorted(load_marts()[path.stem].column_types()) == sorted(columns_of(path))


def test_counts_that_say_small_numbers_of_a_file_become_yes_or_no() -> None:
    for mart in load_marts().values():
        types = mart.column_types()
        assert {types.get(name, "yes_no") for name in ("late", "open_queries", "lost", "unlinkable")} == {"yes_no"}


def test_a_measure_is_one_in_all_marts() -> None:
    marts = load_marts()
    assert marts["mart_case_flow"].person_counts["offered"].measure["avslutad"] == "avslutad.offered"
    assert marts["mart_intervention_chain"].person_counts["offered"].measure == "avslutad.offered"
    numerator = marts["mart_goal_indicators"].person_counts["numerator"].measure
    assert isinstance(numerator, dict)
    assert (numerator["offer_rate"], numerator["given_rate"]) == ("avslutad.offered", "avslutad_svar.accepted")
    queue = marts["mart_waiting_times"].person_counts["queue"].measure
    assert isinstance(queue, dict)
    assert queue["assessed"] == marts["mart_outpatient_care"].person_counts["waiting"].measure
    # waiting for a parenting programme is part of waiting for any group
    parenting, groups = queue["parenting_programme"], marts["mart_vacancies"].person_counts["queue"].measure
    assert (groups, parenting) in load_measures().parts
    assert load_measures().drawn_as(parenting) == groups


def test_every_indicator_has_its_measures() -> None:
    macro = (ROOT / "dbt_project" / "macros" / "indicators.sql").read_text(encoding="utf-8")
    counts = load_marts()["mart_goal_indicators"].person_counts
    for column in ("in_scope", "denominator", "numerator"):
        measures = counts[column].measure
        assert isinstance(measures, dict)
        assert len(measures) == 18
        written_out = [code for code in measures if "re_referral" not in code and "4_months" not in code]
        assert all(f"'{code}': {{" in macro for code in written_out)


def test_what_ripens_later_is_in_a_family_of_its_own_that_follows_the_records() -> None:
    measures = load_measures()
    settled = ["avslutad.concluded", "avslutad.offered", "avslutad.child_heard"]
    ripening = ["avslutad_svar.accepted", "avslutad_365.returned", "avslutad_90.followed", "kedja.completed"]
    assert {family_of(name) for name in settled} == {"avslutad"}
    for name in ripening:
        lineage = measures.lineage(family_of(name))
        assert lineage[0] != "avslutad"
        assert lineage[-1] == "avslutad"
    assert measures.lineage("kedja") == ("kedja", "avslutad_svar", "avslutad")


def test_the_same_records_under_two_names_share_their_figures() -> None:
    measures = load_measures()
    assert measures.drawn_as("avslutad_365.followed") == "avslutad.concluded"
    assert measures.drawn_as("avslutad_365.returned") == "avslutad_365.returned"


def test_parts_and_wholes_follow_from_columns() -> None:
    parts = load_marts()["mart_case_flow"].parts()
    assert ("avslutad.concluded", "avslutad.offered") in parts
    assert ("avslutad_svar.answered", "avslutad_svar.accepted") in parts
    assert ("inkommen_utfall.offered", "inkommen_utfall.accepted") in parts
    assert not any(whole == part for whole, part in parts)
    # the rest of seats is no person
    assert load_marts()["mart_recruitment"].parts() >= {("grupper_avslutad.participants", "grupper_avslutad.completed")}


def test_sensitive_dimensions_are_those_that_say_why_by_whom_or_with_what_outcome() -> None:
    sensitive = {name for mart in load_marts().values() for name in mart.sensitive}
    assert sensitive == {
        "reason_side", "reason_code", "source_code", "history", "intervention_category", "intervention_code",
        "offer_outcome", "return_reason_side", "return_reason_code", "referred_from", "legal_ground",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"exact": ["cases"]}, "cases is both"),
        ({"colour": []}, "Extra inputs"),
        ({"person_counts": {"cases": {"measure": "a.b", "part_of": "nothing"}}}, "nothing must be counts"),
        ({"person_counts": {"cases": {"measure": {"x": "a.b"}}}}, "there is no measure_by"),
        ({"sensitive": ["sex"]}, "need a `whole`"),
        ({"rates": ["share"]}, "share_numerator and share_denominator must be counts"),
        ({"durations": [{"n": "cases", "statistics": {"mean": "days"}}]}, "a mean needs"),
        ({"durations": [{"n": "lost", "statistics": {"median": "days"}}]}, "lost: no count of persons"),
        ({"period": "year"}, "year is no key"),
        ({"period": None, "shown_with": "sex"}, "sex: no count of persons"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(change: dict[str, object], said: str) -> None:
    mart = {
        "mart": "mart_x", "published": "complete", "keys": ["reporting_quarter"], "dimensions": [["sex"]],
        "person_counts": {"cases": "a.cases"},
    }  # fmt: skip
    assert Mart.model_validate(mart).column_types()["cases"] == "person_count"
    with pytest.raises(ValueError, match=said):
        Mart.model_validate(mart | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measures": {"b.cases": {"what": "x"}}}, "b is no family"),
        ({"families": {"a": {"what": "x", "follows": "b"}}}, "which is no family"),
        ({"measures": {"a.cases": {"what": "x", "drawn_as": "a.other"}}}, "a.other is no measure"),
        ({"stocks": ["a.other"]}, "a.other: no such measure"),
    ],
)
def test_measures_that_contradict_themselves_are_refused(change: dict[str, object], said: str) -> None:
    measures = {"families": {"a": {"what": "x"}}, "measures": {"a.cases": {"what": "x"}}}
    Measures.model_validate(measures)
    with pytest.raises(ValueError, match=said):
        Measures.model_validate(measures | change)


def test_a_measure_that_no_mart_has_or_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    listed = "families: {a: {what: x}}\nmeasures: {a.cases: {what: x}, a.other: {what: x}}\n"
    (tmp_path / "measures.yml").write_text(listed)
    mart = "mart: mart_x\npublished: complete\nkeys: [reporting_quarter]\nperson_counts: {cases: a.cases}\n"
    (tmp_path / "mart_x.yml").write_text(mart)
    with pytest.raises(DeclarationError, match=r"no mart has a\.other"):
        load_marts(tmp_path)
    (tmp_path / "mart_x.yml").write_text(mart.replace("a.cases", "a.unknown"))
    with pytest.raises(DeclarationError, match=r"no such measure: a\.unknown"):
        load_marts(tmp_path)
    (tmp_path / "mart_x.yml").rename(tmp_path / "mart_y.yml")
    with pytest.raises(DeclarationError, match=r"mart_y\.yml declares mart_x"):
        load_marts(tmp_path)


def test_declarations_are_beside_their_code() -> None:
    assert (FOLDER / "measures.yml").exists()


def test_keys_are_coordinates_and_nothing_that_is_counted() -> None:
    """A row of the current release is found again by them, though more has come in its period since."""
    places = {"district_code", "district_basis", "reporting_quarter", "period_kind", "period", "cohort_basis"}
    kinds = {"measure_family", "measure", "measure_form", "indicator_code", "wait_kind", "pilot_start_date"}
    for name, mart in load_marts().items():
        assert set(mart.keys) <= places | kinds, name

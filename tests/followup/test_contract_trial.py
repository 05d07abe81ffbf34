"""A changed contract against what is in force: tried without storing anything, then put in use, twice the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from city import DISTRICTS, Place, received_city, state

from followup.build.figure_diff import diff_marts
from followup.build.snapshot import Snapshot
from followup.contract_report import text_of
from followup.contract_trial import NoSuchDeclaration, changed_declarations, chosen, try_contract
from followup.mapping import set_mapping
from ingest import contracts
from ingest.checks import suites
from ingest.checks.suites import require_whole_rules
from ingest.contracts import EXPECTATIONS, ContractError, load_contracts
from ingest.ledger.freezes import Frozen
from ingest.maintenance.checking_again import Outcome, apply_contract, check_in_force
from ingest.mappings.documents import UnitMapping, read_mapping
from ingest.quarters import Quarter
from ingest.receiving import receive_district
from ingest.recording import IntakeContext, open_intake
from ingest.settings import Settings


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = received_city().copy(tmp_path / "place")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def changed(folder: Path, **columns: dict[str, Any]) -> Path:
    """A folder with a changed contract of `utbud`: columns with other properties."""
    declared = yaml.safe_load((EXPECTATIONS / "utbud" / "contract.yml").read_text(encoding="utf-8"))
    for column in declared["columns"]:
        column.update(columns.get(column["name"], {}))
    (folder / "utbud").mkdir(parents=True)
    (folder / "utbud" / "contract.yml").write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    return folder


def with_rule(folder: Path, severity: str) -> Path:
    """A folder with a suite of `utbud` that has one rule more: no intervention has the status `erbjuds`."""
    suite = json.loads((EXPECTATIONS / "utbud" / "suite.json").read_text(encoding="utf-8"))
    rule = {"column": "status", "values": ["erbjuds"], "other_column": "status", "other_values": ["erbjuds"]}
    text = "Provregel: det som erbjuds ska redovisas på annat sätt. Rätta, eller förklara."
    meta = {"code": "UTB-099", "severity": severity, "message_sv": text, "why": "A trial."}
    suite["expectations"].append({"type": "expect_codes_not_to_stand_together", "kwargs": rule, "meta": meta})
    (folder / "utbud").mkdir(parents=True, exist_ok=True)
    (folder / "utbud" / "suite.json").write_text(json.dumps(suite), encoding="utf-8")
    return folder


CACHES = (
    contracts.load_contracts, contracts._all_versions, contracts._in_one_version, contracts._shared_lists,
    suites._read_suite, suites._rules_of_version, suites._load_rules, suites.always_filled,
    suites.require_whole_rules,
)  # fmt: skip


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Deploy the declarations of a folder in this process."""

    def forget() -> None:
        for cached in CACHES:
            cached.cache_clear()

    def deploy(folder: Path) -> None:
        copy = tmp_path / f"expectations-{folder.name}"
        shutil.copytree(EXPECTATIONS, copy)
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        for module in (contracts, suites):
            monkeypatch.setattr(module, "EXPECTATIONS", copy)
        forget()

    yield deploy
    monkeypatch.undo()
    forget()


def outcomes(intake: IntakeContext) -> dict[Outcome, set[str]]:
    found: dict[Outcome, set[str]] = {}
    for one in check_in_force(intake, chosen(intake, "utbud")):
        found.setdefault(one.outcome, set()).add(one.submission.district_code)
    return found


def test_contract_of_what_was_taken_in_comes_out_the_same(place: Place) -> None:
    with open_intake(Settings()) as intake:
        every = list(check_in_force(intake, chosen(intake)))
    assert len(every) == len(DISTRICTS) * len(load_contracts())
    assert {one.outcome for one in every} == {Outcome.same}


def test_command_tries_a_folder_of_changes_and_stores_nothing(place: Place, tmp_path: Path) -> None:
    before = state(place)
    folder = with_rule(tmp_path / "changes", "error")
    command = [sys.executable, "-m", "followup.cli.main", "contract", "try", str(folder)]
    arguments = ["--dataset", "utbud", "--no-figures", "--format", "json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr[-2000:]
    tried = json.loads(done.stdout)
    assert {one["district"] for one in tried["submissions"]} == set(DISTRICTS) and tried["marts"] is None
    assert {one["outcome"] for one in tried["submissions"]} == {"refused"}
    assert all(list(one["rules"]) == ["UTB-099"] for one in tried["submissions"])
    assert state(place) == before and not (place.home / "declared").exists() and not (place.home / "trial").exists()


def test_contract_that_can_not_be_read_is_named_with_its_place(tmp_path: Path, deployed: Any) -> None:
    (tmp_path / "changes" / "utbud").mkdir(parents=True)
    (tmp_path / "changes" / "utbud" / "contract.yml").write_text("dataset: utbud\n", encoding="utf-8")
    deployed(tmp_path / "changes")
    with pytest.raises(ContractError, match=r"utbud/contract\.yml"):
        require_whole_rules()


GONE = "UTB-022 names the code bistand of insatsform, which the contract of utbud, first version does not have"


def without_code(folder: Path) -> Path:
    """A folder with a contract of `utbud` without a code that rules name."""
    return changed(folder, insatsform={"codes": {"service": {"label_sv": "Service"}}})


def test_code_that_a_rule_names_can_not_be_dropped_and_no_district_hears_of_it(
    place: Place, tmp_path: Path, deployed: Any
) -> None:
    """Such a rule would raise on each file, and refuse it as a fault of ours."""
    inbox = tmp_path / "place" / "inbox" / DISTRICTS[0]
    (inbox / f"{DISTRICTS[0]}_utbud_2018Q2.csv").write_text("Insats;Insatsform\r\n", encoding="utf-8")
    before = state(place)
    deployed(without_code(tmp_path / "changes"))
    with pytest.raises(ContractError, match=GONE):
        try_contract(Settings(), with_figures=False)
    with open_intake(Settings()) as intake, pytest.raises(ContractError, match=GONE):
        apply_contract(intake, chosen(intake, "utbud"))
    with pytest.raises(ContractError, match=GONE):
        receive_district(Settings(), DISTRICTS[0], inbox=str(inbox.parent))
    assert state(place) == before  # the file waits, and has no answer


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"column": "gone", "when_column": "status", "when_values": ["erbjuds"]}, "names the column gone"),
        ({"column": "status", "when_column": "status", "when_values": ["gone"]}, "names the code gone of status"),
    ],
)
def test_rule_that_names_what_there_is_not_is_named(
    kwargs: dict[str, Any], said: str, tmp_path: Path, deployed: Any
) -> None:
    folder = with_rule(tmp_path / "changes", "query")
    suite = json.loads((folder / "utbud" / "suite.json").read_text(encoding="utf-8"))
    suite["expectations"][-1] |= {"type": "expect_values_to_be_empty_when", "kwargs": kwargs}
    (folder / "utbud" / "suite.json").write_text(json.dumps(suite), encoding="utf-8")
    deployed(folder)
    with pytest.raises(ContractError, match=f"UTB-099 {said}"):
        require_whole_rules()


def test_rule_that_raises_all_the_same_is_a_fault_and_nothing_is_recorded(
    place: Place, tmp_path: Path, deployed: Any
) -> None:
    folder = with_rule(tmp_path / "changes", "error")
    suite = json.loads((folder / "utbud" / "suite.json").read_text(encoding="utf-8"))
    suite["expectations"][-1] |= {"type": "expect_codes_not_to_be_among"}
    suite["expectations"][-1]["kwargs"] = {"column": "insats", "named_set": "gone"}
    (folder / "utbud" / "suite.json").write_text(json.dumps(suite), encoding="utf-8")
    deployed(folder)
    trial = try_contract(Settings(), dataset="utbud", with_figures=False)
    assert trial.is_refused and {one.outcome for one in trial.checked} == {Outcome.fault}
    assert "UTB-099 can't be run: mend it" in "\n".join(text_of(trial))
    with open_intake(Settings()) as intake:
        assert apply_contract(intake, chosen(intake, "utbud")).recorded == ()


def own_words(code: str, meaning: str, since: str = "2018Q1") -> UnitMapping:
    """A unit's word for a code of the status in `utbud`."""
    words = {"utbud": {"codes": {"status": {code: meaning}}}}
    whole = {"unit": DISTRICTS[0], "valid_from": since, "datasets": words}
    return read_mapping(json.dumps(whole).encode())


def test_mapping_is_tried_on_the_files_that_it_would_read(place: Place, tmp_path: Path) -> None:
    settings = Settings()

    def outcomes_by(*tried: UnitMapping) -> dict[str, set[Outcome]]:
        found: dict[str, set[Outcome]] = {}
        for one in try_contract(settings, dataset="utbud", with_figures=False, mappings=tried).checked:
            found.setdefault(one.submission.district_code, set()).add(one.outcome)
        return found

    # what the contract reads otherwise is refused before; a word that settles nothing changes nothing
    assert set.union(*outcomes_by(own_words("ges", "erbjuds")).values()) == {Outcome.same}
    unknown = read_mapping(
        json.dumps(
            {"unit": DISTRICTS[0], "valid_from": "2018Q1", "datasets": {"utbud": {"columns": {"Insats": "status"}}}}
        ).encode()
    )
    tried = outcomes_by(unknown)  # contradicts the contract: its files would be refused, those of others not
    assert tried[DISTRICTS[0]] == {Outcome.refused} and tried[DISTRICTS[1]] == {Outcome.same}
    later = outcomes_by(replace(unknown, valid_from=Quarter(2030, 1)))
    assert set.union(*later.values()) == {Outcome.same}


def test_units_mapping_that_a_changed_contract_contradicts_is_listed(
    place: Place, tmp_path: Path, deployed: Any
) -> None:
    with open_intake(Settings()) as intake:
        set_mapping(intake, own_words("prova", "erbjuds"))
    assert not try_contract(Settings(), dataset="utbud", with_figures=False).is_refused
    status = yaml.safe_load((EXPECTATIONS / "utbud" / "contract.yml").read_text(encoding="utf-8"))
    codes = next(one["codes"] for one in status["columns"] if one["name"] == "status")
    other = next(code for code in codes if code != "erbjuds")
    aliases = [*codes[other].get("aliases", []), "prova"]
    deployed(changed(tmp_path / "changes", status={"codes": {**codes, other: {**codes[other], "aliases": aliases}}}))
    trial = try_contract(Settings(), dataset="utbud", with_figures=False)
    (found,) = trial.mappings
    assert trial.is_refused and (found.district_code, found.version) == (DISTRICTS[0], 1)
    assert any("prova is the contract's own word" in line and "FIL-095" in line for line in text_of(trial))


def test_command_refuses_a_contract_that_can_not_be_used_and_reads_mappings_beside_it(
    place: Place, tmp_path: Path
) -> None:
    folder = without_code(tmp_path / "changes")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "x.yml").write_bytes(b"unit: nowhere\nvalid_from: 2018Q1\ndatasets: {}\n")
    command = [sys.executable, "-m", "followup.cli.main", "contract", "try", str(folder), "--no-figures"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "400"})
    assert done.returncode == 2 and "nowhere is no unit" in done.stderr, done.stderr[-2000:]
    assert "Usage: followup contract try" in done.stderr
    (folder / "mappings" / "x.yml").unlink()
    (folder / "utbud").mkdir(exist_ok=True)
    (folder / "utbud" / "contract.yml").write_text("dataset: [utbud\n", encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "400"})
    assert done.returncode == 2 and "can't be used: expectations/utbud/contract.yml: " in done.stderr
    assert str(tmp_path) not in done.stderr  # no path of the copy that is tried, which is gone


def test_file_that_lies_over_nothing_is_named(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "changes"
    (folder / "seeds").mkdir(parents=True)
    (folder / "seeds" / "intervention_alias.csv").write_text("x\n", encoding="utf-8")
    with pytest.raises(NoSuchDeclaration, match="intervention_alias"), changed_declarations(Settings(), folder):
        pass
    assert not (place.home / "declared").exists()


def test_folder_without_files_is_not_taken_for_the_contract_in_use(place: Place, tmp_path: Path) -> None:
    (tmp_path / "changes" / "utbud").mkdir(parents=True)
    with (
        pytest.raises(NoSuchDeclaration, match="holds no file"),
        changed_declarations(Settings(), tmp_path / "changes"),
    ):
        pass


def test_changed_seed_and_contract_are_in_the_copy(place: Place, tmp_path: Path) -> None:
    folder = with_rule(tmp_path / "changes", "query")
    (folder / "seeds").mkdir()
    (folder / "seeds" / "intervention_aliases.csv").write_text(
        "district_code,alias,intervention_code\n", encoding="utf-8"
    )
    with changed_declarations(Settings(), folder) as environment:
        copy = Path(environment["FOLLOWUP_DECLARED_IN"])
        assert "UTB-099" in (copy / "expectations" / "utbud" / "suite.json").read_text(encoding="utf-8")
        assert (
            len((copy / "dbt_project/organisation/intervention_aliases.csv").read_text(encoding="utf-8").split()) == 1
        )


def test_new_query_is_asked_once_when_the_contract_is_put_in_use(place: Place, tmp_path: Path, deployed: Any) -> None:
    deployed(with_rule(tmp_path / "changes", "query"))
    with open_intake(Settings()) as intake:
        before = {one.district_code: one.version for one in chosen(intake, "utbud")}
        assert outcomes(intake) == {Outcome.asked: set(DISTRICTS)}
        done = apply_contract(intake, chosen(intake, "utbud"))
        assert {one.state for one in done.recorded} == {"accepted"} and len(done.recorded) == len(DISTRICTS)
        after = {one.district_code: one.version for one in chosen(intake, "utbud")}
        assert after == {code: (version or 0) + 1 for code, version in before.items()}
        assert outcomes(intake) == {Outcome.same: set(DISTRICTS)}
        assert apply_contract(intake, chosen(intake, "utbud")).recorded == ()


def test_refused_one_stays_in_force_and_its_district_is_told_once(place: Place, tmp_path: Path, deployed: Any) -> None:
    deployed(with_rule(tmp_path / "changes", "error"))
    with open_intake(Settings()) as intake:
        before = chosen(intake, "utbud")
        done = apply_contract(intake, before)
        assert {one.state for one in done.recorded} == {"refused"} and len(done.recorded) == len(DISTRICTS)
        assert chosen(intake, "utbud") == before
        again = apply_contract(intake, before)
        assert again.recorded == () and {one.outcome for one in again.checked} == {Outcome.refused}
    answers = list((place.home / "feedback").rglob(f"{done.recorded[0].submission_id}*.txt"))
    assert len(answers) == 1 and "UTB-099" in answers[0].read_text(encoding="utf-8")


def test_code_that_means_another_gives_other_rows(place: Place, tmp_path: Path, deployed: Any) -> None:
    deployed(changed(tmp_path / "changes", evidensbaserad={"code_aliases": {"ja": "okant"}}))
    with open_intake(Settings()) as intake:
        found = list(check_in_force(intake, chosen(intake, "utbud")))
    assert {one.outcome for one in found} == {Outcome.rows_differ} and all((one.rows or 0) > 0 for one in found)


def test_locked_quarter_and_erased_original_are_left_alone(place: Place, tmp_path: Path, deployed: Any) -> None:
    place.followup("lock", "--quarter", "2018Q1", "--yes")
    deployed(with_rule(tmp_path / "changes", "query"))
    with open_intake(Settings()) as intake:
        first, second = chosen(intake, "utbud")
        (place.home / first.original_path).unlink()
        done = apply_contract(intake, [first, second])
        assert [one.outcome for one in done.checked] == [Outcome.not_tried, Outcome.asked]
        assert done.recorded == () and done.locked == (second,)
        assert Quarter.parse(second.reporting_quarter or "") == Quarter(2018, 1)


def test_without_a_district_all_figures_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    from followup.build import figure_diff

    for name, cases in (("old", 3), ("new", 5)):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as made:
            made.execute("create schema marts")
            made.execute(f"create table marts.m as select 'farsta' as district_code, '2018Q1' as q, {cases} as cases")
    monkeypatch.setattr(figure_diff, "mart_keys", lambda project: {"m": ("district_code", "q")})
    (mart,) = diff_marts(tmp_path / "old.duckdb", tmp_path / "new.duckdb", None, None, 20)
    assert (mart.here, mart.elsewhere, mart.figures[0].before, mart.figures[0].after) == (1, 0, 3, 5)


def test_other_submissions_leave_the_frozen_figures_in_a_snapshot() -> None:
    frozen = Frozen("2016Q4", "2016Q1", ())
    changed = Snapshot((), (), "2018-10-10", frozen).with_submissions([])
    assert (changed.frozen, changed.as_of, changed.in_force) == (frozen, "2018-10-10", ())

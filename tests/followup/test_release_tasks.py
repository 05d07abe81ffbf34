"""When a release is due, who is asked, and what becomes of refusals. No Airflow needed."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from followup.tasks import releases as scheduled_releases
from followup.tasks.releases import (
    NothingNew,
    Refused,
    check_and_log,
    is_approved_already,
    is_release_due,
    serve_and_log,
)
from ingest.ledger import Ledger
from ingest.ledger.decisions import lock_quarter, unlock_quarter
from ingest.ledger.releases import ReleaseRow, approve, record_release, releases
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.settings import Settings
from publish.gate.passing import GateClosed, GateFinding
from tests.publish.keyed_city import MARTS, MEASURES, cases, quick_policy, write_warehouse

FIRST = Quarter(2018, 1)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOLLOWUP_NOW", "2018-07-02T07:00:00")
    return Ledger(Settings().ledger)


def _release(ledger: Ledger, number: int, out_at: datetime | None) -> None:
    row = ReleaseRow(number, "proposed", datetime(2018, 6, 1), None, "2018Q1", False, "{}", None, None)
    record_release(ledger, row)
    if out_at is not None:
        approve(ledger, number, out_at)


def test_nothing_is_due_before_a_quarter_was_locked(ledger: Ledger) -> None:
    assert not is_release_due()


def test_a_locked_quarter_is_due_until_a_release_has_gone_out_after_it(ledger: Ledger) -> None:
    lock_quarter(ledger, FIRST, datetime(2018, 6, 1))
    assert is_release_due()
    _release(ledger, 1, None)
    assert is_release_due()
    _release(ledger, 2, datetime(2018, 6, 2))
    assert not is_release_due()
    lock_quarter(ledger, FIRST.next(), datetime(2018, 9, 1))
    assert is_release_due()


def test_a_quarter_that_was_opened_again_is_not_due(ledger: Ledger) -> None:
    lock_quarter(ledger, FIRST, datetime(2018, 6, 1))
    unlock_quarter(ledger, FIRST, datetime(2018, 6, 2))
    assert not is_release_due()


@pytest.mark.parametrize("asked", [True, False])
def test_what_the_request_says_goes_before_the_setting(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setenv("FOLLOWUP_RELEASE_APPROVES_ITSELF", str(not asked))
    assert is_approved_already(asked) is asked


@pytest.mark.parametrize("setting", [True, False])
def test_a_request_that_says_nothing_is_as_the_setting_says(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, setting: bool
) -> None:
    monkeypatch.setenv("FOLLOWUP_RELEASE_APPROVES_ITSELF", str(setting))
    assert is_approved_already(None) is setting


@pytest.mark.parametrize(("day", "nobody_is_asked"), [(30, False), (20, True)])
def test_a_second_release_within_the_week_is_asked_about(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, day: int, nobody_is_asked: bool
) -> None:
    monkeypatch.setenv("FOLLOWUP_RELEASE_APPROVES_ITSELF", "true")
    _release(ledger, 1, datetime(2018, 6, day))
    assert is_approved_already(None) is nobody_is_asked


def test_every_error_and_warning_of_the_gate_is_a_line_of_the_log(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [
        GateFinding("MAR-001", "error", "mart_case_flow", "farsta", "2018Q1", "sex is null in 1 rows"),
        GateFinding("MAR-098", "warning", None, None, "2018Q1", "no arenden in force from alvsjo"),
    ]

    def closed(settings: Settings) -> None:
        raise GateClosed(found)

    monkeypatch.setattr("publish.gate.passing.pass_gate", closed)
    with caplog.at_level(logging.INFO), pytest.raises(Refused, match="MAR-001 mart_case_flow farsta 2018Q1"):
        check_and_log()
    ours = [record for record in caplog.records if record.name == scheduled_releases.__name__]
    assert [(record.levelname, record.getMessage()) for record in ours] == [
        ("ERROR", "MAR-001 mart_case_flow farsta 2018Q1: sex is null in 1 rows"),
        ("WARNING", "MAR-098 2018Q1: no arenden in force from alvsjo"),
    ]


def test_without_a_warehouse_the_refusal_says_what_to_run(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="run `followup build`"):
        check_and_log()


def test_marts_built_since_they_were_checked_are_checked_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise Refused("looked at again")

    monkeypatch.setattr(scheduled_releases, "check_and_log", refuse)
    with pytest.raises(Refused, match="looked at again"):
        scheduled_releases.propose_and_log(None, "another build")


def test_what_the_current_release_shows_already_is_nothing_new_and_no_failure(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    write_warehouse(home / "warehouse.duckdb", cases(40))
    make_keys(tmp_path / "keys.json")
    monkeypatch.setenv("FOLLOWUP_KEYS", str(tmp_path / "keys.json"))
    for name, given in (("load_marts", MARTS), ("load_measures", MEASURES), ("load_policy", quick_policy())):
        monkeypatch.setattr(f"publish.release.releasing.{name}", partial(_given, given))
    first = scheduled_releases.propose_and_log("2018Q3", "")
    assert scheduled_releases.propose_and_log("2018Q3", "")["release_id"] == first["release_id"], "it waits"
    serve_and_log(first["release_id"])
    with pytest.raises(NothingNew, match=f"release {first['release_id']}, which readers see, shows the same"):
        scheduled_releases.propose_and_log("2018Q3", "")
    assert [one.state for one in releases(ledger)] == ["released"]


def _given(one: object) -> object:
    return one


def test_a_proposal_whose_place_was_taken_is_refused(ledger: Ledger) -> None:
    _release(ledger, 1, None)
    _release(ledger, 2, None)
    with pytest.raises(Refused, match="release 1 does not wait for approval: it is replaced"):
        serve_and_log(1)
    with pytest.raises(Refused, match="there is no release 7"):
        serve_and_log(7)

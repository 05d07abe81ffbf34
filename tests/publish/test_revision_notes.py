"""An amendment of a sealed quarter opens a numbered revision; its number and note reach readers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.ledger import Ledger, acts
from ingest.ledger.decisions import lock_quarter, unlock_quarter, withdraw
from ingest.ledger.quarter_revisions import amendments, revisions
from ingest.ledger.releases import releases
from ingest.ledger.store import Build
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.settings import Settings
from publish.release.certificate import read_certificate
from publish.release.releasing import issued, release
from tests.followup.ledger_filled import submit
from tests.publish.keyed_city import MARTS, MEASURES, cases, many_changed, quick_policy, write_warehouse

NOW = datetime(2020, 2, 20, 8, tzinfo=UTC)
LOCKED = datetime(2018, 9, 1)
QUARTER = Quarter(2018, 2)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    made = Settings.model_validate({"home": tmp_path / "home", "keys": tmp_path / "keys.json"})
    made.home.mkdir()
    make_keys(made.keys)
    write_warehouse(made.warehouse, cases(40))
    return made


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    with closing(Ledger(settings.ledger)) as made:
        yield made


def amend(ledger: Ledger, unit: str, dataset: str, at: datetime) -> None:
    submit(ledger, unit, dataset, reporting_quarter=str(QUARTER), submitted_at=at)


def make(settings: Settings, days: int = 0, *, approve: bool = True, **more: object) -> None:
    options: dict[str, object] = {"policy": quick_policy(), **more}
    now = NOW + timedelta(days=days)
    release(settings, approve=approve, declared=MARTS, measures=MEASURES, now=now, gate=lambda _: [], **options)  # type: ignore[arg-type]


def change(settings: Settings, unit: str = "bromma", number: int = 40) -> None:
    write_warehouse(settings.warehouse, many_changed(cases(40), f"{unit}-{QUARTER}", number, reason_code="ny"))


def about(settings: Settings) -> dict[str, str]:
    with duckdb.connect(str(settings.published / "followup.duckdb"), read_only=True) as file:
        return dict(file.execute("select key, value from published.about").fetchall())


def listed(ledger: Ledger) -> list[tuple[int, int | None]]:
    return [(one.number, one.release_id) for one in revisions(ledger) if one.reporting_quarter == str(QUARTER)]


def followup(*command: str, expect: int = 0) -> str:
    done = CliRunner().invoke(app, list(command))
    assert done.exit_code == expect, done.output
    return done.output


def test_an_open_quarter_s_files_open_no_revision(ledger: Ledger) -> None:
    amend(ledger, "bromma", "arenden", LOCKED)
    lock_quarter(ledger, QUARTER, LOCKED)
    unlock_quarter(ledger, QUARTER, LOCKED + timedelta(days=1))
    amend(ledger, "bromma", "arenden", LOCKED + timedelta(days=2))
    assert listed(ledger) == []


def test_what_amends_a_locked_quarter_opens_one_revision_and_a_withdrawal_does_too(ledger: Ledger) -> None:
    amend(ledger, "bromma", "arenden", LOCKED)
    lock_quarter(ledger, QUARTER, LOCKED)
    submit(ledger, "bromma", "utbud", "refused", reporting_quarter=str(QUARTER))
    assert listed(ledger) == []
    gone = ledger.in_force(quarter=str(QUARTER))[0]
    withdraw(ledger, gone, "fel fil", LOCKED + timedelta(days=5))
    amend(ledger, "farsta", "utbud", LOCKED + timedelta(days=6))
    assert listed(ledger) == [(1, None)]
    (one,) = revisions(ledger)
    found = [(a.district_code, a.dataset, a.is_withdrawn) for a in amendments(ledger, one)]
    assert found == [("bromma", "arenden", True), ("farsta", "utbud", False)]
    assert [one.action for one in acts.acts(ledger)].count("revision.opened") == 1


def test_number_and_note_reach_readers_and_the_next_amendment_opens_the_next(
    settings: Settings, ledger: Ledger
) -> None:
    lock_quarter(ledger, QUARTER, LOCKED)
    make(settings)
    assert about(settings)["revisions"] == ""
    amend(ledger, "bromma", "arenden", datetime(2020, 2, 22))
    amend(ledger, "farsta", "utbud", datetime(2020, 2, 23))  # its figures don't change: it is not named
    printed = followup("quarter", "revisions")
    assert "revision 1: open" in printed
    assert "  waits: the figures are from before it: run `followup build`, then `followup publish`\n" in printed
    followup("quarter", "note", str(QUARTER), "--text", "Bromma hade räknat\nansökningar dubbelt.")
    change(settings)
    make(settings, 8)
    said = "Revidering 1 av kvartal 2 2018. Bromma: Ärenden lämnades in på nytt 2020-02-22. "
    assert about(settings)["revisions"] == f"{said}Bromma hade räknat ansökningar dubbelt."
    assert listed(ledger) == [(1, 2)]
    row = releases(ledger)[-1]
    certificate = read_certificate(row.certificate)
    assert certificate is not None and certificate.revisions[0][:2] == (str(QUARTER), 1)
    beside = settings.published.resolve()
    assert "Revidering 1 av 2018Q2" in (beside / "certificate.html").read_text(encoding="utf-8")
    assert [one.revisions for one in issued(certificate, ledger)][1:] == [certificate.revisions, ()]
    amend(ledger, "bromma", "arenden", datetime(2020, 3, 1))
    assert listed(ledger) == [(1, 2), (2, None)]
    older = json.loads(row.certificate or "")
    del older["revisions"]  # as it was written before there were notes
    read = read_certificate(json.dumps(older))
    assert read is not None and read.revisions == ()
    # a correction of too few records waits, and its revision with it
    more = many_changed(cases(40), f"bromma-{QUARTER}", 40, reason_code="ny")
    write_warehouse(settings.warehouse, many_changed(more, f"bromma-{QUARTER}", 1, reason_code="vald"))
    policy = quick_policy()
    waiting = policy.cell_keys.model_copy(update={"least_changed": 30})
    make(settings, 16, policy=policy.model_copy(update={"cell_keys": waiting}), force=True)
    assert about(settings)["revisions"] == "" and listed(ledger) == [(1, 2), (2, None)]
    assert (
        "  waits: release 3 is published without it: it waits for more changes: fewer than 30 records of its figures "
        "have changed"
    ) in followup("quarter", "revisions")


def test_the_first_final_figures_revise_nothing_though_provisional_ones_were_out(
    settings: Settings, ledger: Ledger
) -> None:
    make(settings)
    lock_quarter(ledger, QUARTER, datetime(2020, 2, 22))
    amend(ledger, "bromma", "arenden", datetime(2020, 2, 23))
    assert listed(ledger) == [(1, None)]
    change(settings)
    make(settings, 8)
    assert about(settings)["is_revision"] == "false" and about(settings)["revisions"] == ""
    assert listed(ledger) == []
    change(settings, "farsta")  # no file has come: the way of counting has changed
    make(settings, 16)
    assert about(settings)["revisions"].endswith("Beräkningen har ändrats, eller uppgifter har tagits bort.")
    assert listed(ledger) == [(1, 3)]


def test_an_amendment_after_the_release_was_made_belongs_to_the_next_revision(
    settings: Settings, ledger: Ledger
) -> None:
    from publish.release.approving import approve_release

    lock_quarter(ledger, QUARTER, LOCKED)
    make(settings)
    amend(ledger, "bromma", "arenden", datetime(2020, 2, 22))
    change(settings)
    ledger.record_build(Build("f", "built", datetime(2020, 2, 25), 1.0, None))
    waits = (
        "  waits: no release has been made since it is in the figures: run `followup publish`. If that finds nothing"
    )
    assert waits in followup("quarter", "revisions")
    make(settings, 8, approve=False)
    assert "  waits: release 2 waits for approval: `followup release approve 2`\n" in followup("quarter", "revisions")
    amend(ledger, "farsta", "utbud", datetime(2020, 3, 2))
    approve_release(settings, 2, now=NOW + timedelta(days=14))
    assert listed(ledger) == [(1, 2), (2, None)]
    found = [a.district_code for a in amendments(ledger, revisions(ledger)[-1])]
    assert found == ["farsta"]


@pytest.mark.parametrize("text", ["", "  ", "om 20050505-9824", "x" * 501])
def test_a_note_that_can_t_be_published_is_refused(ledger: Ledger, text: str) -> None:
    lock_quarter(ledger, QUARTER, LOCKED)
    amend(ledger, "bromma", "arenden", LOCKED)
    printed = followup("quarter", "note", str(QUARTER), "--text", text, expect=2)
    assert "20050505" not in printed


def test_a_note_needs_an_open_revision(ledger: Ledger) -> None:
    assert "no open revision" in followup("quarter", "note", str(QUARTER), "--text", "Rättat.", expect=1)

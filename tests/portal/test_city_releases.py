"""Builds and releases in the portal: shown, proposed, approved, rejected; and by whom, as the log says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from browsing import Browser, Place, text_of
from city_filled import HOSTILE, City, city
from typer.testing import CliRunner

from followup.cli.main import app as command_line
from ingest.ledger import ChangeRefused
from ingest.ledger.draws import Draw
from ingest.ledger.releases import ReleaseRow, record_release, reject, releases
from ingest.ledger.store import Build
from ingest.settings import Settings
from portal.city import working
from publish.release.approving import proposal_folder, reject_release
from publish.release.certificate import read_certificate
from publish.release.releasing import release
from tests.publish.keyed_city import MARTS, MEASURES, cases, quick_policy, write_warehouse

__all__ = ["city"]
NOW = datetime(2018, 4, 10, 6)


@pytest.fixture
def bo(place: Place, city: City) -> Browser:
    return place.signed_in("bo")


def proposed(place: Place, number: int = 1, certificate: str | None = None) -> None:
    row = ReleaseRow(number, "proposed", NOW, None, "2018Q1", False, '{"days_between_releases": 7}', certificate, None)
    record_release(place.ledger, row, [Draw("cases", "farsta", "today", "kvartal", "2018Q1", number, 5, 0)])


def states(place: Place) -> list[str]:
    return [one.state for one in releases(place.ledger)]


def test_builds_say_what_failed_and_what_has_come_since(place: Place, bo: Browser) -> None:
    assert "Inget har byggts" in text_of(bo.open("/staden/byggen").text)
    place.ledger.record_build(Build("a" * 64, "built", datetime(2018, 4, 1), 61.4, None))
    place.ledger.record_build(Build("b" * 64, "failed", NOW, 3.0, f"assert_one {HOSTILE}"))
    answer = bo.open("/staden/byggen")
    text = text_of(answer.text)
    assert "Det senaste bygget misslyckades" in text and "assert_one" in text and "3 inlämningar" in text
    assert "<script>alert" not in answer.text


def test_proposal_is_rejected_with_a_reason_once(place: Place, bo: Browser) -> None:
    proposed(place)
    folder = proposal_folder(place.settings, 1)
    folder.mkdir(parents=True)
    bo.open("/staden/publiceringar/1")
    for why in ("", "20050505-9824", "20050505-9824 " * 40):
        answer = bo.send("/staden/publiceringar/1/avvisa", why=why)
        assert answer.status_code == 422 and "20050505-9824" not in answer.text
    assert states(place) == ["proposed"]
    answer = bo.send("/staden/publiceringar/1/avvisa", why="Farsta <b>saknas</b>")
    assert answer.headers["location"] == "/staden/publiceringar?sagt=avvisad"
    assert states(place) == ["rejected"] and not folder.exists()
    last = place.acts()[-1]
    assert (last.actor, last.action, last.subject, last.why) == ("bo", "release.rejected", "1", "Farsta <b>saknas</b>")
    with place.ledger.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from draw").scalar() == 0
    answer = bo.open("/staden/publiceringar/1")
    assert "Farsta <b>saknas</b>" in text_of(answer.text) and "<b>saknas" not in answer.text
    bo.open("/staden/publiceringar")
    for act in ("avvisa", "godkann", "lagg-ut"):
        assert bo.send(f"/staden/publiceringar/1/{act}", why="Igen").status_code == 409
    assert bo.send("/staden/publiceringar/9/godkann").status_code == 404
    with pytest.raises(ChangeRefused, match="it is rejected"):
        reject(place.ledger, 1, "again")
    with pytest.raises(ChangeRefused, match="no release 9"):
        reject_release(place.settings, 9, "why")


def test_command_line_rejects_too(place: Place, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed(place)
    for name, value in working.variables_of(place.settings).items():
        monkeypatch.setenv(name, value)

    def run(*command: str) -> tuple[int, str]:
        done = CliRunner().invoke(command_line, ["release", "reject", *command])
        return done.exit_code, done.output

    assert run("1", "--why", " ")[0] == 2 and states(place) == ["proposed"]
    assert run("1", "--why", "Farsta is missing") == (0, "Release 1 is rejected.\n")
    code, said = run("1", "--why", "again")
    assert code == 1 and "it is rejected" in said


def test_certificate_of_another_version_is_no_fault(place: Place, bo: Browser) -> None:
    for certificate in ("{}", "[]", "null", "x", '{"tables": [{"name": 1}], "findings": []}', '{"tables": 3}'):
        assert read_certificate(certificate) is None
    proposed(place, 1, "{}")
    assert "äldre version" in text_of(bo.open("/staden/publiceringar/1").text)


def test_proposal_without_marts_says_what_is_missing(place: Place, bo: Browser) -> None:
    bo.open("/staden/publiceringar")
    assert bo.send("/staden/publiceringar", kvartal="x").status_code == 422
    answer = bo.send("/staden/publiceringar", kvartal="2018Q1", force="1")
    text = text_of(bo.open(answer.headers["location"]).text)
    assert "Det finns inga färdiga marter. Bygg först." in text and "bo" in text


def test_release_is_looked_at_and_approved_in_the_users_name(place: Place, bo: Browser) -> None:
    settings = place.settings
    _release(settings)
    text = text_of(bo.open("/staden/publiceringar/1").text)
    assert "Godkänd i prövningen" in text and "Små antal (1–4) bland de prövade" in text
    answer = bo.send("/staden/publiceringar/1/godkann")
    text = text_of(bo.open(answer.headers["location"]).text)
    assert "Utgåva 1 är utgiven. Läsarna ser den nu." in text
    assert states(place) == ["released"] and Path(settings.published / "followup.duckdb").exists()
    approved = [one for one in place.acts() if one.action == "release.approved"]
    assert [(one.actor_kind, one.actor) for one in approved] == [("user", "bo")]
    bo.open("/staden/publiceringar/1")
    assert bo.send("/staden/publiceringar/1/godkann").status_code == 409
    settings.published.unlink()  # as when the approval was cut off before readers had it
    answer = bo.send("/staden/publiceringar/1/lagg-ut")
    assert "utlagd igen" in text_of(bo.open(answer.headers["location"]).text)
    assert (settings.published / "followup.duckdb").exists()


def _release(settings: Settings) -> None:
    write_warehouse(settings.warehouse, cases(40))
    release(
        settings, approve=False, declared=MARTS, measures=MEASURES, policy=quick_policy(), gate=lambda _: [],
        now=datetime(2020, 2, 20, 8, tzinfo=UTC),
    )  # fmt: skip

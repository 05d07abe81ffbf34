"""What the city decides in the portal: it is done, the log names the user, and wrong input changes nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import date

import pytest
from browsing import Browser, Place, text_of
from city_filled import City, city, filled

from followup.deciding import Fault
from ingest.ledger import decisions
from ingest.ledger.acts import Act
from ingest.quarters import Quarter
from portal.city import work, working
from portal.city.said import FAULTS
from portal.city.working import Kind, Work

__all__ = ["city"]
NUMBER = "20050505-9824"


@pytest.fixture
def bo(place: Place, city: City) -> Browser:
    return place.signed_in("bo")


def last(place: Place) -> Act:
    return place.acts()[-1]


def test_lock_says_what_it_shuts_out_then_locks_and_unlocks(place: Place, bo: Browser) -> None:
    text = text_of(bo.open("/staden/kvartal/2018Q1/las").text)
    assert "Rutiner för att uppmärksamma barn, 13 enheter:" in text and "Bromma, Gruppverksamheter: 2" in text
    assert "bromma_utbud_2018Q1.csv" in text
    answer = bo.send("/staden/kvartal/2018Q1/las")
    assert answer.headers["location"] == "/staden?kvartal=2018Q1&sagt=last"
    assert decisions.locked_quarters(place.ledger) == {"2018Q1"}
    assert (last(place).actor_kind, last(place).actor, last(place).action) == ("user", "bo", "quarter.locked")
    assert bo.send("/staden/kvartal/2018Q1/las").headers["location"].endswith("sagt=var-last")
    assert "redan låst" in text_of(bo.open("/staden/kvartal/2018Q1/las").text)
    bo.open("/staden?kvartal=2018Q1&sagt=last")
    assert bo.send("/staden/kvartal/2018Q1/oppna").headers["location"].endswith("sagt=oppnat")
    assert last(place).action == "quarter.unlocked" and last(place).actor == "bo"
    assert bo.send("/staden/kvartal/2018Q1/oppna").headers["location"].endswith("sagt=var-oppet")


def test_quarter_that_goes_on_is_not_locked(place: Place, bo: Browser) -> None:
    assert "inte slut än" in text_of(bo.open("/staden/kvartal/2018Q2/las").text)
    bo.open("/staden/undantag")
    assert bo.send("/staden/kvartal/2018Q2/las").status_code == 422
    assert not decisions.locked_quarters(place.ledger)


def test_exception_is_opened_listed_and_closed(place: Place, bo: Browser) -> None:
    bo.open("/staden/undantag?kvartal=2018Q1&enhet=farsta")
    answer = bo.send(
        "/staden/undantag", kvartal="2018Q1", enhet="farsta", datamangd="", till="2018-05-01", why="Sent\nsystem\u202e"
    )
    assert answer.headers["location"] == "/staden/undantag?kvartal=2018Q1&sagt=undantag-utan-las"
    (found,) = decisions.open_exceptions(place.ledger, date(2018, 4, 10))
    assert (found.district_code, found.dataset, found.why) == ("farsta", None, "Sent system")
    assert (last(place).actor, last(place).action, last(place).why) == ("bo", "exception.opened", "Sent system")
    assert "1 maj 2018" in text_of(bo.open("/staden/undantag").text)
    assert "undantag till" in text_of(bo.open("/staden").text)
    number = found.lock_exception_id
    bo.open("/staden/undantag")
    assert bo.send(f"/staden/undantag/{number}/stang").headers["location"].endswith("sagt=stangt")
    assert bo.send(f"/staden/undantag/{number}/stang").headers["location"].endswith("sagt=var-stangt")
    assert bo.send("/staden/undantag/1e9/stang").status_code == 404


WRONG_EXCEPTIONS = [
    ({"kvartal": "x"}, "Välj ett kvartal"), ({"enhet": "<b>"}, "Välj en enhet"), ({"datamangd": "x"}, "en datamängd i"),
    ({"till": "2018-13-01"}, "ÅÅÅÅ-MM-DD"), ({"till": "2018-04-09"}, FAULTS[Fault.DAY]),
    ({"why": " "}, FAULTS[Fault.REASON]), ({"why": f"barnet {NUMBER}"}, FAULTS[Fault.REASON]),
    ({"why": f"{NUMBER} " * 40}, "Högst"), ({"why": NUMBER, "enhet": ""}, "Välj en enhet"),
    ({"why": "\u2066\u202e"}, FAULTS[Fault.REASON]),
]  # fmt: skip


def test_exception_with_wrong_input_is_not_opened(place: Place, bo: Browser) -> None:
    bo.open("/staden/undantag")
    before = len(place.acts())
    for changed, said in WRONG_EXCEPTIONS:
        answer = bo.send("/staden/undantag", **{"kvartal": "2018Q1", "enhet": "farsta", "why": "Sent", **changed})
        assert answer.status_code == 422 and said in text_of(answer.text), changed
        assert NUMBER not in answer.text and "<b>" not in answer.text.partition("<main")[2]
    assert len(place.acts()) == before and not decisions.open_exceptions(place.ledger, date(2018, 4, 10))


def test_withdrawal_is_a_work_that_names_the_user(place: Place, city: City, bo: Browser) -> None:
    again = city.add("farsta", "rutiner")
    address = f"/staden/inlamning/{again.submission_id}/aterkalla"
    assert "Version 1 gäller sedan igen." in text_of(bo.open(address).text)
    answer = bo.send(address, why="Fel fil")
    text = text_of(bo.open(answer.headers["location"]).text)
    assert "Klart" in text and "Version 1 gäller igen." in text and "hx-get" not in bo.shown.partition("<main")[2]
    assert (last(place).actor, last(place).action, last(place).why) == ("bo", "submission.withdrawn", "Fel fil")
    cell = text_of(bo.open(f"/staden/2018Q1/farsta/rutiner?inlamning={again.submission_id}").text)
    assert "Återkallad" in cell and "Fel fil" in cell and "av bo (användare)" in cell
    assert bo.open(address).status_code == 404


def test_withdrawal_is_refused_without_reason_of_a_refused_file_and_in_a_locked_quarter(
    place: Place, city: City, bo: Browser
) -> None:
    address = f"/staden/inlamning/{city.on_time.submission_id}/aterkalla"
    bo.open(address)
    for why in ("", NUMBER, f"{NUMBER} " * 40):
        answer = bo.send(address, why=why)
        assert answer.status_code == 422 and NUMBER not in answer.text
    refused = f"/staden/inlamning/{city.refused.submission_id}/aterkalla"
    assert bo.open(refused).status_code == 404
    bo.open("/staden/undantag")
    assert bo.send(refused, why="Fel").status_code == 404
    decisions.lock_quarter(place.ledger, Quarter(2018, 1), city.on_time.submitted_at)
    assert FAULTS[Fault.LOCKED] in text_of(bo.open(address).text)
    bo.open("/staden/undantag")
    assert bo.send(address, why="Fel fil").status_code == 422
    found = place.ledger.find(city.on_time.submission_id)
    assert found is not None and found.state == "accepted"


def test_local_name_is_added_by_a_work(place: Place, bo: Browser) -> None:
    bo.open("/staden/namn")
    answer = bo.send("/staden/namn", name=" Kvällssoffan ", means="rad_och_stod", unit="farsta")
    text = text_of(bo.open(answer.headers["location"]).text)
    assert "Namnet är tillagt. Ingen fil väntade på namnet." in text
    (name,) = decisions.local_names(place.ledger)
    assert (name.district_code, name.alias, name.intervention_code) == ("farsta", "Kvällssoffan", "rad_och_stod")
    assert last(place).actor == "bo" and last(place).action == "local_name.added"
    assert "Kvällssoffan" in text_of(bo.open("/staden/namn").text)


WRONG_NAMES = [
    ({"means": "x"}, Fault.CODE), ({"name": " "}, Fault.NAME), ({"name": NUMBER}, Fault.NAME),
    ({"name": "x" * 201}, Fault.NAME), ({"name": "komet"}, Fault.OTHER_CODE),
]  # fmt: skip


def test_wrong_local_name_is_refused(place: Place, bo: Browser) -> None:
    bo.open("/staden/namn")
    for given, fault in WRONG_NAMES:
        answer = bo.send("/staden/namn", **{"name": "Soffan", "means": "rad_och_stod", "unit": "", **given})
        assert answer.status_code == 422 and FAULTS[fault] in text_of(answer.text) and NUMBER not in answer.text, given
    assert bo.send("/staden/namn", name="Soffan", means="rad_och_stod", unit="x").status_code == 422
    assert not decisions.local_names(place.ledger)


def test_every_refused_decision_has_swedish_words() -> None:
    assert set(FAULTS) == set(Fault)


def test_work_is_done_once_by_a_process_of_its_own_that_outlives_who_began_it(place: Place) -> None:
    filled(place)
    begun = working.start(place.app.portal, "bo", Kind.NAME, back="/staden/namn", name="Soffan", means="komet", unit="")
    assert begun is not None
    refused = working.start(place.app.portal, "bo", Kind.NAME, back="/staden/namn", name="B", means="komet", unit="")
    assert refused is None  # one at a time
    found = until(lambda: working.find(place.app.portal, begun.work_id), lambda one: not one.is_under_way)
    assert found.state == "done" and found.about == {}
    assert [one.alias for one in decisions.local_names(place.ledger)] == ["Soffan"]
    assert (last(place).actor_kind, last(place).actor) == ("user", "bo")
    before = len(place.acts())
    work.run(place.settings, begun.work_id)  # begun again by mistake
    assert len(place.acts()) == before


def until(ask: Callable[[], Work | None], holds: Callable[[Work], bool]) -> Work:
    for _ in range(600):
        found = ask()
        if found is not None and holds(found):
            return found
        time.sleep(0.1)
    raise AssertionError("the work did not end")


def test_work_whose_process_was_killed_is_shown_as_cut_off_and_holds_up_nobody(place: Place, bo: Browser) -> None:
    now = work.system_now()
    cut = Work("0123456789abcdef", Kind.WITHDRAW, "bo", now, now, "/staden", {"why": "x"}, "working")
    working.write(place.settings, cut)
    assert "Avbrutet" in text_of(bo.open("/staden/arbete/0123456789abcdef").text)
    bo.open("/staden/namn")
    assert bo.send("/staden/namn", name="Soffan", means="komet", unit="").status_code == 303


def test_work_that_goes_on_is_shown_and_another_must_wait(place: Place, bo: Browser) -> None:
    now = work.system_now()
    going = Work("0123456789abcdef", Kind.NAME, "bo", now, now, "/staden", {}, "working")
    working.write(place.settings, going)
    with place.ledger.lease(working.lease_of(going), 0):
        assert "hx-get" in bo.open("/staden/arbete/0123456789abcdef").text
        assert 'http-equiv="refresh"' in bo.shown and "Pågår" in text_of(bo.shown)
        bo.open("/staden/namn")
        answer = bo.send("/staden/namn", name="Soffan", means="komet", unit="")
        assert answer.status_code == 409 and working.BUSY in text_of(answer.text)


def test_two_processes_of_one_lane_never_work_at_once(place: Place, city: City) -> None:
    now = work.system_now()
    second = Work("0123456789abcdef", Kind.NAME, "bo", now, now, "/", {"name": "A", "means": "komet", "unit": ""})
    working.write(place.settings, second)
    with place.ledger.lease(working.lease_of_lane(second), 0):
        other = threading.Thread(target=work.run, args=(place.settings, second.work_id))
        other.start()
        other.join()
    found = working.read(place.settings, second.work_id)
    assert found is not None and found.state == "refused" and found.outcome == working.BUSY
    assert not decisions.local_names(place.ledger)


def test_failure_in_a_work_says_no_value(place: Place, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"row of {NUMBER}")

    monkeypatch.setitem(work._DO, Kind.NAME, broken)
    begun = working.start(place.app.portal, "bo", Kind.NAME, back="/", name="A", means="komet", unit="")
    assert begun is not None
    text = (place.settings.home / "work" / f"{begun.work_id}.json").read_text()
    assert json.loads(text)["state"] == "failed" and NUMBER not in text


def test_log_is_filtered_and_says_whether_the_chain_holds(place: Place, bo: Browser) -> None:
    text = text_of(bo.open("/staden/logg").text)
    assert "Loggen är hel" in text and "lade till konto" in text
    bo.open("/staden/logg?vad=session.begun&vem=account")
    bo.open(f"/staden/logg?vad=user.added&fran=2018-01-01&vem={place.acts()[0].actor}")
    table = text_of(bo.shown.partition("<tbody>")[2].partition("</tbody>")[0])
    assert "lade till konto" in table and "loggade in" not in table
    assert "0 händelser" in text_of(bo.open("/staden/logg?till=2001-01-01").text)
    assert "ÅÅÅÅ-MM-DD" in text_of(bo.open("/staden/logg?fran=igår").text)
    assert "lade till konto" in text_of(bo.open("/staden/logg?sida=9999").text)  # the last page, which is the first
    for odd in ("sida=999999999", "sida=-1", "vem=%EF%BF%BE", "vad=%27", "fran=9999-12-31&till=0001-01-01"):
        assert bo.open(f"/staden/logg?{odd}").status_code == 200
    with place.ledger.engine.begin() as connection:
        connection.exec_driver_sql("drop trigger act_no_update")
        connection.exec_driver_sql("update act set subject = 'x' where act_id = 2")
    assert "Loggen är hel" in text_of(bo.open("/staden/logg").text)  # looked at less than five minutes ago
    assert "Loggen är inte hel" in text_of(bo.open("/staden/logg?prova=nu").text)

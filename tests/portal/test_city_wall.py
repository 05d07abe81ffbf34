"""The wall, the page of a cell, reminders and explanations."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from browsing import Browser, Place, text_of
from city_filled import HOSTILE, City, city, submission_id

from followup.status import StatusLine
from ingest.ledger import decisions
from ingest.organisation import DEFAULT, FILE
from ingest.quarters import Quarter
from ingest.settings import ORGANISATION
from portal.city.reminders import reminder_of

__all__ = ["city"]


@pytest.fixture
def bo(place: Place, city: City) -> Browser:
    return place.signed_in("bo")


def shown(browser: Browser, address: str, status: int = 200) -> str:
    answer = browser.open(address)
    assert answer.status_code == status, answer.text
    assert "<script>alert" not in answer.text and "<b>fil" not in answer.text
    return text_of(answer.text)


def counts_of(page: str) -> dict[str, int]:
    legend = page.partition('<ul class="legend">')[2].partition("</ul>")[0]
    pairs = re.findall(r"<span>([^<]*)</span></span> <span class=\"legend-count\">(\d+)", legend)
    return {name: int(count) for name, count in pairs}


def test_wall_counts_each_state_and_shows_it_in_words(bo: Browser) -> None:
    text = shown(bo, "/staden")  # 10 April 2018: before the deadline
    assert counts_of(bo.shown) == {
        "Inne": 1, "Inne, sent": 1, "Öppna frågor": 1, "Tas inte in": 1, "Saknas": 0, "Väntas": 14 * 9 - 4,
        "Saknas, låst": 0,
    }  # fmt: skip
    assert "2 öppna frågor" in text and "10 dagar kvar" in text and "2 av 9 inne" in text
    assert 'href="/staden/2018Q1/farsta/rutiner"' in bo.shown


def test_after_the_deadline_what_has_not_come_is_missing_and_locked_when_locked(place: Place, city: City) -> None:
    late = Place.make(place.settings.home.parent, now="2018-04-21T08:00:00")
    try:
        browser = late.signed_in("bo")
        shown(browser, "/staden?kvartal=2018Q1")
        assert counts_of(browser.shown)["Saknas"] == 14 * 9 - 4
        decisions.lock_quarter(place.ledger, Quarter(2018, 1), city.on_time.submitted_at)
        text = shown(browser, "/staden?kvartal=2018Q1")
        assert counts_of(browser.shown)["Saknas, låst"] == 14 * 9 - 4 and counts_of(browser.shown)["Saknas"] == 0
        assert "Lås upp kvartalet" in text
    finally:
        late.close()


def test_filter_shows_only_units_with_that_state(bo: Browser) -> None:
    text = shown(bo, "/staden?lage=refused")
    assert "Bromma" in text and "Farsta" not in text
    assert "Ingen enhet att visa" in shown(bo, "/staden?lage=missing")
    assert "Farsta" in shown(bo, "/staden?lage=%3Cscript%3E")


def test_units_that_nobody_expects_are_on_the_wall(bo: Browser, city: City) -> None:
    city.add("socialforvaltningen", "rutiner")
    city.add("hagersten-alvsjo", "utbud", state="refused", error_count=1)  # not there yet in 2018
    text = shown(bo, "/staden")
    assert "1 inne; väntas inte lämna" in text and "0 inne; väntas inte lämna" in text
    assert counts_of(bo.shown)["Tas inte in"] == 2


def test_refused_file_after_one_in_force_is_shown_as_refused_with_the_version(bo: Browser, city: City) -> None:
    city.add("farsta", "rutiner", state="refused", error_count=1)
    assert "version 1 gäller" in shown(bo, "/staden?lage=refused")


def test_cell_says_who_when_and_what_was_found(place: Place, bo: Browser, city: City) -> None:
    city.explain(city.asked, "GRU-040", f"Två grupper {HOSTILE}")
    city.write_feedback(city.asked)
    text = shown(bo, "/staden/2018Q1/bromma/grupper")
    assert "9 april 2018 kl. 08.05" in text and "konto på servern" in text and city.asked.source_file_sha256 in text
    assert "GRU-040" in text and "Två grupper <script>alert(1)</script>" in text and "ARE-090" in text
    answer = bo.open(f"/staden/inlamning/{city.asked.submission_id}/arbetsbok")
    assert answer.content == b"PK workbook"
    assert answer.headers["content-disposition"].startswith('attachment; filename="aterkoppling_bromma_grupper_2018Q1_')
    assert bo.open(f"/staden/inlamning/{city.on_time.submission_id}/arbetsbok").status_code == 404
    assert "Två grupper" in shown(bo, "/staden/forklaringar?kvartal=2018Q1")


def test_cell_names_the_user_who_handed_in(place: Place, bo: Browser, city: City) -> None:
    from ingest.acting_user import Actor, acting_as

    with acting_as(Actor("user", "anna")):
        city.add("farsta", "rutiner")
    text = shown(bo, "/staden/2018Q1/farsta/rutiner")
    assert "anna (användare)" in text and "Ersatt" in text
    earlier = shown(bo, f"/staden/2018Q1/farsta/rutiner?inlamning={city.on_time.submission_id}")
    assert "konto på servern" in earlier


def test_file_that_could_not_be_placed_has_a_page(bo: Browser, city: City) -> None:
    assert HOSTILE in shown(bo, "/staden")
    assert HOSTILE in shown(bo, f"/staden/inlamning/{city.unnamed.submission_id}")
    other = bo.open(f"/staden/inlamning/{city.asked.submission_id}")
    assert other.headers["location"].startswith("/staden/2018Q1/bromma/grupper?")


NOT_THERE = [
    "/staden?kvartal=2018Q5", "/staden?kvartal=9998Q4", "/staden?kvartal=0001Q1", "/staden?kvartal=2019Q1",
    "/staden?kvartal=%D9%A2%D9%A0%D9%A1%D9%A8Q1", "/staden?kvartal=" + "9" * 5000, "/staden?kvartal=2018Q1%00",
    "/staden/2018Q1/nowhere/rutiner", "/staden/2018Q1/farsta/nothing", "/staden/x/farsta/rutiner",
    "/staden/2018Q1/%2e%2e%2f/rutiner", "/staden/2018Q1/farsta/rutiner?inlamning=" + submission_id(3),
    "/staden/2018Q1/farsta/rutiner?inlamning=%00", "/staden/inlamning/" + "z" * 26,
    "/staden/inlamning/%27%20or%201",
    "/staden/inlamning/x/arbetsbok", "/staden/inlamning/x/aterkalla", "/staden/kvartal/2030Q1/las",
    "/staden/kvartal/x/las", "/staden/undantag?kvartal=x", "/staden/forklaringar?kvartal=x",
    "/staden/paminnelse?kvartal=x", "/staden/publiceringar/999999999999999999999", "/staden/publiceringar/-1",
    "/staden/publiceringar/7", "/staden/arbete/x", "/staden/arbete/..%2F..%2Fkeys", "/staden/arbete/" + "0" * 16,
    "/staden/nothing", "/konton",
]  # fmt: skip


def test_what_is_not_there_is_404(bo: Browser) -> None:
    answers = {address: bo.open(address).status_code for address in NOT_THERE}
    assert {status for address, status in answers.items() if "%00" in address} == {400}  # the guard's answer
    assert [address for address, status in answers.items() if "%00" not in address and status != 404] == []


def test_reminder_says_what_is_left_and_nothing_of_the_rows(bo: Browser) -> None:
    text = shown(bo, "/staden/paminnelse?kvartal=2018Q1")
    assert "Hej Bromma!" in text and "Togs inte in" in text and "Gruppverksamheter: 2 frågor" in text
    assert "Sista dagen är 20 april 2018." in text and HOSTILE not in text


def test_completeness_of_a_quarter_is_a_page_with_each_unit_and_the_report_as_text(bo: Browser) -> None:
    text = shown(bo, "/staden/kvartal/2018Q1/fullstandighet")
    assert "Fullständighet kvartal 1 2018" in text and "av 14 enheter är kompletta" in text
    assert "Gruppverksamheter: version" in text and "är obesvarade" in text and HOSTILE not in text


def test_reminder_of_a_unit_without_anything_left_is_empty() -> None:
    quarter = Quarter(2018, 1)
    done = StatusLine("2018Q1", "farsta", "rutiner", "in_force", version=1, is_on_time=True)
    assert reminder_of("farsta", quarter, [done], quarter.deadline, "Teamet", "http://x").text == ""
    missing = StatusLine("2018Q1", "farsta", "utbud", "missing", is_locked=True)
    text = reminder_of("farsta", quarter, [done, missing], quarter.next().end, "Teamet", "http://x").text
    assert "Sista dagen var 20 april 2018." in text and "Kvartalet är låst. Hör av er till Teamet" in text


def test_newest_quarter_is_shown_first_and_the_ones_around_are_linked(place: Place, bo: Browser) -> None:
    shown(bo, "/staden")
    assert "kvartal=2017Q4" in bo.shown and "kvartal=2018Q2" in bo.shown
    shown(bo, "/staden?kvartal=2018Q2")
    assert 'rel="next"' not in bo.shown
    assert place.app.portal.newest_quarter == Quarter(2018, 1)


def test_units_of_a_group_can_be_shown_alone(bo: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the organisation has groups: 290 units on one page are too many to look over."""
    assert 'name="grupp"' not in shown_html(bo, "/staden")
    folder = tmp_path / "organisation"
    shutil.copytree(DEFAULT, folder)
    with (folder / FILE).open("a", encoding="utf-8") as declared:
        declared.write('\n[[groups]]\nname = "Västerort & Söderort"\nunits = ["bromma", "farsta"]\n')
    monkeypatch.setenv(ORGANISATION, str(folder))
    text = shown(bo, "/staden?grupp=V%C3%A4sterort+%26+S%C3%B6derort")
    assert "Bromma" in text and "Farsta" in text and "Kungsholmen" not in text
    assert sum(counts_of(bo.shown).values()) == 2 * 9
    assert "lage=late&amp;grupp=V%C3%A4sterort%20%26%20S%C3%B6derort" in bo.shown
    text = shown(bo, "/staden?grupp=V%C3%A4sterort+%26+S%C3%B6derort&lage=refused")
    assert "Bromma" in text and "Farsta" not in text
    assert "Kungsholmen" in shown(bo, "/staden?grupp=Ingen+s%C3%A5dan")


def shown_html(browser: Browser, address: str) -> str:
    shown(browser, address)
    return browser.shown

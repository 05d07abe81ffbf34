"""Stories in a real Chromium, each from an empty installation, by what a user sees: labels, buttons, headings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from real_portal import PASSWORD, RealPortal

from ingest.districts import load_districts
from ingest.ledger.portal_users import Role
from ingest.quarters import Quarter

sys.path.insert(0, str(Path(__file__).parents[1] / "portal"))
from district_files import LATE, UNIT, WRONG, cases, named, routines

SLOW = 60_000
"""Milliseconds that a check may take on a busy machine."""
PREVIEW = 420_000
QUARTER = Quarter(2018, 3)
Open = Callable[..., Any]


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[RealPortal]:
    made = RealPortal(tmp_path / "installation")
    made.prepare()
    made.add("anna", Role.OFFICER, UNIT)
    made.start()
    yield made
    made.stop()


def files(folder: Path, **contents: bytes) -> dict[str, Path]:
    """Files on the user's disk, each in a folder of its own: they have one name."""
    made = {}
    for key, content in contents.items():
        made[key] = folder / key / named()
        made[key].parent.mkdir()
        made[key].write_bytes(content)
    return made


def sign_in(page: Page, portal: RealPortal, name: str) -> None:
    page.goto(f"{portal.url}/logga-in")
    page.get_by_label("Användarnamn").fill(name)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in").click()


def send(page: Page, portal: RealPortal, path: Path, button: str, unit: str = UNIT) -> None:
    """Choose a file on the unit's page and press a button."""
    page.goto(f"{portal.url}/enhet/{unit}/")
    page.get_by_label("Välj filer").set_input_files(path)
    page.get_by_role("button", name=button, exact=True).click()


def until(page: Page, text: str, *, reload: bool = False) -> None:
    """Wait for a text in the verdict; without scripts by loading the page anew, as it says."""
    heading = page.get_by_role("heading", name=re.compile(text))
    if not reload:
        expect(heading.first).to_be_visible(timeout=SLOW)
        return
    for _ in range(SLOW // 500):
        if heading.count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"{text!r} never came; the page says: {page.inner_text('main')[:500]}")


def from_wrong_file_to_receipt(page: Page, portal: RealPortal, folder: Path, *, scripts: bool) -> None:
    """Story (a): wrong file, checked, mended, handed in, query explained, replaced, receipt."""
    chosen = files(folder, wrong=cases(WRONG, LATE), mended=cases({}, LATE), again=cases({}, LATE, {}))
    reload = not scripts
    sign_in(page, portal, "anna")
    expect(page.get_by_role("heading", name="Bromma: kvartal 3 2018")).to_be_visible()
    send(page, portal, chosen["wrong"], "Kontrollera")
    until(page, "Filen kan inte tas in: 1 fel att rätta", reload=reload)
    expect(page.get_by_text("Menades skola").first).to_be_visible()
    send(page, portal, chosen["mended"], "Lämna in")
    until(page, "Filen är inlämnad och gäller: 2 rader, 1 fråga kvar", reload=reload)
    page.get_by_label("Förklaring").fill("Familjen var bortrest.")
    page.get_by_role("button", name="Spara förklaringen").click()
    until(page, "Filen är inlämnad och gäller: 2 rader$", reload=reload)
    send(page, portal, chosen["again"], "Lämna in")
    until(page, "Filen ersätter en som redan gäller", reload=reload)
    expect(page.get_by_text("1 rad tillkommer: rad 4.")).to_be_visible()


def confirm_and_open_receipt(page: Page, *, scripts: bool) -> None:
    page.get_by_role("button", name="Bekräfta: lämna in och ersätt").click()
    until(page, "Filen är inlämnad och gäller: 3 rader", reload=not scripts)
    page.get_by_role("link", name="Kvitto").click()
    expect(page.get_by_text("Kontrollsumma (SHA-256)")).to_be_visible()
    expect(page.get_by_text(re.compile("^[0-9a-f]{64}$"))).to_be_visible()


@pytest.mark.timeout(900)
def test_officer_checks_mends_hands_in_explains_previews_and_replaces(
    portal: RealPortal, tmp_path: Path, look: Open
) -> None:
    looked = look(portal.url)
    page = looked.page
    from_wrong_file_to_receipt(page, portal, tmp_path, scripts=True)
    page.get_by_role("button", name="Räkna ut vilka siffror som ändras").click()
    expect(page.get_by_role("heading", name=re.compile("Ärendeflöde|flöde"))).to_be_visible(timeout=PREVIEW)
    confirm_and_open_receipt(page, scripts=True)
    assert looked.said == []


@pytest.mark.timeout(600)
def test_main_path_without_scripts(portal: RealPortal, tmp_path: Path, look: Open) -> None:
    page = look(portal.url, java_script_enabled=False).page
    from_wrong_file_to_receipt(page, portal, tmp_path, scripts=False)
    confirm_and_open_receipt(page, scripts=False)


@pytest.mark.timeout(600)
def test_main_path_at_360_pixels(portal: RealPortal, tmp_path: Path, look: Open) -> None:
    looked = look(portal.url, width=360, height=740)
    page = looked.page
    wide: list[str] = []

    def measure() -> None:
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(page.url)

    page.on("load", lambda _: measure())
    from_wrong_file_to_receipt(page, portal, tmp_path, scripts=True)
    measure()
    confirm_and_open_receipt(page, scripts=True)
    assert wide == [] and looked.said == []


def tab_to(page: Page, name: str, *, most: int = 60) -> None:
    """Press Tab until what has the focus says this; nothing is clicked."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate(
            "(() => { const one = document.activeElement; const label = one.labels && one.labels[0];"
            " return (label ? label.innerText : one.innerText || one.value || '').trim(); })()"
        )
        if said.startswith(name):
            return
    raise AssertionError(f"Tab never came to {name!r} on {page.url}")


@pytest.mark.timeout(600)
def test_main_path_by_keyboard_alone(portal: RealPortal, tmp_path: Path, look: Open) -> None:
    chosen = files(tmp_path, late=cases(LATE))
    page = look(f"{portal.url}/logga-in").page
    tab_to(page, "Användarnamn")
    page.keyboard.type("anna")
    tab_to(page, "Lösenord")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bromma: kvartal 3 2018")).to_be_visible()
    tab_to(page, "Välj filer")
    with page.expect_file_chooser() as opened:
        page.keyboard.press("Enter")
    opened.value.set_files(chosen["late"])
    tab_to(page, "Lämna in")
    page.keyboard.press("Enter")
    until(page, "1 fråga kvar")
    tab_to(page, "Förklaring")
    page.keyboard.type("Familjen var bortrest.")
    tab_to(page, "Spara förklaringen")
    page.keyboard.press("Enter")
    until(page, "gäller: 1 rad$")
    tab_to(page, "Kvitto")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kontrollsumma (SHA-256)")).to_be_visible()


@pytest.mark.timeout(900)
def test_fourteen_districts_hand_in_the_wall_fills_and_a_late_file_passes_by_exception(
    portal: RealPortal, tmp_path: Path, look: Open
) -> None:
    units = [one.code for one in load_districts().valid_in(QUARTER)]
    assert len(units) == 14
    portal.add("bo", Role.CITY)
    city = look(portal.url).page
    sign_in(city, portal, "bo")
    wall = f"{portal.url}/staden?kvartal={QUARTER}"
    city.goto(wall)
    expect(city.get_by_role("heading", level=1)).to_contain_text("2018")
    for number, unit in enumerate(units):
        if unit != UNIT:
            portal.add(unit, Role.OFFICER, unit)
        page = look(portal.url).page
        sign_in(page, portal, "anna" if unit == UNIT else unit)
        path = tmp_path / named("skyddsuppfoljning", unit=unit)
        path.write_bytes(routines(number + 10))
        if unit != units[-1]:
            send(page, portal, path, "Lämna in", unit)
            until(page, "Filen är inlämnad och gäller")
    city.goto(wall)
    table = city.get_by_role("table")
    expect(table.get_by_text("Inne", exact=True).first).to_be_visible()
    lock(city, portal)
    late = tmp_path / named("skyddsuppfoljning", unit=units[-1])
    send(page, portal, late, "Lämna in", units[-1])
    until(page, "Filen togs inte in")
    open_exception(city, portal, units[-1])
    late.write_bytes(routines(99))
    send(page, portal, late, "Lämna in", units[-1])
    until(page, "Filen är inlämnad och gäller")


def lock(city: Page, portal: RealPortal) -> None:
    """The city locks the quarter."""
    raise NotImplementedError


def open_exception(city: Page, portal: RealPortal, unit: str) -> None:
    """The city lets one unit submit into the locked quarter."""
    raise NotImplementedError

"""Stories in a real Chromium, each from an empty installation, by what a user sees: labels, buttons, headings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from real_portal import PASSWORD, RealPortal
from user_steps import BUILD, ENDED, send, sign_in, until

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.ledger.portal_users import Role
from ingest.quarters import Quarter

sys.path.insert(0, str(Path(__file__).parents[1] / "portal"))
from district_files import LATE, UNIT, WRONG, cases, named, routines

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


def from_wrong_file_to_receipt(page: Page, portal: RealPortal, folder: Path, *, scripts: bool) -> None:
    """Story (a): wrong file, checked, mended, handed in, query explained, replaced, receipt."""
    chosen = files(folder, wrong=cases(WRONG, LATE), mended=cases({}, LATE), again=cases({}, LATE, {}))
    reload = not scripts
    sign_in(page, portal, "anna")
    expect(page.get_by_role("heading", name="Bromma: kvartal 3 2018")).to_be_visible()
    send(page, portal, "Kontrollera", UNIT, chosen["wrong"])
    until(page, "Filen kan inte tas in: 1 fel att rätta", reload=reload)
    expect(page.get_by_text("Menades skola").first).to_be_visible()
    send(page, portal, "Lämna in", UNIT, chosen["mended"])
    until(page, "Filen är inlämnad och gäller: 2 rader, 1 fråga kvar", reload=reload)
    page.get_by_label("Förklaring").fill("Familjen var bortrest.")
    page.get_by_role("button", name="Spara förklaringen").click()
    until(page, "Filen är inlämnad och gäller: 2 rader$", reload=reload)
    send(page, portal, "Lämna in", UNIT, chosen["again"])
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
    expect(page.get_by_role("region", name=re.compile("^Siffror som ändras i")).first).to_be_visible(timeout=BUILD)
    confirm_and_open_receipt(page, scripts=True)
    lefts = [page.locator(part).first.bounding_box() for part in (".site-nav a", ".tabs a", "h1")]
    assert len({box["x"] for box in lefts if box is not None}) == 1, lefts
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
    page.goto(f"{portal.url}/enhet/{UNIT}/")
    edges = page.locator("table.cards td").evaluate_all("cells => cells.map(one => one.getBoundingClientRect().right)")
    assert edges and max(edges) <= 360, "what to do is seen without scrolling sideways"
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
        page.keyboard.press("Space")
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
    units = load_districts().valid_in(QUARTER)
    assert len(units) == 14
    *punctual, tardy = units
    portal.add("bo", Role.CITY)
    city = look(portal.url).page
    sign_in(city, portal, "bo")
    wall = f"{portal.url}/staden?kvartal={QUARTER}"
    city.goto(wall)
    expect(cell(city, tardy.name)).to_contain_text("Väntas")
    assert on_wall(city, "Inne") == 0
    officers = {}
    for number, unit in enumerate(units):
        if unit.code != UNIT:
            portal.add(unit.code, Role.OFFICER, unit.code)
        officers[unit.code] = page = look(portal.url).page
        sign_in(page, portal, "anna" if unit.code == UNIT else unit.code)
        if unit in punctual:
            send(page, portal, "Lämna in", unit.code, routine_file(tmp_path, unit.code, number + 10))
    for unit in punctual:
        until(officers[unit.code], "Filen är inlämnad och gäller")
    city.goto(wall)
    assert on_wall(city, "Inne") == 13
    expect(cell(city, punctual[0].name)).to_contain_text("Inne")
    expect(cell(city, tardy.name)).to_contain_text("Väntas")

    portal.set_clock("2018-11-20T08:00:00")
    lock(city)
    page, late = officers[tardy.code], routine_file(tmp_path, tardy.code, 99)
    send(page, portal, "Lämna in", tardy.code, late)
    until(page, "Filen togs inte in")
    expect(page.get_by_text("låst").first).to_be_visible()
    open_exception(city, tardy.name)
    late.write_bytes(routines(100))
    send(page, portal, "Lämna in", tardy.code, late)
    until(page, "Filen är inlämnad och gäller")
    city.goto(wall)
    expect(cell(city, tardy.name)).to_contain_text("Inne, sent")
    assert on_wall(city, "Inne, sent") == 1 and on_wall(city, "Inne") == 13


def routine_file(folder: Path, unit: str, count: int) -> Path:
    """A small file of a unit."""
    path = folder / named("skyddsuppfoljning", unit=unit)
    path.write_bytes(routines(count))
    return path


def cell(city: Page, unit: str) -> Locator:
    """A unit's cell of the small file on the wall."""
    at = list(load_contracts()).index("skyddsuppfoljning")
    row = city.get_by_role("row").filter(has=city.get_by_role("rowheader", name=re.compile(f"^{unit}")))
    return row.get_by_role("cell").nth(at)


def on_wall(city: Page, state: str) -> int:
    """How many cells of the wall say a state."""
    return city.locator("table.wall .wall-state").get_by_text(state, exact=True).count()


def lock(city: Page) -> None:
    """The city locks the quarter that its page shows."""
    city.get_by_role("link", name="Lås kvartalet").click()
    expect(city.get_by_role("heading", name="Saknas")).to_be_visible()
    city.get_by_role("button", name=re.compile("^Lås")).click()
    expect(city.get_by_text("Kvartalet är låst.")).to_be_visible()


def open_exception(city: Page, unit: str) -> None:
    """The city lets one unit submit into the locked quarter; it has to say why."""
    city.get_by_role("link", name="Undantag för en enhet").click()
    city.get_by_label("Enhet").select_option(label=unit)
    city.get_by_label("Varför?").fill("Systemet låg nere.")
    city.get_by_role("button", name="Öppna undantaget").click()
    expect(city.get_by_text("Undantaget är öppet.")).to_be_visible()
    expect(city.get_by_role("table").get_by_text("Systemet låg nere.")).to_be_visible()


@pytest.mark.timeout(1200)
def test_a_release_is_proposed_looked_at_and_approved_and_the_figures_change(filled: RealPortal, look: Open) -> None:
    reader = look(f"{filled.url}/siffror").page
    before = release_shown(reader)
    city = look(filled.url).page
    sign_in(city, filled, "bo")
    city.goto(f"{filled.url}/staden/publiceringar")
    city.get_by_role("button", name="Gör förslaget").click()
    expect(city.get_by_role("heading", name=ENDED)).to_be_visible(timeout=BUILD)
    expect(city.get_by_role("heading", name="Klart")).to_be_visible()
    city.goto(f"{filled.url}/staden/publiceringar")
    newest = city.get_by_role("link", name=re.compile("^Utgåva")).first
    name = newest.inner_text()
    assert name != f"Utgåva {before}"
    newest.click()
    expect(city.get_by_text("Föreslagen").first).to_be_visible()
    expect(city.get_by_role("heading", name="Certifikat")).to_be_visible()
    reader.reload()
    assert release_shown(reader) == before, "readers see nothing of a proposal"
    old = reader.inner_text("main")
    city.get_by_role("button", name="Godkänn och ge ut").click()
    expect(city.get_by_role("heading", name="Klart")).to_be_visible(timeout=BUILD)
    reader.reload()
    assert f"Utgåva {release_shown(reader)}" == name
    assert reader.inner_text("main") != old


def release_shown(reader: Page) -> str:
    """The number of the release whose figures a page shows."""
    found = re.search(r"Utgåva (\d+)", reader.locator(".figures-release").inner_text())
    assert found is not None
    return found[1]

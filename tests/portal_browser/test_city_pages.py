"""The city's and the administrator's pages in Chromium: every state, narrow and wide, light and dark."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import uvicorn
from conftest import Looked
from free_ports import free_port
from playwright.sync_api import Page

from ingest.ledger import decisions
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, add_user
from ingest.ledger.releases import ReleaseRow, record_release
from ingest.ledger.store import Build
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.settings import Settings
from portal.app import make_app
from portal.settings import PortalSettings
from tests.portal.browsing import CHEAP, SECRET
from tests.portal.city_filled import HOSTILE, City

Look = Callable[..., Looked]
NOW = datetime(2018, 4, 10, 6)
LONG = "en.handlaggare-med-ett-mycket-langt-namn@socialforvaltningen.example"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, City]]:
    """A portal on loopback: a quarter with something in each state, a lock, an exception, releases and builds."""
    given = {"home": tmp_path / "home", "keys": tmp_path / "keys.json", "inbox": str(tmp_path / "inbox")}
    settings = Settings.model_validate(given | {"FOLLOWUP_NOW": "2018-04-21T08:00:00"})
    settings.home.mkdir()
    make_keys(settings.keys)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    app = make_app(settings, PortalSettings(url=url), CHEAP)
    ledger = app.portal.ledger
    for name, role, units in (
        ("bo", Role.CITY, ()),
        ("adm", Role.ADMINISTRATOR, ()),
        (LONG, Role.OFFICER, ("farsta",)),
    ):
        add_user(ledger, name, role, units, CHEAP.hash(SECRET), system_now())
    city = City(ledger, settings)
    city.explain(city.asked, "GRU-040", f"Två grupper {HOSTILE} {'o' * 200}")
    city.write_feedback(city.asked)
    decisions.lock_quarter(ledger, Quarter(2017, 4), NOW)
    decisions.open_exception(ledger, Quarter(2017, 4), "farsta", None, until=None, why=f"Sent {HOSTILE}", now=NOW)
    ledger.record_build(Build("a" * 64, "failed", NOW, 3.0, "assert_" + "one_fact_" * 30))
    for number, state in ((1, "released"), (2, "blocked"), (3, "proposed")):
        row = ReleaseRow(
            number, "proposed", NOW, NOW, "2018Q1", number == 3, '{"days_between_releases": 7}', "{}", "why"
        )
        record_release(ledger, ReleaseRow(**(vars(row) | {"state": state})))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    yield url, city
    server.should_exit = True
    thread.join(30)
    ledger.close()


def sign_in(page: Page, name: str) -> None:
    page.fill("#namn", name)
    page.fill("#losenord", SECRET)
    page.keyboard.press("Enter")
    page.wait_for_selector(".user-menu")


def city_pages(city: City) -> list[str]:
    asked, unnamed = city.asked.submission_id, city.unnamed.submission_id
    return [
        "/staden", "/staden?lage=refused", "/staden?lage=in&kvartal=2016Q1", "/staden?kvartal=2017Q4",
        "/staden/2018Q1/bromma/grupper", "/staden/2018Q1/bromma/utbud", "/staden/2017Q4/farsta/utbud",
        f"/staden/inlamning/{unnamed}", f"/staden/inlamning/{asked}/aterkalla", "/staden/kvartal/2018Q1/las",
        "/staden/kvartal/2018Q2/las", "/staden/undantag?kvartal=2017Q4", "/staden/namn", "/staden/forklaringar",
        "/staden/forklaringar?kvartal=2016Q1", "/staden/paminnelse", "/staden/byggen", "/staden/publiceringar",
        "/staden/publiceringar/1", "/staden/publiceringar/2", "/staden/publiceringar/3", "/staden/logg?fran=x",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light"), (1440, "dark"), (360, "light")])
def test_no_page_has_a_fault(look: Look, served: tuple[str, City], width: int, scheme: str) -> None:
    url, city = served
    for name, pages in (
        ("bo", city_pages(city)),
        ("adm", ["/konton", "/konton/inloggningar", "/konton/logg", f"/konton/konto/{LONG}", "/konton/konto/adm"]),
    ):
        looked = look(url + "/logga-in", width, scheme=scheme)
        sign_in(looked.page, name)
        for path in pages:
            answer = looked.page.goto(url + path)
            assert answer is not None and answer.status == 200, path
            assert looked.wrong() == [], path


def test_forms_with_faults_have_no_fault_of_ours(look: Look, served: tuple[str, City]) -> None:
    url, city = served
    looked = look(url + "/logga-in", 360)
    page = looked.page
    sign_in(page, "bo")
    for path, button in (
        ("/staden/undantag", "Öppna undantaget"),
        (f"/staden/inlamning/{city.asked.submission_id}/aterkalla", "Återkalla"),
        ("/staden/publiceringar/3", "Avvisa förslaget"),
    ):
        page.goto(url + path)
        page.fill("#why", "barnet 20050505-9824")
        page.evaluate("document.querySelectorAll('form').forEach(one => one.noValidate = true)")
        page.click(f"main button:has-text('{button}')")
        page.wait_for_selector(".error-summary")
        looked.forget("status of 4")
        assert looked.wrong() == [], path
        assert "9824" not in page.content()


def test_city_locks_opens_an_exception_and_withdraws_without_javascript(look: Look, served: tuple[str, City]) -> None:
    url, city = served
    page = look(url + "/logga-in", java_script_enabled=False).page
    sign_in(page, "bo")
    page.goto(url + f"/staden/inlamning/{city.on_time.submission_id}/aterkalla")
    page.fill("#why", "Fel fil")
    page.click("main button:has-text('Återkalla')")
    page.wait_for_selector("text=Inlämningen är återkallad", timeout=60_000)  # the page asks again by itself
    page.goto(url + "/staden?kvartal=2018Q1")
    page.click("text=Lås kvartalet")
    page.click("main button:has-text('Lås kvartal 1 2018')")
    assert "Kvartalet är låst." in page.inner_text("main")
    page.click("text=Undantag för en enhet")
    page.select_option("#enhet", "farsta")
    page.fill("#why", "Sent system")
    page.click("main button:has-text('Öppna undantaget')")
    assert "Undantaget är öppet." in page.inner_text("main") and "Sent system" in page.inner_text("main")


def test_work_page_moves_by_itself_to_its_end(look: Look, served: tuple[str, City]) -> None:
    url, _ = served
    looked = look(url + "/logga-in")
    page = looked.page
    sign_in(page, "bo")
    page.goto(url + "/staden/namn")
    page.fill("#name", "Kvällssoffan")
    page.select_option("#means", "rad_och_stod")
    page.click("main button:has-text('Lägg till')")
    page.wait_for_selector("#arbete")
    assert looked.wrong() == []
    page.wait_for_selector("text=Namnet är tillagt", timeout=60_000)
    assert looked.wrong() == []


def test_administrator_adds_an_account_whose_password_is_shown_once(look: Look, served: tuple[str, City]) -> None:
    url, _ = served
    looked = look(url + "/logga-in", 360)
    page = looked.page
    sign_in(page, "adm")
    page.goto(url + "/konton")
    page.fill("#name", "ny.person")
    page.check("text=läsare: ser siffrorna")
    page.click("main button:has-text('Lägg till kontot')")
    assert len(page.inner_text(".secret").strip()) == 29
    assert looked.wrong() == []

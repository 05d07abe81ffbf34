"""The portal as it is served: its own guard, policy and files, in a real browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from conftest import Looked
from free_ports import free_port

from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, add_user
from ingest.settings import Settings
from portal.app import make_app
from portal.settings import PortalSettings
from tests.portal.browsing import CHEAP, SECRET

Look = Callable[..., Looked]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A portal on loopback with one user for each role."""
    settings = Settings(home=tmp_path / "home", keys=tmp_path / "keys.json", inbox=str(tmp_path / "inbox"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    app = make_app(settings, PortalSettings(url=url), CHEAP)
    for role, units in ((Role.OFFICER, ("farsta", "skarpnack")), (Role.CITY, ()), (Role.ADMINISTRATOR, ())):
        add_user(app.portal.ledger, role.value, role, units, CHEAP.hash(SECRET), system_now())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    yield url
    server.should_exit = True
    thread.join(30)
    app.portal.ledger.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1440])
def test_pages_before_and_after_signing_in_have_no_fault(look: Look, address: str, width: int, scheme: str) -> None:
    looked = look(address + "/logga-in", width, scheme=scheme)
    page = looked.page
    assert looked.wrong() == []
    page.fill("#namn", Role.OFFICER.value)
    page.fill("#losenord", "fel lösenord")
    page.keyboard.press("Enter")
    page.wait_for_selector(".error-summary")
    looked.forget("status of 4")
    assert looked.wrong() == []
    page.fill("#namn", Role.OFFICER.value)
    page.fill("#losenord", SECRET)
    page.keyboard.press("Enter")
    page.wait_for_selector(".user-menu")
    for path, status in (("/konto", 200), ("/tillganglighet", 200), ("/finns-inte", 404)):
        answer = page.goto(address + path)
        assert answer is not None and answer.status == status, path
        looked.forget("status of 4")
        assert looked.wrong() == [], path


def test_the_user_menu_signs_out_by_keyboard_alone(look: Look, address: str) -> None:
    page = look(address + "/logga-in").page
    page.fill("#namn", Role.CITY.value)
    page.fill("#losenord", SECRET)
    page.keyboard.press("Enter")
    page.wait_for_selector(".user-menu")
    page.goto(address + "/konto")
    while page.evaluate("document.activeElement.tagName") != "SUMMARY":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.is_visible(".user-menu button")
    page.keyboard.press("Escape")
    assert not page.is_visible(".user-menu button")
    page.keyboard.press("Enter")
    for _ in ("the link to the account", "the button"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/logga-in*")


@pytest.mark.parametrize("role", [Role.OFFICER, Role.CITY, Role.ADMINISTRATOR])
def test_each_page_of_the_menu_has_no_fault_in_an_empty_installation(look: Look, address: str, role: Role) -> None:
    looked = look(address + "/logga-in", 320)
    page = looked.page
    page.fill("#namn", role.value)
    page.fill("#losenord", SECRET)
    page.keyboard.press("Enter")
    page.wait_for_selector(".user-menu")
    links = page.locator(".site-nav a").evaluate_all("links => links.map(one => one.href)")
    assert links
    found = []
    for link in links:
        answer = page.goto(link)
        assert answer is not None and answer.status == 200, link
        found += [f"{link.removeprefix(address)}: {one}" for one in looked.wrong()]
        page.set_viewport_size({"width": 1440, "height": 900})
        found += [f"{link.removeprefix(address)} at 1440: {one}" for one in looked.wrong()]
        page.set_viewport_size({"width": 320, "height": 900})
    assert found == []


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1440, "dark")])
def test_keys_for_programs_have_no_fault_empty_wrong_and_made(
    look: Look, address: str, width: int, scheme: str
) -> None:
    looked = look(address + "/logga-in?till=/konto/nycklar", width, scheme=scheme)
    page = looked.page
    page.fill("#namn", Role.OFFICER.value)
    page.fill("#losenord", SECRET)
    page.keyboard.press("Enter")
    page.wait_for_selector("#dagar")
    assert looked.wrong() == []
    page.fill("#namn", "journalsystem")
    page.click("text=Gör nyckeln")
    page.wait_for_selector(".error-summary")  # nothing is chosen that it may do
    looked.forget("status of 4")
    assert looked.wrong() == []
    page.fill("#namn", "journalsystem-for-barn-och-unga-i-farsta")
    for box in page.locator("main input[type=checkbox]").all():
        box.check()
    page.click("text=Gör nyckeln")
    page.wait_for_selector("#ny-nyckel")
    assert page.input_value("#ny-nyckel").startswith("upf_")
    assert looked.wrong() == []
    page.click("main td button")
    page.wait_for_selector("text=Ingen nyckel gäller nu")

"""What a user does in the portal, by what the pages say: labels, buttons, headings."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect
from real_portal import PASSWORD, RealPortal

SLOW = 60_000
"""Milliseconds that a check may take on a busy machine."""
BUILD = 420_000
"""Milliseconds that a build of the marts, or a release, may take."""
ENDED = re.compile("^(Klart|Det gick inte|Det gick fel|Avbrutet)$")
"""Headings of a work of the city's that has ended."""


def sign_in(page: Page, portal: RealPortal, name: str) -> None:
    """Sign in."""
    page.goto(f"{portal.url}/logga-in")
    page.get_by_label("Användarnamn").fill(name)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in").click()
    page.wait_for_selector(".user-menu", timeout=SLOW)


def send(page: Page, portal: RealPortal, button: str, unit: str, *paths: Path) -> None:
    """Choose files on the unit's page and press a button."""
    page.goto(f"{portal.url}/enhet/{unit}/")
    page.get_by_label("Välj filer").set_input_files(paths)
    page.get_by_role("button", name=button, exact=True).click()


def until(page: Page, text: str, *, reload: bool = False) -> None:
    """Wait for a heading, a regular expression; without scripts by loading the page anew, as it says."""
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

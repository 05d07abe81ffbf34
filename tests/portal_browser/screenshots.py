"""`make screenshots`: pictures of the portal's pages, made from a small synthetic city that it makes itself.

All pages go to build/pictures (as a wide window and as a telephone), three small ones to docs/pictures for README.
"""

from __future__ import annotations

import logging
import re
import shutil
import sys
import tempfile
from pathlib import Path

from filled import QUARTER, UNIT, USERS, fill_city, fill_uploads, named
from playwright.sync_api import Browser, Page, sync_playwright
from real_portal import RealPortal
from user_steps import SLOW, sign_in
from walking import walk

from ingest.settings import ROOT
from portal.app import make_app
from portal.settings import PortalSettings

log = logging.getLogger("screenshots")
ALL = ROOT / "build" / "pictures"
FOR_README = ROOT / "docs" / "pictures"
_MOST_BYTES = 100_000
_SMALL = 0.6
"""Pixels of a picture for README per pixel of the page."""
_SIZES = {"wide": (1440, 900), "telephone": (360, 740)}


def main() -> None:
    """Make the city, walk it as each user, and take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no Chromium here: sudo apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="portal-pictures-") as folder, sync_playwright() as playwright:
        portal = RealPortal(Path(folder) / "installation")
        portal.prepare()
        log.info("making a synthetic city (minutes)")
        fill_city(portal)
        portal.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            fill_uploads(portal, browser)
            for_readme(portal, browser)
            every_page(portal, browser)
        finally:
            browser.close()
            portal.stop()


def every_page(portal: RealPortal, browser: Browser) -> None:
    """A picture of each kind of page, by the user who sees it first."""
    shutil.rmtree(ALL, ignore_errors=True)
    app = make_app(portal.settings, PortalSettings(url=portal.url))
    app.portal.ledger.close()
    routes = list(app.app.routes)  # type: ignore[attr-defined]  # FastAPI's own
    taken: set[str] = set()
    for user in USERS:
        page = opened(browser, portal, user)
        for pattern, address in walk(page, [f"{portal.url}/", *portal.unlinked.get(user, ())], routes, most=1):
            if pattern in taken:
                continue
            taken.add(pattern)
            name = re.sub(r"[^a-z0-9]+", "-", pattern.lower()).strip("-") or "start"
            for size, (width, height) in _SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                (ALL / size).mkdir(parents=True, exist_ok=True)
                page.screenshot(path=ALL / size / f"{name}.png", full_page=True)
            log.info("%s: %s", pattern, address.removeprefix(portal.url))
        page.context.close()
    log.info("%d pages in %s", len(taken), ALL.relative_to(ROOT))


def for_readme(portal: RealPortal, browser: Browser) -> None:
    """What a check found, the wall and a page of figures, each with the banner of synthetic data."""
    page = opened(browser, portal, "anna", _SMALL)
    page.goto(f"{portal.url}/enhet/{UNIT}/")
    page.get_by_role("link", name=named(), exact=True).last.click()
    shown(page, "result")
    page.context.close()
    page = opened(browser, portal, "bo", _SMALL)
    page.goto(f"{portal.url}/staden?kvartal={QUARTER}")
    shown(page, "wall")
    page.goto(f"{portal.url}/siffror/utbud")
    page.wait_for_load_state("networkidle")  # the charts are pictures of their own
    shown(page, "figures")
    page.context.close()


def opened(browser: Browser, portal: RealPortal, user: str, scale: float = 1) -> Page:
    """A page in which a user has signed in."""
    context = browser.new_context(locale="sv-SE", device_scale_factor=scale, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(SLOW)
    page = context.new_page()
    sign_in(page, portal, user)
    return page


def shown(page: Page, name: str) -> None:
    """Store what the window shows."""
    page.wait_for_selector(".synthetic")
    FOR_README.mkdir(parents=True, exist_ok=True)
    path = FOR_README / f"{name}.png"
    page.set_viewport_size({"width": 1280, "height": 1100})
    page.screenshot(path=path)
    assert path.stat().st_size <= _MOST_BYTES, f"{path.name} is {path.stat().st_size} bytes"


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    main()

"""Opens the dashboard in Chromium as a reader does, tab by tab, and stores what the charts got, said and looked like.

    .venv-superset/bin/python bi/superset/browser.py ADDRESS admin uppfoljning OUT stadsdel=Farsta [WIDTH …]
                                                                                      (password on stdin)

Runs in `.venv-superset`, which has playwright. Writes `figures.json` (chart id → rows), `texts.json` (width → chart
id → the text in the browser) and a picture of each tab at each width, `<width>_<tab's number>.png`; and `chosen.json`
(chart id → rows) with that value chosen in that filter, as a reader chooses it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, Playwright, Response, TimeoutError, sync_playwright

PATIENCE_MILLISECONDS = 90_000
LOGIN_ATTEMPTS = 3
WIDTHS = (1440, 390)
HEIGHT = 3200
"""High enough for a whole tab: charts outside of the window are not drawn."""
PHONE_WIDTH, PHONE_HEIGHT = 800, 5200
FILTERED_TAB = 1
"""Where the filter is chosen: the first tab has no chart of a unit, so that its filters are not shown there."""
Figures = dict[str, list[dict[str, Any]]]
_STILL_LOADING = "document.querySelectorAll('.loading, [data-test=\"loading-indicator\"]').length === 0"
_TEXTS = """() => Object.fromEntries([...document.querySelectorAll('[data-test-chart-id]')]
    .filter(one => one.offsetParent !== null)
    .map(one => [one.getAttribute('data-test-chart-id'), one.innerText]))"""


def main() -> None:
    """Open each tab at each width, wait until all is drawn, choose in the filter, write."""
    address, username, slug, folder, choice, *asked = sys.argv[1:]
    password = sys.stdin.readline().rstrip("\n")
    figures: Figures = {}
    chosen: Figures = {}
    texts: dict[str, dict[str, str]] = {}
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        for width in [int(one) for one in asked] or WIDTHS:
            page = open_dashboard(browser, address, (username, password), slug, width)
            page.on("response", lambda response: store(response, figures))
            page.reload()
            for number in tabs_of(page):
                texts.setdefault(str(width), {}).update(page.evaluate(_TEXTS))
                page.screenshot(path=str(Path(folder) / f"{width}_{number}.png"), full_page=True)
            page.close()
        page = open_dashboard(browser, address, (username, password), slug, WIDTHS[0])
        for number in tabs_of(page):
            if number == FILTERED_TAB:
                page.on("response", lambda response: store(response, chosen))
                choose(page, *choice.split("=", 1))
        list(tabs_of(page))
        browser.close()
    for name, found in (("figures", figures), ("texts", texts), ("chosen", chosen)):
        (Path(folder) / f"{name}.json").write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def start_chromium(playwright: Playwright) -> Browser:
    """This machine's own Chromium; playwright's where there is none."""
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
        args=["--no-sandbox"] if os.getuid() == 0 else [],
    )


def open_dashboard(browser: Browser, address: str, login: tuple[str, str], slug: str, width: int) -> Page:
    """A page with the dashboard, logged in."""
    height = HEIGHT if width > PHONE_WIDTH else PHONE_HEIGHT
    page = browser.new_page(viewport={"width": width, "height": height}, locale="sv-SE")
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    log_in(page, address, *login)
    page.goto(f"{address}/superset/dashboard/{slug}/?standalone=2")
    return page


def tabs_of(page: Page) -> Iterator[int]:
    """Open one tab after the other, each drawn whole; yields its number."""
    page.wait_for_selector("[role='tab']")
    tabs = page.locator(".dashboard-component-tabs [role='tab']")
    for number in range(tabs.count()):
        tabs.nth(number).evaluate("tab => tab.click()")  # also one that has no room on a phone
        settle(page)
        yield number


def settle(page: Page) -> None:
    """Wait until all is drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function(_STILL_LOADING)
    page.wait_for_timeout(1500)  # charts grow into place


def choose(page: Page, name: str, value: str) -> None:
    """Choose a value in a filter, and apply it."""
    box = page.locator(f"#NATIVE_FILTER-{name}")
    box.click()
    box.fill(value)
    page.locator(f".ant-select-item-option[title='{value}']").first.click()
    page.keyboard.press("Escape")
    page.locator("[data-test='filter-bar__apply-button']").click()
    settle(page)


def store(response: Response, figures: Figures) -> None:
    """Note the rows that a chart was given."""
    where = urlsplit(response.url)
    if where.path != "/api/v1/chart/data" or not response.ok:
        return
    asked = parse_qs(where.query).get("form_data")
    if asked is None:  # a filter's values
        return
    chart = json.loads(asked[0]).get("slice_id")
    figures[str(chart)] = response.json()["result"][0]["data"]


def log_in(page: Page, address: str, username: str, password: str) -> None:
    """By the page that everyone uses; on a busy machine it may not have listened yet, so it is asked again."""
    for attempt in range(1, LOGIN_ATTEMPTS + 1):
        page.goto(f"{address}/login/")
        page.fill("input[name='username'], #username", username)
        page.fill("input[name='password'], #password", password)
        page.press("input[name='password'], #password", "Enter")
        try:
            page.wait_for_url(lambda url: "/login" not in url, timeout=PATIENCE_MILLISECONDS / LOGIN_ATTEMPTS)
        except TimeoutError:
            if attempt == LOGIN_ATTEMPTS:
                sys.stderr.write(f"still at {page.url}, which says: {page.inner_text('body')[:500]}\n")
                raise
        else:
            return


if __name__ == "__main__":
    main()

"""Opens the dashboard in Chromium as a reader does, and stores the data of the charts and a picture.

    .venv-superset/bin/python bi/superset/browser.py http://127.0.0.1:8088 admin uppfoljning OUT  (password on stdin)

Runs in `.venv-superset`, which has playwright. Writes `figures.json` (chart id → rows) and `dashboard.png`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Response, TimeoutError, sync_playwright

PATIENCE_MILLISECONDS = 90_000
LOGIN_ATTEMPTS = 3
WINDOW = {"width": 1600, "height": 6400}
"""High enough for the whole dashboard: charts outside of the window are not drawn."""


def main() -> None:
    """Open, wait until all is drawn, write."""
    address, username, slug, folder = sys.argv[1:5]
    password = sys.stdin.readline().rstrip("\n")
    figures: dict[str, list[dict[str, Any]]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"] if os.getuid() == 0 else [],
        )
        page = browser.new_page(viewport=WINDOW, locale="sv-SE")  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("response", lambda response: store(response, figures))
        log_in(page, address, username, password)
        page.goto(f"{address}/superset/dashboard/{slug}/?standalone=2")
        page.wait_for_selector("[data-test='dashboard-content'], .dashboard-content, .grid-container")
        page.wait_for_load_state("networkidle")
        page.wait_for_function("document.querySelectorAll('.loading, [data-test=\"loading-indicator\"]').length === 0")
        page.wait_for_timeout(3000)  # charts grow into place
        page.screenshot(path=str(Path(folder) / "dashboard.png"), full_page=True)
        browser.close()
    (Path(folder) / "figures.json").write_text(json.dumps(figures, ensure_ascii=False), encoding="utf-8")


def store(response: Response, figures: dict[str, list[dict[str, Any]]]) -> None:
    """Note the rows that a chart was given."""
    where = urlsplit(response.url)
    if where.path != "/api/v1/chart/data" or not response.ok:
        return
    chart = json.loads(parse_qs(where.query)["form_data"][0])["slice_id"]
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

"""Looks at pages in Chromium as readers do, and says what axe and the browser find wrong.

    .venv-superset/bin/python bi/superset/accessible.py FOLDER  (paths of pages on stdin, one a line)

Runs in `.venv-superset`, which has playwright and axe. Prints JSON: a list of findings, each with page, width, scheme.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
from browser import start_chromium
from playwright.sync_api import Browser, Page, sync_playwright

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
WIDTHS = (390, 1440)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
VIOLATIONS = "axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations))"


def main() -> None:
    """Look at all pages at both widths in both schemes."""
    root = Path(sys.argv[1])
    paths = [line.strip() for line in sys.stdin if line.strip()]
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        found = [
            one for width in WIDTHS for scheme in SCHEMES for one in looked_at(browser, root, paths, width, scheme)
        ]
        browser.close()
    sys.stdout.write(json.dumps(found, ensure_ascii=False))


def looked_at(browser: Browser, root: Path, paths: list[str], width: int, scheme: Scheme) -> Iterator[dict[str, Any]]:
    """What is wrong with each page."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale="sv-SE",
    )
    for path in paths:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error, said=said: said.append(f"error: {error}"))
        page.on("request", lambda one, said=said: None if one.url.startswith("file:") else said.append(one.url))
        page.goto((root / path).as_uri())
        where = {"page": path, "width": width, "scheme": scheme}
        for one in (*said, *wrong(page)):
            yield {**where, "finding": one}
        page.close()
    context.close()


def wrong(page: Page) -> Iterator[str]:
    """What axe finds, whether the page is wider than the window, and whether its search finds what it should."""
    # through the protocol of developers: the page's policy lets no script in
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": AXE})
    asked = {"expression": VIOLATIONS, "awaitPromise": True, "returnByValue": True}
    for violation in json.loads(session.send("Runtime.evaluate", asked)["result"]["value"]):
        yield f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        yield "wider than the window"
    if (search := page.query_selector("[data-search] input")) is not None:
        search.fill("arende")  # without dots and rings, as people write
        shown = page.locator("[data-words]:visible").all_inner_texts()
        if not shown or [text for text in shown if "rende" not in text.lower()] == shown:
            yield f"the search shows {len(shown)} of another kind"
        search.fill("finns inte alls")
        if page.locator("[data-words]:visible").count():
            yield "the search shows what it was not asked for"


if __name__ == "__main__":
    main()

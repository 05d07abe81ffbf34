"""Chromium as readers have it, and a server on loopback that sends pages with the portal's own security policy."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from filled import UNIT, USERS, fill_city, fill_uploads
from jinja2 import FileSystemLoader
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from real_portal import RealPortal
from user_steps import SLOW

from ingest.ledger.portal_users import Role
from ingest.settings import ROOT, Settings
from portal.pages import render

expect.set_options(timeout=SLOW)
STATIC = ROOT / "portal" / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """This machine's own Chromium; without one the tests are skipped (`make test-portal` installs it)."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium here: sudo apt-get install chromium")
    if not (STATIC / "vendor" / ".made-from").exists():
        pytest.fail("portal/static/vendor is missing: tools/setup.sh assets")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.getuid() == 0 else [])
        yield browser
        browser.close()


class Looked:
    """A page in Chromium, and all that the browser complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            self.said.append(f"asked for {request.url}")

    def forget(self, part: str) -> None:
        """What was said with this in it was meant to be: the browser notes each answer that is an error."""
        self.said[:] = [one for one in self.said if part not in one]

    def wrong(self) -> list[str]:
        """What axe finds (WCAG 2.2 AA and its best practices), what the browser said, and whether it is too wide."""
        # through the protocol of developers: the page's policy lets no script in
        session = self.context.new_cdp_session(self.page)
        session.send("Runtime.evaluate", {"expression": AXE})
        asked = f"axe.run(document, {{runOnly: {RULES}, resultTypes: ['violations']}})"
        expression = f"{asked}.then(found => JSON.stringify(found.violations))"
        answer = session.send(
            "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
        )
        violations = json.loads(answer["result"]["value"])
        found = [f"{one['id']}: {node['html'][:200]}" for one in violations for node in one["nodes"]]
        if self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append("wider than the window")
        return [*self.said, *found]


@pytest.fixture
def look(chromium: Browser) -> Iterator[Callable[..., Looked]]:
    """Opens an address: look(url, width=1440, height=900, scheme="light", **what new_context takes)."""
    contexts: list[BrowserContext] = []

    def opened(url: str, width: int = 1440, height: int = 900, scheme: str = "light", **more: Any) -> Looked:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="sv-SE", **more
        )
        context.set_default_timeout(SLOW)
        contexts.append(context)
        looked = Looked(context)
        looked.page.goto(url)
        return looked

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[RealPortal]:
    """A small city, with marts, a release and uploads in each state; made once (a dbt build: minutes)."""
    portal = RealPortal(tmp_path_factory.mktemp("filled") / "installation")
    portal.prepare()
    fill_city(portal)
    portal.start()
    fill_uploads(portal, chromium)
    yield portal
    portal.stop()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPortal]:
    """An installation with accounts and nothing else; no test hands anything in."""
    portal = RealPortal(tmp_path_factory.mktemp("empty") / "installation")
    portal.prepare()
    for name, role in USERS.items():
        portal.add(name, role, *([UNIT] if role is Role.OFFICER else []))
    portal.start()
    yield portal
    portal.stop()


class _Pages(BaseHTTPRequestHandler):
    """The gallery's pages; an upload is read slowly, as a network would bring it."""

    environment = render._ENVIRONMENT.overlay(
        loader=FileSystemLoader([ROOT / "portal" / "pages", Path(__file__).parent])
    )
    settings = Settings()
    asked = 0
    bodies: tuple[bytes, ...] = ()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            self._send(200, file.read_bytes(), TYPES[file.suffix])
        elif path == "/tillganglighet":
            self._render(200, "tillganglighet.html", settings=self.settings)
        elif path == "/poll":
            type(self).asked += 1
            self._render(200, "polled.html", at=self.asked)
        else:
            self._render(200, "gallery.html", error=None)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = b""
        while len(body) < length:
            body += self.rfile.read(min(1 << 20, length - len(body)))
            time.sleep(0.02)
        type(self).bodies = (*self.bodies, body)
        if self.path == "/explain":
            self._render(200, "explained.html")
        elif self.path == "/refused":
            self._render(422, "gallery.html", error="Zip-filen går inte att öppna.")
        else:
            self.send_response(303)
            self.send_header("Location", "/taken-in")
            self.end_headers()

    def _render(self, status: int, name: str, **context: object) -> None:
        shown = self.environment.get_template(name).render(
            title="Prov",
            user=None,
            nav=[],
            csrf_token="csrf-value",
            is_synthetic=True,
            messages=[],
            path="/",
            **context,
        )
        self._send(status, shown.encode(), "text/html; charset=utf-8")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Gallery:
    """The gallery's address, and the bodies it was sent."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def bodies(self) -> tuple[bytes, ...]:
        return _Pages.bodies


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    """Every component on one page, with names that are too long, HTML in texts, and nothing at all."""
    _Pages.asked, _Pages.bodies = 0, ()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Gallery(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()

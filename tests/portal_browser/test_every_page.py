"""Every page of the portal for each role, in an empty and in a filled installation: axe, width, the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Looked
from filled import USERS
from real_portal import RealPortal
from user_steps import sign_in
from walking import pages_of, pattern_of, send_empty_forms, walk

from ingest.settings import Settings
from portal.app import make_app
from portal.settings import PortalSettings

Look = Callable[..., Looked]
LOOKS = (((320, "light"), (1440, "dark")), ((320, "dark"), (1440, "light")))
"""The first page of a kind is looked at in all four ways, a second in two; 320 px is 1280 px at 400 % zoom."""
SIGNED_OUT = {"/logga-in"}
seen: set[str] = set()
"""Patterns of the pages that were looked at in the filled installation."""


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("routes")
    app = make_app(Settings(home=folder / "home", keys=folder / "keys.json", inbox=str(folder)), PortalSettings())
    app.portal.ledger.close()
    return list(app.app.routes)  # type: ignore[attr-defined]  # FastAPI's own


def wrong(looked: Looked, width: int, scheme: Any) -> list[str]:
    """What is wrong with the page that is open, at a width and in a scheme, with all details opened."""
    page = looked.page
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no colour on its way to another
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    return [f"{one} ({width} px, {scheme})" for one in looked.wrong()]


def wrong_on_walk(looked: Looked, starts: list[str], routes: list[Any]) -> tuple[set[str], list[str]]:
    """The patterns of the pages that links lead to, and what is wrong with them and with their forms sent empty."""
    opened: list[str] = []
    forms: set[str] = set()
    found = []
    for pattern, address in walk(looked.page, starts, routes):
        ways = LOOKS[0] + LOOKS[1] if pattern not in opened else LOOKS[1]
        found += [f"{address}: {one}" for width, scheme in ways for one in wrong(looked, width, scheme)]
        if pattern not in opened:
            for action, status in send_empty_forms(looked.page):
                looked.forget("status of 4")
                if action in forms:
                    continue
                forms.add(action)
                if not 400 <= status < 500:
                    found.append(f"{address}: the form to {action} was sent empty, and taken with {status}")
                found += [f"{action}, empty: {one}" for way in LOOKS[0] for one in wrong(looked, *way)]
        opened.append(pattern)
        looked.said.clear()
    return set(opened), found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [*USERS, None])
def test_pages_of_a_filled_installation_have_no_fault(
    look: Look, filled: RealPortal, routes: list[Any], name: str | None
) -> None:
    looked = look(f"{filled.url}/logga-in")
    if name is not None:
        sign_in(looked.page, filled, name)
    first = f"{filled.url}/" if name else f"{filled.url}/logga-in"
    opened, found = wrong_on_walk(looked, [first, *filled.unlinked.get(name or "", ())], routes)
    seen.update(opened)
    assert found == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", USERS)
def test_pages_of_an_empty_installation_have_no_fault(
    look: Look, empty: RealPortal, routes: list[Any], name: str
) -> None:
    looked = look(f"{empty.url}/logga-in")
    sign_in(looked.page, empty, name)
    _, found = wrong_on_walk(looked, [f"{empty.url}/"], routes)
    assert found == []


def test_no_page_was_forgotten(look: Look, filled: RealPortal, routes: list[Any]) -> None:
    """Runs after the walks: a page that no link leads to is named here, and looked at by a test of its own."""
    if not seen:
        pytest.skip("the walks did not run")
    assert pages_of(routes).keys() - seen == set()
    assert pattern_of(routes, "/finns/inte/alls") is None

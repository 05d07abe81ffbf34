"""Walks the portal as its users can: from the start page by links, so that every page is looked at that is linked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import Page
from starlette.routing import BaseRoute, Route

NOT_PAGES = {
    "/": "leads to the user's first page",
    "/halsa": "for machines",
    "/enhet/{code}": "leads to the address with a slash",
    "/enhet/{code}/filer/{upload_id}/rad": "a part of a page",
    "/enhet/{code}/filer/{upload_id}/lage": "a part of a page",
    "/enhet/{code}/mall/{dataset}.{ending}": "a download",
    "/enhet/{code}/filer/{upload_id}/aterkoppling.xlsx": "a download",
    "/enhet/{code}/inlamning/{submission_id}/aterkoppling.xlsx": "a download",
    "/staden/inlamning/{submission}/arbetsbok": "a download",
    "/siffror/stadsdel/{code}/{part}": "a chart or a download",
    "/siffror/{slug}/{part}": "a chart or a download",
    "/logga-in/oidc": "leads to the identity provider",
    "/logga-in/oidc/svar": "comes from the identity provider",
}
"""GET routes that answer with no page of their own, and why."""
_PROGRAMS = "/api/"
"""What programs read."""


def pages_of(routes: list[BaseRoute]) -> dict[str, Route]:
    """The routes that answer with a page, by their pattern."""
    found = {one.path: one for one in routes if isinstance(one, Route) and "GET" in (one.methods or ())}
    assert NOT_PAGES.keys() <= found.keys(), NOT_PAGES.keys() - found.keys()
    return {path: route for path, route in found.items() if path not in NOT_PAGES and not path.startswith(_PROGRAMS)}


def pattern_of(routes: list[BaseRoute], address: str) -> str | None:
    """The pattern of the route that answers an address."""
    path = urlsplit(address).path
    for one in routes:
        if isinstance(one, Route) and "GET" in (one.methods or ()) and one.path_regex.match(path):
            return one.path
    return None


def walk(page: Page, starts: list[str], routes: list[BaseRoute], *, most: int = 2) -> Iterator[tuple[str, str]]:
    """Open what can be reached by links, at most so many addresses of a pattern; the page shows each in turn.

    Yields:
        (pattern, address), with the page open at the address; the page may be changed, but not left.
    """
    waiting, seen, opened = list(starts), set(starts), Counter[str]()
    while waiting:
        address = waiting.pop(0)
        pattern = pattern_of(routes, address)
        if pattern is None or (pattern in NOT_PAGES and pattern != "/") or opened[pattern] >= most:
            continue
        answer = page.goto(address)
        assert answer is not None and answer.status == 200, (address, answer and answer.status)
        pattern = pattern_of(routes, page.url)  # it may have led on
        assert pattern is not None, page.url
        opened[pattern] += 1
        links = page.locator("a[href]").evaluate_all("links => links.map(one => one.href)")
        for link in links:
            bare = urldefrag(link).url
            if urlsplit(bare).netloc == urlsplit(starts[0]).netloc and bare not in seen:
                seen.add(bare)
                waiting.append(bare)
        yield pattern, page.url


def send_empty_forms(page: Page) -> Iterator[tuple[str, int]]:
    """Send each form of the page that asks for something, with nothing in it; the page shows each answer in turn.

    Yields:
        (the path that the form is sent to, status of the answer).
    """
    address = page.url
    asks = "form[method=post]:has([required])"
    for at in range(page.locator(asks).count()):
        if page.url != address:
            page.goto(address)
        form = page.locator(asks).nth(at)
        action = form.evaluate("one => new URL(one.action).pathname")
        with page.expect_navigation() as answered:
            form.evaluate(
                """one => {
                    one.noValidate = true;
                    for (const field of one.querySelectorAll('[required]')) if (field.type !== 'file') field.value = '';
                    HTMLFormElement.prototype.submit.call(one);
                }"""
            )
        answer = answered.value
        assert answer is not None
        yield action, answer.status

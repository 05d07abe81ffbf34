"""The pages of figures in a real browser: every page, narrow and wide, light and dark, and without JavaScript."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from conftest import Looked
from free_ports import free_port

from ingest.settings import Settings
from portal.app import make_app
from portal.figures.topics.listed import TOPICS
from portal.settings import PortalSettings
from tests.portal.figures_made import make_release, supply, whole_release

Look = Callable[..., Looked]
PATHS = ["", "/om", *(f"/{topic.slug}" for topic in TOPICS), "/stadsdel/bromma", "/vantan?stadsdel=alvsjo"]
LONG = "Ett mycket långt namn på en insats som ingen kan läsa på en rad <b>och med HTML</b>"


def served(folder: Path, release: Path | None) -> Iterator[str]:
    """The figures' address of a portal on loopback with a release."""
    port = free_port()
    published = folder / "published"
    if release is not None:
        published.symlink_to(release)
    settings = Settings(home=folder / "home", keys=folder / "keys.json", published=published)
    own = PortalSettings(url=f"http://127.0.0.1:{port}", port=port, figures_are_open=True)
    app = make_app(settings, own)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    yield f"{own.url}/siffror"
    server.should_exit = True
    thread.join(30)
    app.portal.ledger.close()


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("figures")
    yield from served(folder, whole_release(folder / "first"))


def wrong(looked: Looked) -> list[str]:
    """What is wrong with everything opened and every chart there, as far as the page was asked for."""
    page = looked.page
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    for _ in range(200):
        if page.evaluate("[...document.images].every(one => one.complete)"):
            break
        page.wait_for_timeout(50)
    lost = page.evaluate("[...document.images].filter(one => !one.naturalWidth).map(one => one.currentSrc)")
    return [*looked.wrong(), *lost]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_fault(look: Look, figures: str, path: str) -> None:
    for width, scheme in ((320, "light"), (360, "dark"), (1440, "light"), (1440, "dark")):
        looked = look(f"{figures}{path}", width, scheme=scheme)
        assert wrong(looked) == [], (width, scheme)


def test_what_is_not_there_has_no_fault(look: Look, figures: str) -> None:
    for path in ("/mal?period=2031", "/mal?period=2018&period=2018Q4", "/nix"):
        looked = look(f"{figures}{path}", 360)
        looked.forget("status of 4")
        assert wrong(looked) == []


def test_charts_follow_width_and_scheme(look: Look, figures: str) -> None:
    for width, scheme, expected in ((360, "light", "smal&tema=ljus"), (1440, "dark", "bred&tema=mork")):
        page = look(f"{figures}/mal", width, scheme=scheme).page
        page.wait_for_timeout(500)
        assert page.evaluate("document.querySelector('img.chart').currentSrc").endswith(f"bredd={expected}")
        page.emulate_media(media="print")
        page.wait_for_timeout(200)
        assert "tema=ljus" in page.evaluate("document.querySelector('img.chart').currentSrc")


def test_choices_work_without_javascript(look: Look, figures: str) -> None:
    page = look(f"{figures}/mal", java_script_enabled=False).page
    page.select_option("#period", "2018Q4")
    page.select_option("#stadsdel", "alvsjo")
    page.click("text=Visa >> nth=0")
    assert "period=2018Q4" in page.url and "stadsdel=alvsjo" in page.url
    assert "I Älvsjö var 20" in page.inner_text("main")
    page.click("summary >> nth=0")
    assert page.locator("table.data >> nth=0").is_visible()
    with page.expect_download() as download:
        page.click("text=Hämta tabellen (CSV) >> nth=0")
    assert download.value.suggested_filename == "mal_alvsjo_inom-60-dagar_utgava_7.csv"


@pytest.mark.parametrize("rows", [None, {}], ids=["no release", "a release without views"])
def test_empty_pages_have_no_fault(look: Look, tmp_path: Path, rows: dict[str, list[object]] | None) -> None:
    release = None if rows is None else make_release(tmp_path / "first", {})
    for address in served(tmp_path, release):
        for path in ("", "/mal"):
            assert wrong(look(f"{address}{path}", 360)) == []


def test_long_and_hostile_names_have_no_fault(look: Look, tmp_path: Path) -> None:
    release = make_release(tmp_path / "first", {"vy_utbud": supply(LONG)})
    for address in served(tmp_path, release):
        for width in (320, 1440):
            looked = look(f"{address}/utbud", width)
            assert wrong(looked) == []
            assert looked.page.locator("main b").count() == 0

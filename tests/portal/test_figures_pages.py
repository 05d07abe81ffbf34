"""The pages of figures as readers and attackers ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import Browser, Place, text_of
from figures_made import ABOUT, DISTRICTS, files, make_release, supply, whole_release

from ingest.ledger.portal_users import Role
from portal.figures.making import Remembered
from portal.figures.topics.listed import TOPICS

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
SLUGS = [topic.slug for topic in TOPICS]


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Place]:
    place = Place.make(tmp_path, figures_are_open=True)
    yield place
    place.close()


def publish(place: Place, folder: Path) -> None:
    place.settings.published.unlink(missing_ok=True)
    place.settings.published.parent.mkdir(parents=True, exist_ok=True)
    place.settings.published.symlink_to(folder)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Of an installation whose release stays."""
    folder = tmp_path_factory.mktemp("open")
    place = Place.make(folder, figures_are_open=True)
    publish(place, whole_release(folder / "first"))
    yield place.browser()
    place.close()


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_the_overview_has_a_sentence_for_every_question(browser: Browser) -> None:
    assert browser.open("/siffror").status_code == 200
    shown = text_of(browser.shown)
    for topic in TOPICS:
        assert topic.title in shown and f'href="/siffror/{topic.slug}"' in browser.shown
    assert "Alla 27 filer för 2018 kv 4 har kommit och räknas." in shown
    assert 'href="/siffror/stadsdel/alvsjo"' in browser.shown
    assert "Utgåva 7, till och med kvartal 4 2018" in shown


@pytest.mark.parametrize("slug", [*SLUGS, "stadsdel/bromma"])
def test_every_page_is_whole(browser: Browser, slug: str) -> None:
    """A sentence, a chart that can be fetched, its table, its file, definitions and choices, without inline style."""
    assert browser.open(f"/siffror/{slug}").status_code == 200
    page = browser.shown
    assert "SYNTETISKA UPPGIFTER." in page
    assert not re.search(r"style=|<style|<script(?! src)| on\w+=", page)
    for words in ("Visa som tabell", "Hämta tabellen (CSV)", "Vad siffrorna betyder", "Så läser du", "Se upp"):
        assert words in page
    assert 'method="get"' in page and 'name="period"' in page
    images = [unescape(one) for one in re.findall(r'<img class="chart" src="([^"]*)"', page)]
    sources = [unescape(one) for one in re.findall(r'srcset="([^"]*)"', page)]
    files = [unescape(one) for one in re.findall(r'href="([^"]*siffror\.csv[^"]*)"', page)]
    assert images and len(sources) == 3 * len(images) and files
    assert all(unescape(alt) for alt in re.findall(r'<img class="chart"[^>]* alt="([^"]*)"', page))
    for address in (images[0], sources[0]):
        drawn = browser.client.get(address)
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
        assert "default-src 'none'" in drawn.headers["content-security-policy"]
        assert drawn.text.startswith("<svg")
    for address in files:
        table = browser.client.get(address)
        assert (table.status_code, table.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert re.fullmatch(r'attachment; filename="[a-z0-9_-]+\.csv"', table.headers["content-disposition"])
        assert table.headers["x-content-type-options"] == "nosniff"
        assert table.text.startswith('"')


def test_a_table_of_the_page_is_that_of_the_file(browser: Browser) -> None:
    browser.open("/siffror/vantan")
    cells = re.findall(r'<th scope="row">([^<]*)</th>', browser.shown)
    address = next(unescape(one) for one in re.findall(r'href="([^"]*siffror\.csv[^"]*)"', browser.shown))
    lines = browser.client.get(address).text.split("\r\n")[1:-1]
    assert [line.split(",")[0].strip('"') for line in lines] == cells == list(DISTRICTS.values())


def test_a_choice_is_kept_in_the_form_and_the_files(browser: Browser) -> None:
    browser.open("/siffror/mal?period=2018Q4&stadsdel=alvsjo")
    assert '<option value="2018Q4" selected>' in browser.shown and '<option value="alvsjo" selected>' in browser.shown
    assert "period=2018Q4&amp;stadsdel=alvsjo&amp;del=ater" in browser.shown
    assert "I Älvsjö var 20" in browser.shown
    assert 'href="/siffror/stadsdel/alvsjo"' in browser.shown


def test_reading_is_explained(browser: Browser) -> None:
    browser.open("/siffror/om")
    shown = text_of(browser.shown)
    assert "Små skillnader ska inte tolkas." in shown and "utgåvans egen prövning" in shown
    browser.open("/siffror/mal")
    assert "”För få” betyder att färre än 20 ligger bakom" in text_of(browser.shown)
    assert "en nolla kan vara upp till 7" in text_of(browser.shown)


# -- who may see it ----------------------------------------------------------------------------------------------------


def test_figures_are_for_who_has_signed_in_unless_they_are_open(place: Place, tmp_path: Path) -> None:
    publish(place, whole_release(tmp_path / "first"))
    outside = place.browser()
    paths = ["", "/om", "/mal", "/stadsdel/bromma", "/mal/diagram.svg?del=ater", "/mal/siffror.csv?del=ater"]
    for path in (*paths, "/nix", "/mal?period=x"):
        answer = outside.client.get(f"/siffror{path}")
        assert answer.status_code == 303 and answer.headers["location"].startswith("/logga-in")
    place.add("lars", Role.READER)
    for name in ("lars", "anna", "bo"):
        inside = place.signed_in(name)
        assert [inside.client.get(f"/siffror{path}").status_code for path in paths] == [200] * len(paths)


def test_figures_are_only_read(browser: Browser) -> None:
    for path in ("", "/mal", "/mal/siffror.csv"):
        assert browser.client.request("PUT", f"/siffror{path}").status_code in (403, 405)


# -- hostile addresses and names ---------------------------------------------------------------------------------------

ADDRESSES = [
    f"/mal?period={quote(HOSTILE)}", "/mal?period=2031", "/mal?stadsdel=..%2F..", "/mal?period=2018&period=2018Q4",
    "/mal?period=" + "9" * 5000, "/mal?period=%00", "/mal?period=%FF%FE", "/tratt?kon=1%27%20or%201=1",
    "/utbud?insats=x", "/likstallighet?matt=%F0%9F%98%80", "/vantan?vantan=service%0A", "/nix", "/MAL", "/mal/",
    "/mal/nix", "/stadsdel/", "/stadsdel/nix", "/stadsdel/alla", f"/stadsdel/{quote(HOSTILE, safe='')}",
    "/stadsdel/bromma/nix", "/mal/diagram.svg", "/mal/diagram.svg?del=" + quote(HOSTILE),
    "/mal/diagram.svg?del=ater&period=9", "/mal/diagram.svg?del=ater&utgava=6", "/nix/diagram.svg",
    "/mal/diagram.svg?del=ater&del=tackat-ja", "/mal/siffror.csv?del=..%2F", "/%2e%2e/%2e%2e/etc/passwd",
    "/mal/siffror.csv?del=ater&utgava=" + "7" * 200,
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
def test_what_is_not_there_is_said_in_swedish_and_not_repeated(browser: Browser, address: str) -> None:
    answer = browser.client.get(f"/siffror{address}", follow_redirects=False)
    assert answer.status_code in (400, 404, 307)
    assert "onerror" not in answer.text and "1=1" not in answer.text
    if answer.status_code != 307:
        assert re.search(r"finns inte|går inte att läsa|kan inte läsas|Gör valen|ersatt", answer.text)
        assert "Macro" not in answer.text


@pytest.mark.parametrize("query", ["x=1", "period=", "period=&stadsdel=&kon=&alder=", "stadsdel=bromma&x=%3Cb%3E"])
def test_unknown_and_empty_values_change_nothing(browser: Browser, query: str) -> None:
    answer = browser.open(f"/siffror/tratt?{query}")
    assert answer.status_code == 200 and "<b>" not in answer.text


def test_names_with_html_and_formulas_are_text(open_place: Place, tmp_path: Path) -> None:
    rows = {"vy_utbud": supply(HOSTILE), "vy_inlamning": [{**row, "stadsdel": HOSTILE} for row in files()]}
    about = {**ABOUT, "notice": HOSTILE, "release_id": '=7"\r\nX: y', "until_quarter": HOSTILE}
    publish(open_place, make_release(tmp_path / "first", rows, about))
    browser = open_place.browser()
    for path in (
        "",
        "/om",
        "/utbud",
        f"/utbud?insats={quote(HOSTILE)}",
        "/inlamning",
        "/inlamning?stadsdel=" + quote(HOSTILE),
    ):
        assert browser.open(f"/siffror{path}").status_code == 200
        assert "<img src=x" not in browser.shown and "onerror=alert(1)>" not in browser.shown
        addresses = re.findall(r'(?: src|href)="([^"]*(?:svg|csv)\?[^"]*)"', browser.shown)
        for address in addresses[:2]:
            answer = browser.client.get(unescape(address))
            assert answer.status_code == 200
            assert "X" not in answer.headers and '"' not in answer.headers["content-disposition"].strip('"')[23:-5]
            assert "<img" not in answer.text or answer.headers["content-type"].startswith("text/csv")
    browser.open(f"/siffror/utbud?insats={quote(HOSTILE)}")
    table = next(one for one in re.findall(r'href="([^"]*csv\?[^"]*)"', browser.shown))
    assert '"\'=1+1"' in browser.client.get(unescape(table)).text


# -- which release -----------------------------------------------------------------------------------------------------


def test_before_the_first_release_the_pages_say_so(open_place: Place) -> None:
    browser = open_place.browser()
    for path in ("", "/om", "/mal", "/mal?period=x", "/stadsdel/bromma"):
        assert browser.open(f"/siffror{path}").status_code == 200
        assert "Ingen utgåva har getts ut ännu." in browser.shown
    assert browser.open("/siffror/mal/siffror.csv?del=ater").status_code == 404


def test_a_release_that_can_not_be_read_is_said(open_place: Place, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "followup.duckdb").write_bytes(b"torn")
    publish(open_place, torn)
    browser = open_place.browser()
    for path in ("", "/mal", "/mal/diagram.svg?del=ater"):
        assert browser.open(f"/siffror{path}").status_code == 503
        assert "kan inte läsas just nu" in browser.shown and str(tmp_path) not in browser.shown


def test_a_release_that_lacks_views_has_pages(open_place: Place, tmp_path: Path) -> None:
    publish(open_place, make_release(tmp_path / "bare", {"vy_inlamning": files()}))
    browser = open_place.browser()
    assert [browser.open(f"/siffror{path}").status_code for path in ("", *(f"/{slug}" for slug in SLUGS))] == [200] * 9
    assert browser.open("/siffror/stadsdel/bromma").status_code == 404


def test_when_the_link_moves_pages_change_and_their_charts_stay(open_place: Place, tmp_path: Path) -> None:
    publish(open_place, make_release(tmp_path / "first", {"vy_inlamning": files()}))
    browser = open_place.browser()
    browser.open("/siffror/inlamning")
    address = unescape(re.findall(r'href="([^"]*csv\?[^"]*)"', browser.shown)[0])
    second = make_release(tmp_path / "second", {"vy_inlamning": files("Farsta")}, {**ABOUT, "release_id": "8"})
    publish(open_place, second)
    browser.open("/siffror/inlamning")
    assert "Filer saknas från Farsta (9)." in browser.shown
    old, new = browser.client.get(address).text, browser.client.get(address.replace("utgava=7", "utgava=8")).text
    assert "Saknas" not in old and "Saknas" in new
    third = make_release(tmp_path / "third", {"vy_inlamning": files("Bromma")}, {**ABOUT, "release_id": "9"})
    publish(open_place, third)
    browser.open("/siffror")
    gone = browser.client.get(address)
    assert gone.status_code == 404 and "Ladda om sidan" in gone.text


def test_what_is_made_is_remembered_within_bounds() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    remembered: Remembered[int] = Remembered(2)
    assert [remembered.of(one, lambda one=one: make(one)) for one in (1, 2, 1, 3, 1, 2)] == [1, 2, 1, 3, 1, 2]  # type: ignore[misc]
    assert made == [1, 2, 3, 2] and len(remembered) == 2
    with pytest.raises(ZeroDivisionError):
        remembered.of(4, lambda: 1 // 0)
    assert remembered.of(4, lambda: make(4)) == 4

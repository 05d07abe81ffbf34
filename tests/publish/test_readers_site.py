"""The site for readers of a release: whole pages in Swedish that fetch nothing, and say what the release says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from publish.catalogue.breaks import Break, breaks
from publish.catalogue.drawn import load_drawn
from publish.catalogue.manifest import Manifest
from publish.catalogue.pages import POLICY
from publish.catalogue.site import Issued
from publish.catalogue.write import write_site
from publish.serving import read_release
from publish.serving.folder import IDENTITY
from publish.views.declared import load_views
from tests.publish.views_drawn import draw

NOTHING = Manifest(tables=(), exposures=())
ISSUED = (Issued(7, "", "2019Q4", True, (), ("2018Q2",)), Issued(6, "2019-02-01", "2019Q3", False, ("2019Q3",), ()))
FETCHING = {"src", "srcset", "data", "action", "poster"}


class Read(HTMLParser):
    """Sees that every element is closed, what is linked to, what would be fetched, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.identifiers: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            if name in FETCHING or tag in ("link", "iframe", "object", "embed"):
                self.fetched.append(f"{tag} {name}")
            if name.startswith("on") or name == "style":
                self.handlers.append(f"{tag} {name}")
            if name == "id":
                self.identifiers.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "link", "input", "br"):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def bare(text: str) -> str:
    """A text without blanks and backticks: however it is set."""
    return re.sub(r"[\s`]", "", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a release's: `webb` in it, and the files that its pages lead to."""
    root = tmp_path_factory.mktemp("release")
    path = draw(root / "release.duckdb", load_views()).path
    with duckdb.connect(str(path)) as connection:
        connection.execute("use published")
        connection.execute(
            "create table mart_case_flow (district_code varchar, reporting_quarter varchar, cases integer, "
            "offer_rate double, reason_code varchar, reason_label varchar)"
        )
        connection.execute("insert into mart_case_flow values ('farsta', '2018Q1', 12, 0.25, 'vald', '<Våld>')")
        connection.execute("comment on column mart_case_flow.cases is 'Ärenden: Antal ärenden.'")
        connection.execute(
            "create table dim_district (district_code varchar primary key, district_label varchar, "
            "successor_code varchar, valid_from date, valid_to date)"
        )
        connection.execute(
            "insert into dim_district values ('alvsjo', 'Älvsjö', 'ny', '2007-01-01', '2020-06-30'), "
            "('liljeholmen', 'Liljeholmen', 'ny', '2007-01-01', '2020-06-30'), ('ny', 'Nya', null, '2020-07-01', null),"
            "('kista', 'Kista', 'jarva', '2007-01-01', '2023-06-30'), ('jarva', 'Järva', null, '2023-07-01', null), "
            "('farsta', 'Farsta', null, '2007-01-01', null)"
        )
    written = write_site(path, NOTHING, root / "webb", issued=ISSUED, has_files=True)
    assert {one.suffix for one in written} == {".html"}
    (root / "csv").mkdir()
    for view in load_views():
        (root / "csv" / f"{view.name}.csv").touch()
    for name in ("csv/LAS_MIG.txt", "catalogue.jsonld", "certificate.html", "uppfoljning_7.xlsx", IDENTITY):
        (root / name).touch()
    return root


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder / "webb")): path.read_text(encoding="utf-8")
        for path in sorted((folder / "webb").rglob("*.html"))
    }


def test_every_page_is_whole_swedish_fetches_nothing_and_says_that_data_are_synthetic(pages: dict[str, str]) -> None:
    for path, text in pages.items():
        page = Read(text)
        assert (page.open, page.fetched, page.handlers) == ([], [], []), path
        assert '<html lang="sv">' in text and f'content="{POLICY}"' in text and "SYNTETISKA" in page.text
        assert "SYNTHETIC" not in text
        assert page.seen.count("h1") == page.seen.count("main") == 1
        assert page.seen.count("script") == 1  # ours: a text of the release is none
        assert len(page.identifiers) == len(set(page.identifiers)), path


def test_the_policy_allows_this_style_and_script_and_nothing_else() -> None:
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in POLICY and "http" not in POLICY and "'self'" not in POLICY


def test_every_link_leads_to_a_page_of_the_site_or_a_file_of_the_release(folder: Path, pages: dict[str, str]) -> None:
    identifiers = {(folder / "webb" / path).resolve(): Read(text).identifiers for path, text in pages.items()}
    for path, text in pages.items():
        for link in Read(text).links:
            file, _, anchor = link.partition("#")
            target = ((folder / "webb" / path).parent / file).resolve() if file else (folder / "webb" / path).resolve()
            assert target.is_file(), (path, link)
            assert not anchor or anchor in identifiers[target], (path, link)


def test_every_question_has_a_page_with_all_that_is_declared_of_it(pages: dict[str, str]) -> None:
    start = Read(pages["index.html"])
    for view in load_views():
        page = Read(pages[f"vy/{view.base}.html"])
        said = bare(page.text)
        assert bare(view.question) in said and bare(view.question) in bare(start.text)
        assert view.name in page.text
        items = re.split(r"^- ", f"{view.how_to_read}\n{view.traps}", flags=re.MULTILINE)
        assert [item for item in items if bare(item) not in said] == []
        if view.name == view.base:
            period = re.compile(r"period=\(select[^()]*\)|period='[^']*'")  # the chart's
            assert period.sub("", bare(view.query)) in period.sub("", said)
            assert [
                one.name for one in view.columns if bare(f"{one.label}{one.name}{one.explanation}") not in said
            ] == []
        if "'" not in load_drawn()[view.base].where:  # texts of the release are none that a chart asks for
            assert "svg" in page.seen and "desc" in page.seen


def test_tables_say_type_unit_what_adds_up_and_codes(pages: dict[str, str]) -> None:
    text = Read(pages["tabell/mart_case_flow.html"]).text
    assert "Hur går ärenden från anmälan eller ansökan till utredning" in text
    assert "Ärenden cases Antal ärenden. heltal, antal, går att summera: ja" in text
    assert (
        "Andel erbjudna insats offer_rate Erbjudna insats av avslutade utredningar. decimaltal, andel, 0 till 1" in text
    )
    assert "Koder i reason_code (1) Kod Betyder vald <Våld>" in text
    assert "vy/vy_arendeflode.html" in pages["tabell/mart_case_flow.html"]


def test_columns_are_listed_with_the_tables_that_have_them(pages: dict[str, str]) -> None:
    text = pages["kolumner.html"]
    assert '<a href="tabell/mart_case_flow.html#cases">Ärendeflödet</a>' in text
    column = load_views()[0].columns[0]
    assert f"#{column.name}" in text and column.label in Read(text).text
    headings = re.findall(r"<h2>(.)</h2>", text)
    assert headings == sorted(headings, key=lambda one: one.translate(str.maketrans("ÅÄÖ", "{|}")))


def test_the_search_has_the_words_of_every_column_and_the_list_is_there_without_it(pages: dict[str, str]) -> None:
    text = pages["index.html"]
    assert 'class="search" data-search hidden' in text  # the script shows it
    for view in load_views():
        (words,) = re.findall(rf'<li data-words="([^"]*)"><a href="vy/{view.base}.html">', text)
        assert view.name in words
        assert ("orosanmälan" in words) == ("inkomna" in words.lower().split())
    assert "const wordsOf" in text and "NFD" not in text  # å, ä and ö are letters of their own
    assert len(re.findall(r"<li data-words=", text)) == len({view.base for view in load_views()}) + 3


def test_releases_and_their_periods_are_listed(pages: dict[str, str]) -> None:
    text = Read(pages["utgavor.html"]).text
    assert "Utgåva 7 Den här utgåvan. Revidering, till och med 2019 kv 4. Reviderade perioder: 2018 kv 2" in text
    assert "Utgåva 6 2019-02-01. Ny utgåva, till och med 2019 kv 3. Nya perioder: 2019 kv 3" in text


def test_mergers_of_districts_are_the_breaks(folder: Path, pages: dict[str, str]) -> None:
    release = read_release(folder / "release.duckdb")
    with release.reading() as connection:
        found = breaks(connection, release)
        assert breaks(connection, replace(release, about={**release.about, "until_quarter": "2020Q2"})) == ()
        until = replace(release, about={**release.about, "until_quarter": "2020Q3"})
        assert breaks(connection, until) == found[:1]
    assert found == (
        Break(date(2020, 7, 1), ("Liljeholmen", "Älvsjö"), "Nya"),
        Break(date(2023, 7, 1), ("Kista",), "Järva"),
    )
    text = Read(pages["avbrott.html"]).text
    assert "Den 1 juli 2020 gick Liljeholmen och Älvsjö ihop till Nya." in text
    assert "Den 1 juli 2023 blev Kista en del av Järva." in text


def test_the_figures_page_has_the_releases_own_words(pages: dict[str, str]) -> None:
    text = Read(pages["siffrorna.html"]).text
    assert "1–4 visas aldrig, och en nolla kan vara upp till 7." in text
    assert "De nyaste kvartalen saknar en del mått." in text


def test_without_files_no_page_leads_to_one(tmp_path: Path) -> None:
    release = draw(tmp_path / "r.duckdb", load_views()[:2])
    for path in write_site(release.path, NOTHING, tmp_path / "webb"):
        for link in Read(path.read_text(encoding="utf-8")).links:
            file = (path.parent / link.partition("#")[0]).resolve() if link.partition("#")[0] else path
            assert file.is_relative_to(tmp_path / "webb") and file.is_file(), link


def test_the_same_release_gives_the_same_pages(folder: Path, pages: dict[str, str], tmp_path: Path) -> None:
    for path in write_site(folder / "release.duckdb", NOTHING, tmp_path, issued=ISSUED, has_files=True):
        assert path.read_text(encoding="utf-8") == pages[str(path.relative_to(tmp_path))], path

"""What the figures' pages say of a release, and of which release."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from figures_made import ABOUT, DISTRICTS, equity, files, goals, make_release, supply, whole_release

from ingest.settings import Settings
from portal.figures import released
from portal.figures.choices import Asked, Garbled, NotThere, period_choice, period_of, read_address
from portal.figures.released import NoRelease, Release, Releases, open_release
from portal.figures.tables import cell, text_of
from portal.figures.topics.listed import BY_SLUG, TOPICS


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return open_release(whole_release(tmp_path_factory.mktemp("figures") / "release"))


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def said(release: Release, slug: str, **values: str) -> dict[str, str]:
    content = BY_SLUG[slug].build(Asked(release, values))
    return {"": plain(content.lead), **{one.key: plain(one.finding) for one in content.sections}}


@pytest.fixture()
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"home": tmp_path / "home", "published": tmp_path / "published"})


def publish(settings: Settings, folder: Path) -> None:
    settings.published.unlink(missing_ok=True)
    settings.published.symlink_to(folder)


# -- what is said ------------------------------------------------------------------------------------------------------


def test_each_page_says_its_finding(whole: Release) -> None:
    within = said(whole, "mal")["inom-60-dagar"]
    assert within.startswith(
        "I hela staden var 21 % av utredningarna klara inom 60 dagar (2018). Ingen stadsdel skiljer"
    )
    waits = said(whole, "vantan")["vantan-service"]
    assert waits.startswith(
        "I hela staden väntade man i medeltal 16 dagar på serviceinsats (2018). Med säkerhet högre i"
    )
    assert "Älvsjö (34 dagar)" in waits
    assert said(whole, "tratt")[""].startswith("4 200 ärenden kom in i hela staden (2018). 41 % av de avgjorda")
    assert said(whole, "tratt")["kedja"].startswith(
        "40 insatser erbjöds i Farsta (2018 kv 4). Familjen tackade ja till 28"
    )
    assert said(whole, "utbud")["insatser"].startswith("En av 2 insatser erbjuds i alla 3 stadsdelar med uppgift")
    assert said(whole, "rekrytering")["installda"].startswith("6 av 30 grupper (20 %) ställdes in i hela staden (2018)")
    assert said(whole, "likstallighet")[""].startswith("På 1 av 3 mått skiljer sig någon stadsdel säkert från staden")
    assert "Älvsjö" in said(whole, "likstallighet")["matt"]
    assert said(whole, "ateraktualisering")["barnet-hort"].startswith("För få för att jämföra barn som har hörts")
    assert said(whole, "inlamning")[""] == "Alla 27 filer för 2018 kv 4 har kommit och räknas. Alla kom i tid."


def test_a_district_beside_the_city(whole: Release) -> None:
    assert said(whole, "vantan", stadsdel="alvsjo")["vantan-service"] == (
        "I Älvsjö väntade man i medeltal 34 dagar på serviceinsats, i hela staden 16 dagar (2018). "
        "Skillnaden är säker: den är större än slump och vanlig spridning mellan stadsdelar brukar ge."
    )
    assert said(whole, "utbud", stadsdel="bromma")["stadsdel"].startswith(
        "Bromma erbjuder 2 av insatskatalogens 2 insatser"
    )
    assert said(whole, "utbud", insats="trappan")["insats"] == (
        "2 av 3 stadsdelar erbjuder Trappan (2018 kv 4). Älvsjö gör det inte."
    )
    assert said(whole, "tratt", stadsdel="bromma")["flode"].endswith("Skillnaderna kan bero på slump.")
    assert "I Bromma" in said(whole, "mal", stadsdel="bromma")["inom-60-dagar"]


def test_missing_files_are_named(tmp_path: Path) -> None:
    release = open_release(make_release(tmp_path / "one", {"vy_inlamning": files("Älvsjö")}))
    assert said(release, "inlamning")[""] == (
        "18 av 27 filer för 2018 kv 4 har kommit och räknas. Filer saknas från Älvsjö (9). 18 kom i tid."
    )


def test_too_few_everywhere(tmp_path: Path) -> None:
    without = {"staden_andel_inom_60_dagar": None, "staden_andel_ater": None}
    rows = [{**row, **without} for row in goals(few=list(DISTRICTS.values()))]
    release = open_release(make_release(tmp_path / "one", {"vy_fyra_mal_ar": rows}))
    found = BY_SLUG["mal"].build(Asked(release, {}))
    assert found.lead == "Inget av de fyra målen kan visas i hela staden."
    first = found.sections[0]
    assert first.finding == (
        "För få för att visa andelen klara inom 60 dagar i hela staden (2018). Ingen stadsdels värde kan visas."
    )
    assert first.picture is None and first.table is not None
    assert {row[2].text for row in first.table.rows} == {"för få"}
    assert any("färre än 20" in note for note in first.table.notes)


def test_without_flags_nobody_is_accused(tmp_path: Path) -> None:
    measure = "Andel utredningar avslutade inom 60 dagar"
    rows = equity(measure, {"Bromma": 44.0, "Farsta": 14.8, "Älvsjö": 20.0}, 20.9)
    release = open_release(make_release(tmp_path / "one", {"vy_fyra_mal_ar": goals(), "vy_likstallighet": rows}))
    assert "Ingen stadsdel skiljer sig säkert från staden" in said(release, "mal")["inom-60-dagar"]
    untested = [{**row, "lage": None, "utanfor": False} for row in rows]
    release = open_release(make_release(tmp_path / "two", {"vy_fyra_mal_ar": goals(), "vy_likstallighet": untested}))
    assert "peka inte ut någon" in said(release, "mal")["inom-60-dagar"]  # not "nobody differs": nobody was tested


def test_a_release_without_views_says_so(tmp_path: Path) -> None:
    release = open_release(make_release(tmp_path / "bare", {}))
    for topic in TOPICS:
        content = topic.build(Asked(release, {}))
        assert content.lead
        assert all(one.finding == "Den här utgåvan har inga uppgifter om det." for one in content.sections)


@pytest.mark.parametrize("lost", ["andel_inom_60_dagar", "staden_andel_inom_60_dagar", "period"])
def test_a_view_declared_otherwise_is_left_out(lost: str, tmp_path: Path) -> None:
    folder = make_release(tmp_path / "one", {"vy_fyra_mal_ar": goals()})
    with duckdb.connect(str(folder / "followup.duckdb")) as connection:
        connection.execute(f"alter table published.vy_fyra_mal_ar drop column {lost}")
    assert said(open_release(folder), "mal")["inom-60-dagar"] == "Den här utgåvan har inga uppgifter om det."


def test_the_file_is_the_table_and_starts_no_formula(whole: Release) -> None:
    content = BY_SLUG["utbud"].build(Asked(whole, {"insats": "trappan"}))
    table = content.sections[0].table
    assert table is not None
    lines = table.csv().decode().split("\r\n")
    assert lines[0].startswith('"stadsdel","period","insats","erbjuds"')
    assert lines[1].startswith('"Bromma","2018 kv 4","Trappan",true,false,true,false,"Egen regi","\'=1+1"')
    assert len(lines) == 5 and lines[4] == ""


def test_values_are_written_as_swedish_writes_them() -> None:
    written = [
        (1234, "count"), (0.2949, "rate"), (12.0, "days"), (24.06, "per_1000"), (True, "flag"),
        (date(2018, 4, 1), "date"), ("per 1 000", "text"), ("2018 kv 4", "period"),
    ]  # fmt: skip
    assert [text_of(*one) for one in written] == [
        "1\u00a0234", "29,5\u00a0%", "12\u00a0dagar", "24,1", "ja", "2018-04-01", "per 1\u00a0000", "2018 kv 4",
    ]  # fmt: skip
    assert cell(None, "rate", "för få").text == "för få"


# -- what is chosen ----------------------------------------------------------------------------------------------------


def test_the_newest_period_with_figures_is_shown(tmp_path: Path) -> None:
    waiting = [{**row, "andel_inom_60_dagar": None, "utredningar": None} for row in goals("2019")]
    release = open_release(make_release(tmp_path / "one", {"vy_fyra_mal_ar": [*goals(), *waiting]}))
    period = period_of(Asked(release, {}), "vy_fyra_mal", "andel_inom_60_dagar")
    assert period is not None and (period.code, period.kind) == ("2018", "ar")
    later = period_of(Asked(release, {"period": "2019"}), "vy_fyra_mal", "andel_inom_60_dagar")
    assert later is not None and later.label == "2019"
    assert "finns inte ännu för 2019" not in said(release, "mal", period="2018")["inom-60-dagar"]


def test_periods_have_codes_of_their_own(tmp_path: Path) -> None:
    rolling = goals("Fyra kvartal till och med 2018 kv 4")
    rows = {"vy_fyra_mal": goals("2018 kv 4"), "vy_fyra_mal_ar": goals(), "vy_fyra_mal_rullande_ar": rolling}
    release = open_release(make_release(tmp_path / "one", rows))
    choice = period_choice(Asked(release, {}), ("vy_fyra_mal",))
    assert [one.value for one in choice.options] == ["", "2018", "2018Q4", "2018Q4-rullande"]


@pytest.mark.parametrize("value", ["2031", "<script>", "2018' or 1=1 --", "../../etc/passwd", "ar"])
@pytest.mark.parametrize("name", ["period", "stadsdel", "kon", "alder", "matt", "vantan", "insats"])
def test_what_is_not_there_is_refused(whole: Release, name: str, value: str) -> None:
    for topic in TOPICS:
        if name in topic.filters:
            with pytest.raises(NotThere) as refused:
                topic.build(Asked(whole, {name: value}))
            assert value not in str(refused.value)


def test_addresses_are_read_within_limits() -> None:
    names = ("period", "stadsdel")
    assert read_address([("period", "2018"), ("x", "1"), ("stadsdel", "")], names) == {"period": "2018"}
    assert read_address([("period", "2018"), ("period", "2018")], names) == {"period": "2018"}
    for items in ([("period", "2018"), ("period", "2019")], [("period", "9" * 101)], [("stadsdel", "a\x00b")]):
        with pytest.raises(Garbled):
            read_address(items, names)


# -- which release -----------------------------------------------------------------------------------------------------


def test_no_release_is_no_fault(settings: Settings) -> None:
    with pytest.raises(NoRelease, match="Ingen utgåva har getts ut ännu") as found:
        Releases(settings).current()
    assert not found.value.is_fault


@pytest.mark.parametrize("content", [None, b"", b"no database at all"])
def test_an_unreadable_release_is_a_fault(settings: Settings, tmp_path: Path, content: bytes | None) -> None:
    folder = tmp_path / "torn"
    folder.mkdir()
    if content is not None:
        (folder / "followup.duckdb").write_bytes(content)
    publish(settings, folder)
    with pytest.raises(NoRelease) as found:
        Releases(settings).current()
    assert found.value.is_fault and str(folder) not in str(found.value)


def test_a_moved_link_shows_the_new_release_and_keeps_the_old_for_its_pages(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_release(tmp_path / "first", {"vy_inlamning": files()})
    second = make_release(tmp_path / "second", {"vy_inlamning": files("Farsta")}, {**ABOUT, "release_id": "8"})
    releases = Releases(settings)
    publish(settings, first)
    reading = releases.current()
    assert releases.current() is reading
    publish(settings, second)
    assert releases.current().number == "8"
    (first / "followup.duckdb").unlink()  # what swept releases do to a reader
    assert said(reading, "inlamning")[""].startswith("Alla 27 filer")
    assert releases.of("7") is reading
    assert releases.of("") is releases.of("8") is releases.current()
    with pytest.raises(NoRelease, match="Ladda om sidan"):
        releases.of("6")
    monkeypatch.setattr(released, "KEPT_SECONDS", 0)
    with pytest.raises(NoRelease):
        releases.of("7")


def test_a_release_can_not_be_written_or_left(whole: Release) -> None:
    for statement in (
        "create table release.published.x (a integer)", "attach 'other.duckdb'", "copy (select 1) to 'x.csv'",
        "select * from read_csv('/etc/passwd')",
    ):  # fmt: skip
        with pytest.raises(duckdb.Error):
            whole.connection.cursor().execute(statement)


def test_names_of_columns_and_interventions_are_no_sql(tmp_path: Path) -> None:
    hostile = "Trappan'; drop table x --<b>\""
    release = open_release(make_release(tmp_path / "one", {"vy_utbud": supply(hostile)}))
    content = BY_SLUG["utbud"].build(Asked(release, {"insats": hostile}))
    assert content.sections[0].heading == hostile

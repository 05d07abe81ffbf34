"""A district's pages, as an officer uses them: each page is opened, each form is sent; files and checks are real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from browsing import ORIGIN, Browser, Place, text_of
from district_files import (
    LATE,
    NOW,
    QUARTER,
    UNIT,
    WRONG,
    cases,
    follow,
    named,
    routines,
    send_files,
    work,
    zipped,
)

from followup.build.figure_diff import Figure, MartDiff
from followup.build.preview import Preview, as_json
from ingest.checking import CheckReport
from ingest.ledger import uploads
from ingest.ledger.decisions import lock_quarter
from ingest.ledger.mappings import add_mapping
from ingest.ledger.portal_users import Role
from ingest.mappings.documents import CodeWord, ColumnWord, DatasetWords, UnitMapping
from ingest.naming import read_name
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from portal.district.previewing import FigureChange, mart_changes
from portal.district.results import rule_groups
from portal.signing_in import access


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Place]:
    """An installation in October 2018 with officers of Bromma and Farsta."""
    made = Place.make(tmp_path, NOW)
    make_keys(made.settings.keys)
    made.add("anna", Role.OFFICER, UNIT)
    made.add("eva", Role.OFFICER, "farsta")
    yield made
    made.close()


@pytest.fixture
def anna(town: Place) -> Browser:
    return town.signed_in("anna")


def submission_address(town: Place, number: int = -1) -> str:
    found = town.ledger.submissions(district=UNIT)[number]
    return f"/enhet/{UNIT}/inlamning/{found.submission_id}"


def test_first_page_says_what_is_expected_by_when_and_what_to_do(anna: Browser) -> None:
    page = text_of(anna.open(f"/enhet/{UNIT}/").text)
    assert "Bromma: kvartal 3 2018" in page and "0 av 9 filer är inne" in page
    assert "10 dagar kvar: sista dagen är 20 oktober 2018." in page
    assert page.count("Väntas") == 9 and page.count("Lämna in senast 20 oktober 2018.") == 9


def test_a_form_without_a_file_says_that_one_is_to_be_chosen(anna: Browser) -> None:
    address = f"/enhet/{UNIT}/filer?gor=kontrollera"
    anna.open(f"/enhet/{UNIT}/")
    nothing = {"files": [("filer", ("", b""))], "headers": {"Origin": ORIGIN}, "data": {"csrf": anna.token}}
    for answer in (anna.client.post(address, **nothing), anna.send(address)):
        assert answer.status_code == 422
        assert "Välj en fil Ingen fil var vald. Välj minst en fil" in text_of(answer.text)
        assert f'href="/enhet/{UNIT}/#lamna"' in answer.text


def test_template_is_named_for_the_unit_and_the_quarter(anna: Browser) -> None:
    for ending in ("xlsx", "csv"):
        answer = anna.open(f"/enhet/{UNIT}/mall/arenden.{ending}?kvartal={QUARTER}")
        assert answer.status_code == 200
        assert f'attachment; filename="bromma_arenden_2018Q3.{ending}"' in answer.headers["content-disposition"]
    assert anna.open(f"/enhet/{UNIT}/mall/annat.csv").status_code == 404
    assert anna.open(f"/enhet/{UNIT}/mall/arenden.exe").status_code == 404


def test_checking_shows_faults_by_rule_and_stores_nothing(town: Place, anna: Browser) -> None:
    answer = follow(anna, town, send_files(anna, "kontrollera", (named(), cases(WRONG, LATE))))
    page = text_of(answer.text)
    assert "Filen kan inte tas in: 1 fel att rätta" in page and "Ingenting är inlämnat." in page
    assert page.index("Fel att rätta") < page.index("ARE-031") < page.index("ARE-041")
    assert "Menades skola" in page and "Tillåtna värden: polis_aklagare" in page and "skolla" not in answer.text
    assert town.ledger.submissions() == []
    workbook = anna.open(answer.url.path + "/aterkoppling.xlsx")
    assert workbook.status_code == 200 and workbook.content.startswith(b"PK")
    assert workbook.headers["content-disposition"].startswith("attachment")


def test_pages_say_how_the_units_own_words_are_read(town: Place, anna: Browser) -> None:
    header = "Vår <b>orsak</b>"
    words = DatasetWords((ColumnWord(header, "orsak"),), (CodeWord("kon", "K-1", "kvinna"),))
    add_mapping(town.ledger, UnitMapping(UNIT, Quarter(2018, 1), (("arenden", words),)), datetime(2018, 10, 1))
    raw = cases({"kon": "K-1"}).replace(b";Orsak;", f";{header};".encode("cp1252"), 1)
    checked = follow(anna, town, send_files(anna, "kontrollera", (named(), raw)))
    handed_in = follow(anna, town, anna.send(checked.url.path + "/lamna-in"))
    shown = anna.open(submission_address(town))
    for answer in (checked, shown):
        assert "Er kolumn ”Vår &lt;b&gt;orsak&lt;/b&gt;” läses som ”orsak”." in answer.text
        assert "I kolumnen Kön läses ”K-1” som ”kvinna”." in answer.text
    assert handed_in.status_code == 200 and town.ledger.submissions()[-1].mapping_version == 1


def test_checked_file_is_handed_in_without_being_sent_again(town: Place, anna: Browser) -> None:
    answer = follow(anna, town, send_files(anna, "kontrollera", (named(), cases({}))))
    assert "Filen kan tas in" in answer.text and town.ledger.submissions() == []
    answer = follow(anna, town, anna.send(f"{answer.url.path}/lamna-in"))
    assert "Filen är inlämnad och gäller: 1 rad" in text_of(answer.text)
    (found,) = town.ledger.submissions()
    assert (found.state, found.version, found.row_count) == ("accepted", 1, 1)
    assert [(one.actor, one.action) for one in town.acts()][-1] == ("anna", "submission.accepted")


def test_receipt_shows_what_proves_the_hand_in(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}, {}))))
    (found,) = town.ledger.submissions()
    page = text_of(anna.open(submission_address(town) + "/kvitto").text)
    for shown in (found.submission_id, found.source_file_sha256, "Bromma", "2", "10 oktober 2018 kl. "):
        assert shown in page


def test_refused_hand_in_is_recorded_and_said_first(town: Place, anna: Browser) -> None:
    answer = follow(anna, town, send_files(anna, "lamna-in", (named(), cases(WRONG))))
    assert "Filen togs inte in: 1 fel att rätta" in text_of(answer.text)
    page = text_of(anna.open(f"/enhet/{UNIT}/").text)
    assert "Den senaste filen togs inte in: 1 fel. Rätta och lämna in igen." in page and "0 av 9" in page


def test_query_is_explained_in_place_for_one_row_then_for_all(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases(LATE, LATE, LATE))))
    address = submission_address(town)
    page = anna.open(address).text
    assert "3 frågor kvar" in text_of(page)
    keys = sorted({part.split('"')[0] for part in page.split('name="row_')[1:]})
    assert len(keys) == 3
    given = {"rule": "ARE-041", "scope": "chosen", f"row_{keys[0]}": "1", "explanation": "Sommar <i>och</i> sjukdom."}
    assert anna.send(f"{address}/forklara", **given).status_code == 303
    page = anna.open(address).text
    assert "2 frågor kvar" in text_of(page) and "Sommar &lt;i&gt;och&lt;/i&gt; sjukdom." in page
    assert anna.send(f"{address}/forklara", rule="ARE-041", scope="all", explanation="Semester.").status_code == 303
    page = text_of(anna.open(address).text)
    assert "Filen är inlämnad och gäller: 3 rader" in page and "Förklarade frågor" in page
    assert [one.actor for one in town.acts() if one.action.startswith("explanation") or "explain" in one.action] == [
        "anna", "anna",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scope": "all", "explanation": " "}, "Skriv en förklaring."),
        ({"scope": "all", "explanation": "Barnet 20100315-9801 var sjukt."}, "ser ut som ett personnummer"),
        ({"scope": "all", "explanation": "x" * 2001}, "för lång"),
        ({"scope": "chosen", "explanation": "Semester."}, "Markera minst en rad"),
        ({"scope": "chosen", "explanation": "Semester.", "row_finns-inte": "1"}, "Markera minst en rad"),
        ({"rule": "ARE-999", "scope": "all", "explanation": "Semester."}, "inga öppna frågor"),
    ],
)
def test_explanation_that_can_t_be_stored_is_refused_with_what_to_do(
    town: Place, anna: Browser, fields: dict[str, str], said: str
) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases(LATE))))
    address = submission_address(town)
    anna.open(address)
    answer = anna.send(f"{address}/forklara", **({"rule": "ARE-041"} | fields))
    assert answer.status_code == 422 and said in text_of(answer.text)
    assert "20100315" not in answer.text  # what was typed is shown again for mending, a number is not
    assert "1 fråga kvar" in text_of(anna.open(address).text)


def test_file_that_replaces_another_shows_what_changes_and_waits_for_confirmation(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}, {}))))
    answer = follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}, {"kon": "pojke"}, {}))))
    page = text_of(answer.text)
    assert "Filen ersätter en som redan gäller" in page
    assert "1 rad tillkommer: rad 4." in page and "1 rad ändras: rad 3." in page and "Kön (1)" in page
    assert [one.version for one in town.ledger.in_force()] == [1]
    answer = follow(anna, town, anna.send(f"{answer.url.path}/bekrafta"))
    assert "gäller: 3 rader" in text_of(answer.text)
    assert [one.version for one in town.ledger.in_force()] == [2]
    history = text_of(anna.open(f"/enhet/{UNIT}/historik").text)
    assert "Gäller" in history and "Ersatt" in history


def test_same_file_again_changes_nothing_and_says_so(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}))))
    answer = follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}))))
    assert "Samma fil är redan inlämnad" in answer.text and len(town.ledger.submissions()) == 1


def test_file_whose_name_says_nothing_is_asked_about(town: Place, anna: Browser) -> None:
    answer = follow(anna, town, send_files(anna, "lamna-in", ("Kopia av ärenden (2).csv", cases({}))))
    assert "Vilken fil är det?" in answer.text and town.ledger.submissions() == []
    wrong = anna.send(f"{answer.url.path}/namn", dataset="annat", kvartal="2030Q1")
    assert wrong.status_code == 422 and "Välj vilket dataset" in wrong.text and "Välj vilket kvartal" in wrong.text
    answer = follow(anna, town, anna.send(f"{answer.url.path}/namn", dataset="arenden", kvartal=QUARTER))
    assert "Filen är inlämnad och gäller" in text_of(answer.text)
    (found,) = town.ledger.submissions()
    assert (found.dataset, found.reporting_quarter) == ("arenden", QUARTER)


def test_archive_is_unpacked_and_each_file_has_its_answer(town: Place, anna: Browser) -> None:
    content = zipped(arenden=cases({}), skyddsuppfoljning=routines())
    sent = send_files(anna, "lamna-in", ("kvartalet.zip", content))
    page = text_of(follow(anna, town, sent).text)
    assert "Arkivet är uppackat" in page
    assert {(one.dataset, one.state) for one in town.ledger.submissions()} == {
        ("arenden", "accepted"), ("skyddsuppfoljning", "accepted"),
    }  # fmt: skip


def test_several_files_come_on_one_page_with_a_line_each(town: Place, anna: Browser) -> None:
    files = [(named(), cases({})), (named("skyddsuppfoljning"), routines())]
    sent = send_files(anna, "kontrollera", *files)
    assert "/omgang/" in sent.headers["location"]
    before = anna.open(sent.headers["location"]).text
    assert before.count("every 1s") == 2 and "I kö" in before
    work(town)
    after = anna.open(sent.headers["location"]).text
    assert "every 1s" not in after and text_of(after).count("Kan lämnas in") == 2


def test_own_file_is_withdrawn_with_a_reason_while_the_quarter_is_open(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}))))
    address = submission_address(town)
    anna.open(address)
    refused = anna.send(f"{address}/aterkalla", why="Barnet 20100315-9801.").text
    assert "Skriv varför" in refused and "20100315" not in refused
    assert anna.send(f"{address}/aterkalla", why="Fel kvartal i filen.").status_code == 303
    assert "Filen är återkallad" in anna.open(address).text and town.ledger.in_force() == []
    last = town.acts()[-1]
    assert (last.actor, last.action, last.why) == ("anna", "submission.withdrawn", "Fel kvartal i filen.")


def test_locked_quarter_takes_no_file_and_lets_none_be_withdrawn(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases({}))))
    address = submission_address(town)
    anna.open(address)
    lock_quarter(town.ledger, Quarter.parse(QUARTER), town.settings.now().replace(tzinfo=None))
    assert "är kvartalet låst" in anna.send(f"{address}/aterkalla", why="Fel.").text
    answer = follow(anna, town, send_files(anna, "lamna-in", (named("skyddsuppfoljning"), routines())))
    assert "Filen togs inte in" in answer.text and "FIL-040" in answer.text
    page = text_of(anna.open(f"/enhet/{UNIT}/").text)
    assert "Kvartalet är låst" in page and "Be stadens team om ett undantag." in page


def test_cancelled_file_is_gone(town: Place, anna: Browser) -> None:
    answer = follow(anna, town, send_files(anna, "kontrollera", (named(), cases({}))))
    assert anna.send(f"{answer.url.path}/avbryt").status_code == 303
    assert "Filen är borttagen" in anna.open(answer.url.path).text
    assert anna.send(f"{answer.url.path}/lamna-in").status_code == 409
    work(town)
    assert town.ledger.submissions() == [] and not list((town.settings.home / "spool").glob("*"))


def test_forged_or_empty_hand_in_stores_nothing(town: Place, anna: Browser) -> None:
    anna.open(f"/enhet/{UNIT}/")
    own = {"Origin": "http://127.0.0.1:8090"}
    file = [("files", (named(), cases({})))]
    for data in ({"csrf": "0" * 64}, {}):
        answer = anna.client.post(f"/enhet/{UNIT}/filer", data=data, files=file, headers=own)
        assert answer.status_code == 403, answer.text
    late = [("files", (named(), cases({}))), ("csrf", (None, anna.token))]  # a file before the token
    assert anna.client.post(f"/enhet/{UNIT}/filer", files=late, headers=own).status_code == 403
    assert anna.client.post(f"/enhet/{UNIT}/filer", data={"csrf": anna.token}, headers=own).status_code == 422
    assert anna.client.post(f"/enhet/{UNIT}/filer?gor=radera", data={"csrf": anna.token}, files=file,
                            headers=own).status_code == 404  # fmt: skip
    work(town)
    assert town.ledger.submissions() == [] and town.app.portal.handover.uploads_of(UNIT) == []


def test_other_unit_s_addresses_are_not_there_and_the_try_is_logged(town: Place, anna: Browser) -> None:
    checked = follow(anna, town, send_files(anna, "kontrollera", (named(), cases(LATE)))).url.path
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases(LATE))))
    address = submission_address(town)
    town.add("rut", Role.READER)
    town.add("ada", Role.ADMINISTRATOR)
    town.add("bo", Role.CITY)
    pages = [f"/enhet/{UNIT}/", f"/enhet/{UNIT}/historik", f"/enhet/{UNIT}/siffror", f"/enhet/{UNIT}/lediga-platser",
             f"/enhet/{UNIT}/mall/arenden.csv", checked, f"{checked}/rad", f"{checked}/lage",
             f"{checked}/aterkoppling.xlsx", address, f"{address}/kvitto", f"{address}/aterkoppling.xlsx"]  # fmt: skip
    forms = [f"{checked}/lamna-in", f"{checked}/avbryt", f"{checked}/bekrafta", f"{checked}/namn",
             f"{checked}/forhandsvisa", f"{address}/forklara", f"{address}/aterkalla"]  # fmt: skip
    for name in ("eva", "rut", "ada", "bo"):
        other = town.signed_in(name)
        for page in pages:
            assert other.open(page).status_code == 404, (name, page)
        other.open("/konto")
        for form in forms:
            assert other.send(form, rule="ARE-041", scope="all", explanation="x", why="x").status_code == 404
            other.open("/konto")
        refused = [one for one in town.acts() if one.action == "access.refused" and one.actor == name]
        assert len(refused) == len(pages) + len(forms) and f"unit {UNIT}" in refused[0].subject
    eva = town.signed_in("eva")  # own unit, another's ids
    for page in (*pages[5:], *forms[:1]):
        assert eva.open(page.replace(f"/enhet/{UNIT}/", "/enhet/farsta/")).status_code in (404, 405)
    nobody = town.browser()
    assert {nobody.open(page).status_code for page in pages} == {303}
    assert town.ledger.submissions(district=UNIT)[-1].open_query_count == 1


def test_unit_that_there_is_not_is_not_repeated_in_the_log(town: Place, anna: Browser) -> None:
    assert anna.open("/enhet/19500101-0001/").status_code == 404
    last = town.acts()[-1]
    assert last.action == "access.refused" and "19500101" not in last.subject


def test_officer_of_a_merged_unit_sees_the_quarters_of_those_before(tmp_path: Path) -> None:
    made = Place.make(tmp_path, "2026-04-10T08:00:00")
    make_keys(made.settings.keys)
    made.add("jarl", Role.OFFICER, "jarva")
    try:
        browser = made.signed_in("jarl")
        assert "Rinkeby-Kista" in browser.open("/enhet/jarva/").text
        page = browser.open("/enhet/rinkeby-kista/")
        assert page.status_code == 200 and "kvartal" in page.text
    finally:
        made.close()


@pytest.mark.parametrize(
    "quarter", ["2018Q5", "x", "2030Q1", "<script>", "2018Q3' or 1=1", "0000Q1", "9999Q4", "\u0662\u0660\u0661\u0668Q3"]
)
def test_quarter_that_there_is_not_is_a_page_that_there_is_not(town: Place, anna: Browser, quarter: str) -> None:
    for page in ("", "siffror", "mall/arenden.csv"):
        answer = anna.open(f"/enhet/{UNIT}/{page}", params={"kvartal": quarter})
        assert answer.status_code == 404 and "<script>" not in answer.text.replace('<script src="', "")


def test_own_figures_and_places_say_so_where_nothing_is_built(anna: Browser) -> None:
    assert "Inga siffror än" in anna.open(f"/enhet/{UNIT}/siffror").text
    assert "Inga lediga platser för er kö" in anna.open(f"/enhet/{UNIT}/lediga-platser").text


def test_mark_up_in_a_cell_is_in_no_page(town: Place, anna: Browser) -> None:
    rows = cases({"uppgiftslamnare": "<script>alert(1)</script>", "orsak": "=cmd|' /C calc'!A0"})
    for act in ("kontrollera", "lamna-in"):
        answer = follow(anna, town, send_files(anna, act, (named(), rows)))
        assert "alert(1)" not in answer.text and "calc" not in answer.text


def test_no_personal_number_is_in_any_page_or_act(town: Place, anna: Browser) -> None:
    sent = send_files(anna, "kontrollera", ("ärenden 20100315-9801.csv", cases(WRONG | {"lopnummer": "20100315-9801"})))
    pages = [follow(anna, town, sent).text]
    follow(anna, town, send_files(anna, "lamna-in", (named(), cases(LATE, {}))))
    pages += [anna.open(page).text for page in (f"/enhet/{UNIT}/", f"/enhet/{UNIT}/historik", submission_address(town))]
    shown = "".join(pages) + "".join(f"{one.subject} {one.why}" for one in town.acts())
    for number in ("20100315", "100315-9801", "1003159801", "20110101"):
        assert number not in shown


def test_rows_that_the_file_lacks_are_named_in_one_line() -> None:
    lacking = "Ärendet var öppet i förra kvartalets fil och saknas i den här. Lägg till raden, eller förklara."
    report = {
        "dataset": "arenden",
        "accepted": True,
        "findings": [
            {"rule": "XYZ-001", "severity": "query", "row": None, "column": None,
             "message": f"{lacking} (rad {row} i förra kvartalets fil)"}
            for row in (7, 12)
        ],
    }  # fmt: skip
    (group,) = rule_groups(report)
    assert group.message == "Ärendet var öppet i förra kvartalets fil och saknas i den här."
    assert [(one.row, one.message) for one in group.places] == [
        (7, "Raden finns i förra kvartalets fil."), (12, "Raden finns i förra kvartalets fil."),
    ]  # fmt: skip


def test_what_is_handed_in_for_trials_is_marked_synthetic_and_nothing_else_is(tmp_path: Path) -> None:
    for folder, is_for_trials in (("trial", True), ("real", False)):
        (tmp_path / folder).mkdir()
        made = Place.make(tmp_path / folder, NOW, synthetic=is_for_trials)
        make_keys(made.settings.keys)
        made.add("anna", Role.OFFICER, UNIT)
        browser = made.signed_in("anna")
        follow(browser, made, send_files(browser, "lamna-in", (named("skyddsuppfoljning"), routines())))
        assert [one.is_synthetic for one in made.ledger.submissions()] == [is_for_trials]
        assert ("Syntetiska uppgifter" in browser.open(f"/enhet/{UNIT}/").text) == is_for_trials
        made.close()


def test_figures_of_a_preview_are_shown_as_the_worker_stores_them() -> None:
    """Through `as_json`: the page and the worker agree on its names."""
    report = CheckReport(read_name(named()), 0, ())
    key = {"district_code": "bromma", "sex": "alla", "age_band": "0-5"}
    figures = (Figure(key, "case_count", 2, 3, 1), Figure(key, "case_rate", None, 0.5, 1))
    marts = (MartDiff("mart_flow", figures, 21, 2, 3, 4), MartDiff("mart_wait", (), 0, 0, 0, 9))
    stored = as_json("arenden.csv", Preview(report, False, None, marts))
    (shown,) = mart_changes(stored)
    assert [(one.before, one.after) for one in shown.figures] == [("2", "3"), ("–", "50,0\u00a0%")]
    assert all(isinstance(one, FigureChange) and one.of.endswith("0-5") for one in shown.figures)
    assert (shown.more, shown.elsewhere) == (19, 5)


def test_session_that_tries_other_units_on_and_on_ends(town: Place, anna: Browser) -> None:
    statuses = [anna.open("/enhet/farsta/").status_code for _ in range(access.MOST_REFUSALS + 2)]
    assert statuses == [404] * access.MOST_REFUSALS + [303, 303]
    actions = [one.action for one in town.acts()]
    assert actions.count("access.refused") == access.MOST_REFUSALS and actions[-1] == "session.revoked"


def test_portal_without_keys_says_so_and_the_log_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Place.make(tmp_path, NOW)
    made.add("anna", Role.OFFICER, UNIT)
    browser = made.signed_in("anna")
    answer = send_files(browser, "kontrollera", (named(), cases({})))
    assert answer.status_code == 503 and "inte rätt inställd" in answer.text and "keys" in caplog.text
    made.close()


def test_unit_can_not_hold_up_the_previews_of_all_others(town: Place, anna: Browser) -> None:
    follow(anna, town, send_files(anna, "lamna-in", (named("skyddsuppfoljning"), routines(1))))
    pages = []
    for count in range(uploads.MOST_PREVIEWS + 1):
        sent = send_files(anna, "kontrollera", (named("skyddsuppfoljning"), routines(100 + count)))
        pages.append(follow(anna, town, sent).url.path)
    answers = [anna.send(f"{page}/forhandsvisa") for page in pages]
    assert [answer.status_code for answer in answers] == [303] * uploads.MOST_PREVIEWS + [429]
    assert "Enheten väntar redan på flera beräkningar" in text_of(answers[-1].text)
    assert anna.send(f"{pages[-1]}/lamna-in", bekraftat="ja").status_code == 303

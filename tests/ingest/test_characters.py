"""Characters that nobody sees, and characters that went wrong: read the same, or named; never a second value."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from files import base_row, check, csv_bytes, fired
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.characters import character_name, garbled, odd_characters, visible
from ingest.contracts import load_contracts
from ingest.folding import fold

CLINICS = "bromma_ungdomsmottagning_2018Q3.csv"
COUNTS = "bromma_serviceinsatser_2018Q3.csv"
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u2066\u2069\ufeff\u061c\u034f\ufe0f\x01\x1a\x7f"
HARD_SPACES = "\u00a0\u2007\u2009\u202f\u3000"


def messages(raw: bytes, name: str = "bromma_arenden_2018Q3.csv") -> str:
    return "\n".join(found.message for found in check(raw, name).findings())


@pytest.mark.parametrize("character", INVISIBLE)
def test_visible_takes_out_what_nobody_sees(character: str) -> None:
    assert visible(f"{character}2018{character}-7{character}") == "2018-7"
    assert fold(f"Kö{character}n") == "kon"


@pytest.mark.parametrize("character", HARD_SPACES)
def test_hard_spaces_are_plain_inside_text_and_gone_around_it(character: str) -> None:
    assert visible(f"{character}Alviks{character}UM{character}") == "Alviks UM"
    assert visible(f"{character}1{character}234 ", keep_spaces=True) == f"1{character}234"


def test_letters_are_composed_and_hyphens_of_the_same_look_plain() -> None:
    assert visible(unicodedata.normalize("NFD", "Skärholmens å")) == "Skärholmens å"
    assert visible("2018\u20117\u20108") == "2018-7-8"
    assert visible("2018\u20137") == "2018\u20137"


def test_text_wrapped_for_spreadsheets_is_unwrapped() -> None:
    assert visible('="000123"') == "000123"
    assert visible("=1+1") == "=1+1"


@pytest.mark.parametrize(
    ("text", "found", "meant"),
    [
        ("K\ufffdn", "\ufffd", ""), ("KÃ¶n", "Ã¶", "ö"), ("Ã…rsta", "Ã…", "Å"), ("H├ñgersten", "├ñ", "ä"),
        ("H√§gersten", "√§", "ä"), ("Sk†rholmen", "†", "å"), ("„rende", "„", "ä"), ("H„gersten", "„", "ä"),
        ("milj”", "”", "ö"), ("nŠra", "Š", "ä"), ("h‰lsa", "‰", "ä"), ("öppenvÕrd", "Õ", "å"), ("v┼rd", "┼", "Å"),
        ("K?n", "?", ""), ("?rsta", "?", ""), ("{rsta", "{", "ä"), ("h}r", "}", "å"), ("&auml;ldre", "&auml;", "ä"),
        ("r&#229;d", "&#229;", "å"), ("r\\u00e5d", "\\u00e5", ""), ("r%C3%A5d", "%C3%A5", ""),
        ("flick\u0430", "\u0430", ""), ("A\u00a8lvsjo\u00a8", "\u00a8", ""), ("f\uf0e5r", "\uf0e5", ""),
        ("\x84rende", "\x84", ""), ("rad_x000D_bryt", "_x000D_", ""),
    ],
)  # fmt: skip
def test_garbled_text_is_found_with_what_it_was(text: str, found: str, meant: str) -> None:
    garbling = garbled(visible(text))
    assert garbling is not None and (garbling.found, garbling.meant) == (found, meant)


@pytest.mark.parametrize(("text", "meant"), [("Kšn", "ö"), ("BŒt", "å"), ("ŒlvsjŠ", "å"), ("Íppen", "Ö")])
def test_letters_of_other_languages_are_garbled_in_a_file_without_ours(text: str, meant: str) -> None:
    garbling = garbled(text, has_swedish=False)
    assert garbling is not None and garbling.meant == meant


@pytest.mark.parametrize(
    "text",
    [
        "Vad? Hur", "Se www.stad.se/?q=a", "Komet™", "”citat” och ”ord”", "„tysk” text", "Saša och Miloš", "10–12 år",
        "D’Arc", "20 °C", "5 ÷ 2", "Nästa… kurs", "ÖPPEN VÅRD", "café Élan", "Ungdom & co; x", "kl. 13.30–15 {rum}",
        "bosniska (bošnjački)", "Frühling", "русский", "ελληνικά", "€ 50", "6–12 år – grupp", "barn/unga", "S:t Erik",
        "Elva träffar 👨‍👩‍👧", "½ dag", "A & B", "100 %",
    ],
)  # fmt: skip
def test_right_text_is_not_called_garbled(text: str) -> None:
    assert garbled(visible(text)) is None


@given(st.text("abcdefghijklmnopqrstuvwxyzåäöéABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖÉ0123456789 ,.:;()/-–%", max_size=40))
def test_no_ordinary_swedish_text_is_called_garbled(text: str) -> None:
    assert garbled(text, has_swedish=False) is None


@given(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6),
    st.sampled_from("åäöÅÄÖ"),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6),
    st.sampled_from([("utf-8", "cp1252"), ("utf-8", "latin-1"), ("utf-8", "mac_roman"), ("utf-8", "cp850"),
                     ("cp850", "cp1252"), ("mac_roman", "cp1252"), ("cp1252", "cp850"), ("cp1252", "mac_roman")]),
)  # fmt: skip
def test_every_swedish_letter_inside_a_word_is_missed_when_misread(
    before: str, letter: str, after: str, way: tuple[str, str]
) -> None:
    """Whatever encoding was taken for another: found, and never taken for another letter of ours."""
    written, read = way
    try:
        misread = (before + letter + after).encode(written).decode(read)
    except UnicodeDecodeError:
        return  # such a file is refused: FIL-006
    if misread == before + "…" + after or misread == before + "€" + after:
        return  # the ellipsis and the euro have meanings of their own between letters
    found = garbled(misread, has_swedish=False)
    assert found is not None and found.meant.lower() in ("", letter.lower())


def test_characters_are_named_in_words() -> None:
    assert character_name("\u00ad") == "osynligt tecken: mjukt bindestreck (U+00AD)"
    assert character_name("\u00a0") == "hårt blanksteg (U+00A0)"
    assert odd_characters("2018\u2013\u00a07") == ["”\u2013” (tankstreck, U+2013)", "hårt blanksteg (U+00A0)"]


TABLE_ROWS = [base_row("ungdomsmottagning", mottagning=name, kon=sex)
              for name in ("Alviks ungdomsmottagning", "Brommaplans UM") for sex in ("kvinna", "man")]  # fmt: skip


def as_read(raw: bytes) -> tuple[object, ...]:
    """Everything that a file says, apart from how it was spelt."""
    report = check(raw, CLINICS)
    assert report.table is not None
    table = report.table
    values = {name: column.tolist() for name, column in table.values.items()}
    return values, {k: v.to_pylist() for k, v in table.texts.items()}, report.counts(), table.row_numbers.tolist()


PLAIN = as_read(csv_bytes("ungdomsmottagning", TABLE_ROWS, "utf-8"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_table_with_invisible_characters_in_it_reads_as_without(data: st.DataObject) -> None:
    """Strewn into headers and cells, with hard spaces for plain ones and letters in pieces."""
    raw = csv_bytes("ungdomsmottagning", TABLE_ROWS, "utf-8").decode()
    if data.draw(st.booleans()):
        raw = unicodedata.normalize("NFD", raw)
    raw = raw.replace(" ", data.draw(st.sampled_from([" ", *HARD_SPACES])))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(raw)))
        if not unicodedata.combining(raw[at : at + 1] or " ") and raw[at - 1 : at + 1] != "\r\n":
            raw = raw[:at] + data.draw(st.sampled_from(INVISIBLE)) + raw[at:]
    assert as_read(raw.encode()) == PLAIN


def test_windows_1252_has_the_invisible_and_hard_too() -> None:
    rows = [{**row, "mottagning": "\u00a0" + row["mottagning"].replace(" ", "\u00a0").replace("gd", "g\u00add")}
            for row in TABLE_ROWS]  # fmt: skip
    assert as_read(csv_bytes("ungdomsmottagning", rows, "cp1252")) == PLAIN


def test_identifier_with_invisible_characters_is_the_same_and_found_twice() -> None:
    rows = [base_row("arenden"), base_row("arenden", arende_id="\u200b2018\u00ad-1001\ufeff")]
    report = check(csv_bytes("arenden", rows, "utf-8"))
    assert "ARE-080" in fired(report) and "ARE-002" not in fired(report)


def test_garbled_clinic_is_a_query_that_names_character_row_and_column() -> None:
    report = check(
        csv_bytes("ungdomsmottagning", [base_row("ungdomsmottagning", mottagning="Sk†rholmens UM")]), CLINICS
    )
    found = next(f for f in report.findings() if f.rule == "FIL-069")
    assert report.accepted and (found.row, found.column) == (2, "mottagning")
    assert "”†” (U+2020), troligen ”å”" in found.message


@pytest.mark.parametrize(
    ("dataset", "changes", "said"),
    [
        ("arenden", {"orsak": "v†ld i familjen"}, "fel tecken: ”†” (U+2020), troligen ”å”"),
        ("arenden", {"orsak": "v?rdnadstvist"}, "fel tecken: ”?”"),
        ("arenden", {"arende_id": "2018\u20131001"}, "innehåller ”\u2013” (tankstreck, U+2013)"),
        ("arenden", {"arende_id": "2018\u00a01001"}, "innehåller hårt blanksteg (U+00A0)"),
        ("arenden", {"arende_id": "'001"}, "börjar med en apostrof"),
        ("arenden", {"arende_id": "2018#7"}, "innehåller ”#”"),
        ("arenden", {"arende_id": "1" * 50}, "50 tecken"),
        ("arenden", {"inkom_datum": "2018\u201307\u201302"}, "tankstreck"),
        ("arenden", {"inkom_datum": "7/13/2018"}, "har månaden först"),
        ("arenden", {"inkom_datum": "2/7/18"}, "skriv året med fyra siffror"),
        ("serviceinsatser", {"antal_i_ko": "1\u00a0234"}, "utan tusentalsavgränsare"),
        ("serviceinsatser", {"antal_i_ko": "1.234"}, "kan läsas som tusental eller decimaltal"),
        ("serviceinsatser", {"antal_i_ko": "\u22125"}, "minustecken, U+2212"),
        ("serviceinsatser", {"antal_i_ko": "-"}, "ett streck är inget tal: skriv 0"),
        ("serviceinsatser", {"antal_i_ko": "3\u20135"}, "tankstreck, U+2013"),
        ("arenden", {"kon": '"kvin\nna"'}, "osynligt tecken: radbrytning (U+000A)"),
        ("arenden", {"kon": "kvin\x0bna"}, "osynligt tecken: lodrät tabb (U+000B)"),
        ("arenden", {"kon": "kvin\tna"}, "osynligt tecken: tabb (U+0009)"),
        ("arenden", {"ytterligare_orsaker": '"skolproblem\natik|beteende"'}, "radbrytning (U+000A)"),
        ("arenden", {"arende_id": "2018\x0b7"}, "lodrät tabb (U+000B)"),
        ("arenden", {"personnummer": '"20120704\n9814"'}, "radbrytning (U+000A) i numret"),
        ("serviceinsatser", {"antal_i_ko": '"1\n2"'}, "radbrytning (U+000A)"),
    ],
)
def test_message_of_an_unreadable_cell_names_the_cause(dataset: str, changes: dict[str, str], said: str) -> None:
    name = COUNTS if dataset == "serviceinsatser" else "bromma_arenden_2018Q3.csv"
    report = check(csv_bytes(dataset, [base_row(dataset, **changes)], "utf-8"), name)
    assert said in next(found.message for found in report.findings() if found.severity == "error")


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\x0b", "\t", "\u2028", "\u00a0"])
def test_line_break_between_the_words_of_a_name_or_code_makes_no_other(mark: str) -> None:
    clinic = base_row("ungdomsmottagning", mottagning="Alviks UM")
    rows = [clinic, {**clinic, "mottagning": f'"Alviks{mark}UM"', "kon": "man"}]
    report = check(csv_bytes("ungdomsmottagning", rows, "utf-8"), "bromma_ungdomsmottagning_2018Q3.csv")
    assert fired(report) == set() and report.table is not None
    assert report.table.texts["mottagning"].to_pylist() == ["Alviks UM"]
    assert fired(check(csv_bytes("arenden", [base_row("arenden", orsak=f'"våld i{mark}familjen"')], "utf-8"))) == set()


def test_cause_comes_before_the_list_of_codes_and_codes_with_their_labels() -> None:
    message = messages(csv_bytes("arenden", [base_row("arenden", kon="kvnna")]))
    assert "ingen känd kod (menades kvinna?). Tillåtna värden: kvinna, man, okant (Okänt)" in message


def garbled_header(way: tuple[str, str]) -> bytes:
    """A file of counts whose å, ä and ö were written in one encoding and read in another."""
    written, read = way
    head, rest = csv_bytes("skyddsuppfoljning", [base_row("skyddsuppfoljning")], "utf-8").decode().split("\r\n", 1)
    return (head.encode(written).decode(read) + "\r\n" + rest).encode()


@pytest.mark.parametrize(
    "way", [("utf-8", "cp1252"), ("cp850", "cp1252"), ("mac_roman", "cp1252"), ("cp1252", "cp850"), ("utf-8", "cp850")]
)
def test_garbled_headers_are_one_error_that_names_columns_and_character(way: tuple[str, str]) -> None:
    report = check(garbled_header(way), "bromma_skyddsuppfoljning_2018Q3.csv")
    assert fired(report) == {"FIL-068"} and len(list(report.findings())) == 1
    message = next(report.findings()).message
    assert "2 (B) Antal barnförhör" in message and "troligen ”ö”" in message


@pytest.mark.parametrize("letters", ["utf-8", "cp850"])
def test_garbled_header_of_a_column_that_some_rows_need_is_not_missing_too(letters: str) -> None:
    head, rest = csv_bytes("arenden", [base_row("arenden")], "utf-8").decode().split("\r\n", 1)
    for label in ("Förhandsbedömning klar", "Barnet hörts"):
        head = head.replace(label, label.encode(letters).decode("cp1252"))
    report = check(f"{head}\r\n{rest}".encode())
    assert [found.rule for found in report.findings()] == ["FIL-068"]


def test_lost_letters_in_headers_are_found_by_the_rest() -> None:
    raw = csv_bytes("arenden", [base_row("arenden")]).replace(b"K\xf6n", b"K?n", 1)
    assert fired(check(raw)) == {"FIL-068"} and "Kön" in messages(raw)


@pytest.mark.parametrize("mark", ["\ufeff", "\u00ad", "\u200b", "\u00a0"])
def test_second_mark_or_soft_hyphen_in_a_header_changes_nothing(mark: str) -> None:
    raw = csv_bytes("arenden", [base_row("arenden")], "utf-8-sig").replace("Kön".encode(), f"Kö{mark}n".encode())
    assert fired(check(raw.replace(b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, 1))) == set() if mark != "\u00a0" else True


def test_every_cell_of_a_column_may_be_distinct_and_odd() -> None:
    """Columns of identifiers are not dictionary-encoded: cells are cleaned where they are."""
    rows = [base_row("arenden", arende_id=f"A\u200b-{n}") for n in range(50)]
    out = io.StringIO(newline="")
    columns = load_contracts()["arenden"].columns
    csv.writer(out, delimiter=";").writerows(
        [[c.label_sv for c in columns], *([row.get(c.name, "") for c in columns] for row in rows)]
    )
    report = check(out.getvalue().encode())
    assert report.table is not None
    assert report.table.texts["arende_id"].to_pylist() == [f"A-{n}" for n in range(50)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hägersten-liljeholmen_arenden_2018Q3.csv", "(U+00E4). Döp"),
        (unicodedata.normalize("NFD", "älvsjö_arenden_2018Q3.csv"), "”ä” skrivet som 2 tecken (U+0061 U+0308)"),
        ("älvsjö_arenden.csv", "Stadsdelens kod är alvsjo, skriven utan å, ä och ö"),
        ("skÃ¤rholmen_arenden_2018Q3.csv", "Menades skarholmen_arenden_2018Q3.csv?"),
        ("sk?rholmen_arenden_2018Q3.csv", "Menades skarholmen_arenden_2018Q3.csv?"),
        ("södermalm_ärenden_2018Q3.csv", "Menades sodermalm_arenden_2018Q3.csv?"),
        ("bromma_arenden_2018Q3 (1).csv", "Ta bort det som datorn lagt till sist i namnet"),
        ("bromma_arenden_2018Q3 - kopia.csv", "Ta bort det som datorn lagt till sist i namnet"),
    ],
)
def test_name_of_a_file_with_our_letters_is_answered_with_the_right_code(name: str, said: str) -> None:
    report = check(b"", name)
    assert fired(report) == {"FIL-001"} and said in next(report.findings()).message


def test_name_that_resembles_nothing_gets_no_suggestion() -> None:
    message = next(check(b"", "rapport.csv").findings()).message
    assert message.endswith("farsta_arenden_2018Q3.csv.")
    assert "stadsdelen, datasetet och kvartalet går inte att utläsa" in message


@pytest.mark.parametrize("unit", ["?a", "--?a", "a?", "?1", "{", " {aa", "&a", "Ã", "12?"])
def test_a_million_characters_of_one_cell_are_looked_at_once(unit: str) -> None:
    """A pattern that tries every beginning anew would take hours; the suite's own time limit ends it."""
    text = unit * (1_000_000 // len(unit)) + "}"
    garbled(text)
    garbled(text, has_swedish=False)

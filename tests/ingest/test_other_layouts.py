"""Files of another kind and tables laid out otherwise: the one finding says what it is and what to do."""

from __future__ import annotations

import pytest
from files import base_row, check, csv_bytes, fired
from workbook_files import labels, workbook

from ingest.contracts import load_contracts
from ingest.findings import file_rules
from ingest.rulebook import page

UNG = "bromma_ungdomsmottagning_2018Q3.csv"


def only_message(raw: bytes, name: str = UNG) -> str:
    """The message of the one finding."""
    (finding,) = check(raw, name).findings()
    return finding.message


@pytest.mark.parametrize(
    ("start", "kind", "remedy"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "en PDF", "ur systemet som den kommer från"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "en bild", "ur systemet"),
        (b"PAR1\x15\x04\x81", "en databasfil", "ur systemet"),
        (b"$FL2@(#) SPSS", "statistikprogram", "ur systemet"),
        (b'\xef\xbb\xbf[\n {"Mottagning": "A"}]', "en JSON-fil", "ur systemet"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "komprimerad", "Packa upp"),
        (b"\x1f\x8b\x08\0\0\0", "komprimerad", "Packa upp"),
        (b"{\\rtf1\\ansi", "RTF-dokument", "Kopiera tabellen till Excel"),
        (b"Subject: Statistik\nFrom: a@example.se\n", "e-postmeddelande", "Spara bilagan"),
        (b"<TD>Mottagning</TD>", "webbsida", "Öppna den i Excel"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", "webbsida", "Öppna den i Excel"),
        (b"<rows><x/></rows>", "XML", "Öppna den i Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument\0".encode("utf-16-le"), "Worddokument", "Kopiera"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__substg1.0_1000".encode("utf-16-le"), "e-postm", "Spara bilagan"),
    ],
)
def test_file_of_another_kind_is_named_with_its_remedy(start: bytes, kind: str, remedy: str) -> None:
    said = only_message(start)
    assert said.startswith("Filen är ") and kind in said and remedy in said


def test_old_workbook_with_an_embedded_letter_is_still_a_workbook() -> None:
    raw = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"".join(
        f"{n}\0".encode("utf-16-le") for n in ("Workbook", "WordDocument")
    )
    assert fired(check(raw, UNG)) == {"FIL-024"}  # this one is damaged: only its directory is here


@pytest.mark.parametrize("first", ["Subject: x", "[Mottagning]", "{Mottagning}", "From", "<5"])
def test_odd_first_cell_of_a_csv_makes_it_no_other_kind(first: str) -> None:
    raw = csv_bytes("ungdomsmottagning", [base_row("ungdomsmottagning")])
    assert fired(check(first.encode() + b";" + raw.replace(b"\r\n", b"\r\n;"), UNG)) <= {"FIL-012", "FIL-013"}


@pytest.mark.parametrize("dataset", sorted(load_contracts()))
def test_file_without_headers_is_shown_those_of_the_template(dataset: str) -> None:
    first = "; ".join(str(label) for label in labels(dataset)[:3])
    assert f"till exempel: {first}." in only_message(b"a;b;c\r\n1;2;3\r\n", f"bromma_{dataset}_2018Q3.csv")


def test_headers_of_another_dataset_are_reported_once() -> None:
    raw = csv_bytes("serviceinsatser", [base_row("serviceinsatser")])
    assert "Rubrikerna är de som datasetet serviceinsatser har, men filnamnet anger grupper" in only_message(
        raw, "bromma_grupper_2018Q3.csv"
    )
    assert "datasetet serviceinsatser har" in only_message(raw, "bromma_rutiner_2018Q3.csv")


def test_headers_of_another_dataset_in_a_workbook_that_shares_some() -> None:
    raw = workbook({"Blad1": [labels("serviceinsatser")]})
    assert "datasetet serviceinsatser har" in only_message(raw, "bromma_utbud_2018Q3.xlsx")


def test_table_on_its_side_names_the_column_of_the_headers() -> None:
    raw = workbook({"Blad1": [["", label, "x"] for label in labels("ungdomsmottagning")]})
    assert "på tvären, med rubrikerna i kolumn 2" in only_message(raw, UNG.replace("csv", "xlsx"))


def test_headers_in_two_rows_name_them() -> None:
    raw = "Utdrag;;;\r\nTidpunkt;Antal;;\r\n;barnförhör;hem utan placering;uppföljda samma dygn\r\nhelg;1;1;1\r\n"
    said = only_message(raw.encode(), "bromma_skyddsuppfoljning_2018Q3.csv")
    assert "Rubrikerna verkar stå på två rader, 2 och 3" in said


@pytest.mark.parametrize("header", ["Radetiketter", "Row Labels", "Summa av Besök"])
def test_pivot_table_says_so(header: str) -> None:
    assert "pivottabell" in only_message(f"{header};Flicka\r\nA;3\r\n".encode())


def test_every_rule_about_files_is_shown_with_an_example_on_the_page() -> None:
    for rule in file_rules().values():
        rule.message_sv.format(**rule.example)  # KeyError for a placeholder without example
    said = page()
    assert "{" not in said.partition("## aktiviteter")[0]


def test_second_table_below_is_named_once_and_its_rows_are_not_read() -> None:
    first, second = (csv_bytes(name, [base_row(name)]) for name in ("ungdomsmottagning", "skyddsuppfoljning"))
    padded = b"".join(line + b";" * 7 + b"\r\n" for line in second.splitlines())
    assert "Här börjar en annan tabell, med rubrikerna för skyddsuppfoljning." in only_message(first + padded)

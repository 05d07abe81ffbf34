"""Corpus: files of another kind than their name says, and tables laid out otherwise than one row for each record."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from typing import Any

from cases import Case, cells, headers, refused, row, table, taken, text
from corpus_books import Cell, Change, Shown, book_of, typed, workbook

UNG, RUT = "ungdomsmottagning", "rutiner"


def _archive(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2018, 10, 2, 8, 0, 0)), content)
    return out.getvalue()


def other_kinds() -> Iterator[Case]:
    """Neither CSV nor workbook."""
    page = b"<table><tr><td>Mottagning</td></tr></table>"
    yield refused("other_kinds/part_of_a_web_page.csv", b"<div>" + page + b"</div>", "FIL-026", dataset=UNG)
    yield refused("other_kinds/web_page_after_a_comment.csv", b"<!-- export -->\n" + page, "FIL-026", dataset=UNG)
    yield refused("other_kinds/objects_of_json.csv", b'{"rows": [{"Mottagning": "A"}]}', "FIL-026", dataset=UNG)
    mail = b"From: a@example.se\r\nTo: b@example.se\r\nSubject: Statistik\r\n\r\nHej, filen bifogas.\r\n"
    yield refused("other_kinds/mail.csv", mail, "FIL-026", dataset=UNG)
    yield refused("other_kinds/sql.csv", b"INSERT INTO ung VALUES ('A', 3);\r\n", "FIL-026", dataset=UNG)
    packed = gzip.compress(table(UNG, [row(UNG)]), mtime=0)
    yield refused("other_kinds/packed.csv", packed, "FIL-026", dataset=UNG)
    numbers = _archive({"Index/Document.iwa": b"\0", "Metadata/Properties.plist": b"\0"})
    yield refused("other_kinds/numbers_called_xlsx.xlsx", numbers, "FIL-026", dataset=UNG)
    letter = _archive({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<x/>"})
    yield refused("other_kinds/open_document_of_text.ods", letter, "FIL-026", dataset=UNG)
    yield refused("other_kinds/numbers.csv", numbers, "FIL-001", name="bromma_ungdomsmottagning_2018Q3.numbers")


def layouts() -> Iterator[Case]:
    """The right words in the wrong places."""
    rows = [headers(UNG), cells(UNG, row(UNG)), cells(UNG, row(UNG, mottagning="Mottagningen B"))]
    turned: list[list[Cell]] = [list(column) for column in zip(*rows, strict=True)]
    yield refused("layouts/on_its_side.xlsx", workbook({"Blad1": turned}), "FIL-021", dataset=UNG)
    yield refused(
        "layouts/on_its_side.csv", text([*map(list, zip(*rows, strict=True))]).encode(), "FIL-021", dataset=UNG
    )
    upper = ["Mottagning", "Kön", "Åldersgrupp", "Besök", "Nya", "Digitala", "Väntade", "", "", "", "", "Väntetid"]
    lower = ["", "", "", "", "besökare", "besök", "0-7", "8-14", "15-30", "31-90", "över 90", "summa dagar"]
    yield refused("layouts/headers_in_two_rows.csv", text([upper, lower, *rows[1:]]).encode(), "FIL-021", dataset=UNG)
    two: list[list[Cell]] = [[*upper], [*lower], typed(UNG)]
    yield refused("layouts/headers_in_two_rows.xlsx", workbook({"Blad1": two}), "FIL-021", dataset=UNG)
    pivot: list[list[Cell]] = [
        ["Antal av Besök", "Kolumnetiketter"], ["Radetiketter", "Flicka", "Pojke"], ["Mottagningen A", 40, 20],
    ]  # fmt: skip
    yield refused("layouts/pivot.xlsx", workbook({"Blad1": pivot}), "FIL-021", dataset=UNG)
    ser = table("serviceinsatser", [row("serviceinsatser")])
    yield refused("layouts/headers_partly_of_another_dataset.csv", ser, "FIL-021", dataset="grupper")
    yield refused("layouts/four_empty_sheets.xlsx", workbook({f"Blad{n}": [] for n in range(1, 5)}), "FIL-004")


def other_tables() -> Iterator[Case]:
    """A second table below the first."""
    sky = [headers("skyddsuppfoljning"), cells("skyddsuppfoljning", row("skyddsuppfoljning"))]
    first = [headers(UNG), cells(UNG, row(UNG))]
    padded = [[*record, *[""] * (len(first[0]) - len(record))] for record in sky]
    yield refused("layouts/another_table_below.csv", text([*first, *padded]).encode(), "FIL-065", dataset=UNG)
    below: list[list[Cell]] = [[*first[0]], typed(UNG), [], *[[*record] for record in sky]]
    yield refused("layouts/another_table_below.xlsx", workbook({"Blad1": below}), "FIL-065", dataset=UNG)


def shares() -> Iterator[Case]:
    """Shares where counts are due, as Excel holds them: 100 % is the number 1."""
    for name, cell in (("whole", Shown(1, "0%")), ("half", Shown(0.5, "0.0%")), ("in_quotes", Shown(50, '0"%"'))):
        raw = book_of("skyddsuppfoljning", antal_barnforhor=cell)
        yield refused(f"shares/{name}.xlsx", raw, "SKY-005", dataset="skyddsuppfoljning")


def titles() -> Iterator[Case]:
    """What the sheet says of itself."""
    rows: list[list[Cell]] = [[*headers(UNG)], typed(UNG)]
    yield taken("titles/sheet_of_another_quarter.xlsx", workbook({"Kv 2 2018": rows}), "FIL-088", dataset=UNG)
    yield taken("titles/sheet_of_this_quarter.xlsx", workbook({"Q3 2018 Bromma": rows}), dataset=UNG)
    above: list[list[Cell]] = [["Farsta, april-juni 2018"], *rows]
    yield taken("titles/row_of_another_unit.xlsx", workbook({"Blad1": above}), "FIL-034 FIL-088", dataset=UNG)
    dated: list[list[Cell]] = [["Uttag 2018-10-02 ur VISS"], *rows]
    yield taken("titles/day_of_the_export.xlsx", workbook({"Blad1": dated}), "FIL-034", dataset=UNG)


def signatures() -> Iterator[Case]:
    """Lines below the table that say who reported; in each one finding, and no rule about cells."""
    lines = {
        "vid_pennan": ["Vid pennan: Anna Andersson"],
        "vid_pennan_in_two_cells": ["Vid pennan:", "Anna Andersson"],
        "who_when": ["Uppgifterna lämnade av", "Anna Andersson", "2018-10-02"],
        "place_and_name": ["Bromma den 2 oktober", "", "Anna Andersson"],
        "telephone": ["Kontakt", "anna@example.se", "", "08-508 00 000"],
    }
    for dataset in (UNG, "serviceinsatser", "grupper"):
        rows = [headers(dataset), cells(dataset, row(dataset))]
        for name, line in lines.items():
            below = text([*rows, [""] * len(rows[0]), [*line, *[""] * (len(rows[0]) - len(line))]])
            yield refused(f"signatures/{dataset}_{name}.csv", below.encode(), "FIL-067", dataset=dataset)
    cut = text([headers(UNG), cells(UNG, row(UNG)), ["Uppgiftslämnare", "Anna Andersson"]])
    yield refused("signatures/without_trailing_separators.csv", cut.encode(), "FIL-067", dataset=UNG)
    named: list[list[Cell]] = [[*headers(UNG)], typed(UNG), [], ["Vid pennan:", "Anna Andersson"]]
    yield refused("signatures/vid_pennan.xlsx", workbook({"Blad1": named}), "FIL-067", dataset=UNG)
    clinic = text([headers(UNG), cells(UNG, row(UNG, mottagning="Kontakt Alvik"))])
    yield taken("signatures/clinic_called_kontakt.csv", clinic.encode(), dataset=UNG)


def own_columns() -> Iterator[Case]:
    """Columns that say what the file's name says."""
    for name, header, cell, rules in (
        ("quarter", "Kvartal", "2018Q3", "FIL-012"),
        ("another_quarter", "Kvartal", "2018 kv 2", "FIL-012 FIL-088"),
        ("unit", "Stadsdelsförvaltning", "Bromma", "FIL-012"),
        ("another_unit", "Stadsdel", "Farsta", "FIL-012 FIL-088"),
    ):
        raw = text([[*headers(UNG), header], [*cells(UNG, row(UNG)), cell]]).encode()
        yield taken(f"own_columns/{name}.csv", raw, rules, dataset=UNG)
    residence = [[*headers(UNG), "Hemstadsdel"]]
    residence += [
        [*cells(UNG, row(UNG, mottagning=f"Mottagning {place}")), place] for place in ("Farsta", "Bromma", "Älvsjö")
    ]
    yield taken("own_columns/where_visitors_live.csv", text(residence).encode(), "FIL-012", dataset=UNG)


def _struck(rows: tuple[int, ...], only: int | None = None) -> Change:
    """Strikes out rows (from 0), or one cell of each."""

    def change(book: Any, sheet: Any) -> None:
        style = book.add_format({"font_strikeout": True})
        for place in rows:
            given = typed(UNG, mottagning=f"Mottagningen {place}")
            for column, cell in enumerate(given):
                if cell not in (None, "") and only in (None, column):
                    sheet.write(place, column, cell, style)

    return change


def struck_rows() -> Iterator[Case]:
    """Rows that somebody has struck out in Excel."""
    rows: list[list[Cell]] = [[*headers(UNG)], *(typed(UNG, mottagning=f"Mottagningen {place}") for place in (1, 2, 3))]
    for name, change, rules in (
        ("one_row", _struck((2,)), "FIL-071"),
        ("two_rows", _struck((1, 3)), "FIL-071"),
        ("one_cell", _struck((2,), only=0), ""),
    ):
        yield taken(f"struck/{name}.xlsx", workbook({"Blad1": rows}, change), rules, dataset=UNG)


def spellings() -> Iterator[Case]:
    """One clinic under two names, and two under names that are alike."""
    for name, one, other, rules in (
        ("abbreviated", "Alviks ungdomsmottagning", "Alvik UM", "FIL-072"),
        ("misspelt", "Hässelby ungdomsmottagning", "Hässleby ungdomsmottagning", "FIL-072"),
        ("capitals", "Brommaplans mottagning", "BROMMAPLANS MOTTAGNING", "FIL-072 UNG-019"),
        ("numbered", "Mottagning 1", "Mottagning 2", ""),
        ("lettered", "Mottagningen A", "Mottagningen B", ""),
        ("of_another_part", "Bromma norra UM", "Bromma södra UM", ""),
        ("of_another_place", "Skarpnäcks UM", "Skärholmens UM", ""),
    ):
        rows = [row(UNG, mottagning=one), row(UNG, mottagning=other)]
        made = refused if name == "capitals" else taken
        yield made(f"spellings/{name}.csv", table(UNG, rows), rules, dataset=UNG)


def all_cases() -> Iterator[Case]:
    """Every case of this module."""
    for group in (other_kinds, layouts, other_tables, shares, titles, signatures, own_columns, struck_rows, spellings):
        yield from group()

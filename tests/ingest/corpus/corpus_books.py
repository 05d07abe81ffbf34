"""Corpus: workbooks as districts make them, and files that only look like workbooks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import xlsxwriter
import xlwt
from cases import Case, headers, one, person, refused, row, taken
from msoffcrypto.format.ooxml import OOXMLFile

from ingest.contracts import load_contracts
from ingest.quarters import Quarter


@dataclass(frozen=True)
class Shown:
    """A number in a cell of this number format."""

    value: float
    number_format: str


Cell = str | int | float | bool | date | Shown | None
Change = Callable[[Any, Any], None]
SER = "serviceinsatser"
MADE = datetime(2018, 10, 2, 8, 0)
_MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"


def typed(dataset: str = "arenden", **changes: Cell) -> list[Cell]:
    """A right row as it stands in Excel, dates as dates and numbers as numbers; then some cells changed."""
    given, found = row(dataset), []
    for column in load_contracts(Quarter(2018, 3))[dataset].columns:
        text = given[column.name]
        cell: Cell = text
        if column.type == "date" and text:
            cell = date.fromisoformat(text)
        elif column.type == "integer" and text:
            cell = int(text)
        found.append(changes.get(column.name, cell))
    return found


def at(name: str, dataset: str = "arenden") -> int:
    """A column's place, from 0."""
    return [column.name for column in load_contracts(Quarter(2018, 3))[dataset].columns].index(name)


def workbook(sheets: dict[str, list[list[Cell]]], change: Change | None = None, *, date_1904: bool = False) -> bytes:
    """A workbook of sheets; `change` gets the workbook and its first sheet."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"date_1904": date_1904, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": MADE})
    formats = {
        datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        date: book.add_format({"num_format": "yyyy-mm-dd"}),
    }
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for place, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, date):
                    sheet.write_datetime(place, column, cell, formats[type(cell)])
                elif isinstance(cell, Shown):
                    sheet.write_number(place, column, cell.value, book.add_format({"num_format": cell.number_format}))
                elif cell is not None and cell != "":
                    sheet.write(place, column, cell)
    if change is not None:
        change(book, book.worksheets()[0])
    book.close()
    return out.getvalue()


def book_of(dataset: str = "arenden", change: Change | None = None, **changes: Cell) -> bytes:
    """A workbook of one sheet with the headers and one row."""
    return workbook({"Blad1": [list(headers(dataset)), typed(dataset, **changes)]}, change)


def repacked(raw: bytes, **parts: bytes) -> bytes:
    """The workbook with parts replaced or added; `__` in a name stands for `/`, the ending is .xml unless given."""
    new_parts = {(name.replace("__", "/") + ".xml").replace("_bin.xml", ".bin"): part for name, part in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), new_parts.pop(name, old.read(name)), zipfile.ZIP_DEFLATED, 9)
        for name, part in new_parts.items():
            new.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def archive(compression: int = zipfile.ZIP_DEFLATED, **parts: bytes) -> bytes:
    """An archive of parts, each named with `__` for `/` and `_DOT_` for a full stop."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as new:
        for name, part in parts.items():
            entry = zipfile.ZipInfo(name.replace("__", "/").replace("_DOT_", "."))
            entry.compress_type = compression
            new.writestr(entry, part)
    return out.getvalue()


def never_computed() -> bytes:
    """A workbook whose formula no program has computed: the cell has no value beside it."""
    place = at("hanvisad_till")
    book = book_of(change=lambda _, sheet: sheet.write_formula(1, place, '="sko"&"la"', None, 7))
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml")
    return repacked(book, xl__worksheets__sheet1=sheet.replace(b"</f><v>7</v>", b"</f>"))


def locked() -> bytes:
    """A workbook that a password opens."""
    out = io.BytesIO()
    file = OOXMLFile(io.BytesIO(book_of()))
    file.encrypt("hemligt", out)
    return out.getvalue()


def old_workbook(**changes: Cell) -> bytes:
    """The same in the format before 2007."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Blad1")
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for place, cells in enumerate(([*headers()], typed(**changes))):
        for column, cell in enumerate(cells):
            if isinstance(cell, date):
                sheet.write(place, column, cell, day)
            elif isinstance(cell, Shown):
                sheet.write(place, column, cell.value, xlwt.easyxf(num_format_str=cell.number_format))
            elif cell != "":
                sheet.write(place, column, cell)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def open_document(dataset: str, **changes: Cell) -> bytes:
    """The same as OpenDocument; a text of a cell that begins with `<` is the whole cell."""

    def cell(value: Cell) -> str:
        if isinstance(value, date):
            return f'<table:table-cell office:value-type="date" office:date-value="{value}"/>'
        if isinstance(value, int):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        if isinstance(value, str) and value.startswith("<"):
            return value
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    rows = "".join(
        f"<table:table-row>{''.join(map(cell, cells))}</table:table-row>"
        for cells in (headers(dataset), typed(dataset, **changes))
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="Blad1">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_MIMETYPE}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    parts = {"mimetype": _MIMETYPE, "content_DOT_xml": content, "META-INF__manifest_DOT_xml": manifest}
    return archive(zipfile.ZIP_STORED, **{name: part.encode() for name, part in parts.items()})


def sheets() -> Iterator[Case]:
    """Which sheet and rows are read."""
    head, first = list(headers()), typed()
    other = typed(arende_id="2018-1002", orsak="bostad")

    def merged(*area: int) -> Change:
        return lambda book, sheet: sheet.merge_range(*area, "x")

    for dataset in load_contracts():
        yield taken(f"workbooks/{dataset}.xlsx", book_of(dataset), dataset=dataset)
    yield taken("workbooks/headers_only.xlsx", workbook({"Blad1": [head]}))
    yield taken(
        "workbooks/instructions_on_the_first_sheet.xlsx", workbook({"Läs mig": [["Så här"]], "Data": [head, first]})
    )
    yield taken(
        "workbooks/two_sheets_with_rows.xlsx", workbook({"Juli": [head, first], "Augusti": [head, other]}), "FIL-033"
    )
    yield taken(
        "workbooks/sheet_named_after_the_dataset_last.xlsx",
        workbook({"Gammalt": [head, other], "Ärenden": [head, first]}),
        "FIL-033",
    )
    yield taken("workbooks/empty_copy_of_the_table.xlsx", workbook({"Data": [head, first], "Mall": [head]}))
    yield taken(
        "workbooks/title_above_the_headers.xlsx",
        workbook({"Blad1": [["Ärenden kvartal 3"], [], head, first]}),
        "FIL-034",
    )
    yield taken(
        "workbooks/table_begins_in_the_third_column.xlsx", workbook({"Blad1": [["", "", *head], ["", "", *first]]})
    )
    yield taken("workbooks/blank_rows.xlsx", workbook({"Blad1": [head, first, [], [" "], other]}))
    yield taken(
        "workbooks/hidden_row.xlsx",
        workbook({"Blad1": [head, first, other]}, lambda b, s: s.set_row(2, None, None, {"hidden": True})),
        "FIL-031",
    )
    yield taken(
        "workbooks/hidden_column.xlsx",
        book_of(change=lambda b, s: s.set_column(at("orsak"), at("orsak"), None, None, {"hidden": True})),
        "FIL-032",
    )
    yield taken("workbooks/comments_in_cells.xlsx", book_of(change=lambda b, s: s.write_comment(1, 3, "Kolla detta")))
    yield taken(
        "workbooks/link_to_another_workbook.xlsx",
        book_of(change=lambda b, s: s.write_formula(1, at("hanvisad_till"), "='[Annan.xlsx]Blad1'!A1", None, "skola")),
    )
    yield taken("workbooks/epoch_of_1904.xlsx", workbook({"Blad1": [head, first]}, date_1904=True))
    yield refused("workbooks/no_sheet_with_headers.xlsx", workbook({"A": [["hej"]], "B": []}), "FIL-021")
    yield refused("workbooks/empty_sheet.xlsx", workbook({"Blad1": []}), "FIL-004")
    yield refused("workbooks/merged_headers.xlsx", book_of(change=merged(0, 5, 0, 6)), "FIL-030")
    yield refused(
        "workbooks/merged_rows.xlsx", workbook({"Blad1": [head, first, other]}, merged(1, 0, 2, 0)), "FIL-030"
    )
    yield refused("workbooks/totals_row.xlsx", workbook({"Blad1": [head, first, ["Summa"]]}), "FIL-014")
    yield refused(
        "workbooks/600_columns.xlsx", workbook({"Blad1": [["Ärende-ID", *(f"k{n}" for n in range(600))]]}), "FIL-022"
    )
    yield refused(
        "workbooks/near_miss_of_a_header.xlsx",
        workbook({"Blad1": [["Orsk" if h == "Orsak" else h for h in head], first]}),
        "FIL-010 FIL-012",
    )


def cells_of_books() -> Iterator[Case]:
    """What single cells hold."""
    number = int(person("20100315", 980).replace("-", ""))
    lost = int(person("20050505", 982).replace("-", "")[2:])

    def formula(text: str, value: str) -> bytes:
        return book_of(change=lambda book, sheet: sheet.write_formula(1, at("hanvisad_till"), text, None, value))

    yield taken("workbooks/number_of_a_person_as_a_number.xlsx", book_of(personnummer=number))
    yield taken("workbooks/ten_digits_as_a_number.xlsx", book_of(personnummer=number % 10**10))
    yield refused("workbooks/number_of_a_person_that_lost_its_nought.xlsx", book_of(personnummer=lost), "FIL-038")
    yield refused(
        "workbooks/number_of_a_person_in_an_unknown_column.xlsx",
        workbook({"Blad1": [[*headers(), "Notering"], [*typed(), number]]}),
        "FIL-012 FIL-015",
    )
    yield taken("workbooks/date_as_text.xlsx", book_of(inkom_datum="2/7/2018"))
    yield taken("workbooks/date_as_a_plain_number.xlsx", book_of(inkom_datum=20180702))
    yield taken("workbooks/date_with_a_time_of_day.xlsx", book_of(inkom_datum=datetime(2018, 7, 2, 14, 30)), "FIL-036")
    yield refused("workbooks/serial_number_for_a_date.xlsx", book_of(inkom_datum=43283), "ARE-021")
    yield refused("workbooks/date_with_the_month_first.xlsx", book_of(inkom_datum="7/13/2018"), "ARE-021")
    yield refused(
        "workbooks/age_band_that_became_a_date.xlsx",
        book_of(SER, aldersgrupp=date(2018, 12, 6)),
        "FIL-035",
        dataset=SER,
    )
    yield refused("workbooks/fraction_for_a_count.xlsx", book_of(SER, antal_i_ko=2.5), "SER-027", dataset=SER)
    yield refused("workbooks/true_for_ja.xlsx", book_of(barnet_horts=True), "ARE-062")
    yield taken("workbooks/formula_with_its_value.xlsx", formula('="sko"&"la"', "skola"))
    yield refused("workbooks/formula_that_failed.xlsx", formula("=NA()", "#N/A"), "FIL-028")
    yield refused("workbooks/formula_never_computed.xlsx", never_computed(), "FIL-029")
    yield refused(
        "workbooks/formula_as_text.xlsx",
        book_of(change=lambda b, s: s.write_string(1, at("hanvisad_till"), "=cmd|'/c calc'!A0")),
        "ARE-048",
    )


def shown_numbers() -> Iterator[Case]:
    """Numbers whose format says what the value is: zeros in front, or General by another name."""
    reserve: dict[str, Cell] = {"personnummer": "", "id_typ": "reservnummer", "fodelsear": 2010}
    plain = '<table:table-cell office:value-type="float" office:value="123"><text:p>000123</text:p></table:table-cell>'
    for name, cell in (
        ("zeros", Shown(123, "000000")), ("zeros_and_a_hyphen", Shown(20181001, "0000-0000")),
        ("letter_before", Shown(123, '"A"0000')), ("more_digits_than_zeros", Shown(2018123, "000")),
    ):  # fmt: skip
        yield taken(f"workbooks/number_shown_with_{name}.xlsx", book_of(lopnummer=cell, **reserve))
    yield taken("workbooks/number_shown_with_zeros.xls", old_workbook(lopnummer=Shown(123, "000000"), **reserve))
    yield taken("workbooks/number_shown_with_zeros.ods", open_document("arenden", lopnummer=plain, **reserve))
    yield refused("workbooks/number_shown_in_groups.xlsx", book_of(arende_id=Shown(12345, "000 00")), "ARE-002")
    first = int(person("20050505", 982).replace("-", "")[2:])
    yield taken("workbooks/number_of_a_person_by_its_format.xlsx", book_of(personnummer=Shown(first, "000000-0000")))
    for name, code in (("german", "Standard"), ("swedish", "Allmänt"), ("dutch", "[$-413]Standaard;@")):
        yield taken(f"workbooks/general_in_{name}.xlsx", book_of(SER, antal_samtal=Shown(40, code)), dataset=SER)
    yield taken("workbooks/general_in_german.xls", old_workbook(arende_id=Shown(20181001, "Standard")))
    yield refused("workbooks/identifier_of_sixteen_digits.xlsx", book_of(arende_id=2018000000001234), "FIL-038")
    yield refused("workbooks/identifier_with_decimals.xlsx", book_of(arende_id="17.0"), "FIL-059")
    yield refused("workbooks/identifier_that_became_a_month.xlsx", book_of(arende_id=date(2018, 1, 1)), "FIL-035")


def odd_characters() -> Iterator[Case]:
    """Line ends and control characters inside cells, in columns that are read and one that isn't."""
    text = "Råd\rstöd\r\nsamtal\x0bgrupp\u2028barn"
    beside = {"Blad1": [[*headers(), "Egen"], [*typed(), text]]}
    yield taken("workbooks/carriage_return_in_a_cell.xlsx", book_of("utbud", innehall=text), dataset="utbud")
    yield taken("workbooks/carriage_return_in_a_cell.ods", open_document("utbud", innehall=text), dataset="utbud")
    yield taken("workbooks/carriage_return_in_an_unknown_column.xlsx", workbook(beside), "FIL-012")
    yield refused("workbooks/nul_in_a_cell.xlsx", book_of("utbud", innehall="Råd\0stöd"), "FIL-061", dataset="utbud")
    yield refused("workbooks/number_too_large_for_a_time.xlsx", book_of(arende_id=Shown(1e300, "[h]:mm")), "FIL-062")


def moments() -> Iterator[Case]:
    """Days with a time of day that says which day is meant."""
    for name, moment, rule in (
        ("midnight_in_utc_in_summer", datetime(2018, 7, 1, 22), "FIL-056"),
        ("seconds_before_midnight", datetime(2018, 7, 1, 23, 59, 17), "FIL-057"),
        ("end_of_the_day", datetime(2018, 7, 2, 23, 59, 59), "FIL-057"),
        ("an_hour_before_midnight_in_summer", datetime(2018, 7, 1, 23), "FIL-036"),
    ):
        yield taken(f"workbooks/{name}.xlsx", book_of(inkom_datum=moment), rule)
    yield taken("workbooks/a_computation_s_midnight.xlsx", book_of(inkom_datum=Shown(43282.9999999999, "yyyy-mm-dd")))
    yield refused("workbooks/nought_for_a_date.xlsx", book_of(utredning_slut=Shown(0, "yyyy-mm-dd")), "FIL-058")
    yield taken("workbooks/midnight_in_utc_as_text.xlsx", book_of(inkom_datum="2018-07-01T22:00:00Z"), "FIL-056")


def wrappings() -> Iterator[Case]:
    """Old, other, locked, damaged and hostile files."""
    good = book_of()
    bomb = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>' + b" " * (
        70 << 20
    )
    laughs = (
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>'
    )
    yield taken("workbooks/old_format.xls", old_workbook())
    yield taken("workbooks/open_document.ods", open_document("arenden"))
    yield taken("workbooks/open_document_of_counts.ods", open_document(SER), dataset=SER)
    yield taken(
        "workbooks/macros_that_lie_unread.xlsm", repacked(good, xl__vbaProject_bin=b"\xd0\xcf\x11\xe0 Sub Auto_Open")
    )
    yield taken("workbooks/csv_called_xlsx.xlsx", one(), "FIL-037")
    yield taken("workbooks/xlsx_called_csv.csv", good, "FIL-037")
    yield refused("workbooks/locked_with_a_password.xlsx", locked(), "FIL-025")
    yield refused("workbooks/web_page_called_xls.xls", b"<html><body><table><tr><td>Orsak</td></tr></table>", "FIL-026")
    yield refused("workbooks/cut_off.xlsx", good[: len(good) * 2 // 3], "FIL-024")
    yield refused(
        "workbooks/text_document.xlsx",
        archive(word__document_DOT_xml=b"<w:document/>", _content_types_=b"<Types/>"),
        "FIL-026",
    )
    yield refused("workbooks/archive_of_a_csv.xlsx", archive(bromma_arenden_DOT_csv=one()), "FIL-026")
    yield refused(
        "workbooks/sheet_that_is_no_xml.xlsx", repacked(good, xl__worksheets__sheet1=b"\x00\x01\x02 <<<<"), "FIL-024"
    )
    yield refused("workbooks/entities_within_entities.xlsx", repacked(good, xl__sharedStrings=laughs), "FIL-024")
    yield refused(
        "workbooks/part_that_swells_a_thousandfold.xlsx", repacked(good, xl__worksheets__sheet1=bomb), "FIL-027"
    )


def all_cases() -> Iterator[Case]:
    """Every case of this module."""
    for group in (sheets, cells_of_books, shown_numbers, odd_characters, moments, wrappings):
        yield from group()

"""Workbooks made to fill memory, to take forever, or to be read otherwise than Excel shows them."""

from __future__ import annotations

import io
import re
import struct
import zipfile

import pytest
from files import base_row, check, fired
from workbook_files import book_of, labels, repacked, typed, workbook

NAME = "bromma_arenden_2018Q3.xlsx"
GOOD = book_of("arenden", [base_row("arenden")])
with zipfile.ZipFile(io.BytesIO(GOOD)) as _zip:
    SHEET = _zip.read("xl/worksheets/sheet1.xml")


def sheet(old: bytes, new: bytes) -> bytes:
    assert old in SHEET
    return repacked(GOOD, sheet1=SHEET.replace(old, new, 1))


def strings(old: bytes, new: bytes) -> bytes:
    return repacked(GOOD, strings=lambda content: content.replace(old, new, 1))


def appended(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as book:
        for name, content in entries:
            book.writestr(name, content)
    return out.getvalue()


def with_flag(raw: bytes, flag: int) -> bytes:
    changed = bytearray(raw)
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        for found in re.finditer(re.escape(mark), raw):
            changed[found.start() + offset] |= flag
    return bytes(changed)


def lying() -> bytes:
    """A sheet of 60 MB that says it is 1000 bytes."""
    padded = sheet(b"<sheetData>", b" " * (60 << 20) + b"<sheetData>")
    real = struct.pack("<I", len(SHEET) + (60 << 20))
    assert real in padded
    return padded.replace(real, struct.pack("<I", 1000))


def flipped() -> bytes:
    """One bit of the sheet's bytes is other than what its checksum says."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as book:
        entry = book.getinfo("xl/worksheets/sheet1.xml")
    place = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    return GOOD[:place] + bytes([GOOD[place] ^ 4]) + GOOD[place + 1 :]


def far(reference: bytes) -> bytes:
    row = re.sub(rb"[A-Z]+", b"", reference)
    cell = b'<row r="%s"><c r="%s"><v>1</v></c></row></sheetData>' % (row, reference)
    return sheet(b"</sheetData>", cell)


def _overstated(content: bytes) -> bytes:
    return re.sub(rb'Count="\d+"', b'Count="4294967295"', content)


BILLION_LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><sst'
)
MANY_SHEETS = b"<sheets>" + b"".join(b'<sheet name="s%d" sheetId="%d" r:id="rId1"/>' % (n, n) for n in range(1, 999))


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        pytest.param(GOOD[: len(GOOD) // 2], "FIL-024", id="cut off"),
        pytest.param(GOOD[:-10], "FIL-024", id="end cut off"),
        pytest.param(flipped(), "FIL-024", id="wrong checksum"),
        pytest.param(lying(), "FIL-024", id="lies about its size"),
        pytest.param(repacked(GOOD, sheet1=None), "FIL-021", id="sheet missing"),
        pytest.param(repacked(GOOD, relations=None), "FIL-024", id="relations missing"),
        pytest.param(repacked(GOOD, workbook=b""), "FIL-024", id="workbook empty"),
        pytest.param(
            repacked(GOOD, workbook=lambda w: w.replace(b"UTF-8", b"UTF-9")), "FIL-024", id="no such encoding"
        ),
        pytest.param(repacked(GOOD, strings=None), "FIL-024", id="strings missing"),
        pytest.param(strings(b"<sst", BILLION_LAUGHS), "FIL-024", id="billion laughs"),
        pytest.param(repacked(GOOD, sheet1=SHEET.decode().encode("utf-16")), "FIL-024", id="sheet in UTF-16"),
        pytest.param(sheet(b"</sheetData>", b" " * (200 << 20) + b"</sheetData>"), "FIL-027", id="bomb"),
        pytest.param(
            strings(b"</sst>", b"<si><t>" + b"x" * (200 << 20) + b"</t></si></sst>"), "FIL-027", id="giant string"
        ),
        pytest.param(strings(b"<t>", b"<t>" + b"x" * (2 << 20)), "FIL-023", id="long cell among the headers"),
        pytest.param(far(b"NaNAB2"), "FIL-027", id="cell in a column that can't be"),
        pytest.param(far(b"XFD2"), "FIL-027", id="cell far right"),
        pytest.param(far(b"XFD1048576"), "FIL-027", id="cell far right and down"),
        pytest.param(far(b"A4000000000"), "FIL-027", id="row beyond Excel's"),
        pytest.param(sheet(b"</sheetData>", b"<c " * 2_000_000), "FIL-024", id="tags never closed"),
        pytest.param(appended(*[(f"a{n}", b"") for n in range(5_100)]), "FIL-027", id="very many entries"),
        pytest.param(
            repacked(GOOD, workbook=lambda w: w.replace(b"<sheets>", MANY_SHEETS)), "FIL-027", id="very many sheets"
        ),
        pytest.param(with_flag(GOOD, 1), "FIL-025", id="encrypted entries"),
        pytest.param(repacked(GOOD, strings=_overstated), "FIL-027", id="claims four billion strings"),
    ],
)
def test_hostile_workbook_is_refused_with_its_reason(raw: bytes, rule: str) -> None:
    report = check(raw, NAME)
    assert fired(report) == {rule} and not report.accepted


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_sheet_that_is_twice_in_the_archive_is_refused() -> None:
    assert fired(check(appended(("xl/worksheets/sheet1.xml", SHEET)), NAME)) == {"FIL-024"}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(sheet(b'<dimension ref="', b'<dimension ref="A1:XFD1048576" x="'), id="claims a million rows"),
        pytest.param(appended(("../../../tmp/followup-escaped", b"x"), ("/tmp/followup-absolute", b"x")), id="paths"),
        pytest.param(
            appended(("xl/externalLinks/externalLink1.xml", b"<x/>"), ("inner.zip", GOOD)), id="links, nested zip"
        ),
        pytest.param(sheet(b"<sheetData>", b"<x>" * 500_000 + b"<sheetData>"), id="deep nesting"),
        pytest.param(b"PK" + b"\0" * 50 + GOOD, id="bytes before the archive"),
    ],
)
def test_odd_but_harmless_workbook_is_read(raw: bytes) -> None:
    report = check(raw, NAME)
    assert report.accepted and report.rows == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("word/document.xml", "Worddokument"), ("a.csv", "zip-arkiv"), ("xl/workbook.bin", "binärt format")],
)
def test_other_archives_are_named_by_their_kind(name: str, kind: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"x")
    report = check(out.getvalue(), "bromma_arenden_2018Q3.csv")
    assert fired(report) == {"FIL-026"} and kind in next(report.findings()).message


def test_sheet_that_uses_millions_of_empty_cells_is_refused_or_read_but_never_kills() -> None:
    """A single cell at the bottom of column ZZ: calamine would lay out 700 million cells."""
    assert fired(check(far(b"ZZ1048576"), NAME)) == {"FIL-027"}


def test_broken_reference_on_a_sheet_that_is_only_looked_at_is_refused_at_once() -> None:
    two = workbook({"A": [["x"]], "B": [labels("arenden"), typed("arenden", base_row("arenden"))]})
    report = check(repacked(two, sheet1=lambda content: content.replace(b'r="A1"', b'r="NaNAB1"')), NAME)
    assert fired(report) == {"FIL-027"}

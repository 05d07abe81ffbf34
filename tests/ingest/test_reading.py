"""Files as they are: encodings, separators, headers, records. The verdict and the row are what a district would see."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from files import base_row, check, csv_bytes, fired
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.characters import visible
from ingest.contracts import load_contracts
from ingest.findings import Unreadable
from ingest.reading.tables import read_table

CONTRACT = load_contracts()["arenden"]
ROW = base_row("arenden")
TWO = csv_bytes("arenden", [ROW, base_row("arenden", arende_id="2018-1002", orsak="bostad", insats="")])


def rows_of(report: object, rule: str) -> list[int | None]:
    return [f.row for f in report.findings() if f.rule == rule]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_dialects_read_alike(encoding: str, separator: str) -> None:
    report = check(csv_bytes("arenden", [ROW], encoding, separator))
    assert report.accepted and report.rows == 1 and fired(report) == set()


def test_line_ends_may_be_lf_and_the_last_may_lack_one() -> None:
    raw = csv_bytes("arenden", [ROW]).replace(b"\r\n", b"\n").rstrip(b"\n")
    assert check(raw).rows == 1


def test_blank_lines_and_empty_records_are_ignored_but_counted_in_row_numbers() -> None:
    lines = csv_bytes("arenden", [ROW, {**ROW, "arende_id": "x y"}]).split(b"\r\n")
    lines.insert(2, b"")
    lines.insert(3, b";" * (len(CONTRACT.columns) - 1))
    report = check(b"\r\n".join(lines))
    assert report.rows == 2
    assert rows_of(report, "ARE-002") == [5]


def test_quoted_line_break_is_one_row() -> None:
    raw = csv_bytes("arenden", [{**ROW, "hanvisad_till": '"skola\r\n"'}, {**ROW, "arende_id": "x y"}])
    report = check(raw)
    assert report.rows == 2
    assert rows_of(report, "ARE-002") == [3]


def test_trailing_empty_columns_are_ignored() -> None:
    lines = csv_bytes("arenden", [ROW]).split(b"\r\n")
    report = check(b"\r\n".join(line + b";;" if line else line for line in lines))
    assert report.accepted and fired(report) == set()


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "FIL-004"),
        (b"\xef\xbb\xbf\r\n", "FIL-004"),
        (TWO.replace(b"familjen", "familjén på".encode()) + "å".encode("cp1252"), "FIL-007"),
        (TWO[:-2] + b"\x81\r\n", "FIL-006"),
        (TWO.decode("cp1252").encode("utf-16"), "FIL-008"),
        (TWO + b"\0", "FIL-008"),
        (b"PK\x03\x04" + b"x" * 50, "FIL-024"),
        (TWO[:-2] + b';"oavslutad\r\n', "FIL-009"),
        (b"hej;hopp\r\n1;2\r\n", "FIL-021"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(raw: bytes, rule: str) -> None:
    report = check(raw)
    assert not report.accepted
    assert rule in fired(report)


def test_mixed_encodings_name_the_first_line_that_differs() -> None:
    head, first, second, _ = TWO.split(b"\r\n")
    mixed = b"\r\n".join([head, first, second.decode("cp1252").encode("utf-8") + "å".encode(), b""])
    assert "rad 3" in next(check(mixed).findings()).message


def test_short_and_long_rows_are_errors_with_their_number() -> None:
    head, first, second, _ = TWO.split(b"\r\n")
    cut = b";".join(second.split(b";")[:6])
    report = check(b"\r\n".join([head, first + b";mer", cut, b""]))
    assert rows_of(report, "FIL-013") == [2, 3]
    assert not report.accepted
    assert "raden slutar före Inkom datum, som ska vara ifylld" in [f.message for f in report.findings()][1]


@pytest.mark.parametrize("word", ["Summa", "TOTALT", "Summa:"])
def test_totals_row_has_its_own_message(word: str) -> None:
    raw = csv_bytes("arenden", [ROW, {"arende_id": word}])
    report = check(raw)
    assert rows_of(report, "FIL-014") == [3]
    assert fired(report) == {"FIL-014"}


def test_header_spellings_fold() -> None:
    raw = TWO.replace("Kön".encode("cp1252"), b" K\xd6N ").replace(b"Inkom datum", b"inkom-datum")
    assert check(raw).name.findings == () and "FIL-010" not in fired(check(raw))


def test_missing_required_column_is_an_error_that_names_it_and_hints() -> None:
    report = check(TWO.replace(b"Orsak;", b"Orsk;", 1))
    messages = [f.message for f in report.findings() if f.rule == "FIL-010"]
    assert len(messages) == 1 and "Orsak" in messages[0] and "kolumn 12" in messages[0]
    assert not report.accepted


def test_optional_column_may_be_left_out() -> None:
    names = [c.label_sv for c in CONTRACT.columns]
    at = names.index("Hänvisad till")
    lines = [line.split(b";") for line in csv_bytes("arenden", [ROW]).split(b"\r\n") if line]
    raw = b"\r\n".join(b";".join(cells[:at] + cells[at + 1 :]) for cells in lines)
    assert check(raw).accepted


def test_unknown_column_is_a_query_each() -> None:
    lines = csv_bytes("arenden", [ROW]).split(b"\r\n")
    report = check(b"\r\n".join([lines[0] + b";Kommentar;Notering", lines[1] + b";;ring", b""]))
    assert report.accepted
    assert [c.row_count for c in report.counts() if c.rule == "FIL-012"] == [2]


def test_two_headers_that_fold_alike_are_an_error() -> None:
    lines = csv_bytes("arenden", [ROW]).split(b"\r\n")
    report = check(b"\r\n".join([lines[0] + b";KON", lines[1] + b";man", b""]))
    assert "FIL-011" in fired(report) and not report.accepted


def test_headers_only_is_zero_rows_accepted() -> None:
    report = check(csv_bytes("arenden", []))
    assert report.accepted and report.rows == 0


TEXT = st.text(st.characters(codec="cp1252", exclude_characters="\x00\r\x1a"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=8),
    st.sampled_from([";", ",", "\t"]),
    st.sampled_from(["cp1252", "utf-8", "utf-8-sig"]),
    st.sampled_from(["\r\n", "\n"]),
)
def test_any_table_reads_back_the_same(
    rows: list[tuple[str, str, str]], separator: str, encoding: str, end: str
) -> None:
    """What csv writes, the reader gives back cell by cell, in whatever dialect; blank records aside."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerow(["Orsak", "Insats", "Område"])
    writer.writerows(rows)
    raw = out.getvalue().encode(encoding)
    try:
        table = read_table(raw, CONTRACT)
    except Unreadable as refused:
        # Windows-1252 text can by chance hold bytes that read as UTF-8 letters: refused then, never guessed.
        assert refused.finding.rule == "FIL-007" and encoding == "cp1252"
        return
    stored = [(i, r) for i, r in enumerate(rows, start=2) if any(cell.strip() for cell in r)]
    left_out = {f.row for f in table.findings if f.rule in ("FIL-014", "FIL-065", "FIL-066", "FIL-067")}
    stored = [(i, r) for i, r in stored if i not in left_out and any(map(visible, r))]
    if encoding == "cp1252" and table.encoding == "utf-8" and not raw.isascii():
        try:
            raw.decode("utf-8")
            return  # bytes that are right in both encodings: UTF-8 is taken
        except UnicodeDecodeError:
            pass
    read = [
        tuple((table.columns[name][i].as_py() or b"").decode(table.encoding) for name in ("orsak", "insats", "omrade"))
        for i in range(table.rows)
    ]
    assert [tuple(map(visible, r)) for r in read] == [tuple(map(visible, r)) for _, r in stored]
    assert np.array_equal(table.row_numbers, [i for i, _ in stored])


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda b: TWO[: len(b) * 7] + b + TWO[40:])))
def test_any_bytes_give_a_verdict(raw: bytes) -> None:
    report = check(raw)
    assert isinstance(report.accepted, bool)
    for found in report.findings():
        assert found.message

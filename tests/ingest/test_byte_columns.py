"""Patterns find the same in few cells as in many: few are searched by `re`, many by pyarrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ingest.persons import number_cells, number_search
from ingest.reading import byte_columns, cleaning, harmful_characters, totals

PATTERNS = [
    number_cells._SPELLED,
    number_cells._LIKELY,
    number_cells._LIKELY_IDENTIFIER,
    number_cells._EIGHT_DIGITS,
    number_cells._NINE_DIGITS,
    totals._MAYBE,
    totals._MAYBE_FIGURES,
    cleaning._PLAIN,
    cleaning._MAYBE_GARBLED,
    harmful_characters._BYTES,
    r"^[^!-~]*$",
    r"\d[T ]+\d{1,2}[:.]\d\d",
    r"^\s*\d([.,]\d+)?[Ee]\+",
    r"\d[.,]0+\s*$",
]
CELLS = [
    None, b"", b" ", b"\xc2\xa0", b"Summa Bromma", b"SUMMA", b"s : a", "Övrigt båda".encode(), "båda".encode("cp1252"),
    b"20100315-9801", b"100315 9801", b"15/3 2010-9801", b"2018-06-293807", b"2018-123456", b"01031 5980", b"1,0\n",
    b"2,01003159801E+11", b"2018-09-03 23:00", b"2018-09-03T22.00", b"17.0", b"17,00 ", b"a\x00b", b"a\xc2\x85b",
    b"\xef\xbf\xbe", b"x=1", b"caf\xe9", b"%31", b"&#49;", b"sista fyra 9801", b"1 2 3 4 5 6 7 8", "\u03a3".encode(),
    b"medel",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_few_cells_are_searched_as_many_are(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = pa.array(CELLS, pa.binary())
    few = byte_columns.matching(cells, pattern)
    monkeypatch.setattr(byte_columns, "_FEW", 0)
    many = byte_columns.matching(cells, pattern)
    assert np.array_equal(few, many)
    assert not few[0]


def test_a_short_text_is_passed_over_only_where_it_can_hold_no_number() -> None:
    assert not number_search.reads_as_number("Ärendets datum 1")
    assert number_search.reads_as_number("1/3 10 9803") == number_search.reads_as_number("1/3 10 9803 ")
    assert number_search.reads_as_number("&#50;0100315-9801")
    assert number_search.reads_as_number("".join(chr(0xFF10 + int(digit)) for digit in "201003159801"))


@pytest.mark.parametrize("pattern", [totals._MAYBE, totals._MAYBE_FIGURES, number_cells._SPELLED])
def test_words_are_sought_where_there_may_be_one(pattern: str) -> None:
    """Each byte alone beside digits: where the cells count as without letters, no pattern of words may match."""
    for byte in range(256):
        cells = pa.array([b"2018-1002 1e+9"[:9] + bytes([byte]) + b"49;x"[:2]], pa.binary())
        assert not (byte_columns.is_without_letters(cells) and byte_columns.matching(cells, pattern).any()), byte
    assert byte_columns.is_without_letters(pa.array([b"2018-1002", b"20 100,5/3", None], pa.binary()))
    assert not byte_columns.is_without_letters(pa.array([b"2018-1002", b"Summa"], pa.binary()))

"""Workbooks made so that a pattern would look at the same bytes again and again.

Each content below has two million bytes. A pattern that is not linear takes hours on it, so that a test which ends at
all has seen that it is; nothing is timed.
"""

from __future__ import annotations

import pytest

from ingest.workbooks import ods, xlsx
from ingest.workbooks.number_formats import template
from ingest.workbooks.refusals import Refused

SIZE = 2_000_000


def filled(unit: bytes) -> bytes:
    return unit * (SIZE // len(unit))


def test_a_formula_whose_value_is_white_space_is_looked_at_once() -> None:
    sheet = b'<c r="A2"><f>B2</f><v>' + b" " * SIZE + b"x</v></c>"
    assert list(xlsx.formulas_without_value(sheet, never_calculated=False)) == []
    empty = b'<c r="A2"><f>B2</f><v>' + b" " * SIZE + b"</v></c>"
    assert list(xlsx.formulas_without_value(empty, never_calculated=False)) == [2]


@pytest.mark.parametrize(
    "unit",
    [b"<xf \"'", b"<xf a=\"' <xf b='\" ", b"<xf a=\">\" <xf b='>'", b'<numFmt formatCode="', b"<numFmt formatCode='\""],
)
def test_styles_whose_quotes_do_not_end_are_looked_at_once(unit: bytes) -> None:
    styles = b"<numFmts>" + filled(unit) + b"</numFmts><cellXfs>" + filled(unit) + b"</cellXfs>"
    assert xlsx.without_false_dates(styles) == styles
    assert xlsx.templates(styles) == {}


@pytest.mark.parametrize(
    "unit", [b"<c t = ", b"<c s = ", b"<c r='A1' t ", b"<row r ", b"<row ht=", b"<row hidden = ", b" s"]
)
def test_a_sheet_of_tags_that_do_not_end_is_looked_at_once(unit: bytes) -> None:
    shown = template("000000")
    assert shown is not None
    for sheet in (filled(unit), b"<c" + filled(unit), b"<row" + filled(unit) + b'<f>"e" hidden'):
        assert len(xlsx.errors_as_text(sheet + b'"e"')) >= len(sheet)
        assert xlsx.padded_as_text(sheet, {1: shown}) == sheet
        assert list(xlsx.formulas_without_value(sheet + b"<f", never_calculated=True)) == []
        assert not xlsx.hidden_rows(sheet)
        assert not xlsx.has_far_columns(sheet)


def test_a_cell_is_not_compared_with_thousands_of_styles_one_by_one() -> None:
    shown = template("000000")
    assert shown is not None
    sheet = b'<c r="A1" s="59999"><v>123</v></c>' * 100_000
    found = xlsx.padded_as_text(sheet, dict.fromkeys(range(10_000, 60_000), shown))
    assert found.count(b"<v>000123</v>") == 100_000


def test_a_cell_with_many_texts_is_looked_at_once() -> None:
    cell = b"<table:table-cell " + filled(b'office:string-value="x" ') + b'"error">'
    assert ods.errors_as_text(cell) == cell


def test_tables_within_one_another_are_taken_apart_once() -> None:
    begin, end = b'<table:table table:name="a">', b"</table:table>"
    with pytest.raises(Refused):
        ods.tables(filled(begin))
    assert sum(map(len, ods.tables(filled(begin) + end))) <= 2 * SIZE
    with pytest.raises(Refused):
        ods.tables(filled(begin + end))
    assert len(ods.tables((begin + end + b"<table:table/>") * 3)) == 6

"""Tables in long form: what is read, what is refused, what comes of it."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publish.suppression.auditing import audit
from publish.suppression.longform import BadCells, LongTable, read_cells
from publish.suppression.protecting import Requirement, protect
from publish.suppression.tabulating import linked_of, tabulate, write_cells

GOOD = "row,column,count\nA,x,18\nA,y,2\nB,x,14\nB,y,19\n"


def read(folder: Path, text: str | bytes, *, suppressed: bool = False, **trees: str) -> LongTable:
    """Read a table of rows and columns; `row="child,parent\\n…"` gives a dimension a hierarchy."""
    path = folder / "cells.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    files: dict[str, list[Path]] = {"row": [], "column": []}
    for name, tree in trees.items():
        for number, one in enumerate(tree.split("---\n")):
            file = folder / f"{name}{number}.csv"
            file.write_text(one, encoding="utf-8")
            files[name].append(file)
    return read_cells(path, files, needs_suppressed=suppressed)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        ("\ufeff" + GOOD).encode(),
        'row , column ,"count"\n\n' + GOOD.split("\n", 1)[1],
    ],
    ids=["commas", "semicolons", "tabs", "CRLF", "BOM", "blanks"],
)
def test_read_cells_reads(tmp_path: Path, text: str | bytes) -> None:
    table = read(tmp_path, text)
    assert [(row.codes, row.count) for row in table.rows] == [
        (("A", "x"), 18), (("A", "y"), 2), (("B", "x"), 14), (("B", "y"), 19),
    ]  # fmt: skip
    assert [(d.total, d.leaves) for d in table.dimensions] == [("alla", ("A", "B")), ("alla", ("x", "y"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n  \n", "the file is empty"),
        ("row,column,count\n", "no rows"),
        ("row,count\nA,1\n", "no column column"),
        ("row,column\nA,x\n", "no column count"),
        ("row,column,sex,count\nA,x,f,1\n", "column sex is no dimension"),
        ("row,column,column,count\nA,x,y,1\n", "two columns are named column"),
        (GOOD + "A,x,3\n", "line 6: the cell row A, column x stood in line 2 already"),
        (GOOD + "C,x,-3\n", "line 6: the count is not a whole number"),
        (GOOD + "C,x,2.5\n", "line 6: the count is not a whole number"),
        (GOOD + 'C,x,"2,5"\n', "line 6: the count is not a whole number"),
        (GOOD + "C,x,٣\n", "line 6: the count is not a whole number"),
        (GOOD + "C,x,\n", "line 6: no count"),
        (GOOD + ",x,3\n", "line 6: no code for row"),
        (GOOD + "C,x\n", "line 6: 2 values, the header has 3 columns"),
        (GOOD + 'C,"x,3\n', "not readable as CSV"),
        (GOOD.encode("utf-16"), "not UTF-8"),
        (GOOD.replace("A", "Å").encode("cp1252"), "not UTF-8"),
        (b"PK\x03\x04\x00\x00", "not a text file"),
    ],
)
def test_read_cells_refuses(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(BadCells, match=message):
        read(tmp_path, text)


def test_read_cells_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadCells, match=r"none\.csv: can't be read"):
        read_cells(tmp_path / "none.csv", {"row": []}, needs_suppressed=False)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("child,parent\nA,P\n", "row B is in no hierarchy"),
        ("child,parent\nA,P\nP,Q\nQ,A\n", "goes in a circle"),
        ("child,parent\nA,P\nA,Q\n", "A is part of P already"),
        ("child,above\nA,P\n", "no column parent"),
        ("child,parent\nA,\n", "child or parent is empty"),
        ("child,parent\n", "no rows"),
        ("child,parent\nA,A\n", "goes in a circle"),
    ],
)
def test_read_cells_refuses_a_hierarchy(tmp_path: Path, tree: str, message: str) -> None:
    with pytest.raises(BadCells, match=message):
        read(tmp_path, GOOD, row=tree)


def test_read_cells_takes_a_root_that_holds_everything_as_the_total(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD, row="child,parent\nA,P\nB,P\nP,city\nC,city\n")
    (row, _) = table.dimensions
    assert (row.total, row.leaves, row.sums) == ("city", ("A", "B"), ("P", "city"))


def test_read_cells_takes_alla_as_the_total_where_the_table_has_it(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD + "P,x,32\nalla,x,32\n", row="child,parent\nA,P\nB,P\n")
    (row, _) = table.dimensions
    assert (row.total, row.sums) == ("alla", ("P", "alla"))
    cells = dict(zip((t := tabulate(table, missing_is_zero=True)).cells, t.counts.tolist(), strict=True))
    assert cells["P", "alla"] == cells["alla", "alla"] == 53


def test_read_cells_adds_a_total_over_several_roots_and_to_a_tree_of_a_part(tmp_path: Path) -> None:
    text = GOOD + "C,x,7\nC,y,8\n"
    (row, _) = read(tmp_path, text, row="child,parent\nA,P\nB,P\nC,Q\n---\nchild,parent\nB,M\nC,M\n").dimensions
    assert (row.total, row.sums) == ("alla", ("M", "P", "Q", "alla"))
    assert row.trees == (
        {"A": "P", "B": "P", "C": "Q", "P": "alla", "Q": "alla"},
        {"B": "M", "C": "M", "A": "alla", "M": "alla"},
    )


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("child,parent\nA,P\nB,P\n---\nchild,parent\nA,P\nC,P\n", "P holds something else"),
        ("child,parent\nA,P\nC,P\nQ,P\n---\nchild,parent\nB,Q\nP,Q\n", "part of itself"),
    ],
)
def test_read_cells_refuses_hierarchies_that_contradict_each_other(tmp_path: Path, tree: str, message: str) -> None:
    with pytest.raises(BadCells, match=message):
        read(tmp_path, GOOD + "C,x,7\n", row=tree)


def test_read_cells_takes_a_tree_over_the_sums_of_another(tmp_path: Path) -> None:
    trees = "child,parent\nA,P\nB,P\nP,alla\nC,alla\nD,alla\n---\nchild,parent\nP,R\nC,R\n"
    (row, _) = read(tmp_path, GOOD + "C,x,7\nD,x,7\n", row=trees).dimensions
    assert row.trees[1] == {"P": "R", "C": "R", "R": "alla", "D": "alla"}
    assert row.held("R") == {"A", "B", "C"}


def test_tabulate_computes_margins_and_counts_missing_combinations_as_zero(tmp_path: Path) -> None:
    table = read(tmp_path, "row,column,count\nA,x,18\nB,y,19\n")
    cells = dict(zip((t := tabulate(table, missing_is_zero=True)).cells, t.counts.tolist(), strict=True))
    assert cells[("A", "y")] == 0
    assert cells[("alla", "x")] == 18
    assert cells[("alla", "alla")] == 37


def test_tabulate_names_the_margin_that_disagrees(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD + "alla,x,33\n")
    with pytest.raises(BadCells, match="line 6: row alla, column x is given as 33, its parts add up to 32"):
        tabulate(table, missing_is_zero=True)


def test_public_holds_only_rows_and_margins_of_known_counts(tmp_path: Path) -> None:
    text = "row,column,count,suppressed\nA,x,,ja\nA,y,2,1\nB,x,14,nej\nB,y,19,false\nalla,x,30,0\n"
    tabulated = tabulate(read(tmp_path, text, suppressed=True), missing_is_zero=False)
    marked = np.array([row is not None and tabulated.table.rows[row].is_suppressed for row in tabulated.row_of])
    rows = tabulated.public(marked).rows
    seen = {(r, c): None if n is None else int(n) for r, c, n in rows.astype(object).where(rows.notna(), None).values}
    # The margins of A and of everything can't be computed: readers don't have them either.
    assert seen == {
        ("A", "x"): None, ("A", "y"): None, ("B", "x"): 14, ("B", "y"): 19,
        ("B", "alla"): 33, ("alla", "x"): 30, ("alla", "y"): 21,
    }  # fmt: skip


def test_write_cells_leaves_hidden_counts_empty_and_reads_back(tmp_path: Path) -> None:
    tabulated = tabulate(read(tmp_path, GOOD.replace(",", ";")), missing_is_zero=True)
    hidden = np.array([codes == ("A", "y") for codes in tabulated.cells])
    write_cells(tmp_path / "out.csv", tabulated, hidden)
    again = read_cells(tmp_path / "out.csv", {"row": [], "column": []}, needs_suppressed=True)
    assert len(again.rows) == 9
    assert [row.codes for row in again.rows if row.count is None] == [("A", "y")]
    assert [path.name for path in tmp_path.glob(".*")] == []


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_read_cells_reads_or_refuses_whatever_comes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("cells")
    try:
        read(folder, b"row,column,count\n" + content)
    except BadCells as error:
        assert str(error).startswith("cells.csv")


TREE = "child,parent\nr0,P\nr1,P\nr2,Q\nr3,Q\n"
SECOND = "child,parent\nr1,M\nr2,M\n"


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 30) | st.integers(0, 4), min_size=12, max_size=12),
    trees=st.sampled_from([{}, {"row": TREE}, {"row": TREE + "---\n" + SECOND}]),
    is_exact=st.booleans(),
)
def test_what_is_protected_passes_the_audit(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], trees: dict[str, str], is_exact: bool
) -> None:
    folder = tmp_path_factory.mktemp("cells")
    lines = [f"r{i},c{j},{n}" for (i, j), n in zip(product(range(4), range(3)), counts, strict=True)]
    tabulated = tabulate(read(folder, "\n".join(["row,column,count", *lines]), **trees), missing_is_zero=True)
    system = linked_of(tabulated, 5, np.zeros(len(tabulated.cells), dtype=np.bool_))
    protection = protect(system, Requirement(optimum_seconds=0.3 if is_exact else 0))
    assert protection.is_solved
    assert protection.suppressed[system.primary].all()
    protected = [tabulated.cell(tabulated.cells[at]) for at in np.flatnonzero(system.primary)]
    for attacker in ("plain", "strong"):
        found = audit(
            [tabulated.public(protection.suppressed)], tabulated.hierarchies, tabulated.totals,
            attacker=attacker, protected=protected, full=True,
        )  # fmt: skip
        assert found.failures == ()
        assert len(found.bounds) == protection.suppressed.sum()


def test_csv_of_the_long_form_is_what_spreadsheets_write(tmp_path: Path) -> None:
    path = tmp_path / "from a spreadsheet.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL).writerows([["kön", "count"], ["kvinna; flicka", "7"]])
    table = read_cells(path, {"kön": []}, needs_suppressed=False)
    assert table.rows[0].codes == ("kvinna; flicka",)

"""Tables that are not laid out with one header for each column and one row for each record, and how to mend them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from ingest.folding import fold

LOOKED_AT = 20
"""Rows from the top."""
_COMPARED = 200
_PIVOT = ("radetiketter", "kolumnetiketter", "row_labels", "column_labels")
_PIVOT_STARTS = ("summa_av_", "antal_av_", "medelvarde_av_", "sum_of_", "count_of_", "average_of_")
_FEWEST = 3
"""Headers that must be recognised when a table is taken as laid out otherwise."""


def other_layout(rows: Sequence[Sequence[str]], known: Collection[str]) -> str:
    """Words on a table laid out otherwise, after a space: a pivot table, headers in two rows, or a table on its side.

    Args:
        rows: cells of the first rows, each with its place in Excel; blank rows too.
        known: folded headers of the dataset.

    Returns:
        What is odd and what to do; empty where nothing is. Nothing of the file but row and column numbers.
    """
    folded = [[fold(cell[:_COMPARED]) for cell in row] for row in rows[:LOOKED_AT]]
    by_row = max((len(set(row) & set(known)) for row in folded), default=0)
    on_their_side = [len(set(column) & set(known)) for column in _columns(folded)]
    if max(on_their_side, default=0) >= max(_FEWEST, by_row + 1):
        at = on_their_side.index(max(on_their_side)) + 1
        return (
            f" Tabellen verkar stå på tvären, med rubrikerna i kolumn {at}: vänd den"
            " (Kopiera, Klistra in special, Transponera) så att varje rubrik får en kolumn."
        )
    for number, (upper, lower) in enumerate(pairwise(rows[:LOOKED_AT]), start=1):
        if len(_joined(upper, lower) & set(known)) >= max(_FEWEST, by_row + 1):
            return (
                f" Rubrikerna verkar stå på två rader, {number} och {number + 1}: skriv hela rubriken i en cell för"
                " varje kolumn, på samma rad."
            )
    if by_row < 2 and any(_is_of_a_pivot(cell) for row in folded for cell in row):
        return (
            " Det verkar vara en pivottabell: lämna tabellen som den är gjord av, med en kolumn för varje rubrik"
            " i mallen."
        )
    return ""


def _is_of_a_pivot(folded: str) -> bool:
    return folded in _PIVOT or folded.startswith(_PIVOT_STARTS)


def _columns(rows: list[list[str]]) -> Iterator[list[str]]:
    for position in range(max(map(len, rows), default=0)):
        yield [row[position] for row in rows if position < len(row)]


def _joined(upper: Sequence[str], lower: Sequence[str]) -> set[str]:
    """Folded headers of two rows taken as one; a cell of the upper row is for the empty ones to its right too."""
    found, above = set(), ""
    for position in range(max(len(upper), len(lower))):
        own = upper[position].strip() if position < len(upper) else ""
        below = lower[position].strip() if position < len(lower) else ""
        above = own or above
        found |= {fold(f"{above} {below}"[:_COMPARED])} if below else {fold(own[:_COMPARED])}
    return found

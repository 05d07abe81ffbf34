"""From a table in long form to what protecting and auditing take, and back."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from publish.suppression.auditing import Cell, PublicTable, cell_of
from publish.suppression.linked import Linked
from publish.suppression.longform import BadCells, Dimension, LongTable
from publish.suppression.protecting import SMALL_CELLS

MOST_CELLS = 500_000
LARGE_VALUE = 150
"""Counts from here on are hidden only where there is no solution without (in tables too large for the optimum)."""


@dataclass(frozen=True)
class Tabulated:
    """All combinations of the dimensions' codes, margins included, in the order of `Dimension.codes`."""

    table: LongTable
    cells: list[tuple[str, ...]]
    counts: NDArray[np.float64]
    """True counts; not a number where they can't be known from the rows."""
    row_of: list[int | None]
    """Which row of the table a cell is, if any."""

    @property
    def totals(self) -> dict[str, str]:
        """By dimension the total's code."""
        return {d.name: d.total for d in self.table.dimensions}

    @property
    def hierarchies(self) -> dict[str, list[dict[str, str]]]:
        """By dimension its trees."""
        return {d.name: [dict(tree) for tree in d.trees] for d in self.table.dimensions}

    def cell(self, codes: tuple[str, ...]) -> Cell:
        """A cell's public identity."""
        return cell_of(dict(zip(self.totals, codes, strict=True)), self.totals)

    def public(self, suppressed: NDArray[np.bool_]) -> PublicTable:
        """The table as readers see it: rows of the file, and margins that can be computed from all true counts.

        A combination that is neither is unknown to readers.
        """
        is_public = np.array([row is not None for row in self.row_of]) | ~np.isnan(self.counts)
        at = np.flatnonzero(is_public)
        rows = pd.DataFrame([self.cells[i] for i in at], columns=list(self.totals))
        rows["count"] = pd.array(np.where(suppressed, np.nan, self.counts)[at], dtype="Float64")
        return PublicTable("the table", tuple(self.totals), rows)


def tabulate(table: LongTable, *, missing_is_zero: bool) -> Tabulated:
    """Work out all cells of a table.

    Args:
        table: its rows.
        missing_is_zero: a combination of leaves without a row counts 0; otherwise it is unknown.

    Raises:
        BadCells: a given margin isn't the sum of its parts, or there are too many combinations.
    """
    dimensions = table.dimensions
    size = prod(len(d.codes) for d in dimensions)
    if size > MOST_CELLS:
        raise BadCells(f"{size} combinations of codes, more than {MOST_CELLS}: protect the table in parts")
    numbers = [{code: at for at, code in enumerate(d.codes)} for d in dimensions]
    shape = tuple(len(d.leaves) for d in dimensions)
    inner = np.full(shape, 0.0 if missing_is_zero else np.nan)
    rows = {row.codes: number for number, row in enumerate(table.rows)}
    for row in table.rows:
        at = tuple(number[code] for number, code in zip(numbers, row.codes, strict=True))
        if all(i < size for i, size in zip(at, shape, strict=True)):
            inner[at] = np.nan if row.count is None else row.count
    full = inner
    for axis, dimension in enumerate(dimensions):
        held = [[at for at, leaf in enumerate(dimension.leaves) if leaf in dimension.held(s)] for s in dimension.sums]
        sums = [np.take(full, group, axis=axis).sum(axis=axis, keepdims=True) for group in held]
        full = np.concatenate([full, *sums], axis=axis)
    counts = full.ravel()
    cells = list(product(*(d.codes for d in dimensions)))
    row_of = [rows.get(codes) for codes in cells]
    for position, known in enumerate(row_of):
        given = None if known is None else table.rows[known]
        if given is None or given.count is None:
            continue
        if np.isnan(counts[position]):
            counts[position] = given.count
        elif counts[position] != given.count:
            raise BadCells(
                f"line {given.line}: {table.named(given.codes)} is given as {given.count}, "
                f"its parts add up to {counts[position]:.0f}"
            )
    return Tabulated(table, cells, counts, row_of)


def linked_of(tabulated: Tabulated, threshold: int, hidden: NDArray[np.bool_]) -> Linked:
    """The linked system of a table whose counts are all known; counts from 1 to below the threshold are primary."""
    values = tabulated.counts.astype(np.int64)
    preferred = np.zeros(len(values), dtype=np.bool_)
    if len(values) > SMALL_CELLS:
        preferred = values >= LARGE_VALUE
        preferred[-1] = True
    primary = (values > 0) & (values < threshold)
    rows: list[int] = []
    columns: list[int] = []
    data: list[int] = []
    for number, relation in enumerate(_relations(tabulated.table.dimensions)):
        rows += [number] * len(relation)
        columns += relation
        data += [-1] + [1] * (len(relation) - 1)
    shape = (rows[-1] + 1, len(values))
    relations = coo_matrix((np.array(data, dtype=np.int64), (rows, columns)), shape=shape).tocsr()
    return Linked(values, relations, primary, hidden, preferred & ~primary)


def _relations(dimensions: tuple[Dimension, ...]) -> Iterator[list[int]]:
    """Whole and parts, as positions among all combinations."""
    shape = tuple(len(d.codes) for d in dimensions)
    positions = np.arange(prod(shape)).reshape(shape)
    for axis, dimension in enumerate(dimensions):
        number = {code: at for at, code in enumerate(dimension.codes)}
        seen: set[tuple[int, ...]] = set()
        for tree in dimension.trees:
            for whole in dimension.sums:
                group = (number[whole], *(number[child] for child, parent in tree.items() if parent == whole))
                if len(group) > 1 and group not in seen:
                    seen.add(group)
                    yield from np.moveaxis(positions.take(group, axis), axis, -1).reshape(-1, len(group)).tolist()


def write_cells(path: Path, tabulated: Tabulated, suppressed: NDArray[np.bool_]) -> None:
    """Write all cells; a hidden one without its count. The file is put in place whole."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=tabulated.table.delimiter, lineterminator="\n")
            writer.writerow([*tabulated.totals, "count", "suppressed"])
            for codes, count, hidden in zip(tabulated.cells, tabulated.counts, suppressed, strict=True):
                writer.writerow([*codes, "" if hidden else int(count), "true" if hidden else "false"])
        new.replace(path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # a write that failed does not say where
        raise
    finally:
        new.unlink(missing_ok=True)

"""What adds up to what among cells, told by their keys alone.

A cell's key is `measure|geography|period|codes`; codes are `column=code`, joined by commas in the order of their
dimensions, at most one per dimension. Units add up to the city and to merged units, quarters to years, codes to the
outer code or the total; a part and the rest of it make the whole. The same function serves the cells of today and those
of earlier releases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from publish.tables import Tables

CITY = "stockholm"
TODAY = "today:"
COLUMNS = ["key", "measure", "geography", "period", "codes", "value", "is_internal", "is_protecting"]
"""Of a frame of cells. `is_internal`: a complement, or left out: not published itself; `is_protecting`: false where it
needs no protection."""


@dataclass
class Nesting:
    """What lies in what: units in merged units, codes in outer codes (empty: directly in the total)."""

    tables: Tables
    merged: dict[str, str]
    """District code → `today:` node."""
    outer: dict[str, str] = field(default_factory=dict)
    """`column=code` → `column=code` of the outer level, or empty."""

    def sums(self, cells: pd.DataFrame) -> list[tuple[int, ...]]:
        """Every sum over the cells: the number of the whole, then of its parts, ascending. Cells without complements.

        Where a whole and some of its parts are cells, the parts that are none are taken to be 0: a whole goes out only
        with all its parts.
        """
        at = dict(zip(cells["key"], range(len(cells)), strict=True))
        found: dict[tuple[int, ...], None] = {}
        for parents in self._parents(cells):
            for whole, parts in _grouped(parents, at):
                found[whole, *parts] = None
        return list(found)

    def _parents(self, cells: pd.DataFrame) -> Iterator[pd.Series]:
        """For each way of adding up, the key that each cell is a part of; empty where it is none."""
        measure, geography, period, codes = (cells[c] for c in ("measure", "geography", "period", "codes"))
        is_unit = (geography != CITY) & ~geography.str.startswith(TODAY)
        yield (measure + "|" + CITY + "|" + period + "|" + codes).where(is_unit, "")
        unit = geography.map(lambda code: self.merged.get(code, ""))
        yield (measure + "|" + unit + "|" + period + "|" + codes).where(is_unit & (unit != ""), "")
        year = measure + "|" + geography + "|" + period.str[:4] + "|" + codes
        yield year.where(period.str.len() > 4, "")
        upward = {text: self._upward(text) for text in codes.unique()}
        for dimension in sorted({name for found in upward.values() for name in found}):
            above = codes.map(lambda text: upward[text].get(dimension))  # noqa: B023 (used at once)
            is_told = above.notna()
            yield (measure + "|" + geography + "|" + period + "|" + above.fillna("")).where(is_told, "")

    def _upward(self, codes: str) -> dict[str, str]:
        """Dimension → the codes with that dimension one level up."""
        if not codes:
            return {}
        parts = codes.split(",")
        found = {}
        for number, part in enumerate(parts):
            outer = self.outer.get(part, "")
            above = [*parts[:number], *([outer] if outer else []), *parts[number + 1 :]]
            found[self.tables.dimension_of(part.split("=")[0])] = ",".join(above)
        return found

    def complements(self, cells: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, int, int]]]:
        """A cell for the rest of each whole without its part, where both are cells.

        Returns:
            The complements, numbered on from the cells; and (whole, part, rest) for each.

        Raises:
            ValueError: a part counts more than its whole; the message names the cell.
        """
        made, triples = [], []
        first = len(cells)
        place = cells["key"].str.split("|", n=1).str[1]
        numbers = np.arange(len(cells))
        for one in self.tables.parts:
            is_whole, is_part = (cells["measure"] == one.whole).to_numpy(), (cells["measure"] == one.part).to_numpy()
            both = pd.merge(
                pd.DataFrame({"place": place[is_whole].to_numpy(), "whole": numbers[is_whole]}),
                pd.DataFrame({"place": place[is_part].to_numpy(), "part": numbers[is_part]}),
                on="place",
            )
            values = cells["value"].to_numpy()
            rest = values[both["whole"]] - values[both["part"]]
            if (rest < 0).any():
                where = both["place"].iloc[int(np.argmin(rest))]
                raise ValueError(f"{one.part} counts more than {one.whole}, which it is part of, in {where}")
            name = f"{one.whole}−{one.part}"
            about = cells.iloc[both["whole"]][["geography", "period", "codes"]].reset_index(drop=True)
            is_told = ~cells["is_internal"].to_numpy(dtype=bool)
            made.append(
                about.assign(
                    key=name + "|" + both["place"],
                    measure=name,
                    value=rest,
                    is_internal=True,
                    is_protecting=one.protects & is_told[both["whole"]] & is_told[both["part"]],
                )[COLUMNS]
            )
            triples += [
                (int(w), int(p), first + n) for n, (w, p) in enumerate(zip(both["whole"], both["part"], strict=True))
            ]
            first += len(about)
        return (pd.concat(made, ignore_index=True) if made else cells.iloc[:0][COLUMNS]), triples


def _grouped(parents: pd.Series, at: dict[str, int]) -> Iterator[tuple[int, list[int]]]:
    """Each parent that is a cell, with its parts, ascending."""
    known = parents.reset_index(drop=True)
    known = known[known != ""].map(at).dropna().astype(np.int64)
    order = known.to_numpy().argsort(kind="stable")
    whole, parts = known.to_numpy()[order], known.index.to_numpy(dtype=np.int64)[order]
    for group in np.split(np.arange(len(whole)), np.flatnonzero(np.diff(whole)) + 1):
        if len(group):
            yield int(whole[group[0]]), parts[group].tolist()


def columns_of_codes(codes: str, tables: Tables) -> frozenset[str]:
    """The columns that aren't `alla` in the rows of a cell with these codes."""
    return frozenset(column for code in codes.split(",") if code for column in tables.columns_of(code.split("=")[0]))


def as_matrix(relations: list[tuple[int, ...]], cells: int) -> csr_matrix:
    """Relations, each the number of the whole and then of its parts, as a matrix of −1 and +1."""
    lengths = np.array([len(one) for one in relations], dtype=np.int64)
    columns = np.array([number for one in relations for number in one], dtype=np.int64)
    data = np.ones(len(columns), dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    data[starts[:-1]] = -1
    return csr_matrix((data, columns, starts), shape=(len(relations), cells))


def wrong_sum(cells: pd.DataFrame, relations: list[tuple[int, ...]]) -> str | None:
    """The first sum that the true values don't satisfy, by its keys; None when all are right."""
    values: NDArray[np.int64] = cells["value"].to_numpy(dtype=np.int64)
    wrong = np.flatnonzero(as_matrix(relations, len(cells)) @ values)
    if not len(wrong):
        return None
    whole, *parts = relations[int(wrong[0])]
    keys = cells["key"]
    listed = " + ".join(keys.iloc[parts[:3]]) + (" + …" if len(parts) > 3 else "")
    return f"{len(wrong)} sums don't add up, the first is {keys.iloc[whole]} = {listed}"

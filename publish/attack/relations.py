"""Every relation between the true counts behind published figures that readers can derive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from publish.attack.cells import Cells, Rows
from publish.attack.figures import (
    QUARTER,
    Codes,
    Declared,
    Figures,
    Flags,
    Floats,
    quarter_before,
    quarters_of,
)
from publish.attack.likelihood import Deviation

KINDS = ("sum", "city", "division", "period", "part", "distinct", "flow", "draw")


@dataclass(frozen=True)
class System:
    """Cells, and relations `lower ≤ matrix @ true ≤ upper` between their true counts."""

    cells: Cells
    matrix: csr_matrix
    lower: Floats
    upper: Floats
    kind: NDArray[np.int8]
    """Of each relation, its place in KINDS."""

    @cached_property
    def by_cell(self) -> csr_matrix:
        """The matrix turned: which relations a cell is in."""
        return self.matrix.T.tocsr()

    @cached_property
    def covered(self) -> Flags:
        """Cells published as 0 that are part of a published 0: whatever was drawn for them, they are published so."""
        entries, is_zero = self.matrix.tocoo(), self.cells.published == 0
        kind, members = self.kind[entries.row], np.diff(self.matrix.indptr)[entries.row]
        known = ~np.isin(kind, [KINDS.index(name) for name in ("flow", "draw")])
        # a sum is parts less their whole, an inequality of two the whole less its part
        is_pair = (members == 2) & np.isinf(self.upper[entries.row])
        is_whole = np.where(is_pair, entries.data > 0, entries.data < 0) & known
        under = np.zeros(self.matrix.shape[0], dtype=np.bool_)
        under[entries.row[is_whole & is_zero[entries.col]]] = True
        found = np.zeros(len(is_zero), dtype=np.bool_)
        found[entries.col[~is_whole & known & under[entries.row]]] = True
        found &= is_zero
        return found

    @cached_property
    def equalities(self) -> System:
        """Without what is only an inequality."""
        return self._of(self.lower == self.upper)

    def without(self, cells: Flags) -> System:
        """Without the relations of some cells."""
        return self._of(abs(self.matrix) @ cells.astype(float) == 0)

    def _of(self, relations: Flags) -> System:
        rows = np.flatnonzero(relations)
        return System(self.cells, self.matrix[rows], self.lower[rows], self.upper[rows], self.kind[rows])

    def near(self, cells: Rows, most: int) -> Rows:
        """At most so many relations around some cells, nearest first."""
        seen = np.zeros(self.matrix.shape[0], dtype=np.bool_)
        reached = np.zeros(self.matrix.shape[1], dtype=np.bool_)
        found: list[Rows] = []
        frontier, left = np.asarray(cells, dtype=np.intp), most
        while len(frontier) and left > 0:
            reached[frontier] = True
            relations = np.unique(self.by_cell[frontier].indices)
            relations = relations[~seen[relations]][:left]
            seen[relations] = True
            found.append(relations)
            left -= len(relations)
            members = np.unique(self.matrix[relations].indices)
            frontier = members[~reached[members]]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.intp)


def relations_of(figures: Figures, declared: Declared, deviation: Deviation, *, all_units: bool = True) -> System:
    """All relations between the true counts of the figures, and of those that readers know to have been left out.

    A relation is derived when at least one figure and the relation's other members are published, are known to be
    published as 0, or can be in it as an unknown count. `all_units` is false where the figures are of some units
    only, so that the city is not their sum.
    """
    known: dict[str, set[str]] = {"unit": set().union(*declared.units.values())}
    for columns in declared.codes.values():
        for column, codes in columns.items():
            known.setdefault(column, set()).update(codes)
    builder = _Builder(figures.knowing(known), declared, deviation)
    for dimension in figures.dimensions:
        builder.sum_over(dimension)
    if all_units:
        builder.sum_over_units()
    builder.sum_over_predecessors()
    builder.sum_over_quarters()
    for whole, part in declared.parts:
        builder.contain(whole, part, "part")
    for cases, persons in declared.distinct:
        builder.contain(cases, persons, "distinct")
    builder.balance_stocks()
    builder.equate_draws()
    return builder.system()


class _Builder:
    def __init__(self, figures: Figures, declared: Declared, deviation: Deviation) -> None:
        self.figures, self.declared = figures, declared
        self.cells = Cells(figures, declared, deviation)
        self.column = {name: index for index, name in enumerate(figures.columns)}
        self.given = self.cells.codes  # what is only known to be 0 begins after these
        self.entries: list[tuple[Rows, Rows, Floats]] = []
        self.bounds: list[tuple[Floats, Floats, NDArray[np.int8]]] = []
        self.count = 0
        self._known_by_column: dict[str, Codes] = {}
        self.additive = ~np.isin(self._of("measure"), self._codes("measure", [p for _, p in declared.distinct]))

    def _of(self, column: str) -> Codes:
        codes: Codes = self.given[:, self.column[column]]
        return codes

    def _codes(self, column: str, names: list[str]) -> list[int]:
        return [code for code in (self.figures.code(column, name) for name in names) if code >= 0]

    def system(self) -> System:
        rows, columns, values = (
            np.concatenate(parts) if parts else np.zeros(0)
            for parts in (zip(*self.entries, strict=True) if self.entries else ((), (), ()))
        )
        matrix = coo_matrix((values, (rows.astype(np.intp), columns.astype(np.intp))), (self.count, len(self.cells)))
        bounds = list(zip(*self.bounds, strict=True)) if self.bounds else [(), (), ()]
        lower, upper, kind = (np.concatenate(parts) if parts else np.zeros(0) for parts in bounds)
        return System(self.cells, matrix.tocsr(), lower, upper, kind.astype(np.int8))

    def _add(
        self, kind: str, rows: Rows, cells: Rows, values: Floats, count: int, upper: float, lower: float = 0.0
    ) -> None:
        """So many relations from `lower` to `upper`; rows are numbered from 0."""
        self.entries.append((rows + self.count, cells, values))
        self.bounds.append(
            (np.full(count, lower), np.full(count, upper), np.full(count, KINDS.index(kind), dtype=np.int8))
        )
        self.count += count

    def _sums(self, kind: str, wholes: Rows, group: Rows, parts: Rows, adds: NDArray[np.bool_]) -> None:
        """`wholes[group]` is the sum of `parts`; where it does not add up, at most the sum and at least each part."""
        for is_sum in (True, False):
            chosen = np.flatnonzero(adds == is_sum)
            if not len(chosen):
                continue
            number = np.cumsum(adds == is_sum) - 1
            members = np.flatnonzero((adds == is_sum)[group])
            rows, cells = number[group[members]], parts[members]
            both = np.concatenate([rows, np.arange(len(chosen))]), np.concatenate([cells, wholes[chosen]])
            values = np.concatenate([np.ones(len(rows)), -np.ones(len(chosen))])
            self._add(kind, *both, values, len(chosen), 0.0 if is_sum else np.inf)
            if not is_sum:
                self._at_most(kind, cells, wholes[chosen][rows])

    def _at_most(self, kind: str, parts: Rows, wholes: Rows) -> None:
        """Each part is at most its whole."""
        count = len(parts)
        rows = np.tile(np.arange(count), 2)
        values = np.concatenate([np.ones(count), -np.ones(count)])
        self._add(kind, rows, np.concatenate([wholes, parts]), values, count, np.inf)

    def _grouped(
        self, kind: str, rows: Rows, column: str, to: Codes, strata: list[str], also: list[str] | None = None
    ) -> None:
        """The given cells of `rows` add up over a column to the cell that has `to` there (and the total in `also`).

        Which other codes there are is learnt from all figures, within equal codes of `strata`, and from what readers
        know beside them.
        """
        if not len(rows):
            return
        place = self.column[column]
        changed = self.given[rows].copy()
        changed[:, place] = to
        for name in also or []:
            changed[:, self.column[name]] = 0
        keys = self.cells.keys_of(changed)
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        wholes = changed[first]
        stratum = self._stratum(self.given[rows], strata)
        codes = self.given[rows, place]
        width = len(self.figures.names[place])
        strata_found, stratum_of = np.unique(stratum, return_inverse=True)
        possible = np.zeros((len(strata_found), width), dtype=np.bool_)
        possible[stratum_of, codes] = True
        for among, others in self._known(column, strata, rows):
            possible[np.unique(stratum_of[among])[:, None], others] = True
        present = np.zeros((len(first), width), dtype=np.bool_)
        present[group, codes] = True
        lacking_of, lacking = np.nonzero(possible[stratum_of[first]] & ~present)
        absent = self.given[rows[first]][lacking_of]
        absent[:, place] = lacking
        for name in also or []:
            absent[:, self.column[name]] = self._outer(column, name)[lacking]
        whole_cells = self.cells.find_or_add(wholes)
        parts = np.concatenate([rows, self.cells.find_or_add(absent)])
        self._sums(kind, whole_cells, np.concatenate([group, lacking_of]), parts, self.additive[rows[first]])

    def _outer(self, column: str, outer: str) -> Codes:
        """By code of a nested dimension, the code of the one that it is nested in."""
        found: Codes = np.zeros(len(self.figures.names[self.column[column]]), dtype=np.int16)
        known = self._known_codes(column)
        found[known[:, 1]] = known[:, 2]
        found[self._of(column)] = self._of(outer)
        return found

    def _known(
        self, column: str, strata: list[str], rows: Rows
    ) -> Iterator[tuple[NDArray[np.bool_], Codes | list[int]]]:
        """Codes that readers know beside the figures, each with those of the rows that it can stand beside."""
        if column == "unit":
            for period, units in self._units_known().items():
                yield self._of("period")[rows] == period, self._codes("unit", sorted(units))
            return
        known, outer = self._known_codes(column), self.declared.parents.get(column)
        for measure in np.unique(known[:, 0]):
            of_measure, codes = self._of("measure")[rows] == measure, known[known[:, 0] == measure]
            if outer is None or outer not in strata:
                yield of_measure, codes[:, 1]
                continue
            for around in np.unique(codes[:, 2]):
                yield of_measure & (self._of(outer)[rows] == around), codes[codes[:, 2] == around, 1]

    def _units_known(self) -> dict[int, set[str]]:
        """By code of a period the units that reported in it; a year has those of each of its quarters.

        A unit of half a year has no complete year: no figure of that year shows it, yet it is part of the sums.
        """
        periods = self.figures.names[self.column["period"]]
        of = self.declared.units
        within = {
            code: {period, *(quarters_of(period) if ":" in period else ())} for code, period in enumerate(periods)
        }
        found = {code: {unit for name in names for unit in of.get(name, ())} for code, names in within.items()}
        return {code: units for code, units in found.items() if units}

    def _known_codes(self, column: str) -> Codes:
        """[n, 3]: measure, code and the code around it, of what readers know beside the figures."""
        if column not in self._known_by_column:
            outer = self.declared.parents.get(column)
            found = [
                (
                    self.figures.code("measure", measure),
                    self.figures.code(column, name),
                    max(self.figures.code(outer, around), 0) if outer in self.column else 0,
                )
                for measure, columns in self.declared.codes.items()
                for name, around in columns.get(column, {}).items()
            ]
            codes = np.array(found, dtype=np.int16).reshape(-1, 3)
            self._known_by_column[column] = codes[(codes[:, :2] >= 0).all(axis=1)]
        return self._known_by_column[column]

    def _stratum(self, codes: Codes, names: list[str]) -> NDArray[np.int64]:
        stratum = np.zeros(len(codes), dtype=np.int64)
        for name in names:
            place = self.column[name]
            stratum = stratum * (len(self.figures.names[place]) + 1) + codes[:, place]
        return stratum

    def sum_over(self, dimension: str) -> None:
        """Over the codes of a dimension; of a nested one to the code around it, and to the total."""
        inner = [name for name, outer in self.declared.parents.items() if outer == dimension and name in self.column]
        is_cut = self._of(dimension) > 0
        for name in inner:
            is_cut &= self._of(name) == 0
        rows = np.flatnonzero(is_cut)
        outer = self.declared.parents.get(dimension)
        strata = ["measure"]
        total = np.zeros(len(rows), dtype=np.int16)
        if outer in self.column:
            self._grouped("sum", rows, dimension, total, [*strata, outer])
            self._grouped("sum", rows, dimension, total, strata, [outer])
        else:
            self._grouped("sum", rows, dimension, total, strata)

    def sum_over_units(self) -> None:
        """Over the units of the division as reported: the city."""
        city = self.figures.code("unit", self.declared.city)
        reported = self.figures.code("basis", self.declared.divisions[0])
        if city < 0:
            return
        rows = np.flatnonzero((self._of("unit") != city) & (self._of("basis") == reported))
        self._grouped("city", rows, "unit", np.full(len(rows), city), ["measure", "basis", "period", "release"])

    def sum_over_predecessors(self) -> None:
        """Over the units that are one today."""
        reported, today = (self.figures.code("basis", name) for name in self.declared.divisions)
        units = self.figures.names[self.column["unit"]]
        current = np.array([self.figures.code("unit", self.declared.current.get(name, name)) for name in units])
        if today < 0:
            return
        is_whole = self._of("basis") == today
        reports = self._stratum(self.given, ["measure", "period", "release"])
        was = {old: np.unique(reports[~is_whole & (self._of("unit") == old)]) for old in range(len(units))}
        rows = np.flatnonzero(is_whole)
        known = self._units_known()
        for unit in np.unique(self._of("unit")[rows]):
            wholes = rows[self._of("unit")[rows] == unit]
            parts, groups = [], []
            for old in np.flatnonzero(current == unit) if units[unit] != self.declared.city else [unit]:
                periods = [period for period, reporting in known.items() if units[old] in reporting]
                existed = np.isin(reports[wholes], was[int(old)]) | np.isin(self._of("period")[wholes], periods)
                codes = self.given[wholes[existed]].copy()
                codes[:, self.column["unit"]], codes[:, self.column["basis"]] = old, reported
                parts.append(self.cells.find_or_add(codes))
                groups.append(np.flatnonzero(existed))
            if parts:
                group = np.concatenate(groups)
                held, number = np.unique(group, return_inverse=True)
                self._sums("division", wholes[held], number, np.concatenate(parts), self.additive[wholes[held]])

    def sum_over_quarters(self) -> None:
        """A year, and any four quarters, over their quarters: so what overlaps is linked as well."""
        periods = self.figures.names[self.column["period"]]
        stocks = self._codes("measure", sorted(self.declared.stocks))
        flows = ~np.isin(self._of("measure"), stocks)
        for code, period in enumerate(periods):
            rows = np.flatnonzero(flows & (self._of("period") == code))
            if period.startswith(QUARTER) or not len(rows):
                continue
            quarters = [self.figures.code("period", name) for name in quarters_of(period)]
            if min(quarters) < 0:
                continue
            parts = []
            for quarter in quarters:
                codes = self.given[rows].copy()
                codes[:, self.column["period"]] = quarter
                parts.append(self.cells.find_or_add(codes))
            group = np.tile(np.arange(len(rows)), len(quarters))
            self._sums("period", rows, group, np.concatenate(parts), self.additive[rows])

    def contain(self, whole: str, part: str, kind: str) -> None:
        """A part is at most its whole."""
        outer, inner = self.figures.code("measure", whole), self.figures.code("measure", part)
        if min(outer, inner) < 0:
            return
        rows = np.flatnonzero(self._of("measure") == inner)
        codes = self.given[rows].copy()
        codes[:, self.column["measure"]] = outer
        self._at_most(kind, rows, self.cells.find_or_add(codes))

    def balance_stocks(self) -> None:
        """A stock is the one before, more what came, less what went."""
        periods = self.figures.names[self.column["period"]]
        for flow in self.declared.flows:
            stock = self.figures.code("measure", flow.stock)
            is_whole = self._of("measure") == stock
            for name in self.figures.dimensions:
                if name not in flow.dimensions:
                    is_whole &= self._of(name) == 0
            for code, period in enumerate(periods):
                if not period.startswith(QUARTER):
                    continue
                before = self.figures.code("period", quarter_before(period))
                rows = np.flatnonzero(is_whole & (self._of("period") == code))
                others = [(flow.stock, before, 1.0)]
                others += [(name, code, 1.0) for name in flow.came] + [(name, code, -1.0) for name in flow.went]
                measures = [self.figures.code("measure", name) for name, _, _ in others]
                if before < 0 or min(measures) < 0 or not len(rows):
                    continue
                cells, values = [rows], [-np.ones(len(rows))]
                for measure, (_, when, sign) in zip(measures, others, strict=True):
                    codes = self.given[rows].copy()
                    codes[:, self.column["measure"]], codes[:, self.column["period"]] = measure, when
                    cells.append(self.cells.find_or_add(codes))
                    values.append(np.full(len(rows), sign))
                numbers = np.tile(np.arange(len(rows)), len(cells))
                self._add("flow", numbers, np.concatenate(cells), np.concatenate(values), len(rows), 0.0)

    def equate_draws(self) -> None:
        """Figures of the same records with another deviation; between releases, as many records apart as is known."""
        (cells, others), (newer, older, is_anew) = self.cells.close()
        self._equate(cells, others, 0.0)
        self._equate(newer[~is_anew], older[~is_anew], 0.0)
        if self.declared.most_changed is not None:
            self._equate(newer[is_anew], older[is_anew], float(self.declared.most_changed))

    def _equate(self, cells: Rows, others: Rows, apart: float) -> None:
        count = len(cells)
        rows = np.tile(np.arange(count), 2)
        values = np.concatenate([np.ones(count), -np.ones(count)])
        self._add("draw", rows, np.concatenate([cells, others]), values, count, apart, -apart)

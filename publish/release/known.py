"""What readers know of a release beside its figures: relations, lists of codes, units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from ingest.organisation import whole_code
from publish.attack.figures import Declared, Flow, PublishedTable
from publish.marts.declared import Mart, Measures
from publish.policy import Policy
from publish.release.deriving import Published
from publish.release.keyed import AS_SUBMITTED, Flags, Rows
from publish.release.periods import TOTAL


def relations_known(
    marts: Mapping[str, tuple[Published, Flags]],
    declared: Mapping[str, Mart],
    measures: Measures,
    policy: Policy,
    merged: Mapping[str, str],
) -> Declared:
    """What readers know of a release's figures beside the figures.

    Args:
        marts: published figures, and which rows of them are published.
        declared, measures: what they were made by.
        policy: what is said of the method.
        merged: unit → the unit that it is part of today, where that is another.
    """
    parents = {
        inner: outer
        for mart in declared.values()
        for dimension in mart.dimensions
        for outer, inner in pairwise(dimension)
    }
    parts = {pair for mart in declared.values() for pair in mart.parts()} | set(measures.parts)
    return Declared(
        parts=tuple(sorted(parts)),
        parents=parents,
        flows=tuple(Flow(one.stock, one.came, one.went, frozenset(one.dimensions)) for one in measures.flows),
        distinct=measures.distinct,
        stocks=frozenset(measures.stocks),
        city=whole_code(),
        current=merged,
        sensitive=frozenset(name for mart in declared.values() for name in mart.sensitive),
        least_whole=policy.cell_keys.too_few,
        codes=_codes_of(marts),
        units=_units_of(marts),
        tables=_tables_of(declared),
    )


def _tables_of(declared: Mapping[str, Mart]) -> dict[str, tuple[PublishedTable, ...]]:
    """Of each measure the marts that count it, with the counts by which their sensitive breakdowns are chosen."""
    tables: dict[str, list[PublishedTable]] = {}
    for mart in declared.values():
        counts = mart.person_counts.values()
        values = {value for count in counts if isinstance(count.measure, dict) for value in count.measure}
        dimensions = frozenset(mart.columns_of_dimensions)
        for value in (*sorted(values),) or (None,):
            measures = [(count, count.measure_of(value)) for count in counts]
            wholes = tuple(
                sorted(name for column in mart.whole if (name := mart.person_counts[column].measure_of(value)))
            )
            for count, name in measures:
                for measure in sorted({*filter(None, [name]), *count.where_cut.values()}):
                    tables.setdefault(measure, []).append(PublishedTable(dimensions, wholes or (measure,)))
    return {measure: tuple(dict.fromkeys(found)) for measure, found in tables.items()}


def _codes_of(marts: Mapping[str, tuple[Published, Flags]]) -> dict[str, dict[str, dict[str, str]]]:
    """Of each measure the codes of the dimensions of its marts: readers know the lists of codes."""
    codes: dict[str, dict[str, dict[str, str]]] = {}
    for found, _ in marts.values():
        rows = found.rows
        for among, measures in _measures_together(rows):
            for dimension in rows.mart.dimensions:
                for place, column in enumerate(dimension):
                    names = _codes_among(rows, among, column, dimension[max(place - 1, 0)])
                    for measure in measures:
                        codes.setdefault(measure, {}).setdefault(column, {}).update(names)
    return codes


def _measures_together(rows: Rows) -> Iterator[tuple[Flags, set[str]]]:
    """The rows of each value of `measure_by`, with the measures that they count; of a mart without it all rows."""
    mart = rows.mart
    if mart.measure_by is None:
        yield np.ones(len(rows), np.bool_), mart.measures()
        return
    for value in rows.codes(mart.measure_by)[1]:
        measures = {name for count in mart.person_counts.values() if (name := count.measure_of(value)) is not None}
        yield rows.where(mart.measure_by, value), measures


def _codes_among(rows: Rows, among: Flags, column: str, outer: str) -> dict[str, str]:
    """Code → the code around it; an outermost one's own."""
    (inner, names), (around, outer_names) = rows.codes(column), rows.codes(outer)
    pairs = np.bincount(inner[among].astype(np.int64) * len(outer_names) + around[among])
    found = (divmod(number, len(outer_names)) for number in np.flatnonzero(pairs).tolist())
    return {names[code]: outer_names[other] for code, other in found if names[code] != TOTAL}


def _units_of(marts: Mapping[str, tuple[Published, Flags]]) -> dict[str, frozenset[str]]:
    """Period → the units of which something is published, as they reported."""
    units: dict[str, set[str]] = {}
    for found, chosen in marts.values():
        numbers, places = found.rows.places
        for number in np.flatnonzero(np.bincount(numbers[chosen], minlength=1)).tolist() if len(places) else ():
            if places[number].basis == AS_SUBMITTED and places[number].unit != whole_code():
                units.setdefault(":".join(places[number].period), set()).add(places[number].unit)
    return {period: frozenset(found) for period, found in units.items()}

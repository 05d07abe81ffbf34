"""How much of each group has changed: sketches of what its marts count, and what each group is the sum of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ingest.organisation import whole_code
from publish.cell_keys.keys import Group
from publish.cell_keys.sketch import mixed, sketches
from publish.marts.declared import Measures, family_of
from publish.release.choosing import cuts_of
from publish.release.coordinates import keys_of, mark, modular
from publish.release.groups import Counted, counted_in, key_sums
from publish.release.keyed import AS_SUBMITTED, TODAY, KeyedMart, Rows
from publish.release.periods import QUARTER, quarters_in


def sketches_of(marts: Sequence[KeyedMart], measures: Measures, secret: bytes) -> dict[Group, bytes]:
    """A sketch of each group, from the finest cut of two marts: of its family, and of all whose records it counts.

    A cut holds each record once, and a record's key changes with all that is counted of it: so a changed record
    changes one cell of the cut, or two. The counts in a sketch are of the family's first and last measure in the mart.
    """
    found: dict[Group, list[bytes]] = {}
    columns = [[one for one in counted_in(mart.rows) if one.unit is None] for mart in marts]
    finest = sorted(range(len(marts)), key=lambda at: (-len(marts[at].rows.mart.columns_of_dimensions), at))
    for family in measures.families:
        lineage = measures.lineage(family)
        among = {at: [one for one in columns[at] if family_of(one.measure) in lineage] for at in finest}
        own = [at for at in finest if any(family_of(one.measure) == family for one in among[at])]
        of_lineage = [at for at in finest if among[at]]
        for at in dict.fromkeys([*own[:1], *of_lineage[:1]]) if own else ():
            for group, sketch in _of_family(marts[at].rows, family, among[at], secret):
                found.setdefault(group, []).append(sketch)
    return {group: b"".join(one) for group, one in found.items()}


def _of_family(rows: Rows, family: str, among: list[Counted], secret: bytes) -> list[tuple[Group, bytes]]:
    cuts, names = cuts_of(rows)
    counted = np.any([one.rows for one in among], axis=0)
    if not counted.any():
        return []
    finest = int(np.bincount(cuts[counted], minlength=len(names)).argmax())
    at = np.flatnonzero(counted & (cuts == finest))
    place_of, places = rows.places
    content = np.zeros(len(at), np.uint64)
    for one in among:
        counts, keys = (values[at].astype(np.uint64) for values in (rows.ints(one.column), key_sums(rows, one.column)))
        number = mixed(mixed(modular([mark(one.column, one.measure)]) ^ counts) ^ keys)
        content += np.where(one.rows[at] & (counts > 0), number, np.uint64(0))
    own = [one for one in among if family_of(one.measure) == family] or among
    ends = [np.where(one.rows[at], rows.ints(one.column)[at], 0) for one in (own[0], own[-1])]
    there = content > 0
    used, group = np.unique(place_of[at[there]], return_inverse=True)
    cell, count = keys_of(rows, None)[at[there]], np.stack(ends, axis=1)[there]
    made = sketches(group, cell, count, content[there], len(used), secret)
    return [(places[number].group(family), sketch) for number, sketch in zip(used.tolist(), made, strict=True)]


def parts_of(groups: Collection[Group], successors: Mapping[str, str]) -> dict[Group, list[list[Group]]]:
    """What each group is the sum of, in each way: the city of its units, a unit of today of those it was, a year of its
    quarters."""
    together: dict[tuple[str, str, str, str], list[Group]] = {}
    for one in groups:
        together.setdefault((one.family, one.basis, one.period_kind, one.period), []).append(one)
    found: dict[Group, list[list[Group]]] = {}
    for group in groups:
        kind, period = group.period_kind, group.period
        ways: list[list[Group]] = []
        if group.unit == whole_code():
            units = together[group.family, group.basis, kind, period]
            ways.append([one for one in units if one.unit != whole_code()])
        elif group.basis == TODAY:
            reported = together.get((group.family, AS_SUBMITTED, kind, period), [])
            ways.append([one for one in reported if successors.get(one.unit, one.unit) == group.unit])
        if kind != QUARTER:
            quarters = set(quarters_in((kind, period)))
            of_quarters = [
                one
                for quarter in sorted(quarters)
                for one in together.get((group.family, group.basis, QUARTER, quarter), [])
            ]
            ways.append([one for one in of_quarters if one.unit == group.unit])
        found[group] = [way for way in ways if way]
    return found

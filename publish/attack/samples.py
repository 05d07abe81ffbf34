"""Which figures of a release are attacked together: blocks small enough for the time, drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from publish.attack.figures import FIXED, Declared, Figures, Flags


@dataclass(frozen=True)
class Sample:
    """Some figures of a family of measures: whether of all units, so that the city is their sum, and by all cuts."""

    figures: Figures
    all_units: bool
    all_cuts: bool


def families_of(figures: Figures, declared: Declared) -> list[frozenset[str]]:
    """Measures that relations link, together; the others by themselves."""
    linked = [{*pair} for pair in (*declared.parts, *declared.distinct)]
    linked += [{flow.stock, *flow.came, *flow.went} for flow in declared.flows]
    families = [{name} for name in figures.names[0]]
    for group in linked:
        touched = [family for family in families if family & group]
        families = [family for family in families if not family & group]
        families += [set().union(*touched)] if touched else []
    return sorted((frozenset(family) for family in families), key=sorted)


def samples(figures: Figures, declared: Declared, most: int, random: np.random.Generator) -> Iterator[Sample]:
    """Blocks of at most about so many figures, without end: family after family, each time others of it.

    By turns a block has all cuts of a few units, or a few dimensions' cuts of all units.
    """
    families = families_of(figures, declared)
    measure = figures.codes[:, 0]
    turn = 0
    while families:
        for place in random.permutation(len(families)):
            codes = [figures.code("measure", name) for name in families[place]]
            of_family = figures.take(np.isin(measure, codes))
            if len(of_family):
                yield _block(of_family, declared, most, random, by_units=(turn + int(place)) % 2 == 0)
        turn += 1


def _block(family: Figures, declared: Declared, most: int, random: np.random.Generator, by_units: bool) -> Sample:
    if len(family) <= most:
        return Sample(family, True, True)
    if by_units:
        return _some_units(family, declared, most, random)
    return _some_dimensions(family, declared, most, random)


def _some_units(family: Figures, declared: Declared, most: int, random: np.random.Generator) -> Sample:
    """Units that are one today stay together; the city's figures come along."""
    names = family.names[family.column("unit")]
    units = family.codes[:, family.column("unit")]
    city = family.code("unit", declared.city)
    today = np.array([declared.current.get(name, name) for name in names])
    chosen: Flags = np.asarray(units == city)
    for group in random.permutation(np.unique(today)):
        if group == declared.city:
            continue
        more: Flags = np.logical_or(chosen, np.isin(units, np.flatnonzero(today == group)))
        if more.sum() > most and (chosen & (units != city)).any():
            break
        chosen = more
    return Sample(family.take(chosen), False, True)


def _some_dimensions(family: Figures, declared: Declared, most: int, random: np.random.Generator) -> Sample:
    """A nested dimension brings the one around it."""
    cut = family.codes[:, len(FIXED) :] > 0
    names = family.dimensions
    allowed = np.zeros(len(names), dtype=np.bool_)
    chosen: Flags = np.logical_not(cut.any(axis=1))
    for place in random.permutation(len(names)):
        more = allowed.copy()
        more[place] = True
        outer = declared.parents.get(names[place])
        if outer in names:
            more[names.index(outer)] = True
        rows: Flags = np.logical_not((cut & ~more).any(axis=1))
        if rows.sum() <= most:
            allowed, chosen = more, rows
    return Sample(family.take(chosen), True, False)

"""What a release tells of a child that is known to be counted: how sure do the figures make what else is true of it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import betabinom

from publish.attack.averaging import normalised
from publish.attack.cells import UNKNOWN, Cells, Rows
from publish.attack.figures import Counts, Flags, Floats
from publish.attack.likelihood import Deviation

ROUNDS = 20_000
"""Rows worked on at a time, so that memory stays small."""
LIKE_CITY = 30.0
"""How alike units are: a unit's share is known beforehand as if so many of its children were drawn from the city's."""


@dataclass(frozen=True)
class Claims:
    """Of groups that a child is known to be in: the likeliest code of one attribute."""

    attribute: str
    whole: Rows
    """The cell of the group: a measure, unit, period, and perhaps sex and age."""
    part: Rows
    """The cell of those with the code, −1 where there is none: then the claim is that the outcome is no."""
    sure: Floats
    """How likely the attacker holds it, given the release, …"""
    by_city: Floats
    """… and given the city's shares alone: the likeliest code there."""

    def of(self, chosen: Flags) -> Claims:
        """Some of them."""
        return Claims(self.attribute, self.whole[chosen], self.part[chosen], self.sure[chosen], self.by_city[chosen])


def claims_of(cells: Cells, deviation: Deviation, known: tuple[str, ...], attributes: tuple[str, ...]) -> list[Claims]:
    """Claims about every group of a unit that is cut by what is known of the child, and by nothing else.

    Args:
        cells: the cells of the release, complete: relations have added what was left out.
        deviation: the public parameters.
        known: dimensions whose code is known of the child, beside unit and period: sex, age band.
        attributes: dimensions that are not.

    Returns:
        Claims by dimension, and by part of a whole (an outcome: yes or no).
    """
    place = {name: index for index, name in enumerate(cells.figures.columns)}
    dimensions = [name for name in cells.figures.dimensions if name in place]
    others = [place[name] for name in dimensions if name not in known]
    city = cells.figures.code("unit", cells.declared.city)
    codes, shown = cells.codes, cells.published
    is_group = (codes[:, others] == 0).all(axis=1) & (codes[:, place["unit"]] != city) & (shown > 0)
    claims = []
    for attribute in attributes:
        if attribute in dimensions:
            claims += _by_dimension(cells, deviation, place, attribute, np.flatnonzero(is_group), city)
    for whole, part in cells.declared.parts:
        outer, inner = cells.figures.code("measure", whole), cells.figures.code("measure", part)
        if min(outer, inner) >= 0 and city >= 0:
            groups = np.flatnonzero(is_group & (codes[:, place["measure"]] == outer))
            claims += _by_outcome(cells, deviation, place, inner, groups, city, f"{part} of {whole}")
    return claims


def _by_dimension(
    cells: Cells, deviation: Deviation, place: dict[str, int], attribute: str, groups: Rows, city: int
) -> list[Claims]:
    column = place[attribute]
    outer = cells.declared.parents.get(attribute)
    names = cells.figures.names[column]
    outer_of = np.zeros(len(names), dtype=np.int16)
    if outer in place:
        outer_of[cells.codes[:, column]] = cells.codes[:, place[outer]]
    inner = [place[name] for name, around in cells.declared.parents.items() if around == attribute and name in place]
    found: list[Claims] = []
    for start in range(0, len(groups), ROUNDS):
        chosen = groups[start : start + ROUNDS]
        parts, at_city = (np.full((len(chosen), len(names)), -1, dtype=np.intp) for _ in range(2))
        for code in range(1, len(names)):
            asked = {column: code, **dict.fromkeys(inner, 0)}
            if outer in place:
                asked[place[outer]] = int(outer_of[code])
            parts[:, code] = cells.find_beside(chosen, asked)
            at_city[:, code] = cells.find_beside(chosen, {**asked, place["unit"]: city}) if city >= 0 else -1
        shown = np.where(parts >= 0, cells.published[parts], UNKNOWN)
        has_part = (shown > 0).any(axis=1)
        chosen, parts, at_city, shown = chosen[has_part], parts[has_part], at_city[has_part], shown[has_part]
        if len(chosen):
            of_city = np.where(at_city >= 0, np.maximum(cells.published[at_city], 0), 0) + 0.5
            of_city[:, 0] = 0.0
            share = normalised(of_city.astype(float))
            size = np.maximum(cells.published[chosen], 1).astype(float)
            capped = (parts >= 0) & cells.is_capped[parts]
            expected = _expected(size[:, None], share, np.maximum(shown, 0), capped, deviation)
            expected[:, 0] = 0.0
            sure = normalised(expected)
            best = sure.argmax(axis=1)
            rows = np.arange(len(chosen))
            found.append(Claims(attribute, chosen, parts[rows, best], sure[rows, best], share.max(axis=1)))
    return found


def _by_outcome(
    cells: Cells, deviation: Deviation, place: dict[str, int], inner: int, groups: Rows, city: int, name: str
) -> list[Claims]:
    part = cells.find_beside(groups, {place["measure"]: inner})
    city_whole = cells.find_beside(groups, {place["unit"]: city})
    city_part = cells.find_beside(groups, {place["unit"]: city, place["measure"]: inner})
    groups, part, city_whole, city_part = (
        rows[(part >= 0) & (city_whole >= 0) & (city_part >= 0)] for rows in (groups, part, city_whole, city_part)
    )
    if not len(groups):
        return []
    at_part, at_whole = (np.maximum(cells.published[one], 0) for one in (city_part, city_whole))
    at_city = np.clip((at_part + 0.5) / (at_whole + 1.0), 0.001, 0.999)
    size = np.maximum(cells.published[groups], 1).astype(float)
    shown = np.maximum(cells.published[part], 0)
    column, rest = size[:, None], np.maximum(size - shown, 0)[:, None].astype(np.int64)
    yes = _expected(column, at_city[:, None], shown[:, None], cells.is_capped[part][:, None], deviation)[:, 0]
    no = _expected(column, 1 - at_city[:, None], rest, None, deviation)
    share = np.where(cells.published[part] == UNKNOWN, at_city, yes / (yes + no[:, 0]))
    is_yes = share >= 0.5
    sure, by_city = np.maximum(share, 1 - share), np.maximum(at_city, 1 - at_city)
    return [
        Claims(f"{name}: {answer}", groups[chosen], part[chosen], sure[chosen], by_city[chosen])
        for answer, chosen in (("yes", is_yes), ("no", ~is_yes))
    ]


def _expected(size: Floats, share: Floats, shown: Counts, capped: Flags | None, deviation: Deviation) -> Floats:
    """The expected true counts behind published ones. Before: a part of the group that is the city's share of it, more
    or less, as units differ."""
    whole, of_city = (one.ravel() for one in np.broadcast_arrays(size, np.clip(share, 1e-4, 1 - 1e-4)))
    flat, counts = shown.ravel(), np.arange(deviation.top + 1)
    number = np.rint(np.minimum(whole, 10 * deviation.top))
    pairs, pair = np.unique(number + 1j * of_city, return_inverse=True)  # many groups have the same
    number, of_city = pairs.real[:, None], pairs.imag[:, None]
    prior = (betabinom.pmf(counts, number, LIKE_CITY * of_city, LIKE_CITY * (1 - of_city)) + 1e-9)[pair]
    likelihood = deviation.of(flat)
    if capped is not None and capped.any():
        likelihood = np.where(capped.ravel()[:, None], deviation.at_least(flat + 1), likelihood)
    chance = normalised(prior * likelihood)
    is_large = (flat >= deviation.top - deviation.most) | (chance.sum(axis=1) == 0)
    expected: Floats = np.where(is_large, flat, chance @ counts).reshape(shown.shape)
    return expected


@dataclass(frozen=True)
class AttributesFound:
    """What was claimed with more than the limit, where the city's shares alone do not say so."""

    groups: int
    """Pairs of group and attribute that were looked at."""
    sure: int
    """Of them claimed so."""
    right: float
    """The share of the children in these groups of whom it is true."""
    surest: float
    mean_sure: float
    """How sure on average over all children, and …"""
    mean_by_city: float
    """… by the city's shares alone."""
    by_attribute: tuple[tuple[str, int], ...]


def score(pairs: Iterable[tuple[Claims, Counts]], limit: float, by_city: float) -> AttributesFound:
    """Hold each claim against the true counts of all cells of its release: each child of a group counts once.

    Args:
        pairs: claims, and the true counts.
        limit: claims that are surer are counted …
        by_city: … but for those that the city's shares alone make surer than this: a unit's shares differ a little
            from the city's, and what is said of nearly all in the city is hardly said of a child.
    """
    groups = sure = 0
    children = right = surest = weight = mean_sure = mean_city = 0.0
    by_attribute: dict[str, int] = {}
    for claim, true in pairs:
        is_known = (true[claim.whole] != UNKNOWN) & ((claim.part < 0) | (true[claim.part] != UNKNOWN))
        claim = claim.of(is_known)
        size = true[claim.whole].astype(float)
        is_no = claim.attribute.endswith(": no")
        holds = np.where(claim.part >= 0, true[claim.part], 0)
        holds = size - holds if is_no else holds
        chosen = (claim.sure > limit) & (claim.by_city <= by_city)
        groups, sure = groups + len(size), sure + int(chosen.sum())
        children, right = children + size[chosen].sum(), right + holds[chosen].sum()
        surest = max(surest, float(claim.sure[chosen].max(initial=0.0)))
        weight, mean_sure = weight + size.sum(), mean_sure + (size * claim.sure).sum()
        mean_city += float((size * claim.by_city).sum())
        by_attribute[claim.attribute] = by_attribute.get(claim.attribute, 0) + int(chosen.sum())
    return AttributesFound(
        groups,
        sure,
        right / children if children else 0.0,
        surest,
        mean_sure / weight if weight else 0.0,
        mean_city / weight if weight else 0.0,
        tuple(sorted((name, count) for name, count in by_attribute.items() if count)),
    )

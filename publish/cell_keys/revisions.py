"""Which groups of figures are drawn anew, which stay, and which corrections wait. Pure: what the ledger holds is given.

Each draw of a small count tells a little more of it. So a group (a family of measures, a unit, a period) is drawn anew
only when something that it counts has changed, and only as often as the policy allows. After that a correction waits
until the yearly revision. Until then the last published figures of the group are published again.

Each of a group's figures is one more look at what has changed. If that is one record, the figures together say which
codes it has. So a correction also waits until enough records have changed (`publish.cell_keys.sketch`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from ingest.ledger.draws import Draw
from publish.cell_keys.keys import NOTHING, Group
from publish.cell_keys.sketch import changed_at_least

Period = tuple[str, str]
"""period_kind and period."""
Decision = Literal["first", "same", "anew", "returned", "emptied", "held"]


@dataclass(frozen=True)
class Decided:
    """What a release does with a group.

    Attributes:
        group: the group.
        decision: `first`: published for the first time. `same`: nothing has changed. `anew`: changed, a new draw.
            `returned`: changed back to what was published before; the figures of that time, no new draw.
            `emptied`: nothing is counted any more. `held`: changed, but the correction waits; the figures of the
            current release are published again, not made anew.
        salt: under which its figures are, NOTHING where nothing is counted.
        draws: how many draws of the group there are with this release.
        revision: the number of the revision of its sealed period that this change belongs to; 0 where it is none.
        sketch: of what is counted, to tell later how much has changed since.
    """

    group: Group
    decision: Decision
    salt: int
    draws: int
    revision: int = 0
    sketch: bytes = b""

    @property
    def has_changed(self) -> bool:
        """Whether readers see other figures than before, or figures for the first time."""
        return self.decision not in ("same", "held")


@dataclass(frozen=True)
class _Past:
    """A group's draws: all its salts, and the last one published with its sketch (None: never published)."""

    salts: frozenset[int]
    last: int | None
    sketch: bytes = b""


_NO_PAST = _Past(frozenset(), None)
Parts = Mapping[Group, Sequence[Sequence[Group]]]
"""The groups that a group is the sum of, in each way: a city of its units, a year of its quarters."""


def decide(
    salts: Mapping[Group, int],
    earlier: Sequence[Draw],
    *,
    cap: int,
    sealed: Collection[Period],
    is_yearly_revision: bool = False,
    sketches: Mapping[Group, bytes] | None = None,
    parts: Parts | None = None,
    least_changed: int = 1,
    gone: Set[Group] = frozenset(),
    unfinished: Set[Group] = frozenset(),
) -> list[Decided]:
    """What a release does with each group.

    The units of a family and period are drawn anew or held together: the city is the sum of its districts, and a
    district of today that of its predecessors. Where the city can't be drawn once more, neither is the district whose
    correction would change it.

    Args:
        salts: from `content_salts`, of all groups that this release would publish.
        earlier: draws of all releases that have gone out, from the ledger.
        cap: the most draws of a group outside yearly revisions.
        sealed: periods whose figures are final: a change is a numbered revision.
        is_yearly_revision: whether corrections that waited are taken in now, past the cap.
        sketches: of the groups' content; where there is none, or none before, enough is taken to have changed.
        parts: what each group is the sum of.
        least_changed: a group is drawn anew when at least so many of its records have changed, also at the yearly
            revision. What it is the sum of counts as well: the city less the units that are drawn anew would tell of
            the others. So the changes of those that wait must be none, or as many together.
        gone: of units that are part of another in today's division: they never wait. Beside the unit that they are
            part of now, their figures would be counted twice; as reported they are published as before.
        unfinished: published groups that can't be made anew now, as files are missing: they wait, whatever is counted.

    Returns:
        Every group of `salts` and `earlier`, in order.
    """
    past, sketches = _past_of(earlier), sketches or {}
    there = {group: known for group, known in past.items() if group not in gone}
    unfinished = {group for group in unfinished if past.get(group, _NO_PAST).last}
    too_few = _too_few(salts, there, sketches, parts or {}, least_changed, unfinished)
    groups = sorted(salts.keys() | past.keys(), key=lambda group: (_together(group), group))
    decided: list[Decided] = []
    for _, found in groupby(groups, key=_together):
        some = [(group, salts.get(group, NOTHING), past.get(group, _NO_PAST)) for group in found]
        is_spent = any(
            wanted not in (NOTHING, *known.salts) and len(known.salts) >= cap and group not in too_few | unfinished
            for group, wanted, known in some
        )
        waits = {group for group, _, _ in some if (is_spent and not is_yearly_revision) or group in too_few}
        decided += [
            _held(group, known)
            if group in unfinished
            else _of_one(group, wanted, known, sketches.get(group, b""), is_held=group in waits - gone)
            for group, wanted, known in some
        ]
    return sorted(_numbered(decided, earlier, sealed), key=lambda one: one.group)


def draws_to_record(decided: Iterable[Decided], release_id: int) -> list[Draw]:
    """The rows that a release adds to the ledger: one for each group whose figures have changed."""
    return [
        Draw(**vars(one.group), release_id=release_id, salt=one.salt, revision=one.revision, sketch=one.sketch)
        for one in decided
        if one.has_changed
    ]


def revisions(decided: Iterable[Decided]) -> dict[Period, int]:
    """Sealed periods that a release revises, and the number of the revision that readers see."""
    return {_period(one.group): one.revision for one in decided if one.revision}


def new_periods(decided: Iterable[Decided]) -> set[str]:
    """Periods of which a release shows figures and no release before it has.

    A group of which nothing was ever counted says nothing of its period.
    """
    all_of = list(decided)
    first = {one.group.period for one in all_of if one.decision == "first"}
    return first - {one.group.period for one in all_of if one.decision != "first" and one.draws}


def group_of(draw: Draw) -> Group:
    """The group of a row of the ledger."""
    return Group(draw.family, draw.unit, draw.basis, draw.period_kind, draw.period)


def _together(group: Group) -> tuple[str, str, str]:
    return group.family, group.period_kind, group.period


def _period(group: Group) -> Period:
    return group.period_kind, group.period


def _past_of(earlier: Sequence[Draw]) -> dict[Group, _Past]:
    past: dict[Group, _Past] = {}
    for one in sorted(earlier, key=lambda one: one.release_id):
        group = group_of(one)
        known = past.get(group, _NO_PAST).salts
        past[group] = _Past(known if one.salt == NOTHING else known | {one.salt}, one.salt, one.sketch)
    return past


def _too_few(
    salts: Mapping[Group, int],
    past: Mapping[Group, _Past],
    sketches: Mapping[Group, bytes],
    parts: Parts,
    least: int,
    unfinished: Set[Group],
) -> set[Group]:
    """Published groups that wait as too few of their records, or of those of their parts that wait, have changed."""
    changed: dict[Group, int] = {}
    for group, known in past.items():
        wanted, last = salts.get(group, NOTHING), known.last or NOTHING
        if known.salts and wanted != last:
            sketch = sketches.get(group, b"")
            is_known = (sketch or wanted == NOTHING) and (known.sketch or last == NOTHING)
            found = changed_at_least(known.sketch, sketch) if is_known else None
            changed[group] = least if found is None else max(found, 1)
    waiting = {group for group, records in changed.items() if records < least or group in unfinished}
    # a sum of sums comes after what it is the sum of
    for group in sorted(changed.keys() & parts.keys(), key=lambda one: (len(_all_parts(one, parts)), one)):
        for those in parts[group]:
            if 0 < sum(changed[part] for part in those if part in waiting) < least:
                waiting.add(group)
    return waiting


def _all_parts(group: Group, parts: Parts) -> set[Group]:
    found = {part for those in parts.get(group, ()) for part in those if part != group}
    return found.union(*(_all_parts(part, parts) for part in found)) if found else found


def _of_one(group: Group, wanted: int, known: _Past, sketch: bytes, *, is_held: bool) -> Decided:
    count = len(known.salts)
    if wanted == (known.last or NOTHING):
        return Decided(group, "same", wanted, count)
    if not known.salts:
        return Decided(group, "first", wanted, 1, sketch=sketch)
    if is_held:
        return _held(group, known)
    if wanted == NOTHING:
        return Decided(group, "emptied", NOTHING, count)
    if wanted in known.salts:
        return Decided(group, "returned", wanted, count, sketch=sketch)
    return Decided(group, "anew", wanted, count + 1, sketch=sketch)


def _held(group: Group, known: _Past) -> Decided:
    return Decided(group, "held", known.last or NOTHING, len(known.salts))


def _numbered(decided: Iterable[Decided], earlier: Sequence[Draw], sealed: Collection[Period]) -> list[Decided]:
    """Changes of sealed periods that had figures, with the next number of the period's revision."""
    last: dict[Period, int] = {}
    for draw in earlier:
        period = (draw.period_kind, draw.period)
        last[period] = max(draw.revision, last.get(period, 0))
    return [
        replace(one, revision=last[_period(one.group)] + 1)
        if one.has_changed and _period(one.group) in sealed and _period(one.group) in last
        else one
        for one in decided
    ]

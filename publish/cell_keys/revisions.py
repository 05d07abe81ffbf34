"""Which groups of figures are drawn anew, which stay, and which corrections wait. Pure: what the ledger holds is given.

Each draw of a small count tells a little more of it. So a group (a family of measures, a unit, a period) is drawn anew
only when something that it counts has changed, and only as often as the policy allows. After that a correction waits
until the yearly revision. Until then the last published figures of the group are published again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ingest.ledger.draws import Draw
from publish.cell_keys.keys import NOTHING, Group

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
    """

    group: Group
    decision: Decision
    salt: int
    draws: int
    revision: int = 0

    @property
    def has_changed(self) -> bool:
        """Whether readers see other figures than before, or figures for the first time."""
        return self.decision not in ("same", "held")


@dataclass(frozen=True)
class _Past:
    """A group's draws: all its salts, and the last one published (None: never published)."""

    salts: frozenset[int]
    last: int | None


_NO_PAST = _Past(frozenset(), None)


def decide(
    salts: Mapping[Group, int],
    earlier: Sequence[Draw],
    *,
    cap: int,
    sealed: Collection[Period],
    is_yearly_revision: bool = False,
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

    Returns:
        Every group of `salts` and `earlier`, in order.
    """
    past = _past_of(earlier)
    groups = sorted(salts.keys() | past.keys(), key=lambda group: (_together(group), group))
    decided: list[Decided] = []
    for _, found in groupby(groups, key=_together):
        some = [(group, salts.get(group, NOTHING), past.get(group, _NO_PAST)) for group in found]
        is_spent = any(wanted not in (NOTHING, *known.salts) and len(known.salts) >= cap for _, wanted, known in some)
        decided += [_of_one(*one, is_held=is_spent and not is_yearly_revision) for one in some]
    return sorted(_numbered(decided, earlier, sealed), key=lambda one: one.group)


def draws_to_record(decided: Iterable[Decided], release_id: int) -> list[Draw]:
    """The rows that a release adds to the ledger: one for each group whose figures have changed."""
    return [
        Draw(**vars(one.group), release_id=release_id, salt=one.salt, revision=one.revision)
        for one in decided
        if one.has_changed
    ]


def revisions(decided: Iterable[Decided]) -> dict[Period, int]:
    """Sealed periods that a release revises, and the number of the revision that readers see."""
    return {_period(one.group): one.revision for one in decided if one.revision}


def _together(group: Group) -> tuple[str, str, str]:
    return group.family, group.period_kind, group.period


def _period(group: Group) -> Period:
    return group.period_kind, group.period


def _past_of(earlier: Sequence[Draw]) -> dict[Group, _Past]:
    past: dict[Group, _Past] = {}
    for one in sorted(earlier, key=lambda one: one.release_id):
        group = Group(one.family, one.unit, one.basis, one.period_kind, one.period)
        known = past.get(group, _NO_PAST).salts
        past[group] = _Past(known if one.salt == NOTHING else known | {one.salt}, one.salt)
    return past


def _of_one(group: Group, wanted: int, known: _Past, *, is_held: bool) -> Decided:
    count = len(known.salts)
    if wanted == (known.last or NOTHING):
        return Decided(group, "same", wanted, count)
    if not known.salts:
        return Decided(group, "first", wanted, 1)
    if is_held:
        return Decided(group, "held", known.last or NOTHING, count)
    if wanted == NOTHING:
        return Decided(group, "emptied", NOTHING, count)
    if wanted in known.salts:
        return Decided(group, "returned", wanted, count)
    return Decided(group, "anew", wanted, count + 1)


def _numbered(decided: Iterable[Decided], earlier: Sequence[Draw], sealed: Collection[Period]) -> list[Decided]:
    """Changes of sealed periods that had figures, with the next number of the period's revision."""
    last: dict[Period, int] = {}
    for draw in earlier:
        period = (draw.period_kind, draw.period)
        last[period] = max(draw.revision, last.get(period, 0))
    return [
        Decided(one.group, one.decision, one.salt, one.draws, last[_period(one.group)] + 1)
        if one.has_changed and _period(one.group) in sealed and _period(one.group) in last
        else one
        for one in decided
    ]

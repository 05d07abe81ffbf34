"""What the attacks of a release look for, and what they found."""

from __future__ import annotations

from dataclasses import dataclass

from publish.attack.all_of_n import AllFound
from publish.attack.attributes import AttributesFound
from publish.attack.averaging import AveragingFound
from publish.attack.bounds import BoundsFound
from publish.attack.durations import DurationsFound
from publish.attack.files import FileFinding
from publish.attack.presence import PresenceFound
from publish.attack.successive import ChangesFound


@dataclass(frozen=True)
class Limits:
    """What an attack looks for."""

    small: int = 4
    """Counts of 1 to this are small."""
    width: int = 5
    """Small counts known to less than this are narrow."""
    sure: float = 0.9
    """Conclusions about a child are surer than this, unless …"""
    by_city: float = 0.8
    """… the city's shares alone make them surer than this."""


@dataclass(frozen=True)
class AttackReport:
    """The figures of all attacks on one release; what was not attacked for want of it is None or empty."""

    seed: int
    is_full: bool
    seconds: float
    is_cut_short: bool
    """Time ran out: the same seed may find other figures on another machine."""
    figures: int
    """Published figures of the release, and …"""
    attacked: int
    """… of them those that were attacked, in so many …"""
    samples: int
    waiting: int
    """Of the attacked such whose correction waits: the true counts are no longer those that they show."""
    bounds: BoundsFound
    """By passing on what follows, of all true small counts in the samples."""
    programs: BoundsFound
    """By linear programs, of some of them: half are those with the narrowest intervals before."""
    insider: BoundsFound
    """As a district that knows its own counts, of the others' small counts."""
    insider_gained: int
    """Small counts of others narrower than the width for the insider and for nobody else."""
    averaging: AveragingFound
    attributes: AttributesFound
    all_of_n: AllFound
    presence: PresenceFound
    changes: ChangesFound | None = None
    durations: tuple[tuple[str, DurationsFound], ...] = ()
    """By name of the count."""
    files: tuple[FileFinding, ...] = ()

    def given_away(self) -> int:
        """Counts, bands and contributions that durations and sums tell."""
        return sum(
            found.count_by_mean + found.band_by_grouped_median + found.largest_by_total for _, found in self.durations
        )

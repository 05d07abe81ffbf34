"""What the attacks of a release found, and which of it the policy forbids."""

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
    """What the policy allows an attack to find."""

    small: int = 4
    """Counts of 1 to this are small."""
    exact: int = 0
    """Small counts known exactly."""
    width: int = 5
    narrower: int = 0
    """Small counts known to less than `width`."""
    averaging_points: float = 5.0
    """Percentage points over the better of prior and own figure, beyond chance."""
    change_points: float = 5.0
    """Percentage points over chance."""
    sure: float = 0.9
    """An attribute may be as sure as this, unless …"""
    by_city: float = 0.8
    """… the city's shares alone make it surer than this."""
    durations: int = 0
    """Counts, bands and contributions that durations and sums give away."""


@dataclass(frozen=True)
class Breach:
    """A figure of the report that the policy forbids."""

    attack: str
    found: float
    limit: float


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
    bounds: BoundsFound
    """By passing on what follows, of all true small counts in the samples."""
    programs: BoundsFound
    """By linear programs, of some of them: half are those with the narrowest intervals before."""
    insider: BoundsFound
    """As a district that knows its own counts, of the others' small counts."""
    insider_gained: int
    """Small counts of others narrower than the policy's width for the insider and for nobody else."""
    averaging: AveragingFound
    attributes: AttributesFound
    all_of_n: AllFound
    presence: PresenceFound
    changes: ChangesFound | None = None
    durations: tuple[tuple[str, DurationsFound], ...] = ()
    files: tuple[FileFinding, ...] = ()

    def breaches(self, limits: Limits) -> tuple[Breach, ...]:
        """What the policy forbids, in the order of the attacks."""
        given_away = [
            found.count_by_mean + found.band_by_grouped_median + found.largest_by_total for _, found in self.durations
        ]
        measured = (
            ("small counts exact", max(self.bounds.exact, self.programs.exact), limits.exact),
            (
                "small counts narrower than allowed",
                max(self.bounds.narrower, self.programs.narrower),
                limits.narrower,
            ),
            ("small counts exact for an insider", self.insider.exact, limits.exact),
            ("small counts narrower for an insider only", self.insider_gained, limits.narrower),
            ("averaging", self.averaging.points_at_least, limits.averaging_points),
            ("one record changed", self.changes.points if self.changes else 0.0, limits.change_points),
            ("attributes surer than allowed", self.attributes.sure, 0),
            ("presence sure by rows of zeros", self.presence.rows_that_tell(limits.sure), 0),
            ("durations", sum(given_away), limits.durations),
            ("files", len(self.files), 0),
        )
        return tuple(Breach(name, float(found), float(limit)) for name, found, limit in measured if found > limit)

"""Groups: parenting programmes, children's groups and young people's groups, each drawn whole when it is planned.

A group keeps its number from the quarter in which it is planned until it has ended or is cancelled. What is planned in
a quarter is drawn from that quarter's stream alone, so any quarter's file can be made without those before it.

The city has found it hard to fill the groups, of parents and of children (kartläggning 2011), and that one district
has a queue where another has free seats (Kartläggning öppenvård barn och unga, 2019); so demand differs by district and
programme. How full they are in figures, 60–95 % of the seats, is invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from ingest.quarters import Quarter
from synthetic.districts import DISTRICTS, SIZES, traits
from synthetic.draws import (
    NEVER,
    Floats,
    Ints,
    Table,
    day_number,
    empty,
    happens,
    ordinal,
    pick,
    rank_within,
    stream,
    weekday_after,
)
from synthetic.supply import ABUSE, ALL, ILLNESS, VIOLENCE, Supply

STATUSES = ("planerad", "startad", "avslutad", "installd")
PLANNED, STARTED, ENDED, CANCELLED = range(4)
WHY_CANCELLED = ("for_fa_anmalda", "personal", "lokal", "annat")
_STEP, _DISTRICT_STEP = 12, 13
_LONGEST = 7
"""No group is still of interest so many quarters after the one in which it was planned."""

GROUP = np.dtype(
    [
        ("district", "i2"), ("quarter", "i4"), ("number", "i4"), ("program", "i1"), ("directed", "i1"),
        ("noted", "i4"), ("planned", "i4"), ("start", "i4"), ("end", "i4"), ("cancelled", "i4"), ("why", "i1"),
        ("seats", "i2"), ("applied", "i2"), ("girls", "i2"), ("boys", "i2"), ("mothers", "i2"), ("fathers", "i2"),
        ("by_services", "i2"), ("completed", "i2"), ("queue", "i2"), ("waited_days", "i4"), ("open", "?"),
    ]
)  # fmt: skip
"""`quarter` is the ordinal of the one in which it was planned; `noted`, `planned`, `start`, `end` and `cancelled` are
days, or NEVER."""
PARTS = ("girls", "boys", "mothers", "fathers")


@dataclass(frozen=True)
class Program:
    """A kind of group in an average district."""

    code: str
    target: int
    """0 children, 1 parents."""
    a_quarter: float
    """Groups planned in a quarter."""
    weeks: int
    seats: tuple[int, int]
    wait: float
    """Mean days from application to start."""


PROGRAMS: tuple[Program, ...] = (
    Program("komet", 1, 1.7, 13, (10, 15), 38),
    Program("ungdomskomet", 1, 0.8, 12, (10, 14), 45),
    Program("abc", 1, 2.0, 6, (10, 16), 26),
    Program("connect", 1, 0.7, 11, (10, 14), 40),
    Program("icdp", 1, 0.9, 9, (8, 12), 30),
    Program("familjeverkstan", 1, 0.7, 8, (9, 14), 30),
    Program("active_parenting", 1, 0.6, 7, (10, 14), 28),
    Program("skilda_varldar", 0, 1.0, 10, (8, 10), 42),
    Program("trappan", 0, 0.7, 12, (8, 10), 28),
    Program("barnkraft", 0, 0.5, 14, (8, 10), 50),
    Program("humlan", 0, 0.6, 15, (8, 10), 40),
    Program("ersta_vandpunkt", 0, 0.4, 14, (8, 12), 40),
    Program("machofabriken", 0, 0.5, 9, (10, 14), 15),
    Program("hedra", 0, 0.4, 10, (8, 12), 20),
)
_FEWEST, _MOST = 6, 14
"""Participants of a group that starts."""
_CALLED_OFF = 0.03
_FORGOTTEN = 0.012
"""Groups whose start is put off for months while they are still called planned."""
_ONE_TOO_MANY = 0.012
_BY_SERVICES = {ALL: 0.18, ABUSE: 0.55, ILLNESS: 0.50, VIOLENCE: 0.65}
"""Share of the participants who come through social services."""


class Groups:
    """All groups of the city, drawn when asked for."""

    def __init__(self, seed: int, scale: float, supply: Supply) -> None:
        """Draw how much demand each district has for each programme; groups are drawn when asked for.

        Args:
            seed: not negative.
            scale: 1 gives some 5–15 groups a district and quarter.
            supply: a group is only planned for a service that the district offers.
        """
        self.seed, self.scale, self.supply = seed, scale, supply
        self._planned: dict[Quarter, Table] = {}
        size = (len(DISTRICTS), len(PROGRAMS))
        rng = stream(seed, _DISTRICT_STEP)
        self._demand = np.exp(rng.normal(-0.06, 0.22, size))
        self._eagerness = rng.uniform(0.7, 1.3, size)
        self._openness = rng.uniform(0.25, 0.75, len(DISTRICTS))

    def shown(self, districts: tuple[int, ...], quarter: Quarter) -> Table:
        """Groups of a unit that were planned, ran or ended in the quarter, in order of their planned start."""
        first, last = day_number(quarter.start), day_number(quarter.end)
        found = np.concatenate([self._planned_in(quarter.back(n)) for n in range(_LONGEST + 1)])
        over = np.minimum(found["end"], found["cancelled"])
        mine = np.isin(found["district"], districts)
        shown: Table = found[mine & (found["noted"] <= last) & (over >= first)]
        order = np.lexsort((shown["number"], shown["quarter"], shown["district"], shown["planned"]))
        return np.take(shown, order)

    def _planned_in(self, quarter: Quarter) -> Table:
        if quarter not in self._planned:
            self._planned[quarter] = self._draw(quarter)
            if len(self._planned) > 2 * _LONGEST:
                del self._planned[min(self._planned)]
        return self._planned[quarter]

    def _draw(self, quarter: Quarter) -> Table:
        """The groups planned in a quarter, with their whole course."""
        rng = stream(self.seed, _STEP, ordinal(quarter))
        kinds, district, directed = self._planned_groups(rng, quarter)
        groups = empty(GROUP, kinds.size)
        groups["district"], groups["program"], groups["directed"] = district, kinds, directed
        groups["quarter"] = ordinal(quarter)
        groups["number"] = rank_within(district) + 1
        self._calendar(rng, groups, quarter)
        self._people(rng, groups)
        return groups

    def _planned_groups(self, rng: np.random.Generator, quarter: Quarter) -> tuple[Ints, Ints, Ints]:
        pairs: list[tuple[int, int, int]] = []
        for where in range(len(DISTRICTS)):
            for place, program in enumerate(PROGRAMS):
                at = self.supply.directed(program.code, where)
                if self.supply.offered(program.code, at, where, quarter):
                    pairs.append((place, where, at))
        kinds, district, directed = np.array(pairs, dtype="int64").reshape(-1, 3).T
        mean = np.array([program.a_quarter for program in PROGRAMS])[kinds] * self._eagerness[district, kinds]
        counts = rng.poisson(mean * (SIZES / SIZES.mean())[district] * self.scale)
        return np.repeat(kinds, counts), np.repeat(district, counts), np.repeat(directed, counts)

    def _calendar(self, rng: np.random.Generator, groups: Table, quarter: Quarter) -> None:
        """Set the days on which each group is planned to start, starts and ends."""
        size = groups.size
        first, last = day_number(quarter.start), day_number(quarter.end)
        noted = rng.integers(first, last - 5, size)
        planned = _moved_into_term(rng, noted + rng.integers(25, 80, size), quarter.year)
        put_off = happens(rng, 0.22, size) * rng.integers(1, 4, size) * 7
        forgotten = happens(rng, _FORGOTTEN, size)
        start = planned + np.where(forgotten, rng.integers(120, 170, size), put_off)
        weeks = np.array([program.weeks for program in PROGRAMS])[groups["program"]]
        groups["noted"], groups["planned"] = noted, planned
        groups["start"] = start
        groups["end"] = start + 7 * weeks + _holiday_days(start, start + 7 * weeks)

    def _people(self, rng: np.random.Generator, groups: Table) -> None:
        """Set how many apply, take part and complete, and cancel groups with too few."""
        size, program, district = groups.size, groups["program"].astype("int64"), groups["district"].astype("int64")
        low = np.array([program.seats[0] for program in PROGRAMS])[program]
        high = np.array([program.seats[1] for program in PROGRAMS])[program]
        seats = rng.integers(low, high + 1)
        demand = self._demand[district, program]
        applied = rng.poisson(seats * 0.95 * demand)
        few = (applied < 0.6 * seats) & happens(rng, 0.75, size)
        off = few | happens(rng, _CALLED_OFF, size)
        came = np.minimum(applied, seats)
        came = came - rng.binomial(came, 0.08)
        came = np.clip(came, _FEWEST, np.minimum(seats, _MOST))
        came = np.where(happens(rng, _ONE_TOO_MANY, size) & (seats < _MOST), seats + 1, came)
        came = np.where(off, 0, came)
        groups["seats"], groups["applied"] = seats, np.where(off, applied, np.maximum(applied, came))
        self._participants_by_sex(rng, groups, came)
        share = np.array([_BY_SERVICES.get(code, 0.3) for code in range(6)])[groups["directed"]]
        groups["by_services"] = rng.binomial(came, share)
        groups["completed"] = rng.binomial(came, np.minimum(0.82 * traits("completed")[district], 0.97))
        line = rng.poisson(seats * np.maximum(demand - 1.0, 0) * 0.3)
        groups["queue"] = np.where(off, 0, np.maximum(applied - seats, 0) // 2 + line)
        wait = np.array([program.wait for program in PROGRAMS])[program] * traits("start_wait")[district]
        groups["waited_days"] = np.where(came > 0, np.rint(rng.gamma(1.4 * np.maximum(came, 1), 1 / 1.4) * wait), 0)
        lonely = np.where(demand < 0.95, 1.4, 0.7)
        groups["open"] = happens(rng, np.clip(self._openness[district] * lonely, 0, 1))
        why = np.where(few, 0, 1 + pick(rng, np.array([0.55, 0.15, 0.30]), size))
        called_off = groups["planned"] - rng.integers(-6, 15, size)
        groups["cancelled"] = np.where(off, np.maximum(called_off, groups["noted"] + 1), NEVER)
        groups["why"] = np.where(off, why, -1)
        for name in ("start", "end"):
            groups[name] = np.where(off, NEVER, groups[name])

    def _participants_by_sex(self, rng: np.random.Generator, groups: Table, came: Ints) -> None:
        """Girls, boys, mothers and fathers among those who came."""
        target = np.array([program.target for program in PROGRAMS])[groups["program"]]
        girls, mothers = rng.binomial(came, 0.48), rng.binomial(came, 0.69)
        parents = target == 1
        groups["mothers"] = np.where(parents, mothers, 0)
        groups["fathers"] = np.where(parents, came - mothers, 0)
        groups["girls"] = np.where(parents, 0, girls)
        groups["boys"] = np.where(parents, 0, came - girls)


def participants(groups: Table) -> Ints:
    """Participants of each group, when it has started."""
    return np.asarray(sum(groups[name].astype("int64") for name in PARTS))


def status(groups: Table, quarter: Quarter) -> Ints:
    """Position in `STATUSES` of each group at the quarter's end."""
    last = day_number(quarter.end)
    found = np.where(groups["end"] <= last, ENDED, np.where(groups["start"] <= last, STARTED, PLANNED))
    return np.where(groups["cancelled"] <= last, CANCELLED, found)


def applied_by(groups: Table, quarter: Quarter) -> Ints:
    """Applications so far: they come evenly until the planned start."""
    last = day_number(quarter.end)
    share: Floats = (last - groups["noted"]) / np.maximum(groups["planned"] - groups["noted"], 1)
    found: Ints = np.floor(groups["applied"] * np.clip(share, 0, 1)).astype("int64")
    return found


def queue_length(groups: Table, quarter: Quarter) -> Ints:
    """How many wait for a place at the quarter's end: beside a started group, or beyond the seats of a planned one."""
    state = status(groups, quarter)
    beyond = np.maximum(applied_by(groups, quarter) - groups["seats"], 0)
    found: Ints = np.where(state == STARTED, groups["queue"], np.where(state == PLANNED, beyond, 0))
    return found


def _moved_into_term(rng: np.random.Generator, days: Ints, first: int) -> Ints:
    """Move days in the summer and at Christmas to the term's first weeks, and any other to a working day.

    The days are in the year `first` or the next.
    """
    moved = days.copy()
    for year in (first - 1, first, first + 1):
        for begins, ends, spread in (
            (date(year, 6, 5), date(year, 8, 24), 26),
            (date(year, 12, 12), date(year + 1, 1, 15), 26),
        ):
            within = (days >= day_number(begins)) & (days < day_number(ends))
            later = day_number(ends) + rng.integers(0, spread, days.size)
            moved = np.where(within, later, moved)
    return weekday_after(moved)


def _holiday_days(start: Ints, end: Ints) -> Ints:
    """Days added to a group that runs into the summer (nine weeks) or over Christmas (three)."""
    first, last = start.astype("datetime64[D]"), end.astype("datetime64[D]")
    summer = np.zeros(start.size, dtype="int64")
    for year in np.unique(first.astype("datetime64[Y]")):
        june = (year.astype("datetime64[M]") + 5).astype("datetime64[D]") + 14
        christmas = (year.astype("datetime64[M]") + 11).astype("datetime64[D]") + 19
        here = first.astype("datetime64[Y]") == year
        summer += np.where(here & (first < june) & (last > june), 63, 0)
        summer += np.where(here & (first < christmas) & (last > christmas), 21, 0)
    return summer

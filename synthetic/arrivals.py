"""Children whose cases the districts receive in a quarter: new children with their siblings, and returning ones."""

from __future__ import annotations

from datetime import date

import numpy as np

from ingest.quarters import Quarter
from synthetic import margins
from synthetic.districts import DISTRICTS, SIZES, area_table, draw_areas, traits
from synthetic.draws import Bools, Floats, Ints, Table, day_number, day_of, empty, happens, pick
from synthetic.people import DAYS_PER_YEAR, OFODD, OLDEST, People, age_years

FREE, REOPENS, TRANSFER, MEANWHILE_INQUIRY, MEANWHILE_HELP = range(5)
"""How an arrival came about: by itself, as a return that is investigated, from another district, or while an
investigation or an intervention is going on."""

ARRIVAL = np.dtype(
    [
        ("event", "i4"),
        ("person", "i4"),
        ("district", "i2"),
        ("area", "i2"),
        ("receipt", "i4"),
        ("kind", "i1"),
        ("reason", "i1"),
        ("prior_report", "?"),
        ("prior_inquiry", "?"),
        ("prior_help", "?"),
    ]
)
NO_REASON = -1


def receipt_days(rng: np.random.Generator, quarter: Quarter, size: int) -> Ints:
    """Days of receipt: working days nearly always, fewer in summer."""
    days = np.arange(day_number(quarter.start), day_number(quarter.end) + 1)
    weekday = (days + 3) % 7
    month = np.array([day_of(int(day)).month for day in days])
    weights = np.where(weekday < 5, 1.0, 0.03) * margins.MONTH_WEIGHTS[month - 1]
    weights[[day_of(int(day)) in _holidays(quarter.year) for day in days]] = 0.01
    return rng.choice(days, size=size, p=weights / weights.sum())


def _holidays(year: int) -> set[date]:
    fixed = ((1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31))
    return {date(year, month, day) for month, day in fixed}


def seasonal_factor(quarter: Quarter) -> float:
    """The quarter's volume against an average quarter's."""
    first = 3 * quarter.number - 3
    return float(margins.MONTH_WEIGHTS[first : first + 3].mean() / margins.MONTH_WEIGHTS.mean())


def case_counts(rng: np.random.Generator, quarter: Quarter, scale: float) -> Ints:
    """Draw how many cases each district receives in the quarter."""
    found: Ints = rng.poisson(SIZES * scale * seasonal_factor(quarter))
    return found


def newcomers(rng: np.random.Generator, people: People, quarter: Quarter, districts: Ints, fading: float) -> Table:
    """Arrivals of children not seen before, with siblings.

    Args:
        rng: the stream.
        people: gets the new children.
        quarter: the quarter of receipt.
        districts: district of each event's first child.
        fading: factor (0–1) on the history from before the simulation.

    Returns:
        ARRIVAL rows in order of event; siblings share event, receipt and home.
    """
    events = districts.size
    band = pick(rng, margins.AGE_BANDS, events)
    areas = draw_areas(rng, districts)
    receipt = receipt_days(rng, quarter, events)
    more = np.where(happens(rng, np.array([0.32, 0.30, 0.16, 0.02])[band]), 1 + (rng.random(events) < 0.22), 0)
    event = np.repeat(np.arange(events), more + 1)
    is_first = np.concatenate(([True], event[1:] != event[:-1])) if event.size else np.zeros(0, bool)
    years = margins.BAND_STARTS[band] + rng.random(events) * margins.BAND_YEARS[band]
    gap = rng.uniform(1.2, 5.5, event.size) * np.where(rng.random(event.size) < 0.5, -1, 1)
    age = np.where(is_first, years[event], np.abs(years[event] + gap))
    age = np.clip(age, 0.09, np.where(is_first, 20.9, 17.9))
    family = people.new_families(events)[event]
    arrivals = empty(ARRIVAL, event.size)
    arrivals["event"], arrivals["district"], arrivals["area"] = event, districts[event], areas[event]
    arrivals["receipt"] = receipt[event]
    arrivals["reason"] = NO_REASON
    arrivals["person"] = people.add(
        rng,
        receipt=receipt[event],
        age_days=np.rint(age * DAYS_PER_YEAR).astype("int64"),
        family=family,
    )
    years_old = np.clip(age_years(people.rows["birth"][arrivals["person"]], receipt[event]), 0, OLDEST)
    known = np.searchsorted(margins.BAND_STARTS, years_old, side="right") - 1
    luck = rng.random(event.size)
    arrivals["prior_report"] = luck < margins.PRIOR_REPORT[known] * fading
    arrivals["prior_inquiry"] = luck < margins.PRIOR_INQUIRY[known] * fading
    arrivals["prior_help"] = luck < margins.PRIOR_HELP[known] * fading
    return arrivals


def events_of(arrivals: Table) -> Table:
    """Order and number returning arrivals by event. Siblings of one earlier event who return on the same day and in the
    same way are one event."""
    keys = np.stack([arrivals[name].astype("int64") for name in ("receipt", "district", "event", "kind")], axis=1)
    if len(keys) == 0:
        return arrivals
    _, event = np.unique(keys, axis=0, return_inverse=True)
    event = event.reshape(-1)
    order = np.argsort(event, kind="stable")
    found = arrivals[order].copy()
    found["event"] = event[order]
    return found


def concatenated(parts: list[Table]) -> Table:
    """Concatenate arrivals whose events are each numbered from 0, and renumber the events."""
    offset = 0
    moved = []
    for part in parts:
        copy = part.copy()
        copy["event"] += offset
        offset += int(part["event"].max()) + 1 if part.size else 0
        moved.append(copy)
    return np.concatenate(moved)


def returning_arrivals(rng: np.random.Generator, people: People, cases: Table) -> Table:
    """What the cases lead to: reports during an investigation or intervention, transfers, and coming back.

    Args:
        rng: the stream.
        people: the children.
        cases: CASE rows of one generation, with their whole course.

    Returns:
        ARRIVAL rows whose `event` is the earlier case's event; those of children then 21 or still unborn are left out.
    """
    size = cases.size
    district_returns = traits("opened")[cases["district"]]
    together = rng.random(int(cases["event"].max()) + 1 if size else 0)
    luck = np.where(rng.random(size) < 0.6, together[cases["event"]], rng.random(size))
    delay_luck = np.where(rng.random(size) < 0.7, rng.random(together.size)[cases["event"]], rng.random(size))
    opened = cases["opened"]
    level = _return_chance(people, cases) * (0.85 + 0.15 * district_returns)
    reopens = opened & ~cases["transferred"] & (luck < level)
    reports = opened & ~cases["transferred"] & ~reopens & (luck < level + margins.REPORT_AFTER_INQUIRY)
    ordinary = np.isin(cases["kind"], (FREE, REOPENS, TRANSFER))
    moved_on = ~opened & ordinary & (cases["why_not"] == margins.MOVED_ON)
    again = ~opened & ordinary & ~moved_on & (luck < margins.REPORT_AFTER_NO_INQUIRY)
    wait = -np.log1p(-delay_luck * 0.97)
    after_inquiry = cases["end"] + 8 + np.rint(wait * margins.RETURN_DAYS)
    after_report = np.where(opened, cases["end"], cases["decided"]) + 2 + np.rint(wait * margins.REPORT_DAYS)
    few_days = rng.integers(0, 3, size)
    during = cases["start"] + 2 + np.rint(rng.random(size) * np.maximum(cases["end"] - cases["start"] - 3, 0))
    in_help = cases["answered"] + 25 + np.rint(rng.random(size) * 120)
    helped = cases["offered"] & cases["accepted"] & happens(rng, margins.REPORT_DURING_HELP, size)
    branches: tuple[tuple[Bools, Ints, int], ...] = (
        (reopens, after_inquiry, REOPENS),
        (reports | again, after_report, FREE),
        (opened & cases["transferred"], cases["end"] + few_days, TRANSFER),
        (moved_on, cases["decided"] + few_days, TRANSFER),
        (opened & happens(rng, margins.REPORT_DURING_INQUIRY, size), during, MEANWHILE_INQUIRY),
        (helped, in_help, MEANWHILE_HELP),
    )
    found = [_arrivals(rng, cases, rows, receipt, kind) for rows, receipt, kind in branches]
    arrivals = np.concatenate(found)
    person = people.rows[arrivals["person"]]
    possible: Table = arrivals[
        (age_years(person["birth"], arrivals["receipt"]) <= OLDEST) & (person["id_kind"] != OFODD)
    ]
    return possible


def _return_chance(people: People, cases: Table) -> Floats:
    helped = cases["offered"] & cases["accepted"]
    weight = margins.RETURNING_BY_REASON[cases["reason"]] * np.where(cases["heard"], 0.92, 1.08)
    weight = weight * np.where(helped, 0.80, np.where(cases["offered"], 0.98, 1.06))
    poorer = np.array([1.10, 1.0, 0.88])[area_table().socioeconomic[cases["area"]]]
    chance: Floats = weight * poorer * margins.RETURN_AFTER_INQUIRY
    return chance


def _arrivals(rng: np.random.Generator, cases: Table, rows: Bools, receipt: Ints, kind: int) -> Table:
    earlier = cases[rows]
    found = empty(ARRIVAL, earlier.size)
    for name in ("event", "person", "district", "area", "reason"):
        found[name] = earlier[name]
    found["receipt"], found["kind"] = receipt[rows].astype("int64"), kind
    found["prior_report"] = True
    found["prior_inquiry"] = earlier["prior_inquiry"] | earlier["opened"]
    found["prior_help"] = earlier["prior_help"] | (earlier["offered"] & earlier["accepted"])
    if kind in (FREE, REOPENS):
        weekday = (found["receipt"] + 3) % 7
        found["receipt"] += np.where((weekday >= 5) & (rng.random(found.size) < 0.95), 7 - weekday, 0)
    moves = (kind == TRANSFER) | ((kind in (FREE, REOPENS)) & (rng.random(found.size) < margins.MOVED))
    moves = np.broadcast_to(moves, found.shape)
    others = np.tile(SIZES, (int(moves.sum()), 1))
    others[np.arange(len(others)), found["district"][moves]] = 0.0
    if len(others):
        found["district"][moves] = pick(rng, others)
        found["area"][moves] = draw_areas(rng, found["district"][moves])
    return found


def repeated_districts(counts: Ints) -> Ints:
    """The index of each district, as many times as its count says."""
    return np.repeat(np.arange(len(DISTRICTS)), np.maximum(counts, 0))

"""The course of a case, drawn whole at receipt: what a file shows is cut off at its quarter's end (`file_columns`)."""

from __future__ import annotations

import numpy as np

from synthetic import margins
from synthetic.arrivals import ARRIVAL, FREE, MEANWHILE_HELP, MEANWHILE_INQUIRY, NO_REASON, REOPENS, TRANSFER
from synthetic.districts import area_table, traits
from synthetic.draws import (
    NEVER,
    Bools,
    Floats,
    Ints,
    Table,
    add_months,
    calibrated,
    calibrated_by,
    empty,
    happens,
    pick,
    raked,
    weekday_after,
    weekday_before,
)
from synthetic.people import BOY, GIRL, OLDEST, People, age_years

CASE = np.dtype(
    [
        ("event", "i4"), ("person", "i4"), ("district", "i2"), ("area", "i2"), ("kind", "i1"), ("lop", "i4"),
        ("unit", "i2"), ("year", "i2"), ("number", "i4"), ("receipt", "i4"),
        ("application", "?"), ("applies_to", "i1"), ("source", "i1"), ("reason", "i1"), ("second", "i1"),
        ("third", "i1"), ("lives", "i1"), ("assessed", "i4"), ("decided", "i4"), ("opened", "?"), ("why_not", "i1"),
        ("referred", "i1"), ("start", "i4"), ("prolonged_at", "i4"), ("prolonged_to", "i4"), ("end", "i4"),
        ("transferred", "?"), ("heard", "?"), ("school", "?"), ("prior_report", "?"), ("prior_inquiry", "?"),
        ("prior_help", "?"), ("offered", "?"), ("insats", "i1"), ("offers", "i1"), ("accepted", "?"),
        ("answered", "i4"), ("closed", "i4"),
    ]
)  # fmt: skip
NONE = -1


class CourseDraw:
    """Draws the course of one generation of arrivals; siblings of an event mostly have the same course."""

    def __init__(self, rng: np.random.Generator, people: People, arrivals: Table) -> None:
        self.rng = rng
        self.size = arrivals.size
        self.events = int(arrivals["event"].max()) + 1 if self.size else 0
        self.event = arrivals["event"].astype("int64")
        self.first = np.unique(self.event, return_index=True)[1]
        self.cases = empty(CASE, self.size)
        for name in ARRIVAL.names or ():
            self.cases[name] = arrivals[name]
        person = people.rows[arrivals["person"]]
        self.sex = person["sex"].astype("int64")
        age = np.clip(age_years(person["birth"], arrivals["receipt"]), 0, OLDEST)
        self.band = np.searchsorted(margins.BAND_STARTS, age, side="right") - 1
        areas = area_table()
        self.level = areas.socioeconomic[arrivals["area"]]
        self.district = arrivals["district"].astype("int64")
        self.pilot_from = areas.pilot_from[arrivals["area"]]
        self.inherited = arrivals["reason"]

    def shared(self, share: float = 0.85) -> Floats:
        """Uniform draws that siblings of an event have in common, save for some of their own."""
        common = self.rng.random(self.events)[self.event]
        return np.where(self.rng.random(self.size) < share, common, self.rng.random(self.size))

    def run(self, opened_share: float | None) -> tuple[Table, float]:
        """Draw everything.

        Args:
            opened_share: share to open of the arrivals that are free to be opened or not; None works it out so that
                all arrivals together come to the published share.

        Returns:
            The cases, and the share used.
        """
        self._reasons_and_sources()
        self._assessment()
        share = self._opening(opened_share)
        self._investigation()
        self._outcome()
        self._closing()
        return self.cases, share

    def _reasons_and_sources(self) -> None:
        """Reason, source and kind of arrival, one for the event."""
        rng, cases, first = self.rng, self.cases, self.first
        weights = margins.REASON_BY_BAND[self.band[first]].copy()
        own = margins.CHILD_SIDE
        weights[:, :own] *= np.where(self.sex[first] == BOY, 1.12, 0.86)[:, None]
        weights[:, margins.CHILD_HEALTH] *= np.where(self.sex[first] == GIRL, 1.7, 1.0)
        weights[:, 0] *= np.array([1.3, 1.0, 0.8])[self.level[first]]
        weights[:, [margins.CHILD_ABUSE, margins.ADULT_ABUSE]] *= np.array([0.85, 1.0, 1.4])[self.level[first]][:, None]
        several = np.bincount(self.event, minlength=self.events) > 1
        weights[several, :own] *= 0.08
        drawn = pick(rng, weights)
        inherited = self.inherited[first]
        reason = np.where((inherited != NO_REASON) & (rng.random(self.events) < 0.55), inherited, drawn)
        kind = cases["kind"][first]
        may_apply = np.isin(kind, (FREE, REOPENS))
        application = may_apply & happens(rng, margins.APPLICATIONS * np.array([0.9, 1.0, 1.0, 1.6])[self.band[first]])
        weights = margins.SOURCE_BY_BAND[self.band[first]].copy()
        crime = np.isin(reason, (margins.SHOPLIFTING, margins.OTHER_CRIME, margins.CHILD_ABUSE, margins.VIOLENCE))
        weights[:, margins.POLICE] *= np.where(crime, 2.2, 0.8) * np.where(self.sex[first] == BOY, 1.12, 0.86)
        weights[:, [margins.PSYCHIATRY, margins.HEALTH]] *= np.where(self.sex[first] == GIRL, 1.25, 0.85)[:, None]
        weights[:, [margins.SCHOOL, margins.PRESCHOOL]] *= np.where(
            reason == 0, 2.6, np.where(np.isin(reason, (margins.VIOLENCE, margins.ASSAULT)), 1.25, 0.75)
        )[:, None]
        source = pick(rng, weights)
        self_applied = happens(rng, np.array([0.0, 0.02, 0.15, 0.8])[self.band[first]])
        source = np.where(application, np.where(self_applied, margins.THE_CHILD, margins.GUARDIAN), source)
        source = np.where(kind == TRANSFER, margins.SOCIAL_SERVICES, source)
        for name, values in (("reason", reason), ("source", source), ("application", application)):
            cases[name] = values[self.event]
        applies = pick(rng, np.array([0.48, 0.46, 0.06]), self.events)[self.event]
        cases["applies_to"] = np.where(cases["application"], applies, NONE)
        extra = pick(rng, margins.REASON_BY_BAND[self.band])
        cases["second"] = np.where((rng.random(self.size) < 0.26) & (extra != cases["reason"]), extra, NONE)
        extra = pick(rng, margins.REASON_BY_BAND[self.band])
        more = (cases["second"] != NONE) & (extra != cases["reason"]) & (extra != cases["second"])
        cases["third"] = np.where(more & (rng.random(self.size) < 0.2), extra, NONE)
        adult = (cases["reason"] >= margins.CHILD_SIDE) & (cases["reason"] < margins.ADULT_SIDE)
        lives = pick(rng, np.array([0.30, 0.14, 0.22, 0.34]), self.size)
        cases["lives"] = np.where(adult, lives, NONE)

    def _assessment(self) -> None:
        """When it is decided whether to investigate, and whether a pre-assessment is dated at all."""
        rng, cases = self.rng, self.cases
        mean = traits("assessment_days")[self.district]
        urgent = np.isin(cases["reason"], (margins.VIOLENCE, margins.ASSAULT))
        quick = cases["kind"] > REOPENS
        hurry = np.where(quick, 0.15, np.where(urgent, 0.55, 1.0))
        spread = rng.gamma(2.2, 1 / 2.2, self.events)[self.event]
        days = np.minimum(np.floor(spread * mean * hurry), 12)
        late = ~quick & ~urgent & (self.shared(1.0) < traits("late_assessment")[self.district])
        days = np.where(late, 15 + np.floor(rng.exponential(7.0, self.events)[self.event]), days).astype("int64")
        cases["decided"] = weekday_after(cases["receipt"] + days)
        undated = cases["application"] & (self.shared(1.0) < 0.6)
        cases["assessed"] = np.where(undated, NEVER, cases["decided"])

    def _opening(self, given: float | None) -> float:
        """Whether an investigation is opened, and the reason when it is not."""
        rng, cases = self.rng, self.cases
        kind = cases["kind"]
        forced = np.isin(kind, (REOPENS, TRANSFER))
        free = kind == FREE
        if given is None:
            given = (margins.INVESTIGATED * self.size - int(forced.sum())) / max(int(free.sum()), 1)
            given = float(np.clip(given, 0.05, 0.9))
        weight = margins.OPENED_BY_REASON[cases["reason"]] * margins.OPENED_BY_BAND[self.band]
        weight = weight * traits("opened")[self.district] * np.array([1.06, 1.0, 0.93])[self.level]
        weight = weight * np.where(cases["application"], 1.6, 1.0)
        chance = np.zeros(self.size)
        chance[free] = calibrated(given, weight[free])
        opened = forced | (free & (self.shared() < chance))
        cases["opened"] = opened
        table = np.where(cases["application"][:, None], margins.WHY_NOT_APPLICATION, margins.WHY_NOT_REPORT)
        why = pick(rng, table)
        why = np.where(kind == MEANWHILE_INQUIRY, margins.ONGOING_INQUIRY, why)
        why = np.where(kind == MEANWHILE_HELP, margins.ONGOING_HELP, why)
        cases["why_not"] = np.where(opened, NONE, why)
        referred = pick(rng, margins.REFERRAL_SHARES, self.size)
        likely = np.where(opened, 0.03, np.where(cases["why_not"] == 3, 0.85, 0.22))
        cases["referred"] = np.where(happens(rng, likely), referred, NONE)
        cases["assessed"] = np.where(opened, cases["assessed"], cases["decided"])
        early = opened & ~cases["application"] & (self.shared(1.0) < 0.08)
        start = np.where(early, np.maximum(cases["receipt"], cases["decided"] - 2), cases["decided"])
        cases["start"] = np.where(opened, start, NEVER)
        return given

    def _investigation(self) -> None:
        """How long it takes: within 60 days, within four months, prolonged, or late without."""
        rng, cases = self.rng, self.cases
        start = cases["start"].astype("int64")
        pilot = cases["receipt"] >= self.pilot_from
        quick = traits("quick")[self.district] * np.where(pilot, 1.5, 1.0)
        late = traits("late")[self.district]
        prolonged = 0.10
        luck = self.shared()
        fraction = rng.beta(2.2, 1.5, self.events)[self.event]
        due = add_months(np.where(cases["opened"], start, 0), 4)
        days_to_due = np.where(cases["opened"], due - start, 121)
        length = np.where(luck < quick, 18 + 42 * fraction, 61 + (days_to_due - 62) * fraction)
        is_late = luck > 1 - late
        length = np.where(is_late, days_to_due + 3 + 50 * fraction * fraction, length)
        is_prolonged = ~is_late & (luck > 1 - late - prolonged)
        until = due + 30 * (1 + pick(rng, np.array([0.45, 0.4, 0.15]), self.events)[self.event])
        over = is_prolonged & (rng.random(self.size) < 0.06)
        prolonged_length = days_to_due + (until - due) * fraction + np.where(over, 1.0, 0.0) * (until - due)
        length = np.where(is_prolonged, prolonged_length, length)
        end = weekday_before(start + np.rint(length).astype("int64"))
        cases["end"] = np.where(cases["opened"], np.maximum(end, start + 1), NEVER)
        asked = weekday_before(start + 100 + rng.integers(0, 14, self.events)[self.event])
        is_prolonged &= cases["opened"]
        cases["prolonged_at"] = np.where(is_prolonged, asked, NEVER)
        cases["prolonged_to"] = np.where(is_prolonged, until, NEVER)
        cases["transferred"] = cases["opened"] & (self.shared(1.0) < margins.TRANSFERRED)

    def _outcome(self) -> None:
        """Whether the child was heard and the school contacted, what was offered, and the answer."""
        rng, cases = self.rng, self.cases
        rows = np.flatnonzero(cases["opened"])
        band, level, district = self.band[rows], self.level[rows], self.district[rows]
        reason, source = cases["reason"][rows], cases["source"][rows]
        helped, known = cases["prior_help"][rows], cases["prior_inquiry"][rows]
        weight = margins.HEARD_BY_BAND[band] * np.where(helped, 1.08, 1.0) * np.array([0.94, 1.0, 1.08])[level]
        at_school = np.isin(source, (margins.SCHOOL, margins.PRESCHOOL))
        weight = weight * np.where(at_school | (source == margins.THE_CHILD), 1.12, 1.0)
        weight = weight * np.where(np.isin(source, (margins.PSYCHIATRY, margins.HEALTH)), 0.85, 1.0)
        cases["heard"][rows] = happens(rng, calibrated_by(margins.HEARD_BY_REASON, reason, weight))
        weight = margins.SCHOOL_BY_BAND[band] * margins.SCHOOL_BY_SEX[self.sex[rows]] * np.where(known, 1.08, 1.0)
        weight = weight * np.array([1.08, 1.0, 0.9])[level]
        cases["school"][rows] = happens(rng, calibrated_by(margins.SCHOOL_CONTACTED, at_school.astype("int64"), weight))
        weight = margins.OFFERED_BY_REASON[reason] * margins.OFFERED_BY_BAND[band] * traits("offered")[district]
        weight = weight * np.where(helped, 1.15, 1.0) * np.array([1.06, 1.0, 0.93])[level]
        weight = weight * np.where(source == margins.PRESCHOOL, 1.25, np.where(source == margins.POLICE, 0.85, 1.0))
        weight = weight * np.where(cases["transferred"][rows], 0.0, 1.0)
        chance = calibrated_by(margins.OFFERED, cases["application"][rows].astype("int64"), weight)
        cases["offered"][rows] = happens(rng, chance)
        self._offer(np.flatnonzero(cases["offered"]))

    def _offer(self, rows: Ints) -> None:
        rng, cases = self.rng, self.cases
        cases["insats"], cases["answered"] = NONE, NEVER
        if rows.size == 0:
            return
        cases["insats"][rows] = pick(rng, raked(offer_weights(cases[rows], self.band[rows]), margins.OFFER_SHARES))
        several = happens(rng, margins.MORE_THAN_ONE_OFFER, rows.size)
        cases["offers"][rows] = np.where(several, 2 + (rng.random(rows.size) < 0.2), 1)
        pilot = cases["receipt"][rows] >= self.pilot_from[rows]
        weight = margins.ACCEPTED_BY_BAND[self.band[rows]] * traits("accepted")[self.district[rows]]
        weight = weight * np.array([0.94, 1.0, 1.07])[self.level[rows]] * np.where(pilot, 1.06, 1.0)
        weight = weight * np.where(cases["application"][rows], 1.2, 1.0)
        cases["accepted"][rows] = happens(rng, calibrated(margins.ACCEPTED, weight))
        thinking = np.where(rng.random(rows.size) < 0.2, rng.integers(4, 60, rows.size), 0)
        cases["answered"][rows] = weekday_after(cases["end"][rows] + thinking)

    def _closing(self) -> None:
        cases = self.cases
        closed = np.where(cases["offered"], cases["answered"], cases["end"])
        cases["closed"] = np.where(cases["opened"], closed, cases["decided"])


def offer_weights(cases: Table, band: Ints) -> Floats:
    """How well each intervention fits each case, before the published shares are fitted."""
    weights = np.tile(margins.OFFER_SHARES, (cases.size, 1))
    place = {code: index for index, code in enumerate(margins.OFFERS)}
    reason = cases["reason"]
    violence: Bools = np.isin(reason, (margins.VIOLENCE, margins.ASSAULT, 9))
    contact = cases["applies_to"] == 1
    teen = band >= 2
    for code, fits, factor in (
        ("tryggare_barn", violence, 8.0),
        ("trappan", violence, 8.0),
        ("kriscentrum", violence, 10.0),
        ("kontaktperson", teen, 3.0),
        ("kontaktperson", contact, 5.0),
        ("kontaktfamilj", ~teen, 3.0),
        ("kontaktfamilj", contact, 8.0),
        ("ungdomsbehandling", teen, 12.0),
        ("strukturerat_oppenvardsprogram", teen, 3.0),
        ("maria_ungdom", reason == margins.CHILD_ABUSE, 25.0),
        ("framtid_stockholm", teen, 3.0),
        ("sarskilt_kvalificerad_kontaktperson", np.isin(reason, (2, 3, 4)), 12.0),
        ("praktiskt_stod", ~teen, 2.0),
    ):
        weights[:, place[code]] *= np.where(fits, factor, 1.0)
    for code in ("ungdomsbehandling", "maria_ungdom", "sarskilt_kvalificerad_kontaktperson"):
        weights[:, place[code]] *= np.where(teen, 1.0, 0.02)
    return weights

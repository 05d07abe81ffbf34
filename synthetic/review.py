"""A district's review of its cases of 2017, drawn so that it comes out with the published percentages.

Source: Modell för tidigt socialt stöd, delrapport 2019 (a district's own review: pre-assessments of 2017 that were not
opened, and investigations started in 2017). Where the report gives a percentage, the whole numbers here round to it.
Where it gives a number (2,281 cases, 1,750 persons, 278 offered, 20 of them more than one), it is that number. Where it
gives only an order (which reasons are opened most), the order is the same. The rest is invented.

Two sentences of the report contradict its figures and are not followed: 27 % offered of all cases (278 of 2,281 is
12 %), and which age is offered most.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.file_permissions import make_folder
from ingest.locations.local_folder import put_file
from ingest.quarters import Quarter, quarters_between
from synthetic import margins
from synthetic.care import EpisodeDraw
from synthetic.cases import CASE, NONE, offer_weights
from synthetic.districts import DISTRICT_INDEX, draw_areas
from synthetic.draws import NEVER, Bools, Floats, Ints, Table, empty, pick, rank_within, stream
from synthetic.file_columns import case_columns, cases_shown, episode_columns, episodes_shown
from synthetic.people import BOY, People
from synthetic.review_plan import (
    AFTER_NOT_OPENED,
    FIRST,
    NOT_OPENED,
    SECOND,
    choose_exactly,
    plan_review,
)
from synthetic.tables import DrawnTable
from synthetic.writing import NOTICE, sha256, write_manifest

FROM, UNTIL = Quarter(2017, 1), Quarter(2019, 1)
_STEP = 21
_MOVING = 0.12
"""Share of a child's later cases that another district has, when the review is split over two."""

# By reason, in the order of margins.REASONS: investigations of 2017 (930) and cases not opened (1,351).
OPENED_BY_REASON = np.array([95, 85, 8, 12, 14, 70, 140, 150, 45, 22, 48, 100, 14, 12, 26, 16, 53, 20])
OTHERS_BY_REASON = np.array([135, 105, 72, 78, 78, 62, 120, 55, 35, 12, 112, 150, 46, 18, 66, 40, 97, 70])
# By source, in the order of margins.SOURCES.
OPENED_BY_SOURCE = np.array([240, 165, 35, 8, 2, 105, 75, 4, 10, 22, 95, 30, 35, 30, 44, 20, 10])
OTHERS_BY_SOURCE = np.array([370, 215, 27, 12, 4, 150, 110, 8, 22, 24, 130, 60, 70, 65, 44, 28, 12])
APPLICATIONS, OTHER_APPLICATIONS = 60, 65
OFFERED = (252, 26)
"""After 870 reports (29 %), after 60 applications (43 %): 278 of 930."""
# By intervention, in the order of margins.OFFERS: 147 of 278 are 53 %, 22 + 14 are 13 %, 25 are 9 %.
OFFERS = np.array([147, 22, 14, 25, 16, 17, 10, 7, 7, 4, 3, 5, 1, 0])
MORE_THAN_ONE = 20
ACCEPTED = 185
"""Two thirds of those offered, 20 % of the investigations, 8 % of all cases."""
HEARD = {margins.ASSAULT: 114, margins.VIOLENCE: 63, 11: 43}
"""Of 150 (76 %), 140 (45 %) and 100 (43 %; a parent's mental illness)."""
HEARD_OTHERWISE = 254
"""Of the other 540: 474 of 930 in all."""
SCHOOL_CONTACTED_WHEN_SOURCE = 96
"""Of 200 investigations after a report by school or preschool (48 %)."""
SCHOOL_CONTACTED = (90, 172)
"""Girls (of 418, 22 %) and boys (of 512, 34 %): 262 of 930 (28 %)."""


@dataclass(frozen=True)
class ReviewDrawn:
    """The files of a drawn review."""

    files: tuple[Path, ...]
    notice: str


def draw_review(out: Path, districts: tuple[str, ...] = ("hasselby-vallingby",), seed: int = 7) -> ReviewDrawn:
    """Write the review's `arenden` and `oppenvard` files of 2017Q1–2019Q1, and lists of them as synthetic.

    Persons, cases and what becomes of them are the same however many districts they are split over; some children's
    later cases are then another district's than their first. Equal arguments give equal bytes.

    Args:
        out: gets `<district>/<district>_<dataset>_<quarter>.csv`.
        districts: districts of 2007 that share the cases. They write as in the drawn city, so one that leaves columns
            out (alvsjo: how many interventions were offered) leaves them out here.
        seed: not negative.

    Raises:
        KeyError: a district is none of those drawn.
    """
    rng = stream(seed, _STEP)
    people = People()
    plan, bands = plan_review(rng, people)
    cases = _cases(rng, people, plan, bands)
    _assign_districts(stream(seed, _STEP, 1), people, cases, [DISTRICT_INDEX[district] for district in districts])
    episodes = EpisodeDraw(stream(seed, _STEP, 2), people, FROM, 0.0).run(cases)
    episodes["number"] = rank_within(episodes["district"].astype("int64")) + 1
    written: list[Path] = []
    for district in districts:
        folder = make_folder(out, district)
        checksums: dict[str, str] = {}
        for quarter in quarters_between(FROM, UNTIL):
            for table in _tables(district, quarter, people, cases, episodes):
                content = table.content()
                put_file(folder, table.file_name, content)
                checksums[table.file_name] = sha256(content)
                written.append(folder / table.file_name)
        write_manifest(folder, checksums, NOTICE)
    return ReviewDrawn(tuple(written), NOTICE)


def _tables(
    district: str, quarter: Quarter, people: People, cases: Table, episodes: Table
) -> tuple[DrawnTable, DrawnTable]:
    shown = cases_shown(district, quarter, cases)
    care = episodes_shown(district, quarter, episodes)
    return (
        DrawnTable(district, "arenden", quarter, case_columns(district, quarter, people, shown), shown.size),
        DrawnTable(district, "oppenvard", quarter, episode_columns(district, quarter, people, care, FROM), care.size),
    )


def _assign_districts(rng: np.random.Generator, people: People, cases: Table, districts: list[int]) -> None:
    """Give each child's cases a district (of these indices), a number and an area."""
    home = rng.integers(0, len(districts), people.count)[cases["person"]]
    order = np.lexsort((cases["receipt"], cases["person"]))
    later = np.zeros(cases.size, dtype=bool)
    later[order] = rank_within(cases["person"][order].astype("int64")) > 0
    moved = later & (rng.random(cases.size) < _MOVING)
    place = np.where(moved, (home + 1) % len(districts), home)
    cases["district"] = np.array(districts)[place]
    cases["unit"] = cases["district"]
    cases["area"] = draw_areas(rng, cases["district"].astype("int64"))
    years = cases["receipt"].astype("datetime64[D]").astype("datetime64[Y]").astype("int64") + 1970
    cases["year"] = years
    order = np.argsort(cases["receipt"], kind="stable")
    numbers = np.empty(cases.size, dtype="int64")
    numbers[order] = rank_within((cases["district"].astype("int64") * 10_000 + years)[order]) + 1
    cases["number"] = numbers
    cases["lop"] = people.running_numbers(cases["person"].astype("int64"), cases["district"].astype("int64"))


def _cases(rng: np.random.Generator, people: People, plan: Table, bands: Ints) -> Table:
    """The planned cases with every field that the review counts."""
    cases = empty(CASE, plan.size)
    role, band = plan["role"].astype("int64"), bands[plan["person"] - plan["person"].min()]
    reviewed = np.isin(role, (FIRST, SECOND))
    unopened = role == NOT_OPENED
    cases["event"] = np.arange(plan.size)
    cases["person"], cases["receipt"], cases["decided"] = plan["person"], plan["receipt"], plan["decided"]
    cases["assessed"] = plan["decided"]
    cases["opened"] = ~np.isin(role, (NOT_OPENED, AFTER_NOT_OPENED))
    cases["start"] = np.where(cases["opened"], plan["decided"], NEVER)
    cases["end"] = np.where(cases["opened"], plan["end"], NEVER)
    for name in ("prolonged_at", "prolonged_to", "answered"):
        cases[name] = NEVER
    _reasons_and_sources(rng, cases, band, reviewed, unopened)
    luck = rng.random(plan.size)
    reported = luck < margins.PRIOR_REPORT[band]
    helped = luck < margins.PRIOR_HELP[band]
    cases["prior_inquiry"] = plan["prior"]
    cases["prior_report"] = plan["prior"] | reported
    cases["prior_help"] = plan["prior"] & helped
    _not_opened(rng, cases)
    sex = people.rows["sex"][cases["person"]]
    _conversations(rng, cases, np.flatnonzero(reviewed), sex)
    _offers(rng, cases, np.flatnonzero(reviewed), band)
    _cases_outside_review(rng, cases, np.flatnonzero(cases["opened"] & ~reviewed))
    closed = np.where(cases["offered"], cases["answered"], cases["end"])
    cases["closed"] = np.where(cases["opened"], closed, cases["decided"])
    return cases


def _reasons_and_sources(rng: np.random.Generator, cases: Table, band: Ints, reviewed: Bools, unopened: Bools) -> None:
    """Reason, source, and whether it is an application."""
    cases["reason"] = pick(rng, margins.REASON_BY_BAND[band])
    cases["source"] = pick(rng, margins.SOURCE_BY_BAND[band])
    for rows, by_reason, by_source, applications in (
        (np.flatnonzero(reviewed), OPENED_BY_REASON, OPENED_BY_SOURCE, APPLICATIONS),
        (np.flatnonzero(unopened), OTHERS_BY_REASON, OTHERS_BY_SOURCE, OTHER_APPLICATIONS),
    ):
        cases["reason"][rows] = _draw_exactly(rng, by_reason, margins.REASON_BY_BAND[band[rows]])
        cases["source"][rows] = _draw_exactly(rng, by_source, margins.SOURCE_BY_BAND[band[rows]])
        may = np.isin(cases["source"][rows], (margins.THE_CHILD, margins.GUARDIAN))
        cases["application"][rows] = choose_exactly(rng, applications, may)
    applies = pick(rng, np.array([0.48, 0.46, 0.06]), cases.size)
    cases["applies_to"] = np.where(cases["application"], applies, NONE)
    cases["second"], cases["third"] = NONE, NONE
    adult = (cases["reason"] >= margins.CHILD_SIDE) & (cases["reason"] < margins.ADULT_SIDE)
    cases["lives"] = np.where(adult, pick(rng, np.array([0.30, 0.14, 0.22, 0.34]), cases.size), NONE)


def _draw_exactly(rng: np.random.Generator, counts: Ints, weights: Floats) -> Ints:
    """Draw a choice per row, each exactly as often as `counts` says, in proportion to the row's weights."""
    left = counts.copy()
    found = np.empty(len(weights), dtype="int64")
    for row in rng.permutation(len(weights)):
        weight = left * (weights[row] + 1e-6)
        found[row] = rng.choice(left.size, p=weight / weight.sum())
        left[found[row]] -= 1
    return found


def _not_opened(rng: np.random.Generator, cases: Table) -> None:
    table = np.where(cases["application"][:, None], margins.WHY_NOT_APPLICATION, margins.WHY_NOT_REPORT).copy()
    table[:, [margins.ONGOING_INQUIRY, margins.ONGOING_HELP, margins.MOVED_ON]] = 0.0
    cases["why_not"] = np.where(cases["opened"], NONE, pick(rng, table))
    referred = pick(rng, margins.REFERRAL_SHARES, cases.size)
    cases["referred"] = np.where(~cases["opened"] & (rng.random(cases.size) < 0.3), referred, NONE)


def _conversations(rng: np.random.Generator, cases: Table, rows: Ints, sex: Ints) -> None:
    """Whether the child was heard (by reason) and the school contacted (by source and sex)."""
    reason = cases["reason"][rows]
    for code, count in HEARD.items():
        cases["heard"][rows] |= choose_exactly(rng, count, reason == code)
    rest = ~np.isin(reason, list(HEARD))
    cases["heard"][rows] |= choose_exactly(rng, HEARD_OTHERWISE, margins.HEARD_BY_REASON[reason] * rest)
    at_school = np.isin(cases["source"][rows], (margins.SCHOOL, margins.PRESCHOOL))
    boys = sex[rows] == BOY
    boys_at_school = round(SCHOOL_CONTACTED_WHEN_SOURCE * 1.15 * float(boys[at_school].mean()))
    for is_boy, contacted, of_these in (
        (True, SCHOOL_CONTACTED[1], boys_at_school),
        (False, SCHOOL_CONTACTED[0], SCHOOL_CONTACTED_WHEN_SOURCE - boys_at_school),
    ):
        mine = boys == is_boy
        cases["school"][rows] |= choose_exactly(rng, of_these, mine & at_school)
        cases["school"][rows] |= choose_exactly(rng, contacted - of_these, mine & ~at_school)


def _offers(rng: np.random.Generator, cases: Table, rows: Ints, band: Ints) -> None:
    """What is offered after an investigation of the review, and the answer."""
    weights = margins.OFFERED_BY_REASON[cases["reason"][rows]]
    for is_application, count in enumerate(OFFERED):
        mine = cases["application"][rows] == bool(is_application)
        cases["offered"][rows] |= choose_exactly(rng, count, weights * mine)
    cases["insats"] = NONE
    given = rows[cases["offered"][rows]]
    fits = offer_weights(cases[given], band[given]) / margins.OFFER_SHARES
    cases["insats"][given] = _draw_exactly(rng, OFFERS, fits)
    cases["offers"][given] = np.where(choose_exactly(rng, MORE_THAN_ONE, np.ones(given.size)), 2, 1)
    cases["accepted"][given] = choose_exactly(rng, ACCEPTED, margins.ACCEPTED_BY_BAND[band[given]])
    cases["answered"][given] = cases["end"][given]


def _cases_outside_review(rng: np.random.Generator, cases: Table, rows: Ints) -> None:
    """Draw the outcome of investigations outside the review: returns, and those of other children."""
    cases["heard"][rows] = rng.random(rows.size) < 0.5
    cases["school"][rows] = rng.random(rows.size) < 0.3
    cases["offered"][rows] = rng.random(rows.size) < 0.3
    given = rows[cases["offered"][rows]]
    cases["insats"][given] = pick(rng, margins.OFFER_SHARES[:-1], given.size)
    cases["offers"][given] = 1
    cases["accepted"][given] = rng.random(given.size) < 2 / 3
    cases["answered"][given] = cases["end"][given]

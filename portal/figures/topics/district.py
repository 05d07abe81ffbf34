"""One district beside the city: its goals, its waits, and every measure on which the release compares it."""

from __future__ import annotations

from collections.abc import Sequence

from portal.figures.choices import Asked, Period, district_choice, period_choice, period_of
from portal.figures.comparing import EQUITY, Measure, compared
from portal.figures.findings import Compared, of_beside, of_districts_equity
from portal.figures.pictures import Mark, Picture
from portal.figures.sections import Content, Section, missing_notes, nothing, other_period, state_notes
from portal.figures.tables import Column, Table, cell, of_view, text_of
from portal.figures.topics.equity import plain_name
from portal.figures.topics.goals import BASE as GOALS_BASE
from portal.figures.topics.goals import GOALS, one_period
from portal.figures.topics.waiting import BASE as WAITS_BASE
from portal.figures.topics.waiting import wait_measure
from publish.views.declared import DISTRICT, PERIOD, Kind

BASES = (GOALS_BASE, WAITS_BASE, EQUITY)
_OF_EQUITY = (
    "matt", "enhet", "varde", "varde_lag", "varde_hog", "staden_varde", "skillnad_mot_staden", "lage",
    "saker_skillnad", "placering", "placering_lag", "placering_hog",
)  # fmt: skip
_BESIDE = "Punkten är stadsdelens värde med sin osäkerhet, det lodräta strecket är hela stadens."


def build(asked: Asked) -> Content:
    """The page of the district in the address; of no district it says nothing."""
    choices = (period_choice(asked, BASES), district_choice(asked, BASES))
    district = choices[1].chosen_label
    sections = (_goals(asked, district), _waits(asked, district), _equity(asked, district))
    return Content(district, sections[2].finding, choices[:1], sections, district)


def _goals(asked: Asked, district: str) -> Section:
    key, heading = "mal", "De fyra målen"
    period = one_period(asked)
    if period is None:
        return nothing(key, heading, GOALS_BASE)
    rows = asked.release.rows(period.view, {PERIOD: period.label})
    found = [(measure, compared(asked, period, rows, measure)) for measure in GOALS]
    notes = (*other_period(asked, period), *state_notes(rows))
    return _beside(asked, key, heading, GOALS_BASE, district, period, "rate", found, notes)


def _waits(asked: Asked, district: str) -> Section:
    key, heading = "vantan", "Väntetider"
    period = period_of(asked, WAITS_BASE, "medel_dagar")
    if period is None:
        return nothing(key, heading, WAITS_BASE)
    codes = asked.release.codes("dim_wait_kind")
    found, all_rows = [], asked.release.rows(period.view, {PERIOD: period.label})
    for label in sorted({row["vantan_pa"] for row in all_rows}, key=lambda one: codes.get(one, ("", 0))[1]):
        rows = [row for row in all_rows if row["vantan_pa"] == label]
        measure = wait_measure(codes.get(label, (label, 0))[0], label)
        found.append((measure, compared(asked, period, rows, measure)))
    notes = (*other_period(asked, period), *state_notes(all_rows))
    return _beside(asked, key, heading, WAITS_BASE, district, period, "days", found, notes)


def _beside(
    asked: Asked,
    key: str,
    heading: str,
    base: str,
    district: str,
    period: Period,
    kind: Kind,
    found: Sequence[tuple[Measure, Compared]],
    notes: tuple[str, ...],
) -> Section:
    """The district's figures of several measures, each beside the city's."""
    title = f"{heading} i {district} och i hela staden, {period.label}"
    marks, body = [], []
    for measure, one in found:
        own = next((value for value in one.values if value.name == district), None)
        shown = None if own is None else own.value
        lacking = "saknas" if own is None else {"too_few": "för få", "waiting": "inte klart"}.get(own.lacking, "saknas")
        emphasis = own is not None and own.is_sure
        text = lacking if shown is None else text_of(shown, kind)
        if shown is not None and one.city is not None:
            text = f"{text} ({text_of(one.city, kind)})"
        low, high = (None, None) if own is None else (own.low, own.high)
        marks.append(Mark(measure.heading, shown, text, low, high, None, one.city, "sure" if emphasis else ""))
        citys = cell(one.city, kind, {"too_few": "för få", "waiting": "inte klart"}.get(one.city_lacking, "saknas"))
        limits = (cell(low, kind, "–"), cell(high, kind, "–"))
        body.append((cell(measure.heading, "text"), cell(shown, kind, lacking), *limits, citys))
    columns = (
        Column("matt", "Mått", "text"), Column("varde", district, kind), Column("varde_lag", "Undre gräns", kind),
        Column("varde_hog", "Övre gräns", kind), Column("staden_varde", "Hela staden", kind),
    )  # fmt: skip
    picture = Picture(title, "dots", kind, tuple(marks), None, (_BESIDE, "Stadens värde står inom parentes."))
    has_values = any(mark.value is not None for mark in marks)
    table = Table(title, columns, tuple(body), missing_notes(asked, has_counts_of_persons=False))
    finding = of_beside(district, [(measure.heading, one) for measure, one in found])
    return Section(key, heading, finding, base, picture if has_values else None, table, notes)


def _equity(asked: Asked, district: str) -> Section:
    key, heading = "likstallighet", "Alla mått på likställighet"
    period = period_of(asked, EQUITY, "varde")
    if period is None:
        return nothing(key, heading, EQUITY)
    rows = asked.release.rows(period.view, {PERIOD: period.label, DISTRICT: district})
    finding = of_districts_equity(
        period.label,
        district,
        sum(1 for row in rows if row["lage"] is not None),
        [_small(row["matt"]) for row in rows if row["saker_skillnad"]],
        [_small(row["matt"]) for row in rows if row["utanfor"]],
    )
    title = f"{district} på alla mått, {period.label}"
    table = of_view(period.view, rows, _OF_EQUITY, title, missing_notes(asked, has_counts_of_persons=False))
    notes = (*other_period(asked, period), *state_notes(rows))
    return Section(key, heading, finding, EQUITY, None, table, notes)


def _small(measure: str) -> str:
    name = plain_name(measure)
    return name[:1].lower() + name[1:]

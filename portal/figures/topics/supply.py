"""Which interventions the districts offer, and how many take part."""

from __future__ import annotations

from dataclasses import replace

from ingest.swedish_order import swedish_order
from portal.figures.choices import Asked, Period, district_choice, label_choice, period_choice, period_of
from portal.figures.comparing import EQUITY
from portal.figures.findings_of_counts import (
    Offering,
    of_district_supply,
    of_districts_supply,
    of_one_supply,
    of_supply,
)
from portal.figures.pictures import Mark, Picture
from portal.figures.released import Row
from portal.figures.sections import Content, Section, nothing, other_period, state_notes
from portal.figures.tables import Column, Table, cell, of_view
from portal.figures.topics.equity import measure_section
from publish.views.declared import DISTRICT, PERIOD

BASE = "vy_utbud"
_TAKING_PART = "participants_per_1000"
_DETAILS = (
    DISTRICT, PERIOD, "insats", "erbjuds", "planeras", "som_service", "som_bistand", "regi", "sprak", "utan_tak",
    "hogsta_antal_samtal", "uppgiven_vantetid_dagar",
)  # fmt: skip


def build(asked: Asked) -> Content:
    """The page of supply and access."""
    period = period_of(asked, BASE, "stadsdelar_som_erbjuder")
    there = asked.release.distinct(period.view.name, "insats") if period else ()
    choices = (
        period_choice(asked, (BASE, EQUITY)),
        district_choice(asked, (BASE, EQUITY)),
        label_choice(asked, "insats", "Insats", "dim_intervention", there, "Alla"),
    )
    district, intervention = choices[1].chosen_label, choices[2].chosen_label
    sections: list[Section] = []
    if period is None:
        sections.append(nothing("insatser", "Utbudet", BASE))
    else:
        rows = asked.release.rows(period.view, {PERIOD: period.label})
        if intervention:
            sections.append(_of_one(asked, period, rows, intervention, district))
        elif district:
            sections.append(_of_district(asked, period, rows, district))
        sections.append(_interventions(asked, period, rows, intervention))
        sections.append(_districts(asked, period, rows, district))
    sections.append(_taking_part(asked, district))
    return Content("Utbud och tillgång", sections[0].finding, choices, tuple(sections), district)


def _offered(rows: list[Row]) -> list[Offering]:
    found: dict[str, Offering] = {}
    for row in rows:
        known = row["stadsdelar_som_erbjuder"], row["stadsdelar_med_uppgift"]
        if None not in known:
            found.setdefault(row["insats"], Offering(row["insats"], *known))
    return sorted(found.values(), key=lambda one: (-one.offering, swedish_order(one.name)))


def _interventions(asked: Asked, period: Period, rows: list[Row], chosen: str) -> Section:
    """How many districts offer each intervention: `13 av 14`."""
    offered = _offered(rows)
    title = f"Så många stadsdelar erbjuder insatsen, {period.label}"
    marks = tuple(
        Mark(one.name, one.offering, f"{one.offering} av {one.known}", emphasis="chosen" if one.name == chosen else "")
        for one in offered
    )
    category = {row["insats"]: row["insatskategori"] for row in rows}
    columns = (
        Column("insats", "Insats", "text"), Column("insatskategori", "Insatskategori", "text"),
        Column("stadsdelar_som_erbjuder", "Stadsdelar som erbjuder", "count"),
        Column("som_service", "Som service", "count"), Column("som_bistand", "Som bistånd", "count"),
        Column("planeras", "Planeras", "count"), Column("stadsdelar_med_uppgift", "Stadsdelar med uppgift", "count"),
    )  # fmt: skip
    body = []
    for one in offered:
        of_one = [row for row in rows if row["insats"] == one.name]
        counted = [sum(bool(row[name]) for row in of_one) for name in ("som_service", "som_bistand", "planeras")]
        numbers = (one.offering, *counted, one.known)
        body.append((cell(one.name, "text"), cell(category[one.name], "text"), *(cell(n, "count") for n in numbers)))
    return Section(
        "insatser",
        "Hur vanliga insatserna är",
        of_supply(period.label, offered),
        BASE,
        Picture(title, "bars", "count", marks) if marks else None,
        Table(title, columns, tuple(body)),
        (*other_period(asked, period), *state_notes(rows)),
    )


def _districts(asked: Asked, period: Period, rows: list[Row], chosen: str) -> Section:
    """How many interventions each district offers."""
    names = list(dict.fromkeys(row[DISTRICT] for row in rows))
    catalogue = len({row["insats"] for row in rows})
    columns = (
        Column(DISTRICT, "Stadsdel", "text"), Column("erbjuds", "Erbjuds", "count"),
        Column("som_service", "Som service", "count"), Column("som_bistand", "Som bistånd", "count"),
        Column("planeras", "Planeras", "count"), Column("insatser", "Insatser i katalogen", "count"),
    )  # fmt: skip
    body, marks = [], []
    for name in names:
        own = [row for row in rows if row[DISTRICT] == name]
        numbers = [sum(bool(row[one.name]) for row in own) for one in columns[1:-1]]
        body.append((cell(name, "text"), *(cell(n, "count") for n in numbers), cell(len(own), "count")))
        marks.append(Mark(name, numbers[0], f"{numbers[0]} av {len(own)}", emphasis="chosen" if name == chosen else ""))
    marks.sort(key=lambda mark: (-(mark.value or 0), mark.name))
    title = f"Så många av insatskatalogens insatser erbjuder stadsdelen, {period.label}"
    offers = [Offering(mark.name, int(mark.value or 0), catalogue) for mark in marks]
    finding = of_districts_supply(period.label, catalogue, offers)
    picture = Picture(title, "bars", "count", tuple(marks)) if marks else None
    return Section("stadsdelar", "Utbudet i stadsdelarna", finding, BASE, picture, Table(title, columns, tuple(body)))


def _of_one(asked: Asked, period: Period, rows: list[Row], intervention: str, district: str) -> Section:
    """Who offers one intervention, and in which form."""
    own = [row for row in rows if row["insats"] == intervention]
    offered = next(iter(_offered(own)), Offering(intervention, 0, 0))
    without = [row[DISTRICT] for row in own if not row["erbjuds"]]
    shown = [row for row in own if row[DISTRICT] == district] if district else own
    finding = of_one_supply(period.label, offered, without)
    if district and shown:
        finding += f" {district} erbjuder den{'' if shown[0]['erbjuds'] else ' inte'}."
    title = f"{intervention} i stadsdelarna, {period.label}"
    table = of_view(period.view, shown, _DETAILS, title)
    return Section("insats", intervention, finding, BASE, None, table, other_period(asked, period))


def _of_district(asked: Asked, period: Period, rows: list[Row], district: str) -> Section:
    """What one district offers."""
    own = [row for row in rows if row[DISTRICT] == district]
    title = f"Utbudet i {district}, {period.label}"
    if not own:
        finding = f"{district} har inte lämnat in sitt utbud för {period.label}: vi vet inte vad som erbjuds."
        return Section("stadsdel", title, finding, BASE, notes=other_period(asked, period))
    offered = sum(bool(row["erbjuds"]) for row in own)
    others = {row[DISTRICT] for row in rows}
    typical = sum(bool(row["erbjuds"]) for row in rows) / len(others) if len(others) > 1 else None
    finding = of_district_supply(period.label, district, offered, len(own), typical)
    table = of_view(period.view, own, _DETAILS, title)
    return Section("stadsdel", f"Utbudet i {district}", finding, BASE, None, table, other_period(asked, period))


def _taking_part(asked: Asked, district: str) -> Section:
    """Children who take part per 1,000 children, as the release compares the districts."""
    key, heading = "deltagande", "Hur många som deltar"
    period = period_of(asked, EQUITY, "varde")
    codes = asked.release.codes("dim_measure")
    label = next((one for one, (code, _) in codes.items() if code == _TAKING_PART), "")
    rows = asked.release.rows(period.view, {PERIOD: period.label, "matt": label}) if period and label else []
    if period is None or not rows:
        return nothing(key, heading, EQUITY)
    made = measure_section(asked, period, rows, label, district)
    return replace(made, key=key, heading=heading)

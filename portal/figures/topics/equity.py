"""How equal the districts are, on every measure that the release tests."""

from __future__ import annotations

from portal.figures.choices import Asked, Period, district_choice, label_choice, period_choice, period_of
from portal.figures.comparing import EQUITY, limits_of, picture_of
from portal.figures.findings import Compared, MeasureTested, Value, of_city, of_district, of_equity
from portal.figures.released import Row
from portal.figures.sections import Content, Section, missing_notes, nothing, other_period, state_notes
from portal.figures.tables import Cell, Column, Table, cell, of_view
from publish.views.declared import DISTRICT, PERIOD, Kind

_KINDS: dict[str, tuple[Kind, float]] = {
    "procent": ("rate", 0.01),
    "dagar": ("days", 1.0),
    "per 1 000": ("per_1000", 1.0),
}
_COLUMNS = (
    DISTRICT, PERIOD, "matt", "enhet", "varde", "varde_lag", "varde_hog", "staden_varde", "skillnad_mot_staden",
    "inre_grans_lag", "inre_grans_hog", "yttre_grans_lag", "yttre_grans_hog", "lage", "saker_skillnad", "placering",
    "placering_lag", "placering_hog",
)  # fmt: skip


def build(asked: Asked) -> Content:
    """The page of equity: all measures, and the chosen one with its limits."""
    period = period_of(asked, EQUITY, "varde")
    measures = asked.release.distinct(period.view.name, "matt") if period else ()
    choices = (
        period_choice(asked, (EQUITY,)),
        district_choice(asked, (EQUITY,)),
        label_choice(asked, "matt", "Mått", "dim_measure", measures, "Det som skiljer mest"),
    )
    district = choices[1].chosen_label
    if period is None:
        section = nothing("matt", "Likställighet", EQUITY)
        return Content("Likställighet", section.finding, choices, (section,), district)
    rows = asked.release.rows(period.view, {PERIOD: period.label})
    by_measure: dict[str, list[Row]] = {}
    for row in rows:
        by_measure.setdefault(row["matt"], []).append(row)
    if not by_measure:
        section = nothing("matt", "Likställighet", EQUITY)
        return Content("Likställighet", section.finding, choices, (section,), district)
    tested = {name: _tested(name, of_one) for name, of_one in by_measure.items()}
    lead = of_equity(period.label, list(tested.values()))
    chosen = choices[2].chosen_label or max(by_measure, key=lambda name: _spread(tested[name], by_measure[name]))
    sections = (
        measure_section(asked, period, by_measure[chosen], chosen, district)
        if chosen in by_measure
        else nothing("matt", chosen, EQUITY),
        _all_measures(asked, period, by_measure, tested, lead),
    )
    return Content("Likställighet", lead, choices, sections, district)


def plain_name(measure: str) -> str:
    """A measure without its unit in brackets."""
    return measure.removesuffix(" (dagar)")


def _tested(name: str, rows: list[Row]) -> MeasureTested:
    return MeasureTested(
        plain_name(name),
        sum(1 for row in rows if row["lage"] is not None),
        tuple(row[DISTRICT] for row in rows if row["saker_skillnad"]),
        tuple(row[DISTRICT] for row in rows if row["utanfor"]),
    )


def _spread(found: MeasureTested, rows: list[Row]) -> tuple[int, int, float]:
    """To choose by: most districts that differ for sure, then outside the limits, then farthest from the city."""
    apart = [
        abs(row["skillnad_mot_staden"]) / half
        for row in rows
        if row["skillnad_mot_staden"] is not None
        and row["inre_grans_hog"] is not None
        and (half := (row["inre_grans_hog"] - row["inre_grans_lag"]) / 2) > 0
    ]
    return len(found.sure), len(found.beyond), max(apart, default=0.0)


def equity_compared(period: Period, rows: list[Row], measure: str) -> Compared:
    """The districts' values of a measure of equity, as findings are made of."""
    kind, factor = _KINDS.get(rows[0]["enhet"] if rows else "", ("number", 1.0))

    def times(value: float | None) -> float | None:
        return None if value is None else value * factor

    name = plain_name(measure)
    citys = [row["staden_varde"] for row in rows if row["staden_varde"] is not None]
    return Compared(
        period=period.label,
        kind=kind,
        saying=f"{name} är {{value}} {{where}}",
        what=name[:1].lower() + name[1:],
        city=times(citys[0]) if citys else None,
        values=tuple(
            Value(
                row[DISTRICT],
                times(row["varde"]),
                times(row["varde_lag"]),
                times(row["varde_hog"]),
                row["lage"] or "",
                bool(row["saker_skillnad"]),
                "too_few" if row["varde"] is None else "",
            )
            for row in rows
        ),
        is_tested=any(row["lage"] is not None for row in rows),
        is_quarter=False,
        city_lacking="" if citys else "too_few",
    )


def measure_section(asked: Asked, period: Period, rows: list[Row], measure: str, district: str) -> Section:
    """A measure with the districts' values, intervals and limits."""
    found = equity_compared(period, rows, measure)
    _, factor = _KINDS.get(rows[0]["enhet"] if rows else "", ("number", 1.0))
    title = f"{plain_name(measure)}, {period.label}"
    limits = limits_of({row[DISTRICT]: row for row in rows}, factor)
    return Section(
        key="matt",
        heading=plain_name(measure),
        finding=of_district(found, district) if district else of_city(found),
        base=EQUITY,
        picture=picture_of(title, found, district, limits) if found.shown else None,
        table=of_view(period.view, rows, _COLUMNS, title, missing_notes(asked, has_counts_of_persons=False)),
        notes=(*other_period(asked, period), *state_notes(rows)),
    )


def _all_measures(
    asked: Asked, period: Period, by_measure: dict[str, list[Row]], tested: dict[str, MeasureTested], finding: str
) -> Section:
    """Every measure in a row: the city's value, the lowest and highest district, and who differs."""
    columns = (
        Column("matt", "Mått", "text"), Column("enhet", "Enhet", "text"),
        Column("staden_varde", "Hela staden", "number"), Column("lagst", "Lägsta stadsdel", "number"),
        Column("hogst", "Högsta stadsdel", "number"), Column("utanfor", "Utanför de yttre gränserna", "text"),
        Column("saker_skillnad", "Säker skillnad", "text"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, of_one in by_measure.items():
        values = [row["varde"] for row in of_one if row["varde"] is not None]
        citys = [row["staden_varde"] for row in of_one if row["staden_varde"] is not None]
        rows.append(
            (
                cell(name, "text"),
                cell(of_one[0]["enhet"], "text"),
                cell(citys[0] if citys else None, "number", "för få"),
                cell(min(values, default=None), "number", "för få"),
                cell(max(values, default=None), "number", "för få"),
                cell(", ".join(tested[name].beyond) or "ingen", "text"),
                cell(", ".join(tested[name].sure) or "ingen", "text"),
            )
        )
    caption = f"Alla mått, {period.label}"
    notes = missing_notes(asked, has_counts_of_persons=False)
    return Section("alla-matt", "Alla mått", finding, EQUITY, None, Table(caption, columns, tuple(rows), notes))

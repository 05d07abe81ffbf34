"""Who has submitted, and in time."""

from __future__ import annotations

from ingest.swedish_order import swedish_order
from portal.figures.choices import Asked, district_choice, period_choice, period_of
from portal.figures.findings_of_counts import Files, of_files
from portal.figures.pictures import Mark, Picture
from portal.figures.released import Row
from portal.figures.sections import Content, Section, nothing, other_period
from portal.figures.tables import Column, Table, cell, of_view
from publish.views.declared import DISTRICT, PERIOD

BASE = "vy_inlamning"
_OWN = (
    DISTRICT, PERIOD, "uppgiftstyp", "lage", "forvantade_filer", "filer_i_kraft", "filer_i_tid", "sista_dag", "rader",
    "fel", "forsok", "oppna_fragor",
)  # fmt: skip


def build(asked: Asked) -> Content:
    """The page of submissions."""
    choices = (period_choice(asked, (BASE,)), district_choice(asked, (BASE,)))
    district = choices[1].chosen_label
    period = period_of(asked, BASE, "filer_i_kraft")
    if period is None:
        section = nothing("inlamning", "Inlämningen", BASE)
        return Content("Inlämningen", section.finding, choices, (section,), district)
    rows = asked.release.rows(period.view, {PERIOD: period.label})
    files = [files_of(name, rows) for name in dict.fromkeys(row[DISTRICT] for row in rows)]
    title = f"Filer som har kommit och räknas, {period.label}"
    marks = tuple(
        Mark(
            one.name, one.in_force, f"{one.in_force} av {one.expected}",
            emphasis="chosen" if one.name == district else "",
        )
        for one in sorted(files, key=lambda one: (one.in_force - one.expected, swedish_order(one.name)))
    )  # fmt: skip
    shown = [one for one in files if one.name == district] if district else files
    finding = of_files(f"{district}, {period.label}" if district else period.label, shown)
    own = [row for row in rows if row[DISTRICT] == district]
    table = of_view(period.view, own, _OWN, f"{district}, {period.label}") if district else _matrix(title, rows, files)
    picture = Picture(title, "bars", "count", marks) if marks else None
    notes = ("Läget är det som gällde när utgåvan gjordes.", *other_period(asked, period))
    section = Section("inlamning", "Vilka har lämnat in", finding, BASE, picture, table, notes)
    return Content("Inlämningen", finding, choices, (section,), district)


def files_of(name: str, rows: list[Row]) -> Files:
    """A district's files."""
    own = [row for row in rows if row[DISTRICT] == name]
    expected, in_force, on_time = (
        sum(row[column] or 0 for row in own) for column in ("forvantade_filer", "filer_i_kraft", "filer_i_tid")
    )
    return Files(name, expected, in_force, on_time)


def _matrix(title: str, rows: list[Row], files: list[Files]) -> Table:
    """A row for each district, a column for each kind of file with its state."""
    kinds = list(dict.fromkeys(row["uppgiftstyp"] for row in rows))
    state = {(row[DISTRICT], row["uppgiftstyp"]): row["lage"] for row in rows}
    columns = (
        Column(DISTRICT, "Stadsdel", "text"), Column("forvantade_filer", "Förväntade filer", "count"),
        Column("filer_i_kraft", "Filer i kraft", "count"), Column("filer_i_tid", "Filer i tid", "count"),
        *(Column(one, one.partition(" (")[0], "text") for one in kinds),
    )  # fmt: skip
    body = tuple(
        (
            cell(one.name, "text"),
            *(cell(number, "count") for number in (one.expected, one.in_force, one.on_time)),
            *(cell(state.get((one.name, kind)), "text", "–") for kind in kinds),
        )
        for one in files
    )
    return Table(title, columns, body)

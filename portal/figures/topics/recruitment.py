"""Whether planned groups start, and whether they are filled."""

from __future__ import annotations

from ingest.organisation import whole_code
from ingest.swedish_order import swedish_order
from portal.figures.choices import Asked, Period, district_choice, period_choice, period_of
from portal.figures.comparing import picture_of
from portal.figures.findings import Compared, Value, differ, difference
from portal.figures.findings_of_counts import Groups, of_groups
from portal.figures.pictures import Mark, Picture
from portal.figures.released import Row
from portal.figures.sections import Content, Section, missing_notes, nothing, other_period, state_notes
from portal.figures.tables import Column, Table, cell, of_view, text_of
from portal.figures.wording import listed, share
from publish.views.declared import DISTRICT, PERIOD

BASE, FILLED = "vy_rekrytering", "vy_grupper"
_COUNTS = ("planerade_grupper", "startade_grupper", "installda_grupper", "installda_for_fa_anmalda", "platser",
           "anmalda", "deltagare")  # fmt: skip
_RATE = "cancellation_rate"


def build(asked: Asked) -> Content:
    """The page of recruitment to groups."""
    choices = (period_choice(asked, (BASE, FILLED)), district_choice(asked, (BASE, FILLED)))
    district = choices[1].chosen_label
    period = period_of(asked, BASE, "planerade_grupper")
    if period is None:
        sections = [nothing("installda", "Inställda grupper", BASE)]
    else:
        rows = asked.release.rows(period.view, {PERIOD: period.label})
        sections = [_cancelled(asked, period, rows, district), _interventions(asked, period, rows, district)]
    sections.append(_filled(asked, district))
    return Content("Rekrytering till grupper", sections[0].finding, choices, tuple(sections), district)


def groups_of(rows: list[Row], where: str, period: str) -> Groups:
    """The groups of some rows: groups are counted as they are, so they may be summed."""
    names = ("startade_grupper", "installda_grupper", "installda_for_fa_anmalda")
    return Groups(where, period, *(sum(row[name] or 0 for row in rows) for name in names))


def cancelled_of(asked: Asked, period: Period, rows: list[Row]) -> Compared:
    """The share of groups cancelled in each district, with the interval that the mart has."""
    columns = ("district_code", _RATE, f"{_RATE}_low", f"{_RATE}_high")
    where = {
        "district_basis": "today",
        "cut": "total",
        "cohort_basis": "planerad",
        "period_kind": period.kind,
        "period": period.code,
    }
    found: dict[str, Row] = {}
    if asked.release.has("mart_recruitment", (*columns, *where)):
        found = {row["district_code"]: row for row in asked.release.select("mart_recruitment", columns, where)}
    codes = asked.release.codes("dim_district")
    values = []
    for name in dict.fromkeys(row[DISTRICT] for row in rows):
        row = found.get(codes.get(name, ("", 0))[0], {})
        value = row.get(_RATE)
        interval = row.get(f"{_RATE}_low"), row.get(f"{_RATE}_high")
        values.append(Value(name, value, *interval, lacking="" if value is not None else "absent"))
    return Compared(
        period=period.label,
        kind="rate",
        saying="{where} ställdes {value} av grupperna in",
        what="andelen inställda grupper",
        city=found.get(whole_code(), {}).get(_RATE),
        values=tuple(values),
        is_tested=False,
        is_quarter=period.kind == "kvartal",
    )


def _cancelled(asked: Asked, period: Period, rows: list[Row], district: str) -> Section:
    found = cancelled_of(asked, period, rows)
    own = [row for row in rows if row[DISTRICT] == district] if district else rows
    finding = of_groups(groups_of(own, f"i {district}" if district else "i hela staden", period.label))
    if district:
        everyone = groups_of(rows, "i hela staden", period.label)
        finding = f"{finding} {of_groups(everyone)}"
        one = next((value for value in found.shown if value.name == district), None)
        if one is not None and found.city is not None:
            finding = f"{finding} {difference(one, found)}"
    elif found.shown:
        finding = f"{finding} {differ(found)}"
    title = f"Andel inställda av startade och inställda grupper, {period.label}"
    columns = (
        Column(DISTRICT, "Stadsdel", "text"), Column("startade_grupper", "Startade grupper", "count"),
        Column("installda_grupper", "Inställda grupper", "count"),
        Column("installda_for_fa_anmalda", "Inställda för få anmälda", "count"),
        Column("andel_installda", "Andel inställda", "rate"),
        Column("andel_installda_lag", "Andel inställda, undre gräns", "rate"),
        Column("andel_installda_hog", "Andel inställda, övre gräns", "rate"),
    )  # fmt: skip
    body = []
    for one in found.values:
        groups = groups_of([row for row in rows if row[DISTRICT] == one.name], "", "")
        body.append(
            (
                cell(one.name, "text"),
                *(cell(number, "count") for number in (groups.started, groups.cancelled, groups.for_too_few)),
                *(cell(value, "rate", "–") for value in (one.value, one.low, one.high)),
            )
        )
    notes = (*other_period(asked, period), *state_notes(rows))
    picture = picture_of(title, found, district, {}) if found.shown else None
    return Section("installda", "Inställda grupper", finding, BASE, picture, Table(title, columns, tuple(body)), notes)


def _interventions(asked: Asked, period: Period, rows: list[Row], district: str) -> Section:
    """Which interventions' groups are cancelled most."""
    own = [row for row in rows if row[DISTRICT] == district] if district else rows
    where = f"i {district}" if district else "i hela staden"
    title = f"Inställda grupper efter insats {where}, {period.label}"
    by_name: dict[str, list[Row]] = {}
    for row in own:
        by_name.setdefault(row["insats"], []).append(row)
    sums = {name: [sum(row[one] or 0 for row in of_one) for one in _COUNTS] for name, of_one in by_name.items()}
    ordered = sorted(sums, key=lambda name: (-sums[name][2], -sums[name][1], swedish_order(name)))
    marks = tuple(Mark(name, sums[name][2], f"{sums[name][2]} av {sums[name][1] + sums[name][2]}") for name in ordered)
    declared = {column.name: column for column in period.view.columns}
    columns = (Column("insats", "Insats", "text"), *(Column(one, declared[one].label, "count") for one in _COUNTS))
    body = tuple((cell(name, "text"), *(cell(number, "count") for number in sums[name])) for name in ordered)
    most = [name for name in ordered if sums[name][2] and sums[name][2] == sums[ordered[0]][2]]
    finding = f"Inga grupper ställdes in {where} ({period.label})."
    if most:
        several = "flest gånger" if len(most) == 1 else "flest gånger, lika många var"
        finding = f"{listed(most, 3)} ställdes in {several}: {sums[most[0]][2]} {where} ({period.label})."
    picture = Picture(title, "bars", "count", marks) if most else None
    notes = missing_notes(asked, has_counts_of_persons=True)[1:]
    return Section("insatser", "Inställda efter insats", finding, BASE, picture, Table(title, columns, body, notes))


def _filled(asked: Asked, district: str) -> Section:
    """How well the groups that started are filled, by intervention."""
    key, heading = "fyllda", "Hur väl grupperna fylls"
    period = period_of(asked, FILLED, "andel_fyllda")
    if period is None:
        return nothing(key, heading, FILLED)
    rows = asked.release.rows(period.view, {PERIOD: period.label})
    own = [row for row in rows if row[DISTRICT] == district] if district else rows
    column = "andel_fyllda" if district else "staden_andel_fyllda"
    where = f"i {district}" if district else "i hela staden"
    of_one: dict[str, Row] = {}
    for row in own:
        of_one.setdefault(row["insats"], row)
    ordered = sorted(of_one.values(), key=lambda row: (row[column] is None, row[column] or 0, row["insats"]))
    marks = tuple(
        Mark(
            row["insats"],
            row[column],
            ("för få" if row["for_fa"] else "–") if row[column] is None else text_of(row[column], "rate"),
            row["andel_fyllda_lag"] if district else None,
            row["andel_fyllda_hog"] if district else None,
        )
        for row in ordered
        if row[column] is not None or not row.get("absent andel_fyllda")
    )
    shown = [row for row in ordered if row[column] is not None]
    title = f"Deltagare av platser i grupper som startade {where}, {period.label}"
    finding = f"För få för att visa hur väl grupperna fylldes {where} ({period.label})."
    if shown:
        finding = (
            f"Sämst fylldes {shown[0]['insats']} ({share(shown[0][column])} av platserna), bäst {shown[-1]['insats']} "
            f"({share(shown[-1][column])}) {where} ({period.label}). Utgåvan prövar inte om det är slump."
        )
        if len(shown) == 1:
            only = shown[0]
            finding = f"{share(only[column])} av platserna i {only['insats']} fylldes {where} ({period.label})."
    columns = [DISTRICT, PERIOD, "insats", "startade_grupper", "platser", "deltagare", "andel_fyllda"]
    columns += ["andel_fyllda_lag", "andel_fyllda_hog", "staden_andel_fyllda", "lediga_platser", "tidigaste_start"]
    return Section(
        key,
        heading,
        finding,
        FILLED,
        Picture(title, "dots", "rate", marks) if shown else None,
        of_view(period.view, own, columns, title, missing_notes(asked, has_counts_of_persons=True)),
        (*other_period(asked, period), *state_notes(own)),
    )

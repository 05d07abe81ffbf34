"""The funnel: from a case that comes in to an offer, a yes, a start and an end as planned."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.organisation import whole_code
from portal.figures.choices import (
    Asked,
    Choice,
    Period,
    district_choice,
    label_choice,
    period_choice,
    period_of,
    views_of,
)
from portal.figures.findings import Lacking, Value
from portal.figures.findings_of_counts import Chain, Flow, Offers, of_chain, of_flow, of_flow_compared, of_offers
from portal.figures.pictures import Mark, Picture
from portal.figures.released import Row
from portal.figures.sections import Content, Section, missing_notes, nothing, other_period, state_notes
from portal.figures.tables import of_view, text_of
from portal.figures.wording import count, number_word
from publish.views.declared import CITY, DISTRICT, PERIOD, WAITING

FLOW, WHOLE, OFFERS, CHAIN = "vy_arendeflode", "vy_staden", "vy_erbjudna_kon_alder", "vy_insatskedja"
_STEPS = (
    ("inkomna_arenden", "Ärenden kom in"), ("inledda_utredningar", "Utredningar inleddes"),
    ("avslutade_utredningar", "Utredningar avslutades"), ("erbjudna_insats", "Insatser erbjöds"),
    ("tackat_ja", "Familjen tackade ja"),
)  # fmt: skip
SHARES = (
    ("andel_utredda", "andelen utredda"), ("andel_erbjudna", "andelen erbjudna"),
    ("andel_tackat_ja", "andelen som tackat ja"),
)  # fmt: skip
_LINKS = (
    ("erbjudna", "Erbjöds"), ("tackat_ja", "Familjen tackade ja"), ("paborjade", "Började"),
    ("fullfoljda", "Fullföljdes"),
)  # fmt: skip
_SEX = {"Kvinna": "flickor och kvinnor", "Man": "pojkar och män"}


def build(asked: Asked) -> Content:
    """The page of the funnel."""
    bases = (FLOW, WHOLE, OFFERS, CHAIN)
    choices = (
        period_choice(asked, bases),
        district_choice(asked, (FLOW, OFFERS, CHAIN)),
        label_choice(asked, "kon", "Kön", "dim_sex", _labels(asked, "kon"), "Alla"),
        label_choice(asked, "alder", "Ålder", "dim_age_band", _labels(asked, "alder"), "Alla"),
    )
    district = choices[1].chosen_label
    sections = (_flow(asked, district), _offers(asked, district, choices[2:]), _chain(asked, district, choices[2]))
    return Content("Tratten", sections[0].finding, choices, sections, district)


def _labels(asked: Asked, column: str) -> list[str]:
    found: list[str] = []
    for base in (OFFERS, CHAIN):
        for view in views_of(base).values():
            if column in {one.name for one in view.columns} and asked.release.has_view(view):
                found += asked.release.distinct(view.name, column)
    return found


# -- cases, investigations, offers, answers ----------------------------------------------------------------------------


def _flow(asked: Asked, district: str) -> Section:
    key, heading, base = "flode", "Från ärende till ja", FLOW if district else WHOLE
    period = period_of(asked, base, "inkomna_arenden")
    if period is None:
        return nothing(key, heading, base)
    where = {PERIOD: period.label} | ({DISTRICT: district} if district else {})
    rows = asked.release.rows(period.view, where)
    if not rows:
        finding = f"{district or 'Staden'} har inga uppgifter för {period.label}."
        return Section(key, heading, finding, base, notes=other_period(asked, period))
    row = rows[0]
    flow = flow_of(row, period.label, district)
    shares = [(what, share_of(row, name), row.get(f"{CITY}{name}")) for name, what in SHARES]
    title = f"Från ärende till ja {flow.where}, {period.label}"
    marks = tuple(
        Mark(name, row[column], count(row[column]) if row[column] is not None else "inte klart")
        for column, name in _STEPS
    )
    names = [one.name for one in period.view.columns]
    columns = [one for one in (DISTRICT, PERIOD) if one in names]
    columns += [one for one in names if one in {column for column, _ in _STEPS} or one == "avgjorda_arenden"]
    columns += [one for one in names if one.removeprefix(CITY).startswith(tuple(name for name, _ in SHARES))]
    notes = (
        "Varje steg räknas i den period då det hände, så stegen gäller inte samma ärenden.",
        *other_period(asked, period),
        *state_notes(rows),
    )
    return Section(
        key,
        heading,
        of_flow_compared(flow, shares) if district else of_flow(flow),
        base,
        Picture(title, "bars", "count", marks) if any(mark.value is not None for mark in marks) else None,
        of_view(period.view, rows, columns, title, missing_notes(asked, has_counts_of_persons=True)),
        notes,
    )


def flow_of(row: Row, period: str, district: str) -> Flow:
    """The flow of a unit as the finding is made of."""
    lacking: Lacking = "waiting" if row.get(WAITING) else "too_few"
    return Flow(
        where=f"i {district}" if district else "i hela staden",
        period=period,
        received=row["inkomna_arenden"],
        investigated=row["andel_utredda"],
        offered=row["andel_erbjudna"],
        accepted=row["andel_tackat_ja"],
        lacking="" if row["andel_tackat_ja"] is not None else lacking,
    )


def share_of(row: Row, name: str) -> Value:
    """A share of a row with its interval."""
    return Value(str(row.get(DISTRICT, "")), row[name], row.get(f"{name}_lag"), row.get(f"{name}_hog"))


# -- offers by sex and age ---------------------------------------------------------------------------------------------


def _offers(asked: Asked, district: str, choices: Sequence[Choice]) -> Section:
    key, heading = "kon-alder", "Erbjudna efter kön och ålder"
    period = period_of(asked, OFFERS, "andel_erbjudna")
    if period is None:
        return nothing(key, heading, OFFERS)
    where = {PERIOD: period.label}
    where |= {choice.name: choice.chosen_label for choice in choices if choice.chosen}
    rows = asked.release.rows(period.view, where | ({DISTRICT: district} if district else {}))
    groups: dict[tuple[int, str, str], Row] = {}
    for row in rows:
        if row["kon"] in _SEX:
            groups.setdefault((row["alder_ordning"], row["alder"], row["kon"]), row)
    ordered = [groups[one] for one in sorted(groups)]
    citys = {} if district else _citys_offers(asked, period)
    values = []
    for row in ordered:
        name = _group(row)
        one = share_of(row, "andel_erbjudna") if district else citys.get((row["kon"], row["alder"]))
        value = row[f"{CITY}andel_erbjudna"] if one is None else one.value
        values.append(Value(name, value, *(None, None) if one is None else (one.low, one.high)))
    said_where = f"i {district}" if district else "i hela staden"
    title = f"Andel av utredningarna som ledde till ett erbjudande {said_where}, {period.label}"
    marks = tuple(
        Mark(
            f"{row['alder']}, {row['kon'].lower()}",
            one.value,
            "för få" if one.value is None else text_of(one.value, "rate"),
            one.low,
            one.high,
        )
        for row, one in zip(ordered, values, strict=True)
    )
    found = Offers(said_where, period.label, tuple(values), _overall(asked, period, district))
    names = ["kon", "alder", PERIOD]
    if district:
        names = [DISTRICT, *names, "avslutade_utredningar", "erbjudna_insats", "tackat_ja", "andel_erbjudna"]
        names += ["andel_erbjudna_lag", "andel_erbjudna_hog", "staden_andel_erbjudna"]
    else:
        names += ["staden_avslutade_utredningar", "staden_erbjudna_insats", "staden_tackat_ja", "staden_andel_erbjudna"]
    return Section(
        key,
        heading,
        of_offers(found),
        OFFERS,
        Picture(title, "dots", "rate", marks) if any(mark.value is not None for mark in marks) else None,
        of_view(period.view, ordered, names, title, missing_notes(asked, has_counts_of_persons=True)),
        (*other_period(asked, period), *state_notes(ordered)),
    )


def _citys_offers(asked: Asked, period: Period) -> dict[tuple[str, str], Value]:
    """The city's shares by labels of sex and age: their intervals are in the mart only."""
    columns = ("sex", "age_band", "offer_rate", "offer_rate_low", "offer_rate_high")
    where = {
        "district_code": whole_code(),
        "district_basis": "today",
        "cut": "age_band+sex",
        "cohort_basis": "avslutad",
        "period_kind": period.kind,
        "period": period.code,
    }
    if not asked.release.has("mart_case_flow", (*columns, *where)):
        return {}
    sexes, ages = (
        {code: label for label, (code, _) in asked.release.codes(one).items()} for one in ("dim_sex", "dim_age_band")
    )
    return {
        (sexes.get(row["sex"], ""), ages.get(row["age_band"], "")): Value(
            "", row["offer_rate"], row["offer_rate_low"], row["offer_rate_high"]
        )
        for row in asked.release.select("mart_case_flow", columns, where)
    }


def _overall(asked: Asked, period: Period, district: str) -> float | None:
    """The share of all groups together."""
    view = views_of(FLOW if district else WHOLE).get(period.kind)
    if view is None or not asked.release.has_view(view):
        return None
    where = {PERIOD: period.label} | ({DISTRICT: district} if district else {})
    found: float | None = next((row["andel_erbjudna"] for row in asked.release.rows(view, where)), None)
    return found


def _group(row: Row) -> str:
    age = str(row["alder"])
    return f"{_SEX[row['kon']]} {age if age[:1].isdigit() else f'({age.lower()})'}"


# -- what became of the offers -----------------------------------------------------------------------------------------


def _chain(asked: Asked, district: str, sex: Choice) -> Section:
    key, heading = "kedja", "Från erbjudande till fullföljd insats"
    period = period_of(asked, CHAIN, "erbjudna")
    if period is None:
        return nothing(key, heading, CHAIN)
    where = {PERIOD: period.label} | ({"kon": sex.chosen_label} if sex.chosen else {})
    rows = asked.release.rows(period.view, where | ({DISTRICT: district} if district else {}))
    districts = {row[DISTRICT] for row in rows}
    if district:
        said_where = f"i {district}"
    elif len(districts) == 1:
        said_where = f"i {next(iter(districts))}"
    else:
        said_where = f"i de {number_word(len(districts))} stadsdelar där alla erbjudanden har kunnat följas"
    if sex.chosen:
        said_where += f", {_SEX.get(sex.chosen_label, 'kön okänt')}"
    if not rows:
        finding = f"Erbjudandena i {district or 'staden'} har inte kunnat följas till slutet för {period.label}."
        return Section(key, heading, finding, CHAIN, notes=other_period(asked, period))
    sums = [sum(row[column] for row in rows) for column, _ in _LINKS]
    title = f"Vad det blev av erbjudandena {said_where}, {period.label}"
    marks = tuple(Mark(name, number, count(number)) for (_, name), number in zip(_LINKS, sums, strict=True))
    columns = [DISTRICT, PERIOD, "kon", "erbjudna", "tackat_ja", "paborjade", "avslutade", "fullfoljda"]
    notes = (
        "Antalen är summor av tabellens rader. Små antal visas som 0, så summorna kan vara för låga, och varje antal "
        "är lite ändrat för sig: ett steg kan visas större än det före.",
        *other_period(asked, period),
        *(note for note in state_notes(rows) if "Alla stadsdelar" not in note),
    )
    return Section(
        key,
        heading,
        of_chain(Chain(said_where, period.label, *sums)),
        CHAIN,
        Picture(title, "bars", "count", marks),
        of_view(
            period.view,
            rows,
            [*columns, "natt_malet", "uppfoljda"],
            title,
            missing_notes(asked, has_counts_of_persons=True),
        ),
        notes,
    )

"""The four goals of early support, and re-referral, which is one of them."""

from __future__ import annotations

from ingest.organisation import whole_code
from portal.figures.choices import Asked, Period, district_choice, period_choice, period_of
from portal.figures.comparing import Measure, compared, section
from portal.figures.findings import Value, of_heard
from portal.figures.pictures import Mark, Picture
from portal.figures.released import Row
from portal.figures.sections import Content, Section, missing_notes, nothing, other_period, state_notes
from portal.figures.tables import of_view, text_of
from portal.figures.wording import capital, listed, share
from publish.views.declared import DISTRICT, PERIOD

BASE = "vy_fyra_mal"
HEARD = "vy_ateraktualisering"
WITHIN = Measure(
    "inom-60-dagar",
    "Utredningen klar inom 60 dagar",
    "andel_inom_60_dagar",
    "{where} var {value} av utredningarna klara inom 60 dagar",
    "andelen klara inom 60 dagar",
    "within_60_days_rate",
    "utredningar",
)
AGAIN = Measure(
    "ater",
    "Utredd igen inom ett år",
    "andel_ater",
    "{where} följdes {value} av utredningarna av en ny inom ett år",
    "andelen återaktualiserade inom ett år",
    "re_referral_rate_365",
    "foljda_utredningar",
)
ACCEPTED = Measure(
    "tackat-ja",
    "Familjen tackar ja",
    "andel_tackat_ja",
    "{where} tackade familjen ja till {value} av de besvarade erbjudandena",
    "andelen som tackat ja",
    "acceptance_rate",
    "besvarade_erbjudanden",
)
COMPLETED = Measure(
    "fullfoljda",
    "Insatsen fullföljs",
    "andel_fullfoljda",
    "{where} fullföljdes {value} av de avslutade biståndsbedömda insatserna",
    "andelen fullföljda",
    "completion_rate",
    "avslutade_insatser",
)
GOALS = (WITHIN, AGAIN, ACCEPTED, COMPLETED)
_SHORT = {
    WITHIN.key: "{} klara inom 60 dagar",
    AGAIN.key: "{} utredda igen inom ett år",
    ACCEPTED.key: "{} tackade ja",
    COMPLETED.key: "{} fullföljda insatser",
}


def build_goals(asked: Asked) -> Content:
    """The page of the four goals."""
    choices = (period_choice(asked, (BASE,)), district_choice(asked, (BASE,)))
    district = choices[1].chosen_label
    sections = []
    shares: list[str] = []
    sure: list[str] = []
    tested = False
    period = one_period(asked)
    for measure in GOALS:
        if period is None:
            sections.append(nothing(measure.key, measure.heading, BASE))
            continue
        rows = asked.release.rows(period.view, {PERIOD: period.label})
        found = compared(asked, period, rows, measure)
        sections.append(section(asked, period, rows, measure, BASE, district))
        value = found.city
        if district:
            value = next((one.value for one in found.values if one.name == district), None)
        if value is not None:
            shares.append(_SHORT[measure.key].format(share(value)))
        tested = tested or found.is_tested
        sure += [measure.heading for one in found.values if one.is_sure and one.name in (district or one.name)]
    where = f"i {district}" if district else "i hela staden"
    lead = f"De fyra målen {where} ({period.label if period else '–'}): {listed(shares)}." if shares else ""
    if shares and tested:
        goals = listed([f"”{one}”" for one in dict.fromkeys(sure)])
        lead += (
            f" Säkra skillnader mot staden finns för {goals}."
            if sure
            else " På inget av målen finns en säker skillnad mot staden."
        )
    if not shares:
        lead = f"Inget av de fyra målen kan visas {where}."
    return Content("De fyra målen", lead, choices, tuple(sections), district)


def one_period(asked: Asked) -> Period | None:
    """A period of which all goals have their figures, so that they can be read together."""
    found = [period_of(asked, BASE, measure.column) for measure in GOALS]
    there = [one for one in found if one is not None]
    kinds = [one.kind for one in there]
    commonest = max(kinds, key=kinds.count, default=None)
    return min((one for one in there if one.kind == commonest), key=lambda one: one.order, default=None)


def build_again(asked: Asked) -> Content:
    """The page of re-referral: by district, and by whether the child was heard."""
    choices = (period_choice(asked, (BASE, HEARD)), district_choice(asked, (BASE, HEARD)))
    district = choices[1].chosen_label
    period = period_of(asked, BASE, AGAIN.column)
    if period is None:
        first = nothing(AGAIN.key, AGAIN.heading, BASE)
    else:
        rows = asked.release.rows(period.view, {PERIOD: period.label})
        first = section(asked, period, rows, AGAIN, BASE, district)
    return Content("Återaktualisering", first.finding, choices, (first, _heard(asked, district)), district)


def _heard(asked: Asked, district: str) -> Section:
    """Children who were heard beside those who were not; the intervals of the city are in the mart only."""
    key, heading = "barnet-hort", "Barn som har hörts i utredningen"
    period = period_of(asked, HEARD, "andel_ater_ett_ar")
    if period is None:
        return nothing(key, heading, HEARD)
    rows = asked.release.rows(period.view, {PERIOD: period.label})
    rows = [row for row in rows if row["barnet_hort"] in ("Ja", "Nej")]
    chosen = [row for row in rows if row[DISTRICT] == district]
    found = _of_rows(chosen) if district else _of_city(asked, period.kind, period.code.partition("-")[0])
    where = f"i {district}" if district else "i hela staden"
    marks = tuple(
        Mark(
            {"Ja": "Barnet hört", "Nej": "Barnet inte hört"}[answer],
            one.value,
            "för få" if one.value is None else text_of(one.value, "rate"),
            one.low,
            one.high,
        )
        for answer, one in found.items()
    )
    title = f"Andel utredda igen inom ett år {where}, {period.label}"
    columns = [DISTRICT, PERIOD, "barnet_hort", "foljda_utredningar", "ateraktualiserade_inom_ett_ar"]
    columns += ["andel_ater_ett_ar", "andel_ater_ett_ar_lag", "andel_ater_ett_ar_hog", "staden_andel_ater_ett_ar"]
    shown = chosen if district else rows
    return Section(
        key,
        heading,
        of_heard(where, period.label, found.get("Ja"), found.get("Nej")),
        HEARD,
        Picture(title, "dots", "rate", marks) if any(mark.value is not None for mark in marks) else None,
        of_view(period.view, shown, columns, capital(title), missing_notes(asked, has_counts_of_persons=True)),
        (*other_period(asked, period), *state_notes(shown)),
    )


def _of_rows(rows: list[Row]) -> dict[str, Value]:
    names = ("andel_ater_ett_ar", "andel_ater_ett_ar_lag", "andel_ater_ett_ar_hog")
    return {row["barnet_hort"]: Value(row[DISTRICT], *(row[one] for one in names)) for row in rows}


def _of_city(asked: Asked, kind: str, code: str) -> dict[str, Value]:
    rate = "re_referral_rate_365"
    columns = ("child_heard_answer", rate, f"{rate}_low", f"{rate}_high")
    where = {
        "district_code": whole_code(),
        "district_basis": "today",
        "cut": "child_heard_answer",
        "period_kind": kind,
        "period": code,
    }
    if not asked.release.has("mart_re_referral", (*columns, *where)):
        return {}
    rows = asked.release.select("mart_re_referral", columns, where)
    words = {"ja": "Ja", "nej": "Nej"}
    return {
        words[row["child_heard_answer"]]: Value("hela staden", row[rate], row[f"{rate}_low"], row[f"{rate}_high"])
        for row in rows
        if row["child_heard_answer"] in words
    }

"""The columns of a unit's files of groups, supply, youth clinics, activities, interviews and routines.

As in `file_columns`: nothing later than the quarter's end, and the columns under the contract's names.
"""

from __future__ import annotations

import numpy as np

from ingest.quarters import Quarter
from synthetic import activities, care, clinics, grounds, groups, interviews, routines, services, supply
from synthetic.districts import districts_of, quarterly_id
from synthetic.draws import Ints, Table, day_number
from synthetic.file_columns import Columns, Speller, whole_numbers
from synthetic.simulation import Simulation

_GROUP_TARGETS = np.array([program.target for program in groups.PROGRAMS])
_GROUP_CODES = tuple(program.code for program in groups.PROGRAMS)
_SEXES = services.SEXES
_WAITS = {
    "vantade_0_7": "waited_0",
    "vantade_8_14": "waited_1",
    "vantade_15_30": "waited_2",
    "vantade_31_90": "waited_3",
    "vantade_over_90": "waited_4",
    "vantetid_summa_dagar": "waited_days",
}


def count_columns(simulation: Simulation, unit: str, quarter: Quarter) -> dict[str, tuple[Columns, int]]:
    """Columns and rows of the unit's six files of the quarter, by dataset."""
    districts = districts_of(unit)
    planned = simulation.groups.shown(districts, quarter)
    offers = simulation.supply.offers(districts, quarter)
    visits = simulation.clinics.of_districts(districts, quarter)
    arranged = simulation.activities.of_districts(districts, quarter)
    after_interviews = simulation.interviews.of_districts(districts, quarter)
    routines_of_unit = simulation.routines.of_districts(districts, quarter)
    return {
        "grupper": (_group_columns(unit, quarter, planned), planned.size),
        "utbud": (_supply_columns(unit, quarter, offers), len(offers)),
        "ungdomsmottagning": (_clinic_columns(unit, simulation.clinics.names, visits), visits.size),
        "aktiviteter": (_activity_columns(unit, arranged), arranged.size),
        "skyddsuppfoljning": (_interview_columns(unit, after_interviews), after_interviews.size),
        "rutiner": (_routine_columns(unit, routines_of_unit), len(routines_of_unit)),
    }


def _indices(values: list[int]) -> Ints:
    return np.array(values, dtype="int64")


def _ids(rows: Table, letter: str) -> list[str]:
    fields = (rows[name].tolist() for name in ("district", "quarter", "number"))
    return [quarterly_id(district, letter, when, number) for district, when, number in zip(*fields, strict=True)]


def _group_columns(unit: str, quarter: Quarter, rows: Table) -> Columns:
    spell, last = Speller(unit, "grupper"), day_number(quarter.end)
    status = groups.status(rows, quarter)
    began = (status == groups.STARTED) | (status == groups.ENDED)
    came = groups.participants(rows)
    full = {
        "deltagare_flickor": "girls",
        "deltagare_pojkar": "boys",
        "deltagare_mammor": "mothers",
        "deltagare_pappor": "fathers",
        "deltagare_via_socialtjanst": "by_services",
    }
    return {
        "grupp_id": _ids(rows, "G"),
        "insats": spell.codes("insats", _GROUP_CODES, rows["program"]),
        "malgrupp": spell.codes("malgrupp", services.TARGETS, _GROUP_TARGETS[rows["program"]]),
        "planerad_start": spell.days(rows["planned"]),
        "faktisk_start": spell.days(rows["start"], rows["start"] <= last),
        "status": spell.codes("status", groups.STATUSES, status),
        "installd_skal": spell.codes("installd_skal", groups.WHY_CANCELLED, rows["why"], status == groups.CANCELLED),
        "platser": whole_numbers(rows["seats"]),
        "anmalda": whole_numbers(groups.applied_by(rows, quarter)),
        **{column: whole_numbers(np.where(began, rows[name], 0)) for column, name in full.items()},
        "fullfoljt": whole_numbers(np.where(status == groups.ENDED, rows["completed"], 0)),
        "i_ko": whole_numbers(groups.queue_length(rows, quarter)),
        "vantetid_summa_dagar": whole_numbers(rows["waited_days"], began & (came > 0)),
        "oppen_for_andra_stadsdelar": spell.yes_no("oppen_for_andra_stadsdelar", rows["open"]),
        "riktad_till": spell.codes("riktad_till", supply.DIRECTED, rows["directed"]),
    }


def _supply_columns(unit: str, quarter: Quarter, offers: list[supply.Offer]) -> Columns:
    spell = Speller(unit, "utbud")
    lines = [offer.line for offer in offers]
    codes = tuple(dict.fromkeys(line.code for line in lines))
    ground = grounds.of_supply([line.code for line in lines], [supply.FORMS[line.form] == "service" for line in lines])
    return {
        "insats": spell.codes("insats", codes, _indices([codes.index(line.code) for line in lines])),
        "insatsform": spell.codes("insatsform", supply.FORMS, _indices([line.form for line in lines])),
        "status": spell.codes("status", supply.STATUSES, _indices([offer.status for offer in offers])),
        "regi": spell.codes("regi", care.PROVIDERS, _indices([line.provider for line in lines])),
        "malgrupp": spell.codes("malgrupp", services.TARGETS, _indices([line.target for line in lines])),
        "riktad_till": spell.codes("riktad_till", supply.DIRECTED, _indices([line.directed for line in lines])),
        "max_antal_samtal": ["" if line.limit is None else str(line.limit) for line in lines],
        "innehall": [line.content for line in lines],
        "evidensbaserad": spell.codes("evidensbaserad", supply.EVIDENCE, _indices([line.evidence for line in lines])),
        "sprak": _languages(spell, lines),
        "vantetid_dagar": ["" if offer.wait_days is None else str(offer.wait_days) for offer in offers],
        "webbinfo_uppdaterad": spell.days(_indices([offer.web_date for offer in offers])),
        **({grounds.COLUMN: spell.codes(grounds.COLUMN, grounds.GROUNDS, ground)} if quarter >= grounds.FROM else {}),
    }


def _languages(spell: Speller, lines: list[supply.SupplyLine]) -> list[str]:
    written = dict(
        zip(supply.LANGUAGES, spell.codes("sprak", supply.LANGUAGES, np.arange(len(supply.LANGUAGES))), strict=True)
    )
    return ["|".join(written[code] for code in line.languages) for line in lines]


def _clinic_columns(unit: str, names: tuple[str, ...], rows: Table) -> Columns:
    spell = Speller(unit, "ungdomsmottagning")
    return {
        "mottagning": [names[clinic] for clinic in rows["clinic"].tolist()],
        "kon": spell.codes("kon", _SEXES, rows["sex"]),
        "aldersgrupp": spell.codes("aldersgrupp", clinics.AGES, rows["age"]),
        "besok": whole_numbers(rows["visits"]),
        "nya_besokare": whole_numbers(rows["new"]),
        "digitala_besok": whole_numbers(rows["digital"]),
        **{column: whole_numbers(rows[name]) for column, name in _WAITS.items()},
    }


def _activity_columns(unit: str, rows: Table) -> Columns:
    spell = Speller(unit, "aktiviteter")
    return {
        "aktivitet_id": _ids(rows, "A"),
        "typ": spell.codes("typ", activities.TYPES, rows["type"]),
        "niva": spell.codes("niva", activities.LEVELS, rows["level"]),
        "datum": spell.days(rows["day"]),
        "tema": spell.codes("tema", activities.THEMES, rows["theme"]),
        "mottagare": spell.codes("mottagare", activities.RECEIVERS, rows["receiver"]),
        "deltagare": whole_numbers(rows["participants"]),
    }


def _interview_columns(unit: str, rows: Table) -> Columns:
    return {
        "tidpunkt": Speller(unit, "skyddsuppfoljning").codes("tidpunkt", interviews.TIMES, rows["time"]),
        "antal_barnforhor": whole_numbers(rows["all"]),
        "antal_hem_utan_placering": whole_numbers(rows["home"]),
        "antal_uppfoljda_samma_dygn": whole_numbers(rows["same_day"]),
        "antal_uppfoljda_inom_tre_dygn": whole_numbers(rows["within_three"]),
    }


def _routine_columns(unit: str, found: list[tuple[routines.Routine, int, int]]) -> Columns:
    spell = Speller(unit, "rutiner")
    return {
        "enhet": spell.codes("enhet", routines.UNITS, _indices([routine.unit for routine, _, _ in found])),
        "riktad_till": spell.codes(
            "riktad_till", supply.DIRECTED, _indices([routine.directed for routine, _, _ in found])
        ),
        "rutin": spell.codes("rutin", routines.STATUSES, _indices([status for _, status, _ in found])),
        "senast_reviderad": spell.days(_indices([revised for _, _, revised in found])),
    }

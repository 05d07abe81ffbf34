"""The columns of a unit's files of cases, outpatient care and service interventions, written in the unit's way.

A file shows the rows that were open in the quarter, as they were at its end, and nothing later. Each function returns
the columns under the contract's names.
"""

from __future__ import annotations

import numpy as np

from ingest.quarters import Quarter
from synthetic import care, grounds, margins, services
from synthetic.districts import area_table, case_id, districts_of, episode_id, running_number
from synthetic.draws import NEVER, Bools, Ints, Table, day_number
from synthetic.habits import HABITS, dates, in_workbook, person_numbers, spellings
from synthetic.people import BOY, GIRL, ID_KINDS, RESERV, SAMORDNING, SKYDDAD, UNKNOWN, People, full_numbers

Columns = dict[str, list[str]]
_SEXES = ("kvinna", "man", "okant")
_YES_NO = ("ja", "nej")


class Speller:
    """Writes columns of one dataset the way a unit does."""

    def __init__(self, unit: str, dataset: str) -> None:
        self.unit, self.dataset = unit, dataset

    def codes(self, column: str, codes: tuple[str, ...], index: Ints, shown: Bools | bool = True) -> list[str]:
        """The unit's spelling of each row's code; empty where the index is -1 or it is not shown."""
        table = spellings(self.unit, self.dataset, column, codes)
        found: list[str] = table[np.where(shown, index, -1)].tolist()
        return found

    def yes_no(self, column: str, values: Bools, shown: Bools | bool = True) -> list[str]:
        """The unit's spelling of ja and nej."""
        return self.codes(column, _YES_NO, np.where(values, 0, 1), shown)

    def days(self, days: Ints, shown: Bools | bool = True) -> list[str]:
        """Day numbers as the unit writes dates, for a workbook in ISO form; NEVER is empty."""
        form = "iso" if in_workbook(self.unit, self.dataset) else None
        return dates(self.unit, np.where(shown, days, NEVER), form)


def whole_numbers(values: Ints, shown: Bools | bool = True) -> list[str]:
    """Whole numbers as text; empty where not shown."""
    known = np.broadcast_to(shown, values.shape).tolist()
    return [str(value) if is_shown else "" for value, is_shown in zip(values.tolist(), known, strict=True)]


def _person_columns(speller: Speller, people: People, rows: Table) -> Columns:
    """id_typ, personnummer, lopnummer, fodelsear, kon, omrade."""
    person = people.rows[rows["person"]]
    kind = person["id_kind"].astype("int64")
    numbered = kind <= SAMORDNING
    numbers = full_numbers(person["birth"], person["serial"], kind == SAMORDNING)
    year = person["birth"].astype("datetime64[D]").astype("datetime64[Y]").astype("int64") + 1970
    by_year = (kind == RESERV) | (kind == SKYDDAD)
    sex = np.where((person["sex"] == UNKNOWN) & numbered, GIRL, person["sex"])
    shown = ~numbered | (HABITS[speller.unit].id_types == "always")
    lop = zip(rows["district"].tolist(), rows["lop"].tolist(), numbered.tolist(), strict=True)
    return {
        "id_typ": speller.codes("id_typ", ID_KINDS, kind, shown),
        "personnummer": person_numbers(speller.unit, numbers, numbered),
        "lopnummer": ["" if has_number else running_number(district, number) for district, number, has_number in lop],
        "fodelsear": whole_numbers(year, by_year),
        "kon": speller.codes("kon", _SEXES, np.where(sex == GIRL, 0, np.where(sex == BOY, 1, 2))),
        "omrade": speller.codes("omrade", area_table().codes, rows["area"], (kind != SKYDDAD)),
    }


def is_of_unit(unit: str, rows: Table) -> Bools:
    """Whether the unit reports each row's district."""
    return np.isin(rows["district"], districts_of(unit))


def cases_shown(unit: str, quarter: Quarter, cases: Table) -> Table:
    """Cases open on any day of the quarter, in order of receipt and number."""
    first, last = day_number(quarter.start), day_number(quarter.end)
    shown = cases[is_of_unit(unit, cases) & (cases["receipt"] <= last) & (cases["closed"] >= first)]
    return shown[np.lexsort((shown["person"], shown["number"], shown["unit"], shown["receipt"]))]


def case_columns(unit: str, quarter: Quarter, people: People, cases: Table) -> Columns:
    """The columns of `arenden` for cases from `cases_shown`."""
    last = day_number(quarter.end)
    spell = Speller(unit, "arenden")
    decided = cases["decided"] <= last
    opened = decided & cases["opened"]
    ended = opened & (cases["end"] <= last)
    offered = ended & cases["offered"]
    answer = np.where(cases["answered"] <= last, np.where(cases["accepted"], 0, 1), 2)
    ids = zip(cases["unit"].tolist(), cases["year"].tolist(), cases["number"].tolist(), strict=True)
    second = spell.codes("ytterligare_orsaker", margins.REASONS, cases["second"])
    third = spell.codes("ytterligare_orsaker", margins.REASONS, cases["third"])
    return {
        "arende_id": [case_id(*parts) for parts in ids],
        **_person_columns(spell, people, cases),
        "inkom_datum": spell.days(cases["receipt"]),
        "aktualisering": spell.codes("aktualisering", ("anmalan", "ansokan"), cases["application"].astype("int64")),
        "ansokan_avser": spell.codes("ansokan_avser", margins.APPLIES_TO, cases["applies_to"]),
        "uppgiftslamnare": spell.codes("uppgiftslamnare", margins.SOURCES, cases["source"]),
        "orsak": spell.codes("orsak", margins.REASONS, cases["reason"]),
        "ytterligare_orsaker": [f"{a}|{b}" if b else a for a, b in zip(second, third, strict=True)],
        "bor_med_berord_foralder": spell.codes("bor_med_berord_foralder", margins.LIVES_WITH, cases["lives"]),
        "forhandsbedomning_klar": spell.days(cases["assessed"], decided),
        "utredning_inledd": spell.yes_no("utredning_inledd", cases["opened"], decided),
        "ej_inledd_skal": spell.codes("ej_inledd_skal", margins.WHY_NOT, cases["why_not"], decided),
        "hanvisad_till": spell.codes("hanvisad_till", margins.REFERRED_TO, cases["referred"], decided),
        "utredning_start": spell.days(cases["start"], opened),
        "utredning_forlangd_till": spell.days(cases["prolonged_to"], opened & (cases["prolonged_at"] <= last)),
        "utredning_slut": spell.days(cases["end"], ended),
        "barnet_horts": spell.yes_no("barnet_horts", cases["heard"], ended),
        "skola_kontaktad": spell.yes_no("skola_kontaktad", cases["school"], ended),
        "tidigare_anmalan": spell.yes_no("tidigare_anmalan", cases["prior_report"]),
        "tidigare_utredning": spell.yes_no("tidigare_utredning", cases["prior_inquiry"]),
        "tidigare_insats": spell.yes_no("tidigare_insats", cases["prior_help"]),
        "insats_erbjuden": spell.yes_no("insats_erbjuden", cases["offered"], ended),
        "insats": spell.codes("insats", margins.OFFERS, cases["insats"], offered),
        "antal_insatser_erbjudna": whole_numbers(cases["offers"], offered),
        "insats_accepterad": spell.codes("insats_accepterad", margins.ANSWERS, answer, offered),
    }


def episodes_shown(unit: str, quarter: Quarter, episodes: Table) -> Table:
    """Episodes decided and in force in the quarter, or ended in the two quarters before it."""
    last, since = day_number(quarter.end), day_number(quarter.back(2).start)
    shown = episodes[is_of_unit(unit, episodes) & (episodes["decided"] <= last) & (episodes["end"] >= since)]
    return shown[np.lexsort((shown["number"], shown["district"], shown["decided"]))]


def episode_columns(unit: str, quarter: Quarter, people: People, episodes: Table, first: Quarter) -> Columns:
    """The columns of `oppenvard` for episodes from `episodes_shown`.

    A case that was closed before `first`, the first quarter with files, is not named: no file has ever held it.
    """
    last = day_number(quarter.end)
    spell = Speller(unit, "oppenvard")
    ended = episodes["end"] <= last
    named = (episodes["case_number"] > 0) & (episodes["case_closed"] >= day_number(first.start))
    applied = np.where(named | (episodes["applied"] < NEVER), episodes["applied"], episodes["receipt"])
    followed = ended & (episodes["followed"] <= last)
    fields = (episodes[name].tolist() for name in ("case_unit", "case_year", "case_number"))
    ids = zip(named.tolist(), *fields, strict=True)
    own = zip(episodes["district"].tolist(), episodes["number"].tolist(), strict=True)
    insats = [margins.OFFERS[place] for place in episodes["insats"].tolist()]
    ground = grounds.of_episodes(insats, episodes["decided"])
    return {
        "insats_id": [episode_id(*parts) for parts in own],
        "arende_id": [case_id(*parts) if is_named else "" for is_named, *parts in ids],
        **_person_columns(spell, people, episodes),
        "malgrupp": spell.codes("malgrupp", care.TARGETS, episodes["target"]),
        "insats": spell.codes("insats", margins.OFFERS, episodes["insats"]),
        "regi": spell.codes("regi", care.PROVIDERS, episodes["provider"]),
        "ansokan_datum": spell.days(applied),
        "beslut_datum": spell.days(episodes["decided"]),
        "start_datum": spell.days(episodes["start"], episodes["start"] <= last),
        "slut_datum": spell.days(episodes["end"], ended),
        "avslutsorsak": spell.codes("avslutsorsak", care.CAUSES, episodes["cause"], ended),
        "maluppfyllelse": spell.codes("maluppfyllelse", care.GOALS, episodes["goal"], ended),
        "antal_tillfallen": whole_numbers(episodes["sessions"], ended),
        "uppfoljd": spell.yes_no("uppfoljd", followed, ended),
        "uppfoljd_datum": spell.days(episodes["followed"], followed),
        "uppfoljningsmetod": spell.codes("uppfoljningsmetod", care.METHODS, episodes["method"], followed),
        **({grounds.COLUMN: spell.codes(grounds.COLUMN, grounds.GROUNDS, ground)} if quarter >= grounds.FROM else {}),
    }


def service_columns(unit: str, quarter: Quarter, cells: Table) -> Columns:
    """The columns of `serviceinsatser` for cells from `Services.of_districts`."""
    spell = Speller(unit, "serviceinsatser")
    kinds = services.KINDS
    code = np.array([services.SERVICE_CODES.index(kind.code) for kind in kinds])[cells["kind"]]
    target = np.array([kind.target for kind in kinds])[cells["kind"]]
    ground = grounds.of_services([kinds[kind].code for kind in cells["kind"].tolist()])
    counts = {
        "antal_nya": "new",
        "antal_pagaende": "ongoing",
        "antal_fullfoljt": "completed",
        "antal_avbrutit": "interrupted",
        "antal_samtal": "sessions",
        "antal_uppfoljda": "followed",
        "antal_i_ko": "queue",
        "vantade_0_7": "waited_0",
        "vantade_8_14": "waited_1",
        "vantade_15_30": "waited_2",
        "vantade_31_90": "waited_3",
        "vantade_over_90": "waited_4",
        "vantetid_summa_dagar": "waited_days",
        "antal_battre": "better",
        "antal_oforandrat": "same",
        "antal_samre": "worse",
    }
    return {
        "insats": spell.codes("insats", services.SERVICE_CODES, code),
        "malgrupp": spell.codes("malgrupp", services.TARGETS, target),
        "kon": spell.codes("kon", services.SEXES, cells["sex"]),
        "aldersgrupp": spell.codes("aldersgrupp", services.AGES, cells["age"]),
        "hanvisad_fran": spell.codes("hanvisad_fran", services.REFERRERS, cells["referrer"]),
        **{column: whole_numbers(cells[name]) for column, name in counts.items()},
        **({grounds.COLUMN: spell.codes(grounds.COLUMN, grounds.GROUNDS, ground)} if quarter >= grounds.FROM else {}),
    }

"""How each district writes its files: bytes, headers, dates, codes, personnummer. A district's habits never change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

import numpy as np

from ingest.contracts import Column, load_contracts
from ingest.folding import fold
from synthetic.districts import UNITS
from synthetic.draws import NEVER, Ints, day_of

_FIRST_DAY, _LAST_DAY = 9_000, 25_000
"""Days from 1994 to 2038: all that a file may hold, prolongations included."""


class BadSpelling(ValueError):
    """A spelling here is none that the contract reads as the code; a fault of ours."""


@dataclass(frozen=True)
class Habit:
    """One district's way of writing.

    `dates` is iso, compact, point or slash; `headers` is label, upper, name or alias; `codes` is label, upper, lower,
    code or spoken; `numbers` is 12, 12-, 10- or 10; `id_types` is always or needed.
    """

    encoding: str = "cp1252"
    separator: str = ";"
    newline: str = "\r\n"
    dates: str = "iso"
    headers: str = "label"
    codes: str = "label"
    numbers: str = "12-"
    id_types: str = "always"
    left_out: frozenset[str] = frozenset()
    extra: str | None = None
    """A column of the district's own, in what its case system exports."""
    workbooks: bool = False
    """Whether datasets that no case system exports are sent as Excel workbooks."""


_OF_THE_CITY: dict[str, Habit] = {
    "bromma": Habit(dates="iso", codes="spoken", numbers="12-"),
    "enskede-arsta-vantor": Habit(encoding="utf-8-sig", dates="iso", codes="code", numbers="12", id_types="needed"),
    "farsta": Habit(
        dates="point",
        codes="label",
        numbers="10-",
        workbooks=True,
        left_out=frozenset({"bor_med_berord_foralder", "innehall"}),
    ),
    "hagersten-liljeholmen": Habit(dates="compact", headers="upper", codes="label", numbers="12"),
    "hasselby-vallingby": Habit(dates="iso", codes="label", numbers="12-"),
    "kungsholmen": Habit(encoding="utf-8-sig", separator=",", newline="\n", dates="iso", codes="lower", numbers="12-"),
    "norrmalm": Habit(dates="slash", headers="alias", codes="spoken", numbers="10", id_types="needed"),
    "rinkeby-kista": Habit(
        dates="iso",
        codes="upper",
        numbers="10-",
        left_out=frozenset({"hanvisad_fran", "ytterligare_orsaker", "deltagare_via_socialtjanst"}),
    ),
    "skarpnack": Habit(separator="\t", dates="iso", codes="label", numbers="12", extra="Enhet", workbooks=True),
    "skarholmen": Habit(dates="compact", codes="spoken", numbers="12-", left_out=frozenset({"antal_tillfallen"})),
    "spanga-tensta": Habit(
        dates="slash", headers="alias", codes="label", numbers="12", left_out=frozenset({"hanvisad_till"})
    ),
    "sodermalm": Habit(encoding="utf-8", newline="\n", headers="name", codes="code", numbers="12"),
    "alvsjo": Habit(
        dates="point",
        headers="upper",
        codes="lower",
        numbers="12-",
        left_out=frozenset(
            {"antal_insatser_erbjudna", "antal_battre", "antal_oforandrat", "antal_samre", "senast_reviderad"}
        ),
    ),
    "ostermalm": Habit(encoding="utf-8-sig", dates="iso", codes="spoken", numbers="10-", workbooks=True),
    "hagersten-alvsjo": Habit(encoding="utf-8-sig", dates="iso", codes="label", numbers="12-"),
    "jarva": Habit(dates="iso", codes="label", numbers="12-"),
    "norra-innerstaden": Habit(encoding="utf-8-sig", dates="iso", headers="name", codes="code", numbers="12"),
}

HABITS = (
    _OF_THE_CITY
    if set(UNITS) <= _OF_THE_CITY.keys()
    else dict(zip(UNITS, cycle(_OF_THE_CITY.values()), strict=False))  # as many ways of writing as the city has
)

_EXPORTED = ("arenden", "oppenvard", "serviceinsatser")
"""Datasets that a case system exports; the others are filled in by hand."""

_SPOKEN = {
    "kon": {"kvinna": "Flicka", "man": "Pojke", "okant": "Okänd"},
    "id_typ": {"personnummer": "Pnr", "samordningsnummer": "Samnr", "reservnummer": "Reserv", "ofodd": "Ofött barn"},
    "uppgiftslamnare": {
        "polis_aklagare": "Polis",
        "skola": "Skolan",
        "forskola": "Förskolan",
        "bvc": "BVC",
        "mvc": "MVC",
        "psykiatri": "BUP",
        "halso_sjukvard": "Sjukvården",
        "fritid_falt": "Fältarbetare",
        "barnet": "Barnet självt",
        "vardnadshavare": "Förälder",
        "socialtjanst": "Socialtjänsten",
        "annan": "Annat",
    },
    "hanvisad_fran": {"skola": "Skolan", "forskola": "Förskolan", "psykiatri": "BUP", "egen_kontakt": "Själv"},
    "orsak": {
        "snatteri_forseelse": "Snatteri",
        "vald_i_familjen": "Våld mot annan familjemedlem",
        "overgrepp": "Våld mot barnet",
        "hedersvald": "Hedersrelaterat våld",
        "barn_missbruk": "Barnets missbruk",
        "vuxen_missbruk": "Förälders missbruk",
        "vuxen_psykisk_ohalsa": "Förälders psykiska ohälsa",
        "vuxen_kriminalitet": "Förälders kriminalitet",
        "annan": "Annat",
    },
    "utredning_inledd": {"ja": "J", "nej": "N"},
    "hanvisad_till": {"skola": "Skolan", "annan": "Annat"},
    "insats_accepterad": {"vantar": "Väntar på svar"},
    "regi": {"egen": "Egen regi", "upphandlad": "Entreprenad"},
    "maluppfyllelse": {"inte": "Ej uppnått"},
    "avslutsorsak": {"avbruten_familjen": "Avbruten av familjen", "beslut_lopt_ut": "Beslutet har löpt ut"},
    "aldersgrupp": {"vuxen": "Vuxna"},
    "status": {
        "planerad": "Planeras",
        "startad": "Pågår",
        "avslutad": "Genomförd",
        "erbjuds": "Finns",
        "upphord": "Upphört",
    },
    "installd_skal": {"for_fa_anmalda": "För få", "personal": "Personalbrist"},
    "insatsform": {"bistand": "Behovsprövad"},
    "niva": {"bas": "Grund"},
    "tema": {"missbruk": "Beroende", "annat": "Övrigt"},
    "mottagare": {
        "skola": "Skolan",
        "forskola": "Förskolan",
        "polis": "Polisen",
        "invanare": "Allmänheten",
        "annan": "Annat",
    },
    "tidpunkt": {"vardag_dag": "Vardagar dagtid", "vardag_kvall": "Vardagar kvällstid", "helg": "Helger"},
    "enhet": {"ekonomiskt_bistand": "Försörjningsstöd", "annan": "Övrigt"},
    "rutin": {"finns": "Ja", "planeras": "Under arbete", "saknas": "Nej"},
}
_SPOKEN_LIKE = {"ytterligare_orsaker": "orsak"}
_LOCAL_NAMES = {
    "skarholmen": {"foraldraradgivning": "Föräldrastödet", "icdp": "Vägledande samspel"},
    "farsta": {"familjebehandling": "Familjeteamet"},
    "sodermalm": {"ungdomsbehandling": "Ungdomsteamet"},
    "bromma": {"rad_och_stod": "Föräldrasamtal", "praktiskt_stod": "Praktiskt stöd i hemmet"},
    "norrmalm": {"rad_och_stod": "Rådgivningssamtal", "sarskilt_kvalificerad_kontaktperson": "SKO"},
    "ostermalm": {"abc": "Alla barn i centrum", "maria_ungdom": "MariaUngdom"},
}


def in_workbook(unit: str, dataset: str) -> bool:
    """Whether the unit's file of the dataset is an Excel workbook."""
    return HABITS[unit].workbooks and dataset not in _EXPORTED


def extra_column(unit: str, dataset: str) -> str | None:
    """Header of the unit's own column in the dataset's file, or None."""
    return HABITS[unit].extra if dataset in _EXPORTED else None


def _local_name(unit: str, code: str) -> str | None:
    return _LOCAL_NAMES.get(unit, {}).get(code)


def _spelling(style: str, code: str, label: str, spoken: dict[str, str]) -> str:
    if style == "code":
        return code
    if style == "spoken":
        return spoken.get(code, label)
    return {"upper": label.upper(), "lower": label.lower()}.get(style, label)


@lru_cache(maxsize=2048)
def spellings(unit: str, dataset: str, column_name: str, codes: tuple[str, ...]) -> np.ndarray:
    """How the unit writes each of the codes in a column; one longer, the last (index -1) is empty.

    Raises:
        BadSpelling: the contract would read one of them otherwise.
    """
    habit = HABITS[unit]
    declared = load_contracts()[dataset].code_list(column_name, unit)
    spoken = _SPOKEN.get(_SPOKEN_LIKE.get(column_name, column_name), {})
    if dataset == "serviceinsatser" and column_name == "kon":
        spoken = {}  # parents take part, too
    found = []
    for code in codes:
        text = ""
        if code in declared.codes:
            place = declared.codes.index(code)
            text = _spelling(habit.codes, code, declared.labels[place], spoken)
            if column_name == "insats":
                text = _local_name(unit, code) or text
            if declared.lookup.get(fold(text)) != place:
                raise BadSpelling(f"{unit}, {column_name}: {text} is not read as {code}")
        found.append(quoted(text, habit.separator))
    return np.array([*found, ""], dtype=object)


def header(unit: str, column: Column) -> str:
    """The header that the unit writes for a column."""
    habit = HABITS[unit]
    if habit.headers == "name":
        return column.name
    if habit.headers == "alias" and column.aliases:
        return column.aliases[0].replace("_", " ").capitalize()
    return column.label_sv.upper() if habit.headers == "upper" else column.label_sv


@lru_cache(maxsize=8)
def _date_table(form: str) -> np.ndarray:
    dates = [day_of(number) for number in range(_FIRST_DAY, _LAST_DAY)]
    if form == "compact":
        texts = [f"{d:%Y%m%d}" for d in dates]
    elif form in ("point", "slash"):
        mark = "." if form == "point" else "/"
        texts = [f"{d.day}{mark}{d.month}{mark}{d.year}" for d in dates]
    else:
        texts = [d.isoformat() for d in dates]
    return np.array([*texts, ""], dtype=object)


def dates(unit: str, days: Ints, form: str | None = None) -> list[str]:
    """Day numbers as the unit writes them, or in another form; NEVER is empty."""
    table = _date_table(form or HABITS[unit].dates)
    found: list[str] = table[np.where(days >= NEVER, -1, np.asarray(days, dtype="int64") - _FIRST_DAY)].tolist()
    return found


def person_numbers(unit: str, numbers: Ints, known: Ints) -> list[str]:
    """Twelve-digit numbers as the unit writes them; empty where not known."""
    form = HABITS[unit].numbers
    texts = [str(number) for number in numbers.tolist()]
    if form == "12-":
        texts = [f"{text[:8]}-{text[8:]}" for text in texts]
    elif form == "10-":
        texts = [f"{text[2:8]}-{text[8:]}" for text in texts]
    elif form == "10":
        texts = [text[2:] for text in texts]
    return [text if is_known else "" for text, is_known in zip(texts, known.tolist(), strict=True)]


def quoted(text: str, separator: str) -> str:
    """The text as a CSV cell."""
    if separator in text or '"' in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text

"""Guessing what a wrong file name was meant to be: its unit, dataset and quarter, in our own words."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ingest.characters import character_name, likely_text, visible
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.folding import fold
from ingest.organisation import own_words
from ingest.quarters import Quarter

ENDINGS = ("csv", "xlsx", "xlsm", "xlsb", "xls", "ods")
YEARS = range(2000, 2101)
_TEXTS = ("txt", "tsv", "tab", "dat")
"""Endings under which tables of text are saved; they are read when they end as such tables should."""
_COMPARED = 120
"""Characters of a name that are looked at."""
_WORDS, _LONGEST_RUN = 8, 4
"""Words of a name that are looked at, and how many a unit or dataset has at most."""
_CLOSE = 0.8
_PLAIN = re.compile(r"[A-Za-z0-9_.-]")
_SHOWN = 3
_COPY = re.compile(
    r"(\(\d+\)|(?<![^\W_])(kopia|copy|ny|slutlig|final|version|ver|v)(?![^\W\d_])[\W\d_]*)$", re.IGNORECASE
)
"""What people, file managers and browsers add to the name of a second copy."""
_YEAR = r"(?<!\d)(?P<year>20\d\d|\d\d)(?!\d)"
_NUMBER = r"0?(?P<number>[1-4])(?!\d)"
_WORD = r"(?:q|kv|kvartal|kvartalet|qtr|quarter|k)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"{_YEAR}_*{_WORD}_*{_NUMBER}",
        rf"(?<![a-z]){_WORD}_*{_NUMBER}_*{_YEAR}",
        rf"(?<!\d){_NUMBER}_*(?:[ae]_)?_*{_WORD}_*{_YEAR}",
        rf"{_YEAR}_*{_NUMBER}_*{_WORD}(?![a-z])",
        rf"(?<!\d)(?P<year>20\d\d)_{_NUMBER}(?=_|$)",
    )
)
_MONTHS = {"jan": 1, "mar": 1, "apr": 2, "jun": 2, "jul": 3, "sep": 3, "okt": 4, "oct": 4, "dec": 4}
_FROM_TO = re.compile(r"(jan|apr|jul|okt|oct)[a-z]*_*(?:till?_*)?(mar|jun|sep|dec)[a-z]*")


@dataclass(frozen=True)
class Guess:
    """What a name seems to say; None for each part that is unknown.

    Attributes:
        district: a unit's code.
        dataset: as contracts are called.
        quarter: of any year that is reported.
        ending: without full stop, of a kind that is read or renamed to one; None for other kinds.
    """

    district: str | None
    dataset: str | None
    quarter: Quarter | None
    ending: str | None

    @property
    def name(self) -> str | None:
        """The right name, where all its parts are known."""
        if None in (self.district, self.dataset, self.quarter, self.ending):
            return None
        return f"{self.district}_{self.dataset}_{self.quarter}.{self.ending}"

    @property
    def lacking(self) -> list[str]:
        """What the name does not say, in Swedish."""
        parts = ((own_words("stadsdelen"), self.district), ("datasetet", self.dataset), ("kvartalet", self.quarter))
        return [word for word, found in parts if found is None]


@lru_cache(maxsize=1)
def _units() -> dict[str, str]:
    """Folded code or name → code."""
    return {fold(spelling): unit.code for unit in load_districts().districts for spelling in (unit.code, unit.name)}


@lru_cache(maxsize=1)
def _datasets() -> dict[str, str]:
    """Folded name, and the words of the title before its bracket → dataset."""
    found = {}
    for dataset, contract in load_contracts().items():
        for spelling in (dataset, contract.short_title_sv):
            found[fold(spelling)] = dataset
    return found


def guess(name: str, district_code: str | None = None) -> Guess:
    """What a name seems to say.

    Args:
        name: without folders.
        district_code: whose drop location it lay in; None when that isn't known.
    """
    stem, endings = _without_endings(likely_text(visible(name)[:_COMPARED], has_swedish=False))
    folded = fold(re.sub(r"[^\w\s./-]", " ", stem))
    quarter, rest = _quarter(folded)
    words = [word for word in rest.split("_") if word]
    unit = _nearest(words, _units()) or district_code
    dataset = _nearest(words, _datasets())
    ending = next((e for e in endings if e in ENDINGS), None)
    if ending is None and all(e in _TEXTS for e in endings):
        ending = "csv"
    return Guess(unit, dataset, quarter, ending)


def _without_endings(name: str) -> tuple[str, list[str]]:
    """A name without its endings, however many (`.csv.csv`), and these, the last first."""
    endings = []
    while match := re.fullmatch(r"(.*?)\s*\.\s*([A-Za-z]{2,4}|7z|numbers|parquet)\s*", name, re.DOTALL):
        name = match[1]
        endings.append(match[2].lower())
    return name, endings


def _quarter(folded: str) -> tuple[Quarter | None, str]:
    """The quarter that a folded name says, and the name without it."""
    for form in _FORMS:
        if match := form.search(folded):
            year = int(match["year"]) if len(match["year"]) == 4 else 2000 + int(match["year"])
            if year in YEARS:
                return Quarter(year, int(match["number"])), f"{folded[: match.start()]}_{folded[match.end() :]}"
    year_only = re.search(r"(?<!\d)20\d\d(?!\d)", folded)
    months = _FROM_TO.search(folded)
    if year_only and months and _MONTHS[months[1]] == _MONTHS[months[2]]:
        rest = folded.replace(months[0], "_").replace(year_only[0], "_")
        return Quarter(int(year_only[0]), _MONTHS[months[1]]), rest
    return None, folded


def quarter_in(text: str) -> Quarter | None:
    """The quarter that a title names by a word for one (`kv 2 2018`, `Q2 2018`, `apr-jun 2018`); no bare date."""
    folded = fold(re.sub(r"[^\w\s./-]", " ", text[:_COMPARED]))
    if re.search(r"(?:q|kv|qtr|quarter|jan|apr|jul|okt|oct)", folded) is None:
        return None
    folded = re.sub(r"20\d\d_\d\d_\d\d", "_", folded)
    return _quarter(folded)[0]


def unit_in(text: str) -> str | None:
    """The code of the unit that a title names exactly; None for none."""
    words = [word for word in fold(re.sub(r"[^\w\s./-]", " ", text[:_COMPARED])).split("_") if word]
    runs = ["_".join(words[at : at + size]) for size in range(_LONGEST_RUN, 0, -1) for at in range(len(words))]
    return next((_units()[run] for run in runs if run in _units()), None)


def _nearest(words: list[str], known: dict[str, str]) -> str | None:
    """What the words name, several together before single ones, exactly before nearly; None where nothing is near."""
    words = words[:_WORDS]
    runs = ["_".join(words[at : at + size]) for size in range(_LONGEST_RUN, 0, -1) for at in range(len(words))]
    for run in runs:
        if run in known:
            return known[run]
    for run in dict.fromkeys(runs):
        if near := difflib.get_close_matches(run, known, n=1, cutoff=_CLOSE):
            return known[near[0]]
    return None


def odd_characters_in(name: str) -> str:
    """The characters of a name that no right one has, by name and number: `mellanslag (U+0020)`; empty without any."""
    said = [_said(c) for c in dict.fromkeys(_letters(name)) if not _PLAIN.fullmatch(c)]
    return ", ".join(said[:_SHOWN]) + (f" och {len(said) - _SHOWN} till" if len(said) > _SHOWN else "")


def _letters(name: str) -> Iterable[str]:
    """A name's characters, each with the accents that follow it."""
    return re.findall(r".[\u0300-\u036f]*", name, re.DOTALL)


def _said(character: str) -> str:
    """One character, or a letter with a loose accent: `”ä” skrivet som två tecken (U+0061 U+0308)`."""
    if len(character) > 1:
        numbers = " ".join(f"U+{ord(c):04X}" for c in character)
        return f"”{unicodedata.normalize('NFC', character)}” skrivet som {len(character)} tecken ({numbers})"
    if unicodedata.category(character) == "Cs":  # a byte of a name that is no UTF-8
        return f"en byte som inte är UTF-8 ({ord(character) & 0xFF:02X})"
    said = character_name(character)
    return said if "U+" in said else f"{said} (U+{ord(character):04X})"


def is_a_copy(name: str) -> bool:
    """Whether a name ends in what is added to second copies: `(1)`, `- kopia`."""
    return _COPY.search(_without_endings(visible(name))[0]) is not None

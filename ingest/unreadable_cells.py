"""Why a cell can't be read, and what was probably meant. Only our own words and single characters are given."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

from ingest.characters import character_name, garbled, odd_characters
from ingest.contracts import CodeList, Column
from ingest.folding import fold

NEAREST_CODES = 3
"""How many codes are suggested for an unknown word."""
_HARMLESS = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{8}|-?\d{1,5}([.,]\d{1,3})?", re.ASCII)
_LONGEST_IDENTIFIER = 40
_IN_IDENTIFIER = re.compile(r"[A-Za-z0-9/_-]")
_IN_PERSON_NUMBER = re.compile(r"[\w+-]")
_SERIAL = re.compile(r"[234]\d{4}([.,]\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:([ .,'\u2019\u00a0\u2009\u202f])\d{3})+([.,]0+)?", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})[./](\d{1,2})[./]\d{4}", re.ASCII)
_SHORT_YEAR = re.compile(r"(\d{1,2}[-./]\d{1,2}[-./]\d{2}|\d{2}-\d{2}-\d{2}|\d{6})", re.ASCII)

_DASH = "[-\u2012-\u2015\u2212]"
_NUMBER = r"\d{1,9}(?:[ .,]\d{1,9})?"
_DECIMALS = re.compile(r"\d{1,12}[.,]\d{1,20}", re.ASCII)
_NEGATIVE = re.compile(rf"{_DASH} ?\d{{1,12}}(?:[.,]\d{{1,20}})?", re.ASCII)
_EXACT = "skriv det exakta antalet"
_SMALL_TOO = f"{_EXACT}, också när det är litet: små tal skyddas när de publiceras"
_LIMIT = r"[<>≤≥]=?|färre än|mindre än|under|högst|max\.?|minst|mer än|fler än|över"
_ABOUT = r"ca\.?|cirka|c:a|~|≈|ungefär|runt|omkring|drygt|knappt"
_NO_COUNTS = (
    (rf"{_DASH}? ?{_NUMBER} ?%|\d{{1,3}} (?:procent|proc\.?)", "en andel: skriv antalet"),
    (rf"(?:{_LIMIT}) ?{_NUMBER}|{_NUMBER} ?\+", _SMALL_TOO),
    (rf"{_NUMBER} ?(?:{_DASH}|till|eller|/) ?{_NUMBER}", f"ett intervall: {_EXACT}"),
    (rf"(?:{_ABOUT}) ?{_NUMBER}.{{0,20}}", f"ett ungefärligt tal: {_EXACT}"),
    (
        r"\d{1,9} ?\(.{0,200}\)|\d{1,9} ?[*?!;:.,']+|\d{1,9} ?[a-zåäö]+\.?",
        "annat än siffror i cellen: skriv bara talet",
    ),
    (r"=.{0,300}", "en formel som text: skriv talet"),
    (r"\d{1,2}:\d{2}(?::\d{2})?", "ett klockslag: formatera cellen som tal och skriv antalet"),
    (r"true|false|sant|falskt", "sant eller falskt i stället för ett tal: skriv antalet"),
    (r"[^0-9]{1,300}", "text i stället för ett tal: skriv 0 om det är noll, annars antalet"),
)
"""What cells have instead of a count, and what to write. Tried in order."""
_MONTH = r"(?:jan|feb|mar|apr|ma[jy]|jun|jul|aug|sep|o[kc]t|nov|dec)[a-z]*\.?"
_YEAR = r"(?:19|20)\d\d"
_NO_DAYS = (
    (
        rf"{_MONTH}[ -]?\d{{2,4}}|{_YEAR}[ -]?{_MONTH}|{_YEAR}[-./ ]\d{{1,2}}|\d{{1,2}}/{_YEAR}",
        "bara år och månad: skriv också dagen",
    ),
    (
        rf"(?:[a-zåäö]+ )?(?:den )?\d{{1,2}}[. -]*{_MONTH}[, -]*\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{2,4}}",
        "månaden som ord: skriv den med siffror",
    ),
    (_YEAR, "bara ett årtal: skriv hela datumet"),
    (rf"(?:{_YEAR}[ -]?)?(?:v\.?|vecka|w) ?\d{{1,2}}(?:[ -/]*{_YEAR})?", "en vecka: skriv dagen"),
    (r"[^0-9]{1,300}", "text i stället för ett datum"),
)
"""What cells have instead of a day, and what to write. Tried in order."""


def _first(kinds: tuple[tuple[str, str], ...], text: str) -> str:
    """What is said of the first kind that a text is of; empty for none."""
    return next((said for pattern, said in kinds if re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)), "")


def why_unreadable(text: str, column: Column, codes: CodeList | None) -> str:
    """Say in brackets why a cell can't be read; empty where the cause is unknown.

    Text is never quoted, in any column: it may hold a name or number. Single characters are quoted, and so are dates
    and small numbers in columns that hold nothing personal.

    Args:
        text: the cell, trimmed.
        column: the contract's.
        codes: of a code column.
    """
    hints = []
    if broken := garbled(text, has_swedish=False):
        hints.append(f"fel tecken: {broken.in_words}")
    if column.type in ("code", "code_list") and codes is not None:
        hints += _nearest(text, column, codes)
    elif column.type in ("identifier", "person_number"):
        hints += _about_number(text, column)
    elif column.type == "integer":
        hints += _about_whole(text, column)
    elif column.type == "date":
        hints += _about_date(text, column)
    if not broken and column.type in ("date", "integer", "code", "code_list"):
        hints += [f"innehåller {', '.join(odd)}"] if (odd := odd_characters(text)) else []
    return f" ({'; '.join(hints)})" if hints else ""


def _nearest(text: str, column: Column, codes: CodeList) -> list[str]:
    """Codes that an unknown word could mean."""
    hints = []
    parts = [part for part in (text.split("|") if column.type == "code_list" else [text]) if part.strip()]
    for folded in map(fold, parts):
        if folded in codes.ambiguous:
            hints.append(f"{folded} kan betyda {' eller '.join(map(codes.with_label, codes.ambiguous[folded]))}")
        elif folded not in codes.lookup:
            near = _close_matches(folded[:200], tuple(codes.lookup))
            nearest = list(dict.fromkeys(codes.codes[codes.lookup[spelling]] for spelling in near))[:NEAREST_CODES]
            if nearest:
                hints.append(f"menades {' eller '.join(map(codes.with_label, nearest))}?")
    return hints


@lru_cache(maxsize=4096)
def _close_matches(folded: str, spellings: tuple[str, ...]) -> tuple[str, ...]:
    """Spellings that are near one, which each answer to a file asks for again."""
    return tuple(difflib.get_close_matches(folded, spellings, n=6, cutoff=0.6))


def _about_number(text: str, column: Column) -> list[str]:
    """Characters that no identifier and no person's number has. `spreadsheet_marks` finds the other faults."""
    if text.startswith("'"):
        return ["börjar med en apostrof: ta bort den"]
    if column.type == "identifier" and len(text) > _LONGEST_IDENTIFIER:
        return [f"{len(text)} tecken"]
    allowed = _IN_IDENTIFIER if column.type == "identifier" else _IN_PERSON_NUMBER
    wrong = [character_name(c) for c in dict.fromkeys(allowed.sub("", text))][:3]
    return [f"innehåller {', '.join(wrong)}"] if wrong else []


def _about_whole(text: str, column: Column) -> list[str]:
    """What a cell has instead of a whole number. Only its kind is named."""
    if text in ("-", "\u2013", "\u2014"):
        return ["ett streck är inget tal: skriv 0 om det är noll"]
    if not column.personal and (kind := _first(_NO_COUNTS, text)):  # a year of birth is no count
        return [kind]
    if thousands := _THOUSANDS.fullmatch(text):
        if not column.personal and thousands[1] in ",." and text.count(thousands[1]) == 1:
            return [f"”{text}” kan läsas som tusental eller decimaltal: skriv alla siffror utan skiljetecken"]
        return ["skriv talet utan tusentalsavgränsare"]
    if _DECIMALS.fullmatch(text):
        shown = f"”{text}”, " if not column.personal and _HARMLESS.fullmatch(text) else ""
        return [f"{shown}ett tal med decimaler: skriv antalet som ett helt tal"]
    if _NEGATIVE.fullmatch(text):
        return ["ett tal under noll"]
    return [f"”{text}”"] if not column.personal and _HARMLESS.fullmatch(text) else []


def _about_date(text: str, column: Column) -> list[str]:
    if _SERIAL.fullmatch(text):
        return [f"”{text}” är Excels serienummer: formatera kolumnen som datum"]
    if (month_first := _MONTH_FIRST.fullmatch(text)) and int(month_first[1]) <= 12 < int(month_first[2]) <= 31:
        return [f"”{text}” har månaden först: skriv år-månad-dag"]
    if column.personal:
        return []
    if _SHORT_YEAR.fullmatch(text):
        return [f"”{text}”: skriv året med fyra siffror"]
    if kind := _first(_NO_DAYS, text):
        return [kind]
    return [f"”{text}”"] if _HARMLESS.fullmatch(text) else []

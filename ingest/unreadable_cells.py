"""Why a cell can't be read, and what was probably meant: our own words, and characters that say nothing of a person."""

from __future__ import annotations

import difflib
import re

from ingest.characters import character_name, garbled, odd_characters
from ingest.contracts import CodeList, Column
from ingest.folding import fold

NEAREST_CODES = 3
"""Codes suggested for a word that is none."""
_HARMLESS = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{8}|-?\d{1,5}([.,]\d{1,3})?", re.ASCII)
_LONGEST_IDENTIFIER = 40
_IN_IDENTIFIER = re.compile(r"[A-Za-z0-9/_-]")
_IN_PERSON_NUMBER = re.compile(r"[\w+-]")
_SERIAL = re.compile(r"[234]\d{4}([.,]\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:([ .,'\u2019\u00a0\u2009\u202f])\d{3})+([.,]0+)?", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})[./](\d{1,2})[./]\d{4}", re.ASCII)
_SHORT_YEAR = re.compile(r"(\d{1,2}[-./]\d{1,2}[-./]\d{2}|\d{2}-\d{2}-\d{2}|\d{6})", re.ASCII)


def why_unreadable(text: str, column: Column, codes: CodeList | None) -> str:
    """Words in brackets, after a space, on why a cell of a column can't be read; empty where nobody can say.

    Text is never quoted, in whatever column: a name or number may stand anywhere. Single characters are, and dates and
    small numbers in columns that hold nothing personal.

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
    """What words that are no code could mean."""
    hints = []
    parts = [part for part in (text.split("|") if column.type == "code_list" else [text]) if part.strip()]
    for folded in map(fold, parts):
        if folded in codes.ambiguous:
            hints.append(f"{folded} kan betyda {' eller '.join(map(codes.with_label, codes.ambiguous[folded]))}")
        elif folded not in codes.lookup:
            near = difflib.get_close_matches(folded, list(codes.lookup), n=6, cutoff=0.6)
            nearest = list(dict.fromkeys(codes.codes[codes.lookup[spelling]] for spelling in near))[:NEAREST_CODES]
            if nearest:
                hints.append(f"menades {' eller '.join(map(codes.with_label, nearest))}?")
    return hints


def _about_number(text: str, column: Column) -> list[str]:
    """Identifiers and numbers of persons: only characters that none of them has. `spreadsheet_marks` says the rest."""
    if text.startswith("'"):
        return ["börjar med en apostrof: ta bort den"]
    if column.type == "identifier" and len(text) > _LONGEST_IDENTIFIER:
        return [f"{len(text)} tecken"]
    allowed = _IN_IDENTIFIER if column.type == "identifier" else _IN_PERSON_NUMBER
    wrong = [character_name(c) for c in dict.fromkeys(allowed.sub("", text))][:3]
    return [f"innehåller {', '.join(wrong)}"] if wrong else []


def _about_whole(text: str, column: Column) -> list[str]:
    if text in ("-", "\u2013", "\u2014"):
        return ["ett streck är inget tal: skriv 0 om det är noll"]
    if thousands := _THOUSANDS.fullmatch(text):
        if not column.personal and thousands[1] in ",." and text.count(thousands[1]) == 1:
            return [f"”{text}” kan läsas som tusental eller decimaltal: skriv alla siffror utan skiljetecken"]
        return ["skriv talet utan tusentalsavgränsare"]
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
    return [f"”{text}”"] if _HARMLESS.fullmatch(text) else []

"""Numbers and lists as Swedish text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from publish.catalogue.charts import shown_as
from publish.views.declared import Kind

SPACE = "\u00a0"
_WORDS = ("ingen", "en", "två", "tre", "fyra", "fem", "sex", "sju", "åtta", "nio", "tio", "elva", "tolv")


def share(value: float) -> str:
    """A share in whole per cent, for a sentence: `21 %`; never 0 or 100 for what is not."""
    percent = math.floor(100 * value + 0.5)
    if percent == 0 and value > 0:
        return f"under 1{SPACE}%"
    if percent == 100 and value < 1:
        return f"över 99{SPACE}%"
    return f"{percent}{SPACE}%"


def amount(value: float, kind: Kind) -> str:
    """A value in a sentence: shares in whole per cent, else as in tables."""
    if kind == "rate":
        return share(value)
    if kind == "days" and math.floor(value + 0.5) == 1:
        return f"1{SPACE}dag"
    return shown_as(value, kind)


def count(number: int) -> str:
    """A whole number with a space between thousands."""
    return shown_as(number, "count")


def number_word(number: int) -> str:
    """A number as a word, up to twelve: `tre`."""
    return _WORDS[number] if 0 <= number < len(_WORDS) else count(number)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence: `A, B och C`; of many the first and how many more."""
    if len(names) > most + 1:
        rest = len(names) - most
        return f"{', '.join(names[:most])} och {number_word(rest)} till"
    return " och ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else ""


def capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]

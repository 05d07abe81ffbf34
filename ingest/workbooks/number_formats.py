"""Number formats of cells: which show a number with a fixed number of digits, and which only look like a date's.

After ECMA-376 part 1, 18.8.31. Files hold formats with English letters; other programs also write their own names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

EXACT = 10**15
"""Excel keeps fifteen digits: a whole number from here on may have been rounded."""
_TOKEN = re.compile(
    r"\"(?P<quoted>[^\"]*)\"?|\\(?P<escaped>.)|_(?P<blank>.)|\*.|\[\$(?P<sign>[^\]\-]*)[^\]]*\]|\[(?P<bracket>[^\]]*)\]"
    r"|(?P<digit>[0#?])|(?P<word>[^\W\d_]+)|(?P<other>.)",
    re.DOTALL,
)
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_CONDITION = re.compile(r"[<>=]")
_DATE_LETTERS = "ymdhs"
_SHOWN_AS_THEY_ARE = " -/()+:'"
"""What Excel shows without quotes. Other signs (comma, full stop, per cent) change the number."""
_LONGEST = 255
BUILT_IN_SHARES = {9: "0%", 10: "0.00%"}
"""Formats that files name by number alone."""


Parts = tuple[str | None, ...]
"""How a number is shown: each is a digit (None) or text."""


@dataclass(frozen=True)
class Template:
    """A format that shows a whole number with a fixed number of digits.

    Attributes:
        positive: how numbers above zero are shown.
        zero: how zero is; None where the format has another way for it.
    """

    positive: Parts
    zero: Parts | None

    def shown(self, value: bytes | float) -> str | None:
        """A whole number of zero or more as it is shown; None where the template doesn't say, and for other numbers."""
        number = whole(value)
        if number is None:
            return None
        parts = self.positive if number else self.zero
        return None if parts is None else _filled(parts, str(number))


@dataclass(frozen=True)
class Share:
    """A format that shows a number as a share: 1 as `100%`. A count so shown is none, whatever number is stored."""

    hundredfold: bool
    """Excel's own sign multiplies by a hundred; one in quotes does not."""

    def shown(self, value: bytes | float) -> str | None:
        """A number as it is shown, rounded to what Excel stores; None for what is none."""
        try:
            number = float(value) * (100 if self.hundredfold else 1)
        except ValueError:
            return None
        return f"{number:.13g}%"


def _filled(parts: Parts, digits: str) -> str:
    """Digits in their places; those beyond the places are where the first one is."""
    digits = digits.rjust(parts.count(None), "0")
    spare = len(digits) - parts.count(None)
    shown, at = [], 0
    for part in parts:
        if part is not None:
            shown.append(part)
            continue
        taken = 1 + (spare if at == 0 else 0)
        shown.append(digits[at : at + taken])
        at += taken
    return "".join(shown).strip()


@dataclass(frozen=True)
class _Section:
    """One part of a format, between semicolons."""

    parts: tuple[str | None, ...] = ()
    has_fixed_digits: bool = True
    words: tuple[str, ...] = ()
    is_elapsed: bool = False


class _SectionBeingRead:
    """Tokens of one section, gathered."""

    def __init__(self) -> None:
        self._parts: list[str | None] = []
        self._words: list[str] = []
        self._is_fixed, self._is_elapsed = True, False
        self._optional_digit_at: int | None = None

    def take(self, token: re.Match[str]) -> None:
        """Add one token."""
        literal = next((token[name] for name in ("quoted", "escaped") if token[name] is not None), None)
        if literal is not None:
            self._parts.append(literal)
        elif token["blank"] is not None:
            self._parts.append(" ")
        elif token["sign"] is not None:
            self._is_fixed = self._is_fixed and not token["sign"]  # a currency is no part of a number
        elif token["bracket"] is not None:
            self._is_elapsed = self._is_elapsed or _ELAPSED.fullmatch(token["bracket"]) is not None
            self._is_fixed = self._is_fixed and _CONDITION.match(token["bracket"]) is None
        elif token["digit"] is not None:
            self._take_digit(token["digit"])
        elif token["word"] is not None:
            self._words.append(token["word"])
        elif token["other"] is not None:
            self._is_fixed = self._is_fixed and token["other"] in _SHOWN_AS_THEY_ARE
            self._parts.append(token["other"])

    def _take_digit(self, digit: str) -> None:
        """`0`; or `#`, which right before the first `0` changes nothing."""
        if digit == "0":
            if self._optional_digit_at not in (None, len(self._parts)):
                self._is_fixed = False
            self._optional_digit_at = None
            self._parts.append(None)
        elif digit == "#" and None not in self._parts and self._optional_digit_at in (None, len(self._parts)):
            self._optional_digit_at = len(self._parts)
        else:
            self._is_fixed = False

    def read(self) -> _Section:
        """The section."""
        return _Section(tuple(self._parts), self._is_fixed, tuple(self._words), self._is_elapsed)


def _sections(code: str) -> list[_Section]:
    """The sections of a format, in order: positive, negative, zero, text."""
    found: list[_Section] = []
    section = _SectionBeingRead()
    for token in _TOKEN.finditer(code[:_LONGEST]):
        if token["other"] == ";":
            found.append(section.read())
            section = _SectionBeingRead()
        else:
            section.take(token)
    return [*found, section.read()]


def _is_of_a_date(word: str) -> bool:
    """Whether a word outside quotes can be a date's: `yyyy`, `dmy`, `ÅÅÅÅ`; but no `Standard`, `Allmänt`, `General`."""
    runs = re.finditer(r"(.)\1*", word.lower())
    return all(run[1] in _DATE_LETTERS or len(run[0]) > 1 for run in runs)


@lru_cache(maxsize=4096)
def only_looks_like_a_date(code: str) -> bool:
    """Whether a format's words are none of a date: General in some language's spelling, with or without more."""
    sections = _sections(code)
    words = [word for section in sections for word in section.words]
    return bool(words) and not any(map(_is_of_a_date, words)) and not any(s.is_elapsed for s in sections)


@lru_cache(maxsize=4096)
def shown_by(code: str) -> Template | Share | None:
    """How a format shows numbers that are shown with a fixed run of digits or as a share; None for other formats."""
    if "%" not in code:
        return template(code)
    section = _sections(code)[0]
    if any("%" in part for part in section.parts if part):
        return Share(hundredfold="%" in re.sub(r'"[^"]*"|\\.', "", code.partition(";")[0]))
    return template(code)


@lru_cache(maxsize=4096)
def template(code: str) -> Template | None:
    """The template of a format whose digits are all `0`, more than one of them or behind text; None for others.

    `000000`, `0000-0000`, `"A"0000`, `000 00;-000 00`. A unit after a single digit (`0 "st"`) is no part of a value.
    """
    sections = _sections(code)
    positive = _fixed_parts(sections[0])
    if positive is None:
        return None
    before = "".join(part or "" for part in positive[: positive.index(None)])
    if positive.count(None) == 1 and not before[-1:].isalnum():
        return None
    return Template(positive, positive if len(sections) < 3 else _fixed_parts(sections[2]))


def _fixed_parts(section: _Section) -> Parts | None:
    """The parts of a section that shows a fixed number of digits and nothing that changes with the number."""
    is_fixed = section.has_fixed_digits and not section.words and not section.is_elapsed and None in section.parts
    return section.parts if is_fixed else None


def whole(value: bytes | float) -> int | None:
    """A stored number that is whole as shown, not negative, with at most fifteen digits; None for any other."""
    try:
        number = float(f"{float(value):.15g}")  # what a computation leaves beyond fifteen digits isn't shown
    except ValueError:
        return None
    return int(number) if 0 <= number < EXACT and number.is_integer() else None

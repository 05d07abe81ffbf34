"""Searching texts for persons' numbers, however their digits are separated or written.

A hit is a possible date with four digits that make its check digit right. Where the digits are separated, the cuts must
fit a number too, so that phone numbers, times and ranges of dates are no hits.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from urllib.parse import unquote

_GAP, _CUT = r"[\W_]{0,8}", r"[\W_]{1,8}"
"""What may be between two digits of one number: no letter, and not much."""


def _apart(*digits: str) -> str:
    """Digits as a pattern, each and each gap between them a group; tried at the beginning of every run of digits."""
    return r"(?<!\d)(?=" + f"({_GAP})".join(f"({digit})" for digit in digits) + r"(?!\d))"


_DATE_DIGITS = (r"\d", r"\d", "[01]", r"\d", "[0-36-9]", r"\d")
_YEAR_FIRST = (
    re.compile(_apart(*_DATE_DIGITS, *[r"\d"] * 4)),
    re.compile(_apart("[12]", "[089]", *_DATE_DIGITS, *[r"\d"] * 4)),
)
_A_YEAR = r"(?:18|19|20)\d\d"
_DAY_FIRST = re.compile(
    rf"(?<!\d)(?=(\d\d?)({_CUT})(\d\d?)({_CUT})({_A_YEAR}|\d\d){_GAP}(\d{{4}})(?!\d))"
    rf"|(?<!\d)(?=([0-36-9]\d)({_GAP})([01]\d)({_GAP})({_A_YEAR}){_GAP}(\d{{4}})(?!\d))"
)
_UNPADDED = re.compile(rf"(?<!\d)(?=({_A_YEAR})({_CUT})(\d\d?)({_CUT})(\d\d?){_CUT}(\d{{4}})(?!\d))")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Twice a digit, as the check digit counts it."""
_WHOLE_DATE = r"((?:1[89]|20)?\d\d)(\d\d)(\d\d)"
_LETTERS_BETWEEN = re.compile(
    rf"(?<!\d){_WHOLE_DATE}[\W_]{{0,3}}(?!kl|nr|st|kr)([a-zåäö]{{1,2}})[\W_]{{0,3}}(\d{{4}})(?!\d|[-./:,]\d)"
)
_LAST_FIRST = re.compile(rf"(?<!\d)(?<!\d[\W_])(\d{{4}})[\W_]{{1,3}}{_WHOLE_DATE}(?!\d|[\W_]\d)")
_A_TIME = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_A_DATE_FOLLOWS = re.compile(r"[-./]\d\d?[-./]\d\d?(?!\d)")
_LOST_ZERO = re.compile(r"\d{5}[-+ ]?\d{4}")

_MONTHS = ("jan", "feb", "mar", "apr", "maj|may", "jun", "jul", "aug", "sep", "okt|oct", "nov", "dec")
_NAMED = "|".join(f"(?P<m{number}>{names})" for number, names in enumerate(_MONTHS, start=1))
_MONTH = rf"(?:{_NAMED})[a-zåäö]{{0,6}}\.?"
_ORDINAL = r"(?::?(?:[ea]|st|nd|rd|th)\b)?"
_NAMED_FORMS = (
    (
        re.compile(rf"(?:(?<!\d)|(?<=\d{{4}}))(\d\d?){_ORDINAL}[\W_]{{0,3}}{_MONTH}[\W_]{{0,3}}(\d{{4}}|\d\d)"),
        " {0}/{m}/{1}",
    ),
    (re.compile(rf"(?<!\d)(\d{{4}}|\d\d)[\W_]{{0,3}}{_MONTH}[\W_]{{0,3}}(\d\d?)(?!\d)"), "{0}-{m:02d}-{1:>02}"),
    (re.compile(rf"\b{_MONTH}[\W_]{{0,3}}(\d\d?){_ORDINAL}[\W_]{{1,3}}(\d{{4}})"), "{0}/{m}/{1}"),
)
"""Dates with the month in letters, and how each is written in digits; a day may follow another number's last four."""
_NAMES_A_MONTH = re.compile("|".join(_MONTHS))

_WORDS = (
    r"sista\W+fyra|fyra\W+sista|de\W+fyra|slut(?:ar|siff)|pnr|p-nr|pers(?:on)?\.?[ -]?n(?:umme)?r|kontrollsiff"
    r"|samordn|samnr|last (?:four|4)"
)
_SPEAKS_OF_NUMBERS = re.compile(_WORDS)
_A_DATE = re.compile(
    rf"(?<!\d)(?:((?:1[89]|20)?\d\d){_GAP}(\d\d){_GAP}(\d\d)|((?:1[89]|20)?\d\d){_CUT}(\d\d?){_CUT}(\d\d?)"
    rf"|(\d\d?){_CUT}(\d\d?){_CUT}((?:1[89]|20)?\d\d))(?!\d)"
)
_FOUR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_NEARBY = 60
"""Characters between a birth date and its last four digits, in a text that speaks of numbers."""

_PLAIN_LETTERS = re.compile("[\0-\x7f\u00c0-\u024f]*")
"""ASCII and Latin letters with accents: digits look like digits here."""
_LEAST_DIGITS = re.compile(r"(?:[0-9][^0-9]*){5}")
"""The last four and a day: fewer digits are no number, however it is written."""
_ESCAPED = re.compile(r"%[0-9a-f]{2}|&#?\w+;|_x[0-9a-f]{4}_", re.IGNORECASE)
_ENDLESS = re.compile(r"&#\d{8,};?")
"""No character; Python refuses to read so long a number."""
_TAG = re.compile(r"<[^<>]{0,40}>")
_WITH_EXPONENT = re.compile(r"(?<!\d)(\d)[.,](\d{5,11})e\+?(?:9|1[01])(?!\d)")
"""A number as a spreadsheet shows it that finds it long: 2,01003159801E+11."""
_LONG_GAP = re.compile(r"([\W_])\1{2,}|[^\S\n]{3,}")
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"
"""Letters by their category that show nothing (Hangul fillers)."""
FEWEST = 8
_FEWEST_DIGITS = re.compile(rf"(?:\d\D*){{{FEWEST}}}")
"""Digits of the shortest spelling: 1/3 10 9801."""


def numbers_in(text: str, *, is_identifier: bool = False) -> Iterator[str]:
    """The person and coordination numbers in a text, each as its last ten digits; the same one may come twice.

    In an identifier, digits that stand apart must be cut where a number is: `2018-06-293807` is a case's number.
    Elsewhere a number of twelve digits may be cut anywhere, and one of ten where its date or its last four are whole.

    Digits of every script and shape count. Between them may stand signs, spaces, line ends and what is invisible; dates
    may begin with the day, have a month in letters, or stand apart from the last four in a text that says so; text may
    be escaped as in addresses, HTML or workbooks.
    """
    for one in _readings(text):
        if _FEWEST_DIGITS.search(one):
            yield from _year_first(one, is_identifier=is_identifier)
            yield from _day_first(one)
            if not is_identifier:
                yield from _parted_or_swapped(one)
            if _SPEAKS_OF_NUMBERS.search(one):
                yield from _in_parts(one)


def reads_as_number(text: str, *, without_zero: bool = False, is_identifier: bool = False) -> bool:
    """Whether a text holds something that reads as a person or coordination number: see `numbers_in`.

    With `without_zero`, a whole text of nine digits counts too, as spreadsheets leave it of a number that begins with 0
    (for columns where no such number belongs; running numbers of nine digits would be mistaken).
    """
    if _PLAIN_LETTERS.fullmatch(text) and not (_LEAST_DIGITS.search(text) or _ESCAPED.search(text)):
        return False  # such as nearly all headers, quickly
    if next(numbers_in(text, is_identifier=is_identifier), None) is not None:
        return True
    whole = _plain(text).strip() if without_zero else ""
    return bool(_LOST_ZERO.fullmatch(whole)) and next(_year_first("0" + whole), None) is not None


def _readings(text: str) -> Iterator[str]:
    """A text as it may be meant: unescaped, what is invisible left out or taken for a cut, with months in digits."""
    texts = [text]
    if _ESCAPED.search(text):
        unescaped = html.unescape(_ENDLESS.sub(" ", unquote(text)))
        texts.append(re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), unescaped))
    plain = [_plain(one, unseen) for one in texts for unseen in ("", " ")]
    plain += [_TAG.sub(" ", one) for one in plain if "<" in one]
    plain = [_WITH_EXPONENT.sub(r"\1\2", _LONG_GAP.sub(_shortened, one)) for one in plain]
    for one in dict.fromkeys(plain):
        yield one
        for pattern, form in _NAMED_FORMS if _NAMES_A_MONTH.search(one) else ():
            digits = pattern.sub(lambda found, form=form: _in_digits(found, form), one)  # type: ignore[misc]
            if digits != one:
                yield digits


def _shortened(found: re.Match[str]) -> str:
    """Two of what is said again and again, or two blanks."""
    return (found[1] or " ") * 2


def _in_digits(found: re.Match[str], form: str) -> str:
    month = next(number for number in range(1, 13) if found[f"m{number}"])
    parts = [part for name, part in zip(range(1, found.re.groups + 1), found.groups(), strict=True)
             if name not in found.re.groupindex.values()]  # fmt: skip
    return form.format(*parts, m=month)


def _plain(text: str, unseen: str = "") -> str:
    """A text in small letters, its digits as ASCII; `unseen` replaces what is invisible or on another letter."""
    if text.isascii():
        return text.lower()
    visible = "".join(unseen if letter in _BLANK_LETTERS else _cut_by_a_sign(letter) for letter in text)
    return "".join(_plain_letter(letter, unseen) for letter in unicodedata.normalize("NFKC", visible)).lower()


def _cut_by_a_sign(letter: str) -> str:
    """A blank for a sign such as № or ™, which is made of letters; else the letter."""
    return " " if not letter.isascii() and unicodedata.category(letter) == "So" and not _is_digit(letter) else letter


def _is_digit(letter: str) -> bool:
    return unicodedata.digit(letter, None) is not None or any(map(str.isdigit, unicodedata.normalize("NFKC", letter)))


def _plain_letter(letter: str, unseen: str) -> str:
    digit = unicodedata.digit(letter, None)
    if digit is not None:
        return str(digit)
    return unseen if unicodedata.category(letter) in ("Cf", "Mn", "Me") else letter


def _year_first(text: str, *, is_identifier: bool = False) -> Iterator[str]:
    """Numbers of ten or twelve digits in their own order, wherever they are cut."""
    for pattern in _YEAR_FIRST:
        for found in pattern.finditer(text):
            digits, gaps = "".join(found.groups()[::2]), found.groups()[1::2]
            number = _number(digits[:-8], digits[-8:-6], digits[-6:-4], digits[-4:])
            if number is not None and _is_cut_well(text, found, digits, gaps, is_identifier=is_identifier):
                yield number
    for found in _UNPADDED.finditer("" if is_identifier else text):  # an id's own numbering: 2018-6-12-1234
        year, first_cut, month, second_cut, day, last = found.groups()
        number = _number(year, month, day, last)
        if number is not None and not _is_of_a_date(text, found.end(6), last, first_cut, second_cut):
            yield number


def _day_first(text: str) -> Iterator[str]:
    """Numbers whose date is written 15/3 2010, 15-03-10 or 15032010; month before day where only that is a date."""
    for found in _DAY_FIRST.finditer(text):
        day, first_cut, month, second_cut, year, last = found.groups()[:6] if found[1] else found.groups()[6:]
        if found[1] and int(month) > 12 >= int(day):
            day, month = month, day
        number = _number(year, month, day, last)
        # the cuts of 15/3 2010 differ, as they should: only with a short year are they those of two dates
        cuts = ("", "") if len(year) == 4 else (first_cut, second_cut)
        if number is not None and not _is_of_a_date(text, found.end(6 if found[1] else 12), last, *cuts):
            yield number


def _parted_or_swapped(text: str) -> Iterator[str]:
    """Numbers with a letter or two before the last four (100315 x9801), or with the last four first (9801-100315).

    The date must be in one piece. Times, years and what begins as phone numbers do are not taken for the last four.
    """
    for found in _LETTERS_BETWEEN.finditer(text):
        year, month, day, letters, last = found.groups()
        is_time = letters == "t" and _A_TIME.fullmatch(last)
        if not is_time and not last.startswith(("19", "20")) and (number := _number(year, month, day, last)):
            yield number
    for found in _LAST_FIRST.finditer(text):
        last, year, month, day = found.groups()
        is_other = last.startswith(("19", "20", "0")) or _A_TIME.fullmatch(last)
        if not is_other and (number := _number(year, month, day, last)):
            yield number


def _in_parts(text: str) -> Iterator[str]:
    """Numbers whose date and last four digits stand apart, in either order."""
    dates = list(_A_DATE.finditer(text))
    of_dates = {place for found in dates for place in range(found.start(), found.end())}
    fours = [(found.start(), found[0]) for found in _FOUR.finditer(text) if found.start() not in of_dates]
    for found in dates:
        parts = [part for part in found.groups() if part is not None]
        if found[7]:
            parts.reverse()
        near = bisect_left(fours, (found.start() - _NEARBY, ""))
        for start, last in fours[near : bisect_left(fours, (found.end() + _NEARBY, ""))]:
            is_apart = start >= found.end() or start + len(last) <= found.start()
            number = _number(parts[0], parts[1], parts[2], last) if is_apart else None
            if number is not None:
                yield number


def _is_cut_well(text: str, found: re.Match[str], digits: str, gaps: tuple[str, ...], *, is_identifier: bool) -> bool:
    """Whether digits stand apart as the parts of a number do: year, month, day and last four, pairs or single ones.

    Wholly regular cuts (pairs, threes, single digits) are made of any long row of numbers: there no further digits may
    stand beside them in the same way.
    """
    cuts = {place for place, gap in enumerate(gaps, start=1) if gap}
    size = len(digits)
    parts = {size - 8, size - 6} if size == 10 else {size - 10, size - 8, size - 6}
    in_date, in_last = cuts & set(range(1, size - 4)), cuts & set(range(size - 3, size))
    is_regular = cuts == set(range(1, size)) or cuts == set(range(size - 3, 0, -3)) or size - 2 in in_last
    is_a_row = cuts == set(range(1, size)) or cuts == set(range(size - 3, 0, -3))
    if is_a_row or (not is_identifier and _may_be_cut_so(size, in_date, in_last, parts, gaps)):
        pass
    elif not in_date <= parts or (size == 10 and in_date not in (set(), parts)) or (in_date and size - 4 not in cuts):
        return False
    elif in_last == {size - 2}:
        inner, others = gaps[size - 3], {gap for place, gap in enumerate(gaps, start=1) if gap and place < size - 3}
        is_time = inner in (":", ".") and int(digits[-4:-2]) < 24 and int(digits[-2:]) < 60
        if inner not in others or (is_time and len(others) > 1):
            return False
    elif in_last not in (set(), {size - 1}) or (in_last and len(gaps[size - 2]) > 1):
        return False
    if is_regular and _is_beside_more(text, found, {gap for gap in gaps if gap}):
        return False
    if in_date and digits[-4:-1] == "000":  # midnight after a date; no serial number is 000
        return False
    return not in_date or not _is_of_a_date(
        text, found.end(found.re.groups), digits[-4:], gaps[size - 9], gaps[size - 7]
    )


def _may_be_cut_so(size: int, in_date: set[int], in_last: set[int], parts: set[int], gaps: tuple[str, ...]) -> bool:
    """Whether digits in a text may be cut so, though no identifier is: somebody hides a number, or breaks its line.

    Dates and times, phone numbers and rows of numbers are not cut so.
    """
    if size == 12 and len(in_date) + len(in_last) == 1 and not in_last & {size - 2}:
        return True
    if in_last == {size - 3, size - 2, size - 1} and in_date <= parts:
        return True
    if in_last == {size - 2} and not in_date and gaps[size - 5] in ("-", "+"):
        return True
    return size == 10 and not in_last and len(in_date) == 1 and in_date <= parts and gaps[size - 5] in ("-", "+")


def _is_beside_more(text: str, found: re.Match[str], gaps: set[str]) -> bool:
    """Whether more digits stand before or after the match, parted from it as its own digits are."""
    start, end = found.start(1), found.end(found.re.groups)
    before = re.search(r"\d([\W_]{1,8})\Z", text[max(start - 9, 0) : start])
    after = re.match(r"([\W_]{1,8})\d", text[end : end + 9])
    return any(beside is not None and beside[1] in gaps for beside in (before, after))


def _is_of_a_date(text: str, end: int, last: str, first_cut: str, second_cut: str) -> bool:
    """Whether four digits are the year of another date: 2018-09-03–2018-12-10 and 2018 – 10/12 2018 are no numbers."""
    is_year = last[:2] in ("19", "20")
    return is_year and (first_cut != second_cut or _A_DATE_FOLLOWS.match(text, end) is not None)


def _number(year: str, month: str, day: str, last: str) -> str | None:
    """Ten digits of the number with this date and these last four digits; None when it is none.

    A coordination number has 60 added to the day; its month and day may be 00 (docs/decisions/0045).
    """
    number_of_day, number_of_month = int(day), int(month)
    is_coordination = number_of_day >= 60
    born = number_of_day - 60 if is_coordination else number_of_day
    if number_of_month > 12 or (not is_coordination and not (number_of_month and born)):
        return None
    whole_year = int(year) if len(year) == 4 and year > "0000" else 2000 + int(year[-2:])
    if born > (monthrange(whole_year, number_of_month)[1] if number_of_month else 31):
        return None
    digits = f"{year[-2:]}{number_of_month:02d}{number_of_day:02d}{last}"
    doubled = sum(_DOUBLED[int(digit)] for digit in digits[::2])
    return digits if (doubled + sum(map(int, digits[1::2]))) % 10 == 0 else None

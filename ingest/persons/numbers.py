"""Reading and checking persons' numbers, and replacing them by keys. No number in clear leaves this module.

The form of a number is that of Skatteverket's leaflets SKV 704 (personnummer) and SKV 707 (samordningsnummer), and of
18 and 18 a §§ folkbokföringslagen (1991:481). A coordination number has 60 added to the day. Where month or day of
birth is unknown they are 00, so that the day is 60: see docs/decisions/0045.

A key is AES-SIV (rotating key) of HMAC-SHA256 (fixed secret) of the normalised twelve digits: the same person has the
same key in every district, and the wrapping key can be rotated without the numbers.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.characters import odd_characters
from ingest.findings import count_with_noun
from ingest.persons.keys import Keys
from ingest.persons.wrapping import BLOCK, ByteArray, wrapped
from ingest.sentinels import BAD, DATE_EMPTY, EMPTY

KeyMaker = Callable[[Sequence[bytes]], pa.StringArray]
"""Normalised values → a key for each, in their order."""

_WEIGHTS = (2, 1, 2, 1, 2, 1, 2, 1, 2, 1)
_FORM = re.compile(r"(\d{6}|\d{8})([-+]?)(\d{4})", re.ASCII)
_WITHOUT_LAST = re.compile(r"\d{6}(?:\d{2})?[-+]?[xX*#?.]*", re.ASCII)
_FORMS = {13: (8, True), 12: (8, False), 11: (6, True), 10: (6, False)}
"""Length of a cell → digits of its date, and whether there is a sign before the last four."""
_MINUSES, _WIDE_PLUS, _LAST_ASCII = "\N{MINUS SIGN}\N{HYPHEN BULLET}", "\N{FULLWIDTH PLUS SIGN}", 0x7F
_ADDED = 60
"""What a coordination number adds to the day of birth."""
_MIDYEAR, _MIDMONTH = 6, 14
"""Months before 1 July, and days before the 15th: the birth date used where month or day is unknown."""
_FIRST_YEAR = 1850
_MONTH_STARTS = (
    np.arange(f"{_FIRST_YEAR}-01", "10000-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
)
"""The first day of each month from the first year on, in days since 1970."""

FEMALE, MALE = 0, 1


@dataclass(frozen=True)
class PersonNumbers:
    """What the numbers of a column say, per row.

    Attributes:
        status: int8; 0 readable, EMPTY or BAD (form, date or check digit).
        birth: int32 days since 1970, or DATE_EMPTY; the middle of the month or year where a coordination number says
            no more.
        exact: bool, birth is known to the day.
        sex: int8; FEMALE, MALE or EMPTY.
        coordination: bool, a coordination number (day + 60).
        person: int32 position in `keys`, or EMPTY.
        keys: one key per distinct person, base64url text.
    """

    status: npt.NDArray[np.int8]
    birth: npt.NDArray[np.int32]
    exact: npt.NDArray[np.bool_]
    sex: npt.NDArray[np.int8]
    coordination: npt.NDArray[np.bool_]
    person: npt.NDArray[np.int32]
    keys: pa.StringArray


def key_maker(keys: Keys) -> KeyMaker:
    """A function from normalised values to keys, with the HMAC's inner and outer state prepared once."""
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in keys.person_secret.ljust(64, b"\0"))).copy
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in keys.person_secret.ljust(64, b"\0"))).copy
    wrapping = keys.person_keys[keys.person_version]

    def make(values: Sequence[bytes]) -> pa.StringArray:
        digests = []
        for value in values:
            first, second = inner(), outer()
            first.update(value)
            second.update(first.digest())
            digests.append(second.digest())
        halves = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 2 * BLOCK)[:, :BLOCK]
        return wrapped(wrapping, halves)

    return make


def read_numbers(
    column: pa.ChunkedArray, reference: date, make_keys: KeyMaker, encoding: str = "utf-8"
) -> PersonNumbers:
    """Read a column of person or coordination numbers.

    Args:
        column: cells as bytes; empty cells are null.
        reference: the century of a ten-digit number is the latest whose year is not after this day's.
        make_keys: from `key_maker`.
        encoding: of the cells.

    Returns:
        Per row what the number says. Ten or twelve digits, with or without `-` or `+` before the last four, as
        `plain_number` reads them.
    """
    text = pc.ascii_trim_whitespace(_as_ascii(column, encoding))
    length = pc.binary_length(text).fill_null(0).to_numpy(zero_copy_only=False)
    status = np.where(length == 0, EMPTY, BAD).astype(np.int8)
    birth = np.full(len(text), DATE_EMPTY, np.int32)
    exact = np.zeros(len(text), bool)
    sex = np.full(len(text), EMPTY, np.int8)
    coordination = np.zeros(len(text), bool)
    person = np.full(len(text), EMPTY, np.int32)
    numbers, where = [], []
    for width, (date_digits, has_sign) in _FORMS.items():
        at = np.flatnonzero(length == width)
        if not len(at):
            continue
        cells = text.take(pa.array(at))
        letters = np.frombuffer(cells.buffers()[2], np.uint8, count=len(at) * width).reshape(-1, width).T
        sign = letters[-5] if has_sign else None
        digits = [
            np.ascontiguousarray(row) - 48 for place, row in enumerate(letters) if not has_sign or place != width - 5
        ]
        parts = _parts(digits, date_digits, sign, reference)
        good = at[parts.ok]
        status[good] = 0
        birth[good] = parts.birth[parts.ok]
        exact[good] = parts.exact[parts.ok]
        sex[good] = np.where(digits[-2][parts.ok] % 2 == 0, FEMALE, MALE)
        coordination[good] = parts.coordination[parts.ok]
        numbers.append(parts.number[parts.ok])
        where.append(good)
    keys = pa.array([], pa.string())
    if where:
        distinct = pa.array(np.concatenate(numbers)).dictionary_encode()
        keys = make_keys(distinct.dictionary.cast(pa.string()).cast(pa.binary()).to_pylist())
        person[np.concatenate(where)] = distinct.indices
    return PersonNumbers(status, birth, exact, sex, coordination, person, keys)


def plain_number(text: str) -> str:
    """A number's text in ASCII where only one reading is possible: what is invisible and hard spaces left out.

    Digits of other shapes become 0–9, dashes and minus signs of any kind `-`; what is none of these becomes `?`.
    """
    if text.isascii():
        return text.strip()
    return "".join(map(_plain_letter, text)).encode("ascii", "replace").decode().strip()


def _plain_letter(letter: str) -> str:
    if letter.isascii():
        return letter
    digit, kind = unicodedata.decimal(letter, None), unicodedata.category(letter)
    if digit is not None:
        return str(digit)
    if kind in ("Cf", "Zs"):
        return ""
    if kind == "Pd" or letter in _MINUSES:
        return "-"
    return "+" if letter == _WIDE_PLUS else letter


def _as_ascii(column: pa.ChunkedArray, encoding: str) -> pa.StringArray:
    """Bytes as text, other letters as `plain_number` reads them; each such cell by itself: they are few."""
    cells = column.combine_chunks()
    content = cells.buffers()[2]
    if content is not None and content.size and np.frombuffer(content, np.uint8).max() > _LAST_ASCII:
        shown = [
            v if v is None or v.isascii() else plain_number(v.decode(encoding, "replace")).encode()
            for v in cells.to_pylist()
        ]
        cells = pa.array(shown, pa.binary())
    return cells.cast(pa.string())


def why_no_number(cells: Iterable[bytes], encoding: str, reference: date) -> dict[bytes, str]:
    """Why each of some cells is read as no number, in Swedish; nothing of it is repeated. Empty for one that is.

    Args:
        cells: of a column of numbers.
        encoding: of their bytes.
        reference: as in `read_numbers`.
    """
    found: dict[bytes, str] = {}
    formed: dict[tuple[int, bool], list[tuple[bytes, re.Match[str]]]] = {}
    for cell in dict.fromkeys(cells):
        text = plain_number(cell.decode(encoding, "replace"))
        form = _FORM.fullmatch(text)
        if form is None:
            found[cell] = _why_no_form(text)
        else:
            formed.setdefault((len(form[1]), bool(form[2])), []).append((cell, form))
    for (date_digits, has_sign), given in formed.items():
        letters = "".join(form[1] + form[3] for _, form in given).encode()
        digits = np.frombuffer(letters, np.uint8).reshape(len(given), -1).T - 48
        sign = np.frombuffer("".join(form[2] for _, form in given).encode(), np.uint8) if has_sign else None
        parts = _parts(list(np.ascontiguousarray(digits)), date_digits, sign, reference)
        for (cell, _), ok, is_dated in zip(given, parts.ok.tolist(), parts.is_dated.tolist(), strict=True):
            found[cell] = "" if ok else "fel kontrollsiffra" if is_dated else "datumet finns inte"
    return found


def _why_no_form(text: str) -> str:
    count = sum(map(str.isdigit, text))
    if not count:
        return "saknar siffror"
    if _WITHOUT_LAST.fullmatch(text):
        return "fel form: de fyra sista siffrorna saknas"
    if any(map(str.isalpha, text)):
        return "fel form: bokstäver i numret; ett reservnummer skrivs i Löpnummer"
    if count not in (10, 12):
        return f"fel form: {count_with_noun(count, 'siffra', 'siffror')}"
    if odd := odd_characters(text):
        return f"fel form: {', '.join(odd)} i numret"
    return "fel form: mellanslag i numret" if " " in text else "fel form: andra tecken än siffror i numret"


@dataclass(frozen=True)
class _Parts:
    """What digits say: whether they are right (form, date, check digit), and the rest where they are."""

    ok: npt.NDArray[np.bool_]
    is_dated: npt.NDArray[np.bool_]
    birth: npt.NDArray[np.int32]
    exact: npt.NDArray[np.bool_]
    coordination: npt.NDArray[np.bool_]
    number: npt.NDArray[np.int64]


def _parts(digits: list[ByteArray], date_digits: int, sign: ByteArray | None, reference: date) -> _Parts:
    """Check numbers given digit by digit (what is no digit is over 9), and make one whole number of all twelve."""
    ok = np.ones(len(digits[0]), bool)
    for digit in digits:
        ok &= digit <= 9
    if sign is not None:
        ok &= (sign == ord("-")) | (sign == ord("+"))
    digits = [np.where(ok, digit, 0) for digit in digits]
    *date_part, month_1, month_2, day_1, day_2 = (d.astype(np.int32) for d in digits[:date_digits])
    year = sum(d * 10**place for place, d in enumerate(reversed(date_part)))
    if date_digits == 6:
        year += np.where(year <= reference.year % 100, reference.year // 100, reference.year // 100 - 1) * 100
        if sign is not None:
            year -= (sign == ord("+")) * np.int32(100)
    month, day = month_1 * 10 + month_2, day_1 * 10 + day_2
    ten = digits[-10:]
    total = sum(2 * d - np.uint8(9) * (d > 4) if weight == 2 else d for d, weight in zip(ten, _WEIGHTS, strict=True))
    coordination = day >= _ADDED
    born = np.where(coordination, day - _ADDED, day)
    exact = (month >= 1) & (born >= 1)
    is_dated = ok & (exact | coordination) & (month <= 12) & (year >= _FIRST_YEAR)
    # of an unknown month January's days are possible: all 31
    place = np.where(is_dated, (year - _FIRST_YEAR) * 12 + np.maximum(month, 1) - 1, 0)
    first = _MONTH_STARTS[place]
    is_dated &= born <= _MONTH_STARTS[place + 1] - first
    ok = is_dated & (total % 10 == 0)
    birth = np.where(exact, first + born - 1, np.where(month >= 1, first + _MIDMONTH, _MONTH_STARTS[place + _MIDYEAR]))
    last_four = sum(d.astype(np.int32) * 10**place for place, d in enumerate(reversed(digits[-4:])))
    number = (year * np.int64(10000) + month * 100 + day) * 10000 + last_four
    return _Parts(ok, is_dated, birth.astype(np.int32), exact, coordination, number)

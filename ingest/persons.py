"""Persons: numbers are read, checked and replaced by keys here. No number in clear leaves this module.

A key is AES-SIV (rotating key) of HMAC-SHA256 (fixed secret) of the normalised twelve digits: the same person has the
same key in every district, and the wrapping key can be rotated without the numbers.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from ingest.keys import Keys
from ingest.sentinels import BAD, DATE_EMPTY, EMPTY

_FORM = r"^(\d{2})?\d{6}[-+]?\d{4}$"
_WEIGHTS = np.array([2, 1, 2, 1, 2, 1, 2, 1, 2, 1], np.int16)
_MAYBE_NUMBER = re.compile(r"(?<!\d)(\d{2})?(\d{2})(\d{2})(\d{2})[\W_]{0,3}(\d{3})(\d)(?!\d)")
_LOST_ZERO = re.compile(r"\d{5}[-+ ]?\d{4}")

FEMALE, MALE = 0, 1


@dataclass(frozen=True)
class PersonNumbers:
    """What the numbers of a column say, per row.

    Attributes:
        status: int8; 0 readable, EMPTY or BAD (form, date or check digit).
        birth: int32 days since 1970, or DATE_EMPTY.
        sex: int8; FEMALE, MALE or EMPTY.
        coordination: bool, a coordination number (day + 60).
        person: int32 position in `keys`, or EMPTY.
        keys: one key per distinct person, base64url text.
    """

    status: npt.NDArray[np.int8]
    birth: npt.NDArray[np.int32]
    sex: npt.NDArray[np.int8]
    coordination: npt.NDArray[np.bool_]
    person: npt.NDArray[np.int32]
    keys: list[str]


def key_maker(keys: Keys) -> Callable[[bytes], str]:
    """A function from normalised bytes to a key, with the HMAC's inner and outer state prepared once."""
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in keys.person_secret.ljust(64, b"\0")))
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in keys.person_secret.ljust(64, b"\0")))
    encrypt = AESSIV(keys.person_keys[keys.person_version]).encrypt
    encode = base64.urlsafe_b64encode

    def key(value: bytes) -> str:
        first = inner.copy()
        first.update(value)
        second = outer.copy()
        second.update(first.digest())
        return encode(encrypt(second.digest()[:16], None)).rstrip(b"=").decode()

    return key


def read_numbers(column: pa.ChunkedArray, reference: date, make_key: Callable[[bytes], str]) -> PersonNumbers:
    """Read a column of person or coordination numbers.

    Args:
        column: cells as bytes; empty cells are null.
        reference: the century of a ten-digit number is the latest whose year is not after this day's.
        make_key: from `key_maker`.

    Returns:
        Per row what the number says. Ten or twelve digits, with or without `-` or `+` before the last four.
    """
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    distinct: pa.Array = encoded.dictionary
    count = len(distinct)
    index = encoded.indices.fill_null(count).to_numpy(zero_copy_only=False)
    status = np.full(count + 1, BAD, np.int8)
    status[count] = EMPTY
    birth = np.full(count + 1, DATE_EMPTY, np.int32)
    sex = np.full(count + 1, EMPTY, np.int8)
    coordination = np.zeros(count + 1, bool)
    person = np.full(count + 1, EMPTY, np.int32)

    text = pc.ascii_trim_whitespace(_as_ascii(distinct))
    blank = pc.equal(pc.binary_length(text), 0).to_numpy(zero_copy_only=False)
    status[:count][blank] = EMPTY
    formed = pc.match_substring_regex(text, _FORM).to_numpy(zero_copy_only=False)
    plus = pc.match_substring(text, "+").to_numpy(zero_copy_only=False)
    digits = pc.replace_substring_regex(text, r"[-+]", "")
    length = pc.binary_length(digits).to_numpy(zero_copy_only=False)
    normal: list[npt.NDArray[np.bytes_]] = []
    where: list[npt.NDArray[np.int64]] = []
    for width in (10, 12):
        at = np.flatnonzero(formed & (length == width))
        if not len(at):
            continue
        taken = pc.take(digits, pa.array(at))
        buffer = np.frombuffer(taken.buffers()[2], np.uint8, count=len(at) * width).reshape(-1, width)
        digit = (buffer - 48).astype(np.int16)
        if width == 10:
            century = np.where(digit[:, 0] * 10 + digit[:, 1] <= reference.year % 100, 0, -1) - plus[at]
            century = century + reference.year // 100
            digit = np.concatenate([(century // 10)[:, None], (century % 10)[:, None], digit], axis=1).astype(np.int16)
        ok, day, is_coordination = _dates_and_check_digits(digit)
        good = at[ok]
        status[good] = 0
        birth[good] = day[ok]
        sex[good] = np.where(digit[ok, 10] % 2 == 0, FEMALE, MALE)
        coordination[good] = is_coordination[ok]
        where.append(good)
        normal.append(np.ascontiguousarray((digit[ok] + 48).astype(np.uint8)).view("S12").ravel())
    keys: list[str] = []
    if where:
        unique, inverse = np.unique(np.concatenate(normal), return_inverse=True)
        keys = [make_key(value) for value in unique.tolist()]
        person[np.concatenate(where)] = inverse
    return PersonNumbers(status[index], birth[index], sex[index], coordination[index], person[index], keys)


def _as_ascii(values: pa.Array) -> pa.Array:
    """Bytes as text; cells that are not ASCII become `?`, which is no number."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([v if v.isascii() else b"?" for v in values.to_pylist()], pa.binary()).cast(pa.string())


def _dates_and_check_digits(
    digit: npt.NDArray[np.int16],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Which twelve-digit rows are right (date, Luhn check digit), their birth day, and coordination numbers."""
    product = digit[:, 2:] * _WEIGHTS
    ok = (product // 10 + product % 10).sum(axis=1) % 10 == 0
    year = digit[:, 0].astype(np.int64) * 1000 + digit[:, 1] * 100 + digit[:, 2] * 10 + digit[:, 3]
    month = digit[:, 4] * 10 + digit[:, 5]
    day = digit[:, 6] * 10 + digit[:, 7]
    coordination = day > 60
    day = np.where(coordination, day - 60, day)
    ok &= (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1850)
    months = (np.where(ok, year, 1970) - 1970) * 12 + np.where(ok, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]")
    ok &= day <= (after - first).astype(np.int64)
    return ok, (first.astype(np.int64) + day - 1).astype(np.int32), coordination


def reads_as_number(text: str, *, without_zero: bool = False) -> bool:
    """Whether a text holds something that reads as a person or coordination number: right date and check digit.

    Up to three signs or spaces of any kind may stand before the last four digits. With `without_zero`, a whole text of
    nine digits counts too, as spreadsheets leave it of a number that begins with 0 (for columns where no such number
    belongs; running numbers of nine digits would be mistaken).
    """
    text = unicodedata.normalize("NFKC", text)
    if without_zero and _LOST_ZERO.fullmatch(text.strip()):
        text = "0" + text.strip()
    for match in _MAYBE_NUMBER.finditer(text):
        _, year, month, day, serial, check = match.groups()
        number = int(day) - 60 if int(day) > 60 else int(day)
        if not (1 <= int(month) <= 12 and 1 <= number <= 31):
            continue
        digits = [int(c) for c in year + month + day + serial + check]
        total = sum(sum(divmod(d * w, 10)) for d, w in zip(digits, _WEIGHTS.tolist(), strict=True))
        if total % 10 == 0:
            return True
    return False

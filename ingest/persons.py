"""Persons: numbers are read, checked and replaced by keys here. No number in clear leaves this module.

A key is AES-SIV (rotating key) of HMAC-SHA256 (fixed secret) of the normalised twelve digits: the same person has the
same key in every district, and the wrapping key can be rotated without the numbers.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from ingest.keys import Keys
from ingest.sentinels import BAD, DATE_EMPTY, EMPTY

ByteArray = npt.NDArray[np.uint8]
KeyMaker = Callable[[Sequence[bytes]], pa.StringArray]
"""Normalised values → a key for each, in their order."""

_WEIGHTS = (2, 1, 2, 1, 2, 1, 2, 1, 2, 1)
_MAYBE_NUMBER = re.compile(r"(?<!\d)(\d{2})?(\d{2})(\d{2})(\d{2})[\W_]{0,3}(\d{3})(\d)(?!\d)")
_LOST_ZERO = re.compile(r"\d{5}[-+ ]?\d{4}")
_FORMS = {13: (8, True), 12: (8, False), 11: (6, True), 10: (6, False)}
"""Length of a cell → digits of its date, and whether a sign stands before the last four."""
_FIRST_YEAR = 1850
_MONTH_STARTS = (
    np.arange(f"{_FIRST_YEAR}-01", "10000-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
)
"""The first day of each month from the first year on, in days since 1970."""
_BLOCK = 16

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
        halves = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 2 * _BLOCK)[:, :_BLOCK]
        return _as_base64(_siv(wrapping, halves))

    return make


def _siv(key: bytes, blocks: ByteArray) -> ByteArray:
    """AES-SIV (RFC 5297) without associated data of many texts of one block each: n × 16 bytes → n × 32.

    For one block S2V is a single AES call, V = AES(P xor CMAC(0) xor K1), and so is its counter mode: both run over
    all texts at once, which costs a fifth of one library call per text. `cryptography`'s AESSIV gives the same bytes.
    """
    half = len(key) // 2
    mac = CMAC(algorithms.AES(key[:half]))
    mac.update(bytes(_BLOCK))
    zero = int.from_bytes(_aes(key[:half], bytes(_BLOCK)), "big") << 1
    subkey = (zero ^ 0x87 if zero >> 128 else zero) & (1 << 128) - 1
    mask = (int.from_bytes(mac.finalize(), "big") ^ subkey).to_bytes(_BLOCK, "big")
    vector = _aes_blocks(key[:half], blocks ^ np.frombuffer(mask, np.uint8))
    counter = vector.copy()
    counter[:, [8, 12]] &= 0x7F
    return np.concatenate([vector, blocks ^ _aes_blocks(key[half:], counter)], axis=1)


def _aes(key: bytes, blocks: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)


def _aes_blocks(key: bytes, blocks: ByteArray) -> ByteArray:
    return np.frombuffer(_aes(key, blocks.tobytes()), np.uint8).reshape(-1, _BLOCK)


def _as_base64(rows: ByteArray) -> pa.StringArray:
    """Rows of 32 bytes as base64url text without padding: 43 letters each."""
    padded = np.zeros((len(rows), 33), np.uint8)
    padded[:, :32] = rows
    letters = np.frombuffer(base64.urlsafe_b64encode(padded.tobytes()), np.uint8).reshape(-1, 44)[:, :43]
    ends = np.arange(0, 43 * (len(rows) + 1), 43, dtype=np.int32)
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(letters)))


def read_numbers(column: pa.ChunkedArray, reference: date, make_keys: KeyMaker) -> PersonNumbers:
    """Read a column of person or coordination numbers.

    Args:
        column: cells as bytes; empty cells are null.
        reference: the century of a ten-digit number is the latest whose year is not after this day's.
        make_keys: from `key_maker`.

    Returns:
        Per row what the number says. Ten or twelve digits, with or without `-` or `+` before the last four.
    """
    text = pc.ascii_trim_whitespace(_as_ascii(column))
    length = pc.binary_length(text).fill_null(0).to_numpy(zero_copy_only=False)
    status = np.where(length == 0, EMPTY, BAD).astype(np.int8)
    birth = np.full(len(text), DATE_EMPTY, np.int32)
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
        sex[good] = np.where(digits[-2][parts.ok] % 2 == 0, FEMALE, MALE)
        coordination[good] = parts.coordination[parts.ok]
        numbers.append(parts.number[parts.ok])
        where.append(good)
    keys = pa.array([], pa.string())
    if where:
        distinct = pa.array(np.concatenate(numbers)).dictionary_encode()
        keys = make_keys(distinct.dictionary.cast(pa.string()).cast(pa.binary()).to_pylist())
        person[np.concatenate(where)] = distinct.indices
    return PersonNumbers(status, birth, sex, coordination, person, keys)


def _as_ascii(column: pa.ChunkedArray) -> pa.StringArray:
    """Bytes as text; cells that are not ASCII become `?`, which is no number."""
    cells = column.combine_chunks()
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid:
        shown = [v if v is None or v.isascii() else b"?" for v in cells.to_pylist()]
        return pa.array(shown, pa.binary()).cast(pa.string())


@dataclass(frozen=True)
class _Parts:
    """What digits say: whether they are right (form, date, check digit), and the rest where they are."""

    ok: npt.NDArray[np.bool_]
    birth: npt.NDArray[np.int32]
    coordination: npt.NDArray[np.bool_]
    number: npt.NDArray[np.int64]


def _parts(digits: list[ByteArray], date_digits: int, sign: ByteArray | None, reference: date) -> _Parts:
    """Judge numbers given digit by digit (what is no digit is over 9); all twelve as one whole number."""
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
    coordination = day > 60
    born = np.where(coordination, day - 60, day)
    ok &= (total % 10 == 0) & (month >= 1) & (month <= 12) & (born >= 1) & (year >= _FIRST_YEAR)
    place = np.where(ok, (year - _FIRST_YEAR) * 12 + month - 1, 0)
    first = _MONTH_STARTS[place]
    ok &= born <= _MONTH_STARTS[place + 1] - first
    last_four = sum(d.astype(np.int32) * 10**place for place, d in enumerate(reversed(digits[-4:])))
    number = (year * np.int64(10000) + month * 100 + day) * 10000 + last_four
    return _Parts(ok, first + born - 1, coordination, number)

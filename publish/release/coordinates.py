"""A number for the coordinates of each cell: the same in every mart, and a sum, so that one is easily changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from publish.release.keyed import Place, Rows
from publish.release.periods import TOTAL

Uints = npt.NDArray[np.uint64]
_MODULUS = 1 << 64


@lru_cache(maxsize=100_000)
def mark(coordinate: str, name: str) -> int:
    """A number of a code: a cell's key is the sum of its codes' numbers, with none for what it is not cut by."""
    return int.from_bytes(hashlib.blake2s(f"{coordinate}:{name}".encode(), digest_size=8).digest(), "little")


def mark_of_place(place: Place) -> int:
    """The same of unit, division and period together."""
    return mark("unit", place.unit) + mark("basis", place.basis) + mark(*place.period)


def modular(whole: Iterable[int]) -> Uints:
    """Whole numbers, also negative or large ones, modulo 2**64."""
    return np.array([one % _MODULUS for one in whole], np.uint64)


def marks_of(rows: Rows, column: str, at: npt.NDArray[np.integer[Any]] | slice = slice(None)) -> Uints:
    """The number of some rows' code of a dimension."""
    codes, names = rows.codes(column)
    return modular([*(0 if name == TOTAL else mark(column, name) for name in names), 0])[codes[at]]


def keys_of(rows: Rows, unit: str | None) -> Uints:
    """The number of each row's coordinates, but for the measure; `unit` as in `Rows.places_by`."""
    numbers, places = rows.places_by(unit)
    key = modular([*map(mark_of_place, places), 0])[numbers]
    for column in rows.mart.columns_of_dimensions:
        key = key + marks_of(rows, column)
    return key

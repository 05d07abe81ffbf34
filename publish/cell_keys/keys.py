"""What decides a published count beside the true one: its measure, its group's salt, the sum of its record keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MODULUS = 1 << 32
"""Record keys are summed modulo this."""
NOTHING = 0
"""The salt of a group in which nothing is counted."""
_BLOCK = np.dtype([("measure", "<u4"), ("salt", "<u8"), ("key_sum", "<u4")])  # 16 bytes, without gaps


@dataclass(frozen=True, eq=False)
class CellKeys:
    """The keys of n cells, one array per part.

    Attributes:
        measure: uint32[n], from `measure_id`.
        salt: uint64[n], from `content_salts`.
        key_sum: uint32[n], the sum of the record keys of what the cell counts, modulo 2**32.
    """

    measure: npt.NDArray[np.uint32]
    salt: npt.NDArray[np.uint64]
    key_sum: npt.NDArray[np.uint32]

    def __post_init__(self) -> None:
        parts = {"measure": np.uint32, "salt": np.uint64, "key_sum": np.uint32}
        for name, kind in parts.items():
            part = getattr(self, name)
            if part.dtype != kind or part.shape != self.measure.shape or part.ndim != 1:
                raise ValueError(f"{name} of cell keys must be a {np.dtype(kind).name} array as long as the others")

    @classmethod
    def of(cls, measure: str | npt.ArrayLike, salt: npt.ArrayLike, key_sum: npt.ArrayLike) -> CellKeys:
        """Cell keys from columns of whole numbers as the marts hold them, or from single values for all cells.

        Args:
            measure: name of the measure, or ids.
            salt, key_sum: whole numbers.

        Raises:
            ValueError: a value is no whole number of its range: a null would share the key of 0.
        """
        first = measure_id(measure) if isinstance(measure, str) else measure
        columns = np.broadcast_arrays(
            _whole(first, np.uint32), _whole(salt, np.uint64), np.atleast_1d(_whole(key_sum, np.uint32))
        )
        return cls(*(np.ascontiguousarray(column) for column in columns))

    def __len__(self) -> int:
        return len(self.measure)

    def take(self, rows: npt.NDArray[np.intp]) -> CellKeys:
        """The keys of some cells, by their numbers."""
        return CellKeys(self.measure[rows], self.salt[rows], self.key_sum[rows])

    def blocks(self) -> npt.NDArray[np.void]:
        """16 bytes per cell, little-endian: measure (4), salt (8), key sum (4)."""
        made = np.empty(len(self), _BLOCK)
        made["measure"], made["salt"], made["key_sum"] = self.measure, self.salt, self.key_sum
        return made


def _whole(values: npt.ArrayLike, kind: type[np.unsignedinteger]) -> npt.NDArray[np.unsignedinteger]:
    given = np.asarray(values)
    largest = int(np.iinfo(kind).max)
    if given.size and (given.dtype.kind not in "iu" or int(given.min()) < 0 or int(given.max()) > largest):
        raise ValueError(f"a part of cell keys must be whole numbers from 0 to {largest}, none missing")
    return given.astype(kind)


def measure_id(name: str) -> int:
    """The 4 bytes by which a measure is known in its cells' keys."""
    return int.from_bytes(hashlib.blake2s(name.encode(), digest_size=4).digest(), "little")


def measure_ids(names: Iterable[str]) -> dict[str, int]:
    """The ids of all measures of a release.

    Raises:
        ValueError: two measures have the same id; one must be renamed, or a part that equals its whole would show.
    """
    ids: dict[str, int] = {}
    taken: dict[int, str] = {}
    for name in names:
        ids[name] = measure_id(name)
        if taken.setdefault(ids[name], name) != name:
            raise ValueError(f"measures {taken[ids[name]]} and {name} have the same id: rename one of them")
    return ids


@dataclass(frozen=True, order=True)
class Group:
    """What is drawn anew together: all cells of a family of measures, for one unit and period.

    Attributes:
        family: measures that count the same records (`avslutad` of `avslutad.offered`). They share a salt: were each
            measure drawn anew by itself, those that stay would say what a corrected record is not.
        unit: district code, or that of the whole.
        basis: `as_submitted` or `today`.
        period_kind: `kvartal`, `rullande_ar` or `ar`.
        period: `2018Q3`, `2018`.
    """

    family: str
    unit: str
    basis: str
    period_kind: str
    period: str


@dataclass(frozen=True)
class Total:
    """The cell of a measure in which every dimension is `alla`: its true count and key sum."""

    group: Group
    measure: str
    count: int
    key_sum: int


def content_salts(totals: Iterable[Total], secret: bytes) -> dict[Group, int]:
    """A salt for each group, from all that its measures count.

    Record keys hold what is counted of a record, so the salt changes exactly when something counted in the group has
    changed. It does not depend on unit, basis or period: the same records have the same salt as a district's and as
    the city's. It is keyed: from a plain digest the count could be found by trying.

    Args:
        totals: of every measure; a measure once per group.
        secret: the installation's noise secret.

    Returns:
        1 to 2**64 − 1 for each group; NOTHING where every count is 0.

    Raises:
        ValueError: a measure is there twice in a group, or its count or key sum is out of range.
    """
    salts: dict[Group, int] = {}
    by_group: dict[Group, list[Total]] = {}
    for total in totals:
        by_group.setdefault(total.group, []).append(total)
    for group in sorted(by_group):
        several, is_empty, last = hashlib.blake2s(key=secret, digest_size=8, person=b"salt"), True, None
        for total in sorted(by_group[group], key=lambda total: total.measure):
            if total.measure == last or not 0 <= total.count < 1 << 63 or not 0 <= total.key_sum < MODULUS:
                raise ValueError(f"{total.measure} of {group} is there twice, or its count or key sum is out of range")
            last = total.measure
            is_empty &= total.count == 0
            several.update(hashlib.blake2s(total.measure.encode()).digest())
            several.update(total.count.to_bytes(8, "little") + total.key_sum.to_bytes(4, "little"))
        salts[group] = NOTHING if is_empty else int.from_bytes(several.digest(), "little") or 1
    return salts


def shared_salts(keys: CellKeys, rank: npt.ArrayLike) -> CellKeys:
    """Give cells that count the same records one salt, so that they are published as one figure.

    A child who is alone in a quarter is alone in the year and the rolling years around it too, and often in the city.
    Each of these groups has a salt of its own: that would be five draws and more of one count in one release.

    Args:
        keys: all cells of a release.
        rank: n whole numbers from 0 to 65,535: of the cells that count the same, the one of the lowest rank gives the
            salt (a quarter before a year, a district before the city).

    Returns:
        The same cells; measure and key sum as they were.
    """
    ranks = np.broadcast_to(_whole(rank, np.uint16), len(keys))
    if not len(keys):
        return keys
    same = (keys.measure.astype(np.uint64) << np.uint64(32)) | keys.key_sum
    order = np.argsort(same)
    begins = np.flatnonzero(np.diff(same[order], prepend=~same[order[:1]]) != 0)
    lengths = np.diff(begins, append=len(order))
    sorted_ranks, salts = ranks[order], keys.salt[order]
    is_lowest = sorted_ranks == np.repeat(np.minimum.reduceat(sorted_ranks, begins), lengths)
    lowest = np.minimum.reduceat(np.where(is_lowest, salts, np.uint64((1 << 64) - 1)), begins)
    shared = np.empty_like(salts)
    shared[order] = np.repeat(lowest, lengths)
    return CellKeys(keys.measure, shared, keys.key_sum)

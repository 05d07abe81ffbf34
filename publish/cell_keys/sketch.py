"""Sketches: at least how many records of a group have changed, without keeping the records.

The finest cells of a group are dealt into buckets by their codes. For each bucket a sketch has what two measures count
in it (modulo 256), and a digest of all that is counted there. A record that comes or goes changes one bucket, a record
that moves two, a record that changes in place one. In the ledger the counts are masked by what the noise secret draws
for the group's salt: without the secret they say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from publish.cell_keys.keys import CellKeys
from publish.cell_keys.noise import uniforms

Uints = npt.NDArray[np.uint64]
Index = npt.NDArray[np.intp]
BUCKETS = 128
LENGTH = 3 * BUCKETS
"""Bytes of a sketch of one table: the counts of two measures, then the digests."""
_CONTENT, _MASK = "sketch.content", "sketch.mask"
_BYTE = np.uint64(45)  # the upper 8 of 53 bits


def mixed(numbers: Uints) -> Uints:
    """Numbers that look drawn, the same for the same (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        one = numbers + np.uint64(0x9E3779B97F4A7C15)
        one = (one ^ (one >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        one = (one ^ (one >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return one ^ (one >> np.uint64(31))


def sketches(
    group: Index, cell: Uints, count: npt.NDArray[np.int64], content: Uints, groups: int, secret: bytes
) -> list[bytes]:
    """The sketch of each group, from the cells of one cut, each once.

    Args:
        group: of n cells, 0 to groups − 1.
        cell: numbers of the cells' codes.
        count: n × 2, how many two measures count in them.
        content: numbers of all that is counted there: equal content, equal number.
        groups: how many there are.
        secret: the noise secret.

    Returns:
        LENGTH bytes per group; 0 for what is empty.
    """
    bucket = (mixed(cell) % np.uint64(BUCKETS)).astype(np.intp)
    counts, sums = np.zeros((groups, BUCKETS, 2), np.int64), np.zeros((groups, BUCKETS), np.uint64)
    np.add.at(counts, (group, bucket), count)
    np.add.at(sums, (group, bucket), mixed(cell ^ mixed(content)))
    digests = np.where(sums == 0, 0, _bytes(_CONTENT, sums, secret))
    rows = np.concatenate([counts[..., 0] % 256, counts[..., 1] % 256, digests], axis=1).astype(np.uint8)
    return [row.tobytes() for row in rows]


def _bytes(name: str, numbers: Uints, secret: bytes) -> npt.NDArray[np.int64]:
    places = np.broadcast_to(np.arange(numbers.shape[1]), numbers.shape)
    drawn = uniforms(CellKeys.of(name, numbers.ravel(), places.ravel()), secret)
    return (drawn >> _BYTE).astype(np.int64).reshape(numbers.shape)


def masked(given: Sequence[bytes], salts: Sequence[int], secret: bytes) -> list[bytes]:
    """Sketches as they are in the ledger; done again, as they were."""
    longest = max(map(len, given), default=0)
    if not longest:
        return list(given)
    numbers = np.repeat(np.array(salts, np.uint64)[:, None], longest, axis=1)
    mask = np.concatenate([_bytes(_MASK, part, secret) for part in np.array_split(numbers, 1 + len(given) // 1000)])
    mask[:, np.arange(longest) % LENGTH >= 2 * BUCKETS] = 0
    return [
        (np.frombuffer(one, np.uint8) ^ row[: len(one)].astype(np.uint8)).tobytes()
        for one, row in zip(given, mask, strict=True)
    ]


def changed_at_least(before: bytes, after: bytes) -> int | None:
    """At least how many records differ between two sketches of a group; None where they can't be compared.

    So many have come into buckets as these have more, and gone as others have less; and each has changed two buckets at
    most. Sketches of several tables stand one after the other: each record is in each, so the largest number holds. A
    group in which nothing is counted has an empty sketch.
    """
    length = max(len(before), len(after))
    before, after = (one or bytes(length) for one in (before, after))
    if len(before) != len(after) or not length or length % LENGTH:
        return None
    one, other = (np.frombuffer(each, np.uint8).reshape(-1, 3, BUCKETS) for each in (before, after))
    more = (other[:, :2] - one[:, :2]).astype(np.int8).astype(np.int64)
    touched = (one != other).any(axis=1).sum(axis=1)
    moved = max(np.maximum(more, 0).sum(axis=2).max(), np.maximum(-more, 0).sum(axis=2).max())
    return int(max(moved, ((touched + 1) // 2).max()))

"""What a release has beside its counts, for the attacks: durations and sums with what is behind them, and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from publish.attack.attack import Beside
from publish.attack.durations import Durations, TrueDurations
from publish.derive.grouped import BANDS
from publish.marts.declared import Duration
from publish.release.deriving import Published
from publish.release.keyed import Flags

MOST_ROWS = 2000
"""Drawn of each duration or sum."""
Drawn = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


def beside(
    marts: Mapping[str, tuple[Published, Flags]], random: np.random.Generator, folder: Path | None, secret: bytes
) -> Beside:
    """A drawn sample of durations and sums, and the files.

    Args:
        marts: published figures, and which rows of them are published.
        random: draws the rows.
        folder: of the release's files as they are written.
        secret: may be in no file, neither as it is nor in hexadecimal digits.
    """
    found = [one for marts_rows in marts.values() for one in _of_mart(*marts_rows, random)]
    return Beside(durations=found, folder=folder, secrets=(secret, secret.hex().encode()))


def _of_mart(
    found: Published, chosen: Flags, random: np.random.Generator
) -> Iterator[tuple[str, Durations, TrueDurations]]:
    mart = found.rows.mart
    for one in mart.durations:
        shown = [column for column in one.statistics.values() if column in found.numbers]
        rows = _drawn(chosen & np.any([~np.isnan(found.numbers[column]) for column in shown], axis=0), random)
        yield f"{mart.mart}.{one.n}", _durations(found, one, rows), _behind(found, one, rows)
    for column, summed in mart.sums.items():
        shown = np.max([found.counts[name] for name in summed.contributors], axis=0)
        rows = _drawn(chosen & (shown > 0), random)
        largest, second = (found.rows.ints(f"{column}__{name}")[rows].astype(float) for name in ("largest", "second"))
        # one child can be in several of the counts: who gives to the sum is seen by the sum, three standing for more
        summed_up = found.rows.ints(column)[rows]
        count = np.where(summed_up == largest, 1, np.where(summed_up == largest + second, 2, 3))
        yield (
            f"{mart.mart}.{column}",
            Durations(shown[rows], total=found.counts[column][rows].astype(float)),
            TrueDurations(count, largest=largest, second=second),
        )


def _drawn(there: Flags, random: np.random.Generator) -> Drawn:
    rows = np.flatnonzero(there)
    return np.sort(random.permutation(rows)[:MOST_ROWS])


def _durations(found: Published, one: Duration, rows: Drawn) -> Durations:
    shown = {statistic: found.numbers[column][rows] for statistic, column in one.statistics.items()}
    none: Floats = np.zeros(0)
    return Durations(
        found.counts[one.n][rows],
        mean=shown.get("mean", none),
        median=shown.get("median", none),
        grouped_median=shown.get("grouped_median", none),
        edges=tuple(float(first) for _, first, _ in BANDS),
    )


def _behind(found: Published, one: Duration, rows: Drawn) -> TrueDurations:
    """A row's count, and how many are in the band of its grouped median."""
    count = found.rows.ints(one.number or one.n)[rows]
    if one.band is None:
        return TrueDurations(count)
    names = found.texts[one.band][rows]
    in_band = np.zeros(len(rows), np.int64)
    for (name, _, _), column in zip(BANDS, one.bands, strict=True):
        in_band[names == name] = found.rows.ints(column)[rows][names == name]
    return TrueDurations(count, in_band=in_band)

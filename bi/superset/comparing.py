"""A chart's figures beside the release's own: which cells differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
Cells = dict[tuple[str, ...], Any]
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Shape:
    """Which columns say where a chart's cell is, and which hold figures.

    Attributes:
        dimensions: the columns of the place; of a chart with axes the x-axis comes first.
        figures: the columns with what is shown.
    """

    dimensions: tuple[str, ...]
    figures: tuple[str, ...]

    @classmethod
    def of(cls, params: Mapping[str, Any], expected: Sequence[Row]) -> Shape:
        """A chart's, from its parameters; of one that shows rows as they are, texts say where a cell is.

        Args:
            params: as Superset has them.
            expected: the release's rows, by whose values texts are known.
        """
        if params.get("query_mode") == "raw":
            names = list(expected[0]) if expected else []
            texts = tuple(name for name in names if any(isinstance(row[name], str) for row in expected))
            if texts == tuple(names):  # texts alone: the first names the row
                texts = texts[:1]
            return cls(texts, tuple(name for name in names if name not in texts))
        axes = [params["x_axis"]] if "x_axis" in params else []
        return cls((*axes, *params.get("groupby", ())), tuple(params["metrics"]))

    def cells(self, rows: Sequence[Row]) -> Cells:
        """Place and figure's name → figure.

        Raises:
            ValueError: two rows have the same place.
        """
        found: Cells = {}
        for row in rows:
            for place, value in self._of_row(row):
                if place in found:
                    raise ValueError(f"two rows at {' · '.join(place)}")
                found[place] = value
        return found

    def _of_row(self, row: Row) -> Iterator[tuple[tuple[str, ...], Any]]:
        if all(column in row for column in self.dimensions):
            place = tuple(str(row[column]) for column in self.dimensions)
            yield from (((*place, figure), row[figure]) for figure in self.figures)
            return
        # A chart with axes gets its series side by side, named by what it is grouped by.
        (figure,) = self.figures
        x_axis = self.dimensions[0]
        for series, value in row.items():
            if series != x_axis:
                yield (str(row[x_axis]), *series.split(", ", len(self.dimensions) - 2), figure), value


def differences(shown: Cells, expected: Cells, *, is_filled_up: bool = False) -> list[str]:
    """What differs, cell by cell, in words.

    Args:
        shown: what the chart got.
        expected: what the release says.
        is_filled_up: the chart may have places more, without a figure: so where series are side by side.
    """
    found = []
    for place in sorted(expected.keys() | shown.keys()):
        where = " · ".join(place)
        if place not in shown:
            found.append(f"{where}: missing, the release has {expected[place]!r}")
        elif place not in expected and not (is_filled_up and _plain(shown[place]) is None):
            found.append(f"{where}: {shown[place]!r} is drawn, the release has no such row")
        elif not _is_same(shown.get(place), expected.get(place)):
            found.append(f"{where}: {shown.get(place)!r} is drawn, the release has {expected.get(place)!r}")
    return found


def _is_same(one: Any, other: Any) -> bool:
    one, other = _plain(one), _plain(other)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(one == other)


def _plain(value: Any) -> Any:
    """Numbers as floats; what is no number as null, for both sides write that differently."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return None if math.isnan(value) else float(value)
    return value

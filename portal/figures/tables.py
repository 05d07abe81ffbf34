"""Tables of figures: each value as text for the page and as it is for the file, and why one is missing."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from portal.figures.released import Row
from portal.figures.wording import SPACE
from publish.catalogue.charts import shown_as
from publish.serving.csv_files import write_plain
from publish.views.declared import TOO_FEW, WAITING, Kind, View, ViewColumn

QUANTITIES = frozenset({"count", "rate", "per_1000", "days", "rank", "number", "whole"})
"""The kinds that are numbers, which a table has to the right."""
_FORMULA = re.compile(r"[=+\-@\t\r]")
"""A text that begins so can be taken for a formula."""
_THOUSANDS = re.compile(r"\b(\d{1,3}) (\d{3})\b")
"""A number in a text, whose space is no place to break a line at."""
_ARROW: dict[Kind, pa.DataType] = {
    "count": pa.int64(), "whole": pa.int64(), "rank": pa.int64(), "days": pa.float64(), "rate": pa.float64(),
    "per_1000": pa.float64(), "number": pa.float64(), "flag": pa.bool_(), "date": pa.date32(),
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column: its name in the file, its heading on the page, and the kind of its values."""

    name: str
    label: str
    kind: Kind

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.kind in QUANTITIES


@dataclass(frozen=True)
class Cell:
    """A value as it is in the release, and as text."""

    value: Any
    text: str


@dataclass(frozen=True)
class Table:
    """A table of a page and of its file.

    Attributes:
        caption: what it holds and of when.
        notes: what a reader must know of missing values and of zeros.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def csv(self) -> bytes:
        """The table as the release's own files are written; a text that a program could take for a formula has an
        apostrophe before it."""
        arrays = []
        for at, column in enumerate(self.columns):
            kind = _ARROW.get(column.kind, pa.string())
            values = [_as_kind(row[at].value, column.kind) for row in self.rows]
            arrays.append(pa.array(values, kind))
        batch = pa.record_batch(arrays, names=[column.name for column in self.columns])
        sink = io.BytesIO()
        write_plain(pa.RecordBatchReader.from_batches(batch.schema, [batch]), sink)
        return sink.getvalue()


def _as_kind(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind not in _ARROW:
        text = str(value)
        return f"'{text}" if _FORMULA.match(text) else text
    if kind in ("count", "whole", "rank"):
        return int(value)
    return float(value) if kind in QUANTITIES else value


def cell(value: Any, kind: Kind, lacking: str = "saknas") -> Cell:
    """A value and its text; `lacking` is said where there is none."""
    return Cell(value, lacking if value is None else text_of(value, kind))


def text_of(value: Any, kind: Kind) -> str:
    """A value as readers read it."""
    if kind == "flag":
        return "ja" if value else "nej"
    if kind == "date":
        return value.isoformat() if isinstance(value, date) else str(value)
    return shown_as(float(value), kind) if kind in QUANTITIES else _THOUSANDS.sub(rf"\1{SPACE}\2", str(value))


def of_view(view: View, rows: Sequence[Row], columns: Sequence[str], caption: str, notes: Sequence[str] = ()) -> Table:
    """A table of some columns of a view's rows, which `Release.rows` gave."""
    declared = {column.name: column for column in view.columns}
    chosen = [declared[one] for one in columns]
    return Table(
        caption,
        tuple(Column(one.name, one.label, one.kind) for one in chosen),
        tuple(tuple(cell(row[one.name], one.kind, why_missing(one, row)) for one in chosen) for row in rows),
        tuple(notes),
    )


def why_missing(column: ViewColumn, row: Row) -> str:
    """Why a value of a view is missing: by declaration, for too few, or because its time has not passed."""
    if row.get(f"absent {column.name}"):
        return "–"
    if row.get(TOO_FEW) and row.get(WAITING):
        return "för få eller inte klart"
    if row.get(TOO_FEW):
        return "för få"
    return "inte klart" if row.get(WAITING) else "saknas"

"""The release that readers see now: its file opened for reading, anew when the published link moves."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from ingest.settings import Settings
from publish.marts.dimensions import load_dimensions
from publish.serving.folder import current_folder
from publish.serving.release_file import PUBLISHED, in_swedish, name, sql_literal
from publish.serving.series_breaks import COLUMNS, TABLE, SeriesBreak
from publish.serving.snapshot import FILE_NAME
from publish.views.declared import View

KEPT_SECONDS = 600
"""How long the release before stays, for a page that was made of it: its charts and files come from the same one."""
_LIMITS: dict[str, str | bool | int | float | list[str]] = {"threads": 2, "memory_limit": "256MB"}
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,40}")
Row = Mapping[str, Any]


class NoRelease(Exception):
    """There is no release to show; the message says why, in Swedish. `is_fault`: one is there and can't be read."""

    def __init__(self, message: str, *, is_fault: bool = False) -> None:
        super().__init__(message)
        self.is_fault = is_fault


@dataclass(frozen=True)
class Release:
    """A release, opened for reading.

    Attributes:
        folder: where it is; no two releases have the same.
        about: what the release says of itself.
        columns: of each of its tables.
    """

    folder: Path
    about: Mapping[str, str]
    columns: Mapping[str, frozenset[str]]
    connection: duckdb.DuckDBPyConnection = field(repr=False, compare=False)

    @property
    def number(self) -> str:
        """The release's own number; the name of its folder where it has none that an address can have."""
        said = self.about.get("release_id", "")
        return said if _NUMBER.fullmatch(said) else self.folder.name

    @property
    def notice(self) -> str:
        """What every reader must know, in Swedish; may be empty."""
        return in_swedish(self.about.get("notice", ""))

    @property
    def greatest_deviation(self) -> int | None:
        """How much a published count of persons can differ from the true one; None when the release does not say."""
        said = self.about.get("greatest_deviation", "")
        return int(said) if said.isascii() and said.isdigit() else None

    def has(self, table: str, columns: Sequence[str]) -> bool:
        """Whether the release has a table with these columns."""
        return set(columns) <= self.columns.get(table, frozenset())

    def has_view(self, view: View) -> bool:
        """Whether the release has a view as it is declared now."""
        return self.has(view.name, [column.name for column in view.columns])

    def select(self, table: str, columns: Sequence[str], where: Mapping[str, object]) -> list[Row]:
        """Rows of a table in the order of the file; `where`: column → value."""
        return self._fetch(table, ", ".join(map(name, columns)), where)

    def rows(self, view: View, where: Mapping[str, object] | None = None) -> list[Row]:
        """Rows of a view, and under `absent <column>` whether a value is missing for the reason that is declared."""
        absent = "".join(
            f", coalesce({one.absent_when}, false) as {name(f'absent {one.name}')}"
            for one in view.columns
            if one.absent_when
        )
        return self._fetch(view.name, f"*{absent}", where or {})

    def _fetch(self, table: str, cells: str, where: Mapping[str, object]) -> list[Row]:
        conditions = " and ".join(f"{name(column)} = ?" for column in where) or "true"
        query = f"select {cells} from release.{PUBLISHED}.{name(table)} where {conditions} order by rowid"
        with self.connection.cursor() as cursor:
            found = cursor.execute(query, list(where.values()))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    @cached_property
    def _distinct(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return {}

    def distinct(self, table: str, column: str) -> tuple[str, ...]:
        """The texts that a column holds, in the order of the file."""
        key = (table, column)
        if key not in self._distinct:
            rows = self.select(table, (column,), {})
            self._distinct[key] = tuple(dict.fromkeys(str(row[column]) for row in rows if row[column] is not None))
        return self._distinct[key]

    @cached_property
    def _codes(self) -> dict[str, dict[str, tuple[str, int]]]:
        return {}

    def codes(self, dimension: str) -> Mapping[str, tuple[str, int]]:
        """Of a table of codes: label → code and order; empty where the release lacks it."""
        if dimension not in self._codes:
            known = load_dimensions()[dimension]
            columns = (known.key, known.label, "sort_order")
            rows = self.select(dimension, columns, {}) if self.has(dimension, columns) else []
            self._codes[dimension] = {row[known.label]: (row[known.key], row["sort_order"]) for row in rows}
        return self._codes[dimension]

    @cached_property
    def series_breaks(self) -> tuple[SeriesBreak, ...]:
        """The breaks that the release's series cross; none in a release that has no such table."""
        rows = self.select(TABLE, COLUMNS, {}) if self.has(TABLE, COLUMNS) else []
        return tuple(map(SeriesBreak.of_row, rows))

    @cached_property
    def period_codes(self) -> Mapping[tuple[str, str], tuple[str, int]]:
        """Kind and label of each period → its code and order."""
        columns = ("period_kind", "period_label", "period", "sort_order")
        rows = self.select("dim_period", columns, {}) if self.has("dim_period", columns) else []
        return {(row["period_kind"], row["period_label"]): (row["period"], row["sort_order"]) for row in rows}


class Releases:
    """The current release of an installation, and for a while the one before.

    Args:
        settings: the installation's: where the published link is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._current: Release | None = None
        self._before: tuple[Release, float] | None = None

    def current(self) -> Release:
        """The release that the published link points to now.

        Raises:
            NoRelease: there is none, or it can't be read.
        """
        for _ in range(2):  # the link can move, and the folder go, between two looks
            folder = current_folder(self._settings)
            if folder is None:
                raise NoRelease("Ingen utgåva har getts ut ännu.")
            held = self._current
            if held is not None and held.folder == folder:
                return held
            with self._lock:
                if self._current is not None and self._current.folder == folder:
                    return self._current
                try:
                    opened = open_release(folder)
                except (OSError, duckdb.Error):
                    continue
                if self._current is not None:
                    self._before = self._current, time.monotonic()
                self._current = opened
                return opened
        raise NoRelease("Den senaste utgåvan kan inte läsas just nu. Försök igen om en stund.", is_fault=True)

    def of(self, number: str) -> Release:
        """The release of a page that was made a while ago; the current one for an empty number.

        Raises:
            NoRelease: another has replaced it, or there is none.
        """
        current = self.current()
        if number in ("", current.number):
            return current
        before = self._before
        if before is not None and before[0].number == number and time.monotonic() - before[1] < KEPT_SECONDS:
            return before[0]
        raise NoRelease("En nyare utgåva har ersatt den som sidan visade. Ladda om sidan.")


def open_release(folder: Path) -> Release:
    """Open the file of a release, which is closed again when nobody holds the release.

    Raises:
        OSError: it is not there.
        duckdb.Error: it can't be read as a release.
    """
    path = folder / FILE_NAME
    path.stat()
    connection = duckdb.connect(config=_LIMITS)
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"attach {sql_literal(path)} as release (read_only)")
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "select table_name, column_name from duckdb_columns() "
        f"where database_name = 'release' and schema_name = {sql_literal(PUBLISHED)}"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    about: dict[str, str] = {}
    if {"key", "value"} <= columns.get("about", set()):
        found = connection.execute(f"select key, value from release.{PUBLISHED}.about where value is not null")
        about = {str(key): str(value) for key, value in found.fetchall()}
    return Release(folder, about, {table: frozenset(names) for table, names in columns.items()}, connection)

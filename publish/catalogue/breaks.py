"""Breaks in the series of a release: districts that became one, from its own table of districts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from ingest.quarters import Quarter
from publish.serving.release_file import ReleaseFile

_MONTHS = (
    "januari", "februari", "mars", "april", "maj", "juni",
    "juli", "augusti", "september", "oktober", "november", "december",
)  # fmt: skip
_NEEDED = {"district_code", "district_label", "successor_code", "valid_from", "valid_to"}


@dataclass(frozen=True)
class Break:
    """Districts that became another on a day."""

    day: date
    before: tuple[str, ...]
    after: str

    @property
    def in_words(self) -> str:
        """One Swedish sentence."""
        when = f"Den {self.day.day} {_MONTHS[self.day.month - 1]} {self.day.year}"
        if len(self.before) == 1:
            return f"{when} blev {self.before[0]} en del av {self.after}."
        return f"{when} gick {', '.join(self.before[:-1])} och {self.before[-1]} ihop till {self.after}."


def breaks(connection: duckdb.DuckDBPyConnection, release: ReleaseFile) -> tuple[Break, ...]:
    """The mergers until the release's last quarter, the oldest first; empty when it has no table of districts.

    The table has later ones too: it is of all districts there have been.

    Args:
        connection: one in which the release is attached (`ReleaseFile.reading`).
        release: it.
    """
    table = next((one for one in release.tables if one.name == "dim_district"), None)
    if table is None or not {column.name for column in table.columns} >= _NEEDED:
        return ()
    relation = release.relation(table)
    found = connection.execute(
        "select after.valid_from, list(before.district_label order by before.district_label), after.district_label "
        f"from {relation} as before join {relation} as after on before.successor_code = after.district_code "
        "where after.valid_from is not null group by all order by all"
    ).fetchall()
    until = release.about.get("until_quarter")
    last = Quarter.parse(until).end if until else date.max
    return tuple(Break(day, tuple(names), after) for day, names, after in found if day <= last)

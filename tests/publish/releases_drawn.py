"""Small releases of our own: files as releasing leaves them, with every figure equal to the release's number.

So that a reader can tell at once whether what it sees is one whole release: in each table all rows carry the same
release_id, `figure` is the number of the release, and there are as many rows as the release says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from ingest.settings import Settings
from publish.serving import read_release

Connect = Callable[..., "psycopg.Connection[Any]"]
NOTICE = "SYNTETISKA UPPGIFTER. / SYNTHETIC DATA."


def draw_release(path: Path, number: int, *, tables: int = 4, rows: int = 200) -> Path:
    """A release file with `tables` marts of `rows + number` rows, a dimension and `about`."""
    path.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{path}' as release")
        connection.execute("create schema release.published; use release.published")
        for table in range(tables):
            name = f"mart_{table:02}"
            connection.execute(
                f"create table {name} (district_code varchar not null, reporting_quarter varchar not null, "
                "age_band varchar not null, figure bigint, offer_rate double, suppressed boolean not null, "
                "is_provisional boolean not null, release_id varchar not null, released_at timestamptz not null, "
                "primary key (district_code, reporting_quarter, age_band))"
            )
            connection.execute(
                f"insert into {name} select 'd' || i % 14, '2018Q' || 1 + i % 4, i::varchar, "
                f"case when i % 7 <> 0 then {number} end, case when i % 7 <> 0 then {number} / 3 end, i % 7 = 0, "
                f"i % 4 = 3, 'release-{number}', timestamptz '2019-01-01 12:00:00+00' from range({rows + number}) t(i)"
            )
            connection.execute(f"comment on table {name} is '{NOTICE} One row per district, quarter and age band.'")
            described = {
                "district_code": "Stadsdelsområde: som det var när filen lämnades",
                "reporting_quarter": "Kvartal",
                "age_band": "Åldersgrupp: ålder vid händelsen",
                "figure": "Antal: räknade rader",
                "offer_rate": "Andel",
                "suppressed": "Dold",
                "is_provisional": "Preliminär",
                "release_id": "Utgåva",
                "released_at": "Utgiven",
            }
            for column, comment in described.items():
                connection.execute(f"comment on column {name}.{column} is '{comment}'")
        connection.execute(
            "create table dim_district (district_code varchar primary key, district_label varchar, valid_from date, "
            "release_id varchar)"
        )
        connection.execute(
            f"insert into dim_district select 'd' || i, 'Område ' || i, date '2014-01-01', 'release-{number}' "
            "from range(14) t(i)"
        )
        connection.execute("comment on table dim_district is 'One row per district.'")
        for column in ("district_code", "district_label", "valid_from", "release_id"):
            connection.execute(f"comment on column dim_district.{column} is 'Om {column}'")
        connection.execute("create table about (key varchar primary key, value varchar not null)")
        connection.execute("comment on table about is 'What this release is.'")
        connection.executemany(
            "insert into about values (?, ?)",
            [["release_id", f"release-{number}"], ["notice", NOTICE], ["number", str(number)], ["rows", str(rows)]],
        )
        connection.execute("use memory; detach release")
    return path


def reader_sees(connect: Connect) -> str:
    """The release in the database."""
    with connect() as connection:
        (seen,) = connection.execute("select value from published.about where key = 'release_id'").fetchone()
    return str(seen)


def files_say(settings: Settings) -> str:
    """The release in the files."""
    return read_release(settings.published / "followup.duckdb").release_id

"""Serving a release: rows a second into PostgreSQL against raw COPY of the same rows, and seconds per kind of file.

A release of twenty tables, the largest of half a million rows, is drawn. Raw COPY is psycopg sending the release's CSV
files into bare tables in one transaction: no keys, no comments, no statistics. Serving makes all of these. Both run
against one server in the same run, in turn, three times; the middle one counts.

Prints figures and ratios; asserts nothing. To compare with: serving at least half as fast as raw COPY.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg

from followup.local.postgres_server import PostgresServer, RunningServer
from ingest.settings import Settings
from publish.serving import ReleaseFile, read_release
from publish.serving.csv_files import write_csv_files, write_plain_files
from publish.serving.parquet import write_parquet
from publish.serving.postgres import Loading, load, postgres_type, swap
from publish.serving.roles import ensure_reader
from publish.serving.sessions import READER, connect, load_logins
from publish.serving.snapshot import write_snapshot

ROWS = (500_000, 250_000, *[50_000] * 8, *[5_000] * 10)
RUNS = 3


def draw(path: Path, scale: float) -> ReleaseFile:
    """A release of tables as wide as published ones are."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; select setseed(0.7)")
        for number, rows in enumerate(ROWS):
            connection.execute(
                f"create table published.mart_{number:02} (district_code varchar, district_label varchar, "
                "district_basis varchar, reporting_quarter varchar, intervention_code varchar, sex varchar, "
                "age_band varchar, row integer, cases bigint, offered bigint, accepted bigint, acceptance_rate double, "
                "rate_low double, rate_high double, suppressed boolean, is_provisional boolean, release_id varchar, "
                "released_at timestamptz, primary key (row))"
            )
            connection.execute(
                f"insert into published.mart_{number:02} select 'bromma', 'Bromma stadsdelsområde', 'as_submitted', "
                "'2018Q' || 1 + i % 4, 'familjebehandling', ['kvinna', 'man', 'alla'][1 + i % 3], "
                "['0-5', '6-12', '13-17', 'alla'][1 + i % 4], i, n, n // 2, n // 3, (n // 3) / (n // 2 + 1), random(), "
                "random(), n < 5, i % 9 = 0, '2018Q4-1', timestamptz '2019-01-10 08:00:00+00' "
                f"from (select i, case when i % 6 > 0 then (i * 7919) % 3000 end as n from range({int(rows * scale)}) "
                "t(i))"
            )
    return read_release(path)


def raw_copy(server: RunningServer, release: ReleaseFile, folder: Path) -> float:
    """Seconds to send the ready-made files into bare tables."""
    password = json.loads(server.logins_file.read_text(encoding="utf-8"))["owner"]
    with psycopg.connect(server.owner_url, password=password) as connection:
        connection.execute("drop schema if exists raw cascade; create schema raw")
        for table in release.tables:
            columns = ", ".join(f"{column.name} {postgres_type(column.sent_as)}" for column in table.columns)
            connection.execute(f"create table raw.{table.name} ({columns})".encode())
        connection.commit()
        began = time.monotonic()
        for table in release.tables:
            statement = f"copy raw.{table.name} from stdin (format csv, header)".encode()
            with (folder / f"{table.name}.csv").open("rb") as rows, connection.cursor().copy(statement) as copy:
                while block := rows.read(1 << 17):
                    copy.write(block)
        connection.commit()
        return time.monotonic() - began


def served(server: RunningServer, release: ReleaseFile, folder: Path) -> tuple[float, float]:
    """Seconds to load and to swap."""
    settings = Settings.model_validate(
        {"publish_postgres": server.owner_url, "publish_logins": server.logins_file, "publish_patience_seconds": 5}
    )
    logins = load_logins(server.logins_file)
    with connect(settings, logins) as connection:
        ensure_reader(connection, logins)
        loading = Loading("published", READER, release, folder)
        began = time.monotonic()
        load(connection, loading, lambda _: None)
        loaded = time.monotonic()
        swap(connection, [loading], [], 5, lambda _: None)
        return loaded - began, time.monotonic() - loaded


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main() -> None:
    """Draw, write the files, load both ways, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the rows")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)  # the server may run as another user
        release = draw(root / "release.duckdb", scale)
        rows = sum(table.rows for table in release.tables)
        (root / "parquet").mkdir()
        (root / "rows").mkdir()
        snapshot = seconds(lambda: write_snapshot(release, root))
        parquet = seconds(lambda: write_parquet(release, root / "parquet"))
        text = seconds(lambda: write_csv_files(release, root))
        plain = seconds(lambda: write_plain_files(release, root / "rows"))
        print(f"{rows} rows in {len(release.tables)} tables: snapshot {snapshot:.1f} s, Parquet {parquet:.1f} s, "
              f"CSV {text:.1f} s, the database's rows {plain:.1f} s", flush=True)  # fmt: skip
        postgres = PostgresServer(root / "postgres")
        try:
            server = postgres.start()
            raw, ours, swaps = [], [], []
            for _ in range(RUNS):
                raw.append(raw_copy(server, release, root / "rows"))
                loaded, swapped = served(server, release, root / "rows")
                ours.append(loaded)
                swaps.append(swapped)
        finally:
            postgres.stop()
        bare, full = statistics.median(raw), statistics.median(ours)
        print(
            f"raw COPY {rows / bare:,.0f} rows/s; serving {rows / full:,.0f} rows/s; serving / raw COPY "
            f"{bare / full:.2f}; the swap {1000 * statistics.median(swaps):.0f} ms"
        )


if __name__ == "__main__":
    main()

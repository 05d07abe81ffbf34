"""Tables of the rehearsed city's figures, from the marts and from its release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
from rich.table import Table

from publish.serving.release_file import read_release
from publish.serving.snapshot import FILE_NAME

FUNNEL = Path(__file__).with_name("funnel.sql")
WAITING = Path(__file__).with_name("waiting.sql")
GROUPS = Path(__file__).with_name("groups.sql")


def funnel_table(warehouse: Path) -> Table:
    """Cases → investigations → offered → accepted, per quarter and in all, with the share of each step.

    Args:
        warehouse: a built DuckDB warehouse.
    """
    rows = _rows(warehouse, FUNNEL)
    rows.append({name: sum(row[name] or 0 for row in rows) for name in rows[0] if name != "quarter"})
    table = Table(title="The city's funnel (synthetic)")
    table.add_column("quarter")
    for name in (
        "cases",
        "investigated",
        "of decided",
        "concluded",
        "offered",
        "of concluded",
        "accepted",
        "of answered",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.get("quarter", "all"),
            _count(row["cases"]),
            _count(row["investigations"]),
            _share(row["investigations"], row["decided"]),
            _count(row["concluded"]),
            _count(row["offered"]),
            _share(row["offered"], row["concluded"]),
            _count(row["accepted"]),
            _share(row["accepted"], row["answered"]),
            end_section=row is rows[-2],
        )
    return table


def waiting_table(warehouse: Path) -> Table:
    """Days from decision to start of outpatient care, and from application or report to start, per quarter.

    Args:
        warehouse: a built DuckDB warehouse.
    """
    table = Table(title="Waiting for assessed outpatient care, days (synthetic)")
    table.add_column("quarter")
    names = ("started", "decision to start, median", "p90", "shortest district", "longest district")
    for name in (*names, "case to start, median", "waiting at the end"):
        table.add_column(name, justify="right")
    for row in _rows(warehouse, WAITING):
        days = ("to_start_days", "to_start_p90_days", "shortest_days", "longest_days", "total_days")
        table.add_row(
            row["quarter"], _count(row["started"]), *(_days(row[name]) for name in days), _count(row["waiting"])
        )
    return table


def groups_table(warehouse: Path) -> Table:
    """Groups that started, how full they were, those cancelled, and who waits while another district has seats.

    Args:
        warehouse: a built DuckDB warehouse.
    """
    table = Table(title="Parenting programmes and other groups (synthetic)")
    table.add_column("quarter")
    names = ("started", "seats", "participants", "of seats", "cancelled", "for too few", "waiting, seats elsewhere")
    for name in names:
        table.add_column(name, justify="right")
    for row in _rows(warehouse, GROUPS):
        table.add_row(
            row["quarter"],
            _count(row["groups_started"]),
            _count(row["seats"]),
            _count(row["participants"]),
            _share(row["participants"], row["seats"]),
            _count(row["groups_cancelled"]),
            _count(row["groups_cancelled_for_too_few"]),
            _count(row["waiting"]),
        )
    return table


def release_table(published: Path) -> Table:
    """The published marts, their rows and rates, and how many rates are of too few; all other tables in one row.

    Args:
        published: the folder that readers open; its release has a certificate.
    """
    certificate = json.loads((published / "certificate.json").read_text(encoding="utf-8"))
    figures = {table["name"]: table for table in certificate["tables"]}
    release = read_release(published / FILE_NAME)
    title = f"Release {certificate['release_id']}, up to {certificate['until_quarter']} (synthetic)"
    table = Table(title=title, caption="Counts of persons deviate a little at random: certificate.html says how much.")
    table.add_column("table")
    for name in ("rows", "rates", "of too few"):
        table.add_column(name, justify="right")
    for served in release.tables:
        if of_rates := figures.get(served.name):
            table.add_row(served.name, *map(_count, (served.rows, of_rates["rates"], of_rates["too_few"])))
    others = [served for served in release.tables if served.name not in figures]
    rows = sum(served.rows for served in others)
    table.add_row("all others", *map(_count, (rows, None, None)))
    return table


def _rows(warehouse: Path, query: Path) -> list[dict[str, Any]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute(query.read_text(encoding="utf-8"))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}".replace(",", " ")


def _share(part: int | None, whole: int | None) -> str:
    return f"{100 * part / whole:.0f} %" if part is not None and whole else "–"


def _days(days: float | None) -> str:
    return "–" if days is None else f"{days:.0f}"

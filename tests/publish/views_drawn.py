"""Releases with tables of all views: values of every kind, some missing, and texts that a district could have sent."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from publish.serving import read_release
from publish.serving.release_file import ReleaseFile, sql_literal
from publish.views.declared import View

NOTICE = "SYNTETISKA UPPGIFTER. / SYNTHETIC DATA."
HOSTILE = ["=1+1", "+46 8 123", "@x", "6-12", "-1", "'6-12", '=HYPERLINK("http://x")', "1,5", "2018-01-01", "SANT",
           "\t=1", "http://x.example", "Å & <script>alert(1)</script>", "000123"]  # fmt: skip
TYPES = {"count": "integer", "rate": "double", "per_1000": "double", "number": "double", "days": "integer",
         "rank": "integer", "whole": "integer", "date": "date", "flag": "boolean"}  # fmt: skip


def value(kind: str, row: int) -> Any:
    """A value of a kind; every fourth row lacks what may be lacking."""
    if kind in ("rate", "per_1000", "number", "days") and row % 4 == 3:
        return None
    return {
        "count": 1000 + row, "rate": row / 8, "per_1000": 3.5 + row, "number": 2.25, "days": 10 + row, "rank": row,
        "whole": 20 + row,
        "date": date(2019, 1, 1 + row), "flag": row % 3 == 0,
    }.get(kind, HOSTILE[row % len(HOSTILE)])  # fmt: skip


def draw(path: Path, views: tuple[View, ...], rows: int = len(HOSTILE)) -> ReleaseFile:
    """A release with tables of views, of hostile texts."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; use published")
        for view in views:
            columns = ", ".join(f'"{one.name}" {TYPES.get(one.kind, "varchar")}' for one in view.columns)
            connection.execute(f"create table {view.name} ({columns})")
            marks = ", ".join("?" for _ in view.columns)
            lines = [[value(one.kind, row) for one in view.columns] for row in range(rows)]
            connection.executemany(f"insert into {view.name} values ({marks})", lines)
            for one in view.columns:
                said = sql_literal(f"{one.label}: {one.explanation}")
                connection.execute(f'comment on column {view.name}."{one.name}" is {said}')
        connection.execute("create table about (key varchar primary key, value varchar)")
        about = {
            "release_id": "7", "released_at": "2019-05-01T08:00:00+00:00", "notice": NOTICE,
            "how_to_read": "1–4 visas aldrig, och en nolla kan vara upp till 7. Små skillnader ska inte tolkas.",
            "not_there": "De nyaste kvartalen saknar en del mått.",
        }  # fmt: skip
        connection.executemany("insert into about values (?, ?)", [list(one) for one in about.items()])
    return read_release(path)

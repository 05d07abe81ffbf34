"""The DuckDB file that readers open: tables, comments and keys as in the release, in a format that old drivers read."""

from __future__ import annotations

from pathlib import Path

from publish.serving.release_file import ReleaseFile, sql_literal

STORAGE_VERSION = "v1.0.0"
"""DuckDB 1.1 and later read what is written with it."""
FILE_NAME = "followup.duckdb"


def write_snapshot(release: ReleaseFile, folder: Path) -> Path:
    """Write `followup.duckdb` into a folder; the file is written anew, so nothing deleted earlier remains in it."""
    target = folder / FILE_NAME
    with release.reading() as connection:
        connection.execute(f"attach {sql_literal(target)} as snapshot (storage_version '{STORAGE_VERSION}')")
        connection.execute("copy from database release to snapshot")
        connection.execute("detach snapshot")
    return target

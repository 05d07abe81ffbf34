"""What a published table says of itself: that it is synthetic, and then what its model says."""

from __future__ import annotations

from pathlib import Path

import duckdb
from dbt_built import Warehouse

from ingest.settings import Settings
from publish.publishing import NOTICE, _write


def test_a_published_tables_comment_is_the_notice_and_then_the_models_description(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "warehouse.duckdb").symlink_to(warehouse.path)
    _write(Settings.model_validate({"home": home, "keys": tmp_path / "keys.json"}), tmp_path, None)
    with duckdb.connect(str(tmp_path / "release.duckdb"), read_only=True) as published:
        comments = dict(
            published.execute("select table_name, comment from duckdb_tables() where comment is not null").fetchall()
        )
        (sex,) = published.execute(
            "select comment from duckdb_columns() where table_name = 'mart_case_flow' and column_name = 'sex'"
        ).fetchall()
    assert len(comments) >= 4
    assert [name for name, text in comments.items() if not text.startswith(f"{NOTICE} One row per ")] == []
    assert "`mart_submission_status` says who is missing." in comments["mart_case_flow"]
    assert "`alla` is the row that is not cut by it" in sex[0]

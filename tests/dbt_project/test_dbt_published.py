"""A release of a warehouse that dbt built: three districts, two of which merge."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dbt_built import Warehouse

from ingest.settings import Settings
from publish.approving import Release
from publish.releasing import release
from publish.tables import load_tables
from publish.writing import SYNTHETIC


@pytest.fixture(scope="module")
def released(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Release:
    home = tmp_path_factory.mktemp("released") / "home"
    home.mkdir()
    (home / "warehouse.duckdb").symlink_to(warehouse.path)
    settings = Settings.model_validate({"home": home, "keys": home.parent / "keys.json"})
    return release(settings, approve=True, gate=lambda _: [], processes=1)


def published(released: Release) -> Path:
    assert released.served is not None
    return released.served.duckdb_file


def test_every_declared_table_goes_out_described_by_its_model(released: Release) -> None:
    with duckdb.connect(str(published(released)), read_only=True) as found:
        comments = dict(found.execute("select table_name, comment from duckdb_tables()").fetchall())
        (sex,) = found.execute(
            "select comment from duckdb_columns() where table_name = 'mart_case_flow' and column_name = 'sex'"
        ).fetchall()
    assert set(load_tables().names()) <= set(comments)
    assert [n for n in load_tables().names() if not comments[n].startswith(SYNTHETIC)] == []
    assert "`mart_submission_status` says who is missing." in comments["mart_case_flow"]
    assert "`alla` is the row that is not broken down by it" in sex[0]


def test_what_is_shown_is_what_the_mart_has(released: Release, warehouse: Warehouse) -> None:
    with duckdb.connect() as both:
        both.execute(f"attach '{warehouse.path}' as w (read_only)")
        both.execute(f"attach '{published(released)}' as r (read_only)")
        rows = both.execute(
            "select p.cases, m.cases from r.published.mart_case_flow as p inner join w.marts.mart_case_flow as m "
            "using (district_code, district_basis, reporting_quarter, cohort_basis, reason_side, reason_code, "
            "source_code, referral_type, history, socioeconomic, sex, age_band) "
            "where m.intervention_category = 'alla' and p.cases is not null"
        ).fetchall()
    assert all(shown == counted for shown, counted in rows)


def test_a_figure_that_is_missing_is_always_said_to_be_suppressed(released: Release) -> None:
    bare: list[str] = []
    with duckdb.connect(str(published(released)), read_only=True) as found:
        for table in load_tables().names():
            columns = [name for name, *_ in found.execute(f"describe published.{table}").fetchall()]
            shown = "where not suppressed" if "suppressed" in columns else ""
            counted = ", ".join(f"count(*) - count({name})" for name in columns)
            missing = found.execute(f"select {counted} from published.{table} {shown}").fetchone() or ()
            bare += [f"{table}.{name}" for name, number in zip(columns, missing, strict=True) if number]
    assert bare == []

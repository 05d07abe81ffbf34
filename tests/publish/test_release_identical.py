"""The same data, keys and policy give the same files, wherever and how often the release is made."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ingest.persons.keys import make_keys
from ingest.settings import Settings
from publish.policy import load_policy
from publish.release.releasing import release
from publish.release.writing import holds_the_same
from publish.serving import read_release
from tests.publish.keyed_city import MARTS, MEASURES, QUARTERS, cases, quick_policy, write_warehouse

NOW = datetime(2020, 2, 20, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> list[Settings]:
    """Two installations of the same keys. Their warehouses hold the same records, built apart, in another order."""
    made: list[Settings] = []
    for name, records in (("one", cases(40)), ("other", cases(40)[::-1])):
        root = tmp_path_factory.mktemp(name)
        places = {"home": root / "home", "keys": root / "keys.json", "published": root / "published"}
        settings = Settings.model_validate(places)
        settings.home.mkdir()
        if made:
            shutil.copy(made[0].keys, settings.keys)
        else:
            make_keys(settings.keys)
        write_warehouse(settings.warehouse, records)
        with duckdb.connect(str(settings.warehouse)) as warehouse:
            columns = "mart varchar, broken_measure varchar, reporting_quarter varchar, why_sv varchar"
            warehouse.execute(f"create table core.dim_break ({columns})")
            warehouse.execute(
                "insert into core.dim_break values ('mart_case_flow', 'alla', ?, 'Ny lag.')", [QUARTERS[1]]
            )
        options = {"declared": MARTS, "measures": MEASURES, "policy": quick_policy(), "now": NOW}
        release(settings, approve=True, gate=lambda _: [], **options)
        made.append(settings)
    return made


def files(settings: Settings) -> dict[str, Path]:
    folder = settings.published.resolve()
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def test_two_homes_publish_the_same_bytes(homes: list[Settings]) -> None:
    """DuckDB leaves a few bytes of padding in its file unset, so that file is compared by what it holds."""
    one, other = map(files, homes)
    assert set(one) == set(other)
    assert {"certificate.json", "certificate.html", "parquet/mart_case_flow.parquet", "csv/dim_sex.csv"} <= set(one)
    different = {name for name, path in one.items() if path.read_bytes() != other[name].read_bytes()}
    assert different <= {"followup.duckdb", "release.json"}  # release.json has the file's checksum
    assert holds_the_same(one["followup.duckdb"], other["followup.duckdb"])


def test_a_break_is_in_the_release_and_in_what_is_said_of_its_table_alone(homes: list[Settings]) -> None:
    with duckdb.connect(str(files(homes[0])["followup.duckdb"]), read_only=True) as found:
        rows = found.execute("select mart, reporting_quarter from published.dim_break").fetchall()
        comments = found.execute("select table_name, comment from duckdb_tables() where comment is not null").fetchall()
    assert rows == [("mart_case_flow", QUARTERS[1])]
    year, number = QUARTERS[1].split("Q")
    note = f"Avbrott i serien från och med {year} kv {number}. Ny lag."
    assert [table for table, comment in comments if note in comment] == ["mart_case_flow"]


def test_published_files_are_for_their_readers_only_and_read_only(homes: list[Settings]) -> None:
    for name, path in files(homes[0]).items():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == 0o440, f"{name} is {mode:o}"


def test_about_says_how_counts_deviate(homes: list[Settings]) -> None:
    about = read_release(files(homes[0])["followup.duckdb"]).about
    policy = load_policy().cell_keys
    assert about["disclosure_control"].startswith("cellnycklar")
    reported = (about["js"], about["greatest_deviation"], about["variance"], about["too_few"])
    assert reported == tuple(
        f"{one:g}" for one in (policy.js, policy.greatest_deviation, policy.variance, policy.too_few)
    )

"""Spark's tables, tests and releases are DuckDB's."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from spark_cities import CITIES, Built, differing_tables

from ingest.persons.keys import make_keys
from ingest.settings import Settings
from publish.release.releasing import release
from publish.release.writing import holds_the_same
from tests.publish.keyed_city import quick_policy

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("city", CITIES)
def test_all_tables_are_the_same(built: Callable[[str], Built], city: str) -> None:
    both = built(city)
    assert differing_tables(both.spark, both.duckdb) == {}


@pytest.mark.parametrize("city", CITIES)
def test_all_models_and_tests_pass_on_spark(built: Callable[[str], Built], city: str) -> None:
    outcomes = built(city).outcomes
    assert {key: how for key, how in outcomes.items() if how not in ("success", "pass", "no-op")} == {}
    counts = Counter(kind for kind, _ in outcomes)
    assert counts["model"] > 100
    assert counts["test"] > 150
    assert city != "small" or counts["unit_test"] > 80


def test_a_changed_figure_is_found(built: Callable[[str], Built], tmp_path: Path) -> None:
    """So that the comparison is one: a figure more in one mart."""
    import duckdb

    both, changed = built("small"), tmp_path / "changed.duckdb"
    shutil.copy(both.duckdb, changed)
    with duckdb.connect(str(changed)) as connection:
        connection.execute("update core.fct_case set age_at_receipt = age_at_receipt + 1 where case_key is not null")
    assert set(differing_tables(both.spark, changed)) == {"core.fct_case"}


def test_a_release_is_the_same_bytes(built: Callable[[str], Built], tmp_path: Path) -> None:
    """DuckDB leaves a few bytes of padding in its own file unset, so that file is compared by what it holds."""
    both, made = built("small"), []
    for name, warehouse in (("one", both.duckdb), ("other", both.spark)):
        root = tmp_path / name
        (root / "home").mkdir(parents=True)
        (root / "home" / "warehouse.duckdb").symlink_to(warehouse)
        settings = Settings.model_validate(
            {"home": root / "home", "keys": root / "keys.json", "published": root / "published"}
        )
        if made:
            shutil.copy(made[0].keys, settings.keys)
        else:
            make_keys(settings.keys)
        release(
            settings, approve=True, gate=lambda _: [], policy=quick_policy(), now=datetime(2020, 11, 20, tzinfo=UTC)
        )
        made.append(settings)
    one, other = (
        {p.relative_to(f): p for p in f.rglob("*") if p.is_file()} for f in (s.published.resolve() for s in made)
    )
    assert set(one) == set(other)
    different = {str(name) for name, path in one.items() if path.read_bytes() != other[name].read_bytes()}
    assert different <= {"followup.duckdb", "release.json"}  # release.json has the file's checksum
    assert holds_the_same(one[Path("followup.duckdb")], other[Path("followup.duckdb")])

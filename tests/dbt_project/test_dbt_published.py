"""A release of a warehouse that dbt built: three districts, two of which merge."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pytest
from dbt_built import Warehouse

from publish.attack.bounds import spread
from publish.attack.cells import UNKNOWN
from publish.attack.likelihood import Deviation
from publish.attack.relations import KINDS, relations_of
from publish.marts.declared import load_marts, load_measures
from publish.policy import load_policy
from publish.release import attacking
from publish.release.approving import Release
from publish.release.making import Made, make
from publish.release.writing import SYNTHETIC


def published(released: Release) -> Path:
    assert released.served is not None
    return released.served.duckdb_file


def test_every_declared_table_goes_out_described(released: Release) -> None:
    with duckdb.connect(str(published(released)), read_only=True) as found:
        comments = dict(found.execute("select table_name, comment from duckdb_tables()").fetchall())
    assert set(load_marts()) <= set(comments)
    assert [n for n in load_marts() if not comments[n].startswith(SYNTHETIC)] == []
    assert "### Så läser du" in comments["mart_case_flow"]


def test_every_comment_is_swedish_and_none_is_of_the_models(released: Release, warehouse: Warehouse) -> None:
    here = "schema_name in ('core', 'marts') and comment is not null"
    models = warehouse.rows(
        f"select comment from duckdb_columns() where {here} union select comment from duckdb_tables() where {here}"
    )
    sentences = {one for row in models for one in re.split(r"[.;:\n]\s+", row["comment"]) if len(one.split()) > 3}
    assert len(sentences) > 300
    with duckdb.connect(str(published(released)), read_only=True) as found:
        columns = found.execute("select table_name, column_name, comment from duckdb_columns() where not internal")
        said = {(table, column): words or "" for table, column, words in columns.fetchall()}
    assert [one for one, words in said.items() if ": " not in words] == []
    assert [one for one, words in said.items() if any(sentence in words for sentence in sentences)] == []
    english = re.compile(r"\b(the|of|with|that|which|are|has|was|row|null)\b", re.IGNORECASE)
    assert [one for one, words in said.items() if english.search(words)] == []


def test_no_comment_names_what_the_release_lacks(released: Release, warehouse: Warehouse) -> None:
    columns = "select table_name, column_name, coalesce(comment, '') from duckdb_columns() where not internal"
    tables = "select table_name, '', coalesce(comment, '') from duckdb_tables() where not internal"
    schemas = "schema_name in ('core', 'marts')"
    found = warehouse.rows(f"select table_name, column_name from duckdb_columns() where {schemas}")
    named = {name for row in found for name in (row["table_name"], row["column_name"])}
    with duckdb.connect(str(published(released)), read_only=True) as release_file:
        said = release_file.execute(f"{columns} union all {tables}").fetchall()
    lacking = named - {name for table, column, _ in said for name in (table, column)}
    assert {"fct_case", "trend_difference", "is_left_out_of_city"} <= lacking
    assert [
        (table, column, word)
        for table, column, comment in said
        for word in re.findall(r"`([a-z0-9_]+)`|\b([a-z0-9]+(?:_[a-z0-9]+)+)\b", comment)
        if lacking.intersection(word)
    ] == []
    words = {(table, column): comment for table, column, comment in said}
    assert "Ja eller nej" in words["mart_case_flow", "late"]
    assert "as_submitted" in words["mart_case_flow", "district_basis"]
    assert "utan vikter" in words["mart_pilot_effect", "difference_in_differences"]


def test_what_a_file_lacks_is_said_of_the_file_and_not_of_the_breakdown(released: Release) -> None:
    said: set[tuple[str, bool]] = set()
    with duckdb.connect(str(published(released)), read_only=True) as found:
        for name, mart in load_marts().items():
            keys = ", ".join([*mart.keys, *({"dataset"} & set(mart.columns_of_dimensions))])
            for column in mart.yes_no:
                rows = found.execute(
                    f"select any_value({column}), count(distinct {column}) from published.{name} group by {keys}"
                ).fetchall()
                assert (name, column, max((count for _, count in rows), default=1)) == (name, column, 1)
                said |= {(column, is_so) for is_so, _ in rows}
    assert {("late", False), ("unlinkable", True), ("unlinkable", False)} <= said


def test_published_counts_are_near_the_marts(released: Release, warehouse: Warehouse) -> None:
    with duckdb.connect() as both:
        both.execute(f"attach '{warehouse.path}' as w (read_only)")
        both.execute(f"attach '{published(released)}' as r (read_only)")
        rows = both.execute(
            "select p.cases, m.cases from r.published.mart_case_flow as p inner join w.marts.mart_case_flow as m "
            "using (district_code, district_basis, reporting_quarter, cohort_basis, reason_side, reason_code, "
            "source_code, referral_type, intervention_category, intervention_code, history, socioeconomic, sex, "
            "age_band)"
        ).fetchall()
    assert rows
    assert all(abs(shown - counted) <= 7 and shown not in (1, 2, 3, 4) for shown, counted in rows)


def test_no_key_is_published_and_no_count_is_null(released: Release) -> None:
    bare: list[str] = []
    with duckdb.connect(str(published(released)), read_only=True) as found:
        for name, mart in load_marts().items():
            columns = [column for column, *_ in found.execute(f"describe published.{name}").fetchall()]
            assert not [column for column in columns if "__" in column]
            counts = [column for column in mart.person_counts if (name, column) != ("mart_waiting_times", "queue")]
            for column in counts:
                (nulls,) = found.execute(f"select count(*) - count({column}) from published.{name}").fetchone() or (1,)
                bare += [f"{name}.{column}"] if nulls else []
    assert bare == []


@pytest.fixture(scope="module")
def made(warehouse: Warehouse) -> Made:
    return make(warehouse.path, load_marts(), load_measures(), load_policy().cell_keys, bytes(32))


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_every_relation_that_the_attack_knows_is_true_of_the_true_counts(
    made: Made, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacking, "UNITS", 1)  # of a drawn sample: so that it has but single cuts of some units
    policy, random = load_policy(), None if seed is None else np.random.default_rng(seed)
    published, _, known = attacking.sample_of(made, load_marts(), load_measures(), policy, 1, random)
    _, truth, _ = attacking.sample_of(made, load_marts(), load_measures(), policy, 1, None)
    assert bool(known.single_cuts) == (seed is not None)
    deviation = Deviation(policy.cell_keys.js, policy.cell_keys.greatest_deviation, policy.cell_keys.variance)
    system = relations_of(published, known, deviation)
    sums = system.matrix @ system.cells.true_of(truth)
    # the true counts of figures that are not published are not all known here
    is_known = abs(system.matrix) @ (system.cells.published == UNKNOWN) == 0
    is_false = (sums < system.lower) | (sums > system.upper)
    kinds = {KINDS[kind] for kind in system.kind[is_known]}
    wanted = {"sum", "part", "distinct", "flow", *(("division",) if seed is None else ())}
    assert (int(is_known.sum()) > (5_000 if seed is None else 500), kinds >= wanted) == (True, True)
    assert [KINDS[kind] for kind in system.kind[is_known & is_false]] == []
    # nor does anything that follows from them, with what is known to be published as 0, rule out a true count
    true, (low, high) = system.cells.true_of(truth), spread(system)
    ruled_out = np.flatnonzero((system.cells.published != UNKNOWN) & ((true < low) | (true > high)))
    assert [(int(low[cell]), int(true[cell]), int(high[cell])) for cell in ruled_out] == []

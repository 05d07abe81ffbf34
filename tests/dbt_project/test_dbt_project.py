"""What holds for every model: its layer, its key, its grain in words, its owner, its columns' one home."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dbt_built import DIMENSIONS, PROJECT, Warehouse

READS = {
    "base": {"source"},
    "staging": {"base"},
    "intermediate": {"staging", "intermediate", "core", "seed"},
    "core": {"intermediate", "core", "seed"},
    "marts": {"core"},
}


@pytest.fixture(scope="module")
def manifest(warehouse: Warehouse) -> Any:
    """The project as dbt understands it."""
    outcome = warehouse.run("parse")
    assert outcome.exception is None
    return outcome.result


def layer(node: Any) -> str:
    """The layer that a node belongs to."""
    if node.resource_type in ("source", "seed"):
        return str(node.resource_type)
    folders = node.fqn[1:-1]
    return str(folders[-1])


def models(manifest: Any) -> list[Any]:
    """All models."""
    return [node for node in manifest.nodes.values() if node.resource_type == "model"]


def test_a_layer_reads_only_the_one_below_or_core(manifest: Any) -> None:
    known = {**manifest.nodes, **manifest.sources}
    wrong = [
        f"{node.name} reads {known[parent].name}"
        for node in models(manifest)
        for parent in node.depends_on.nodes
        if layer(known[parent]) not in READS[layer(node)]
    ]
    assert wrong == []


def test_every_model_has_a_key_test_a_grain_in_words_and_an_owner_group(manifest: Any) -> None:
    keyed = {
        test.attached_node
        for test in manifest.nodes.values()
        if test.resource_type == "test"
        and getattr(test, "test_metadata", None) is not None
        and test.test_metadata.name in ("unique", "unique_combination")
    }
    groups = {group.name for group in manifest.groups.values()}
    assert [n.name for n in models(manifest) if n.unique_id not in keyed] == []
    assert [n.name for n in models(manifest) if not n.description.startswith("One row per ")] == []
    assert [n.name for n in models(manifest) if n.config.group not in groups] == []


def test_core_and_marts_enforce_contracts_and_describe_every_column(manifest: Any) -> None:
    outer = [n for n in models(manifest) if layer(n) in ("core", "marts")]
    assert len(outer) >= 18
    assert [n.name for n in outer if not n.config.contract.enforced] == []
    undescribed = [
        f"{n.name}.{c.name}"
        for n in models(manifest)
        if layer(n) != "base"
        for c in n.columns.values()
        if not c.description
    ]
    assert undescribed == []


def test_a_columns_text_is_written_once_in_the_docs_of_columns() -> None:
    written_out = [
        f"{path.name}: {line.strip()}"
        for path in sorted((PROJECT / "models").rglob("*.yml"))
        if not path.name.startswith("_")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("        description:") and "doc(" not in line
    ]
    assert written_out == []


def test_no_birth_date_or_district_number_goes_beyond_intermediate(manifest: Any) -> None:
    private = {"birth_date", "case_id", "episode_id", "match_person_key"}
    outer = [n for n in models(manifest) if layer(n) in ("core", "marts")]
    assert [n.name for n in outer if private & set(n.columns)] == []


def test_distinct_persons_are_marked_as_not_additive_and_marts_carry_labels(manifest: Any) -> None:
    marts = [n for n in models(manifest) if layer(n) == "marts"]
    assert {n.name for n in marts if "persons" in n.columns} == {"mart_case_flow"}
    assert [n.columns["persons"].config.meta["additive"] for n in marts if "persons" in n.columns] == [False]
    unlabelled = [f"{n.name}.{c.name}" for n in marts for c in n.columns.values() if not c.config.meta.get("label_sv")]
    assert unlabelled == []


def test_every_mart_has_an_exposure_with_an_owner(manifest: Any) -> None:
    exposed = {parent for e in manifest.exposures.values() if e.owner.name for parent in e.depends_on.nodes}
    assert {n.unique_id for n in models(manifest) if layer(n) == "marts"} == exposed


def test_comments_of_tables_and_columns_are_in_the_warehouse(warehouse: Warehouse) -> None:
    (table,) = warehouse.rows(
        "select comment from duckdb_tables() where schema_name = 'marts' and table_name = 'mart_case_flow'"
    )
    assert table["comment"].startswith("One row per ")
    (column,) = warehouse.rows(
        "select comment from duckdb_columns() "
        "where schema_name = 'marts' and table_name = 'mart_case_flow' and column_name = 'persons'"
    )
    assert "Not additive" in column["comment"]


def test_every_dimension_of_a_mart_says_that_alla_is_the_row_not_broken_down_by_it(manifest: Any) -> None:
    others = {"mart_submission_status": ("dataset",), "mart_vacancies": ("seats_district_code",), "mart_equity": ()}
    dimensions = DIMENSIONS | others
    marts = {n.name: n for n in models(manifest) if layer(n) == "marts"}
    assert set(dimensions) == set(marts)
    silent = [
        f"{name}.{column}"
        for name, columns in dimensions.items()
        for column in columns
        if "`alla` is the row that is not broken down by it" not in marts[name].columns[column].description
    ]
    assert silent == []


def test_every_mart_says_where_to_see_who_is_missing(manifest: Any) -> None:
    descriptions = {n.name: n.description for n in models(manifest) if layer(n) == "marts"}
    missing = [name for name, text in descriptions.items() if "without a file for the quarter" not in text]
    assert missing == []


def test_a_comment_names_no_column_that_its_mart_lacks(warehouse: Warehouse) -> None:
    columns: dict[str, set[str]] = {}
    for row in warehouse.rows("select table_name, column_name from duckdb_columns() where schema_name = 'marts'"):
        columns.setdefault(row["table_name"], set()).add(row["column_name"])
    known = set().union(*columns.values())
    comments = warehouse.rows(
        "select table_name, comment from duckdb_tables() where schema_name = 'marts' "
        "union all select table_name, comment from duckdb_columns() where schema_name = 'marts'"
    )
    named = {
        (row["table_name"], word) for row in comments for word in re.findall(r"`([a-z0-9_]+)`", row["comment"] or "")
    }
    assert named
    assert sorted((mart, word) for mart, word in named if word in known - columns[mart]) == []


def test_marts_of_rows_about_persons_take_frozen_rows_or_rest_on_what_does(manifest: Any) -> None:
    """Otherwise their figures would change when rows about persons are erased."""
    of_persons, known = {"stg_arenden", "stg_oppenvard"}, {node.unique_id: node for node in models(manifest)}
    frozen = {node.name for node in models(manifest) if node.config.meta.get("frozen")}
    # what a file can't be linked is a column of completeness that only mart_submission_status shows, which is frozen
    passed = frozen | {"int_unlinkable_rows__counted"}

    def rests_on_rows(node: Any) -> bool:
        parents = [known[one] for one in node.depends_on.nodes if one in known]
        return any(one.name in of_persons or (one.name not in passed and rests_on_rows(one)) for one in parents)

    marts = {node.name for node in models(manifest) if layer(node) == "marts"}
    resting = {node.name for node in models(manifest) if node.name in marts and rests_on_rows(node)}
    assert frozen - {"fct_pilot_goal"} == resting and len(resting) == 9
    assert {name for name in frozen if "reporting_quarter" not in columns_of(manifest, name)} == set()


def columns_of(manifest: Any, name: str) -> set[str]:
    """The columns of a model's contract."""
    return set(manifest.nodes[f"model.followup.{name}"].columns)

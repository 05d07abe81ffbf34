"""The manifest beside the warehouse: what is stored of dbt's, which marts go out, and that a failed build leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.settings import Settings
from publish.catalogue.manifest import (
    DescribedColumn,
    DescribedTable,
    Exposure,
    ManifestMissing,
    distil,
    keep_manifest,
    load_manifest,
    manifest_file,
)


def _settings(folder: Path) -> Settings:
    return Settings.model_validate({"home": folder})


def _model(name: str, schema: str = "marts", **columns: dict[str, Any]) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "name": name,
        "schema": schema,
        "description": f"One row per {name}. \n",
        "columns": {
            column: {"description": f"what {column} is", "data_type": "varchar", "config": {"meta": meta}}
            for column, meta in columns.items()
        },
    }


def _test(name: str, model: str, **kwargs: Any) -> dict[str, Any]:
    metadata = {"name": name, "kwargs": kwargs}
    return {"resource_type": "test", "test_metadata": metadata, "attached_node": f"model.f.{model}", "name": name}


def _exposure(name: str, meta: dict[str, Any], *models: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": None,
        "description": "Read weekly.",
        "owner": {"name": "Enheten", "email": None},
        "depends_on": {"nodes": [f"model.f.{model}" for model in models]},
        "config": {"meta": meta},
    }


DBT: dict[str, Any] = {
    "nodes": {
        "model.f.mart_flow": _model("mart_flow", sex={}, persons={"additive": False}),
        "model.f.mart_other": _model("mart_other", sex={}),
        "model.f.dim_sex": _model("dim_sex", "core", sex={}),
        "model.f.int_steps": _model("int_steps", "intermediate", sex={}),
        "test.a": _test("unique_combination", "mart_flow", columns=["sex", "persons"]),
        "test.b": _test("accepted_values", "mart_flow", column_name="sex", values=["kvinna", "man"]),
        "test.c": _test("unique", "dim_sex", column_name="sex"),
        "test.d": {"resource_type": "test", "test_metadata": None, "name": "assert_it", "attached_node": None},
    },
    "exposures": {
        "exposure.f.b": _exposure("b", {"publish": True, "theme": "soci"}, "mart_other"),
        "exposure.f.a": _exposure("a", {"publish": False}, "mart_flow"),
        "exposure.f.c": _exposure("c", {}, "mart_flow"),
    },
}


def test_descriptions_keys_codes_and_what_does_not_add_up_are_stored() -> None:
    assert distil(DBT).table("mart_flow") == DescribedTable(
        name="mart_flow",
        layer="marts",
        description="One row per mart_flow.",
        key=("sex", "persons"),
        columns=(
            DescribedColumn(
                name="sex",
                description="what sex is",
                data_type="varchar",
                is_additive=True,
                codes=("kvinna", "man"),
            ),
            DescribedColumn(name="persons", description="what persons is", data_type="varchar", is_additive=False),
        ),
    )


def test_steps_on_the_way_are_left_out_and_dimensions_stored() -> None:
    assert [table.name for table in distil(DBT).tables] == ["dim_sex", "mart_flow", "mart_other"]


def test_only_marts_that_an_exposure_marks_go_out() -> None:
    assert distil(DBT).published == ("mart_other",)


def test_an_exposure_that_says_yes_in_other_words_publishes_nothing() -> None:
    said = {"exposures": {"x": _exposure("x", {"publish": "true"}, "mart_flow")}}
    assert distil({**DBT, **said}).published == ()


def test_exposures_keep_what_they_are_marked_with() -> None:
    assert distil(DBT).exposures[1] == Exposure(
        name="b",
        label="b",
        description="Read weekly.",
        owner="Enheten",
        tables=("mart_other",),
        meta={"publish": True, "theme": "soci"},
    )


def test_what_is_stored_is_what_is_loaded(tmp_path: Path) -> None:
    keep_manifest(distil(DBT), _settings(tmp_path))
    assert load_manifest(_settings(tmp_path)) == distil(DBT)
    assert manifest_file(_settings(tmp_path)).parent == _settings(tmp_path).warehouse.parent


def test_a_missing_manifest_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ManifestMissing, match="run `followup build`"):
        load_manifest(_settings(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b'{"tables": []}', b'{"tables": [], "exposures": [], "more": 1}'])
def test_a_damaged_manifest_says_what_to_run(tmp_path: Path, content: bytes) -> None:
    manifest_file(_settings(tmp_path)).write_bytes(content)
    with pytest.raises(ManifestMissing, match="run `followup build --force`"):
        load_manifest(_settings(tmp_path))


def test_a_manifest_of_another_shape_is_refused() -> None:
    with pytest.raises(KeyError):
        distil({"nodes": {}})

"""What the models say of themselves, stored beside the warehouse: descriptions, keys, and who reads what.

`followup build` distils it from dbt's manifest (3 MB, most of it SQL and macros) and puts it in place before the
warehouse that it describes, so that no warehouse lacks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.settings import Settings
from ingest.storing import write_whole

_LAYERS = ("core", "marts")


class ManifestMissing(Exception):
    """There is no manifest beside the warehouse, or it can't be read; the message says what to do."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DescribedColumn(_Kept):
    """A column as its model describes it.

    Attributes:
        is_additive: whether rows may be summed; False for what is marked `additive: false` (distinct persons).
        codes: the values that a test accepts and no others; empty where none says.
    """

    name: str
    description: str
    data_type: str
    is_additive: bool
    codes: tuple[str, ...] = ()


class DescribedTable(_Kept):
    """A model of core or marts: its description (Markdown, the page of its mart in it) and what makes a row unique."""

    name: str
    layer: str
    description: str
    key: tuple[str, ...]
    columns: tuple[DescribedColumn, ...]


class Exposure(_Kept):
    """What the marts are read for. `meta` is as declared, `publish` among it."""

    name: str
    label: str
    description: str
    owner: str
    tables: tuple[str, ...]
    meta: dict[str, Any]

    @property
    def is_published(self) -> bool:
        """Whether its tables may go out in releases."""
        return self.meta.get("publish") is True


class Manifest(_Kept):
    """What the models of one build say of themselves."""

    tables: tuple[DescribedTable, ...]
    exposures: tuple[Exposure, ...]

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the models with an exposure marked `publish: true`, in alphabetical order."""
        return tuple(sorted({name for exposure in self.exposures if exposure.is_published for name in exposure.tables}))

    def table(self, name: str) -> DescribedTable | None:
        """The model of that name, or of its beginning: a cut is named after its mart. None when there is none."""
        named = {table.name: table for table in self.tables}
        beginnings = (name.rsplit("_", words)[0] for words in range(name.count("_")))
        return next((named[beginning] for beginning in beginnings if beginning in named), None)

    def column(self, table: str, column: str) -> DescribedColumn | None:
        """A column of a model. None when the model has none of that name, or there is no such model."""
        found = self.table(table)
        return next((c for c in found.columns if c.name == column), None) if found else None


def manifest_file(settings: Settings) -> Path:
    """Where the manifest is: beside the warehouse."""
    return settings.warehouse.with_name(f"{settings.warehouse.stem}.manifest.json")


def load_manifest(settings: Settings) -> Manifest:
    """The manifest of the warehouse that is in place.

    Raises:
        ManifestMissing: there is none (nothing was built yet), or it can't be read.
    """
    path = manifest_file(settings)
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ManifestMissing(f"{path} is missing: run `followup build`") from None
    except (OSError, ValidationError) as error:
        raise ManifestMissing(f"{path} can't be read ({type(error).__name__}): run `followup build --force`") from error


def keep_manifest(manifest: Manifest, settings: Settings) -> None:
    """Put what the models say of themselves beside the warehouse, whole or not at all.

    Raises:
        OSError: it can't be written.
    """
    write_whole(manifest_file(settings), manifest.model_dump_json().encode())


def distil(dbt_manifest: Mapping[str, Any]) -> Manifest:
    """What readers and releases need of dbt's manifest: models of core and marts, and exposures.

    Raises:
        KeyError: it is not as dbt 1.11 writes it (manifest version 12).
    """
    nodes: Mapping[str, Any] = dbt_manifest["nodes"]
    models = {
        node_id: node
        for node_id, node in nodes.items()
        if node["resource_type"] == "model" and node["schema"] in _LAYERS
    }
    keys: dict[str, tuple[str, ...]] = {}
    codes: dict[tuple[str, str], tuple[str, ...]] = {}
    for node in nodes.values():
        test, model = node.get("test_metadata"), node.get("attached_node")
        if not test or model not in models:
            continue
        kwargs = test["kwargs"]
        if test["name"] == "unique_combination":
            keys.setdefault(model, tuple(kwargs["columns"]))
        elif test["name"] == "unique":
            keys[model] = (kwargs["column_name"],)  # shorter than a combination, where a model has both
        elif test["name"] == "accepted_values":
            codes[model, kwargs["column_name"]] = tuple(str(value) for value in kwargs["values"])
    return Manifest(
        tables=tuple(
            DescribedTable(
                name=node["name"],
                layer=node["schema"],
                description=node["description"].strip(),
                key=keys.get(node_id, ()),
                columns=tuple(
                    DescribedColumn(
                        name=name,
                        description=column["description"].strip(),
                        data_type=column["data_type"] or "",
                        is_additive=column["config"]["meta"].get("additive", True),
                        codes=codes.get((node_id, name), ()),
                    )
                    for name, column in node["columns"].items()
                ),
            )
            for node_id, node in sorted(models.items())
        ),
        exposures=tuple(
            Exposure(
                name=node["name"],
                label=node["label"] or node["name"],
                description=node["description"].strip(),
                owner=node["owner"]["name"] or "",
                tables=tuple(nodes[parent]["name"] for parent in node["depends_on"]["nodes"] if parent in nodes),
                meta=node["config"]["meta"],
            )
            for _, node in sorted(dbt_manifest["exposures"].items())
        ),
    )

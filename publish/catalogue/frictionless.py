"""A Frictionless data package beside the CSV files: what a program needs to read every cell as what it is.

Data Package and Table Schema, version 1 (specs.frictionlessdata.io). It is `datapackage.json` in their folder.
"""

from __future__ import annotations

from typing import Any

from publish.catalogue.described import Column, Described, Table
from publish.serving.csv_files import is_in_csv

FILE_NAME = "datapackage.json"
LICENCES = {"http://creativecommons.org/publicdomain/zero/1.0/": "CC0-1.0"}
_PLAIN_DIALECT = {"delimiter": ",", "lineTerminator": "\r\n", "quoteChar": '"', "doubleQuote": True, "header": True}


def plain_package(described: Described, licence: str) -> dict[str, Any]:
    """The package of the folder `csv`: machine names, keys, references to dimensions, codes."""
    tables = [table for table in described.tables if is_in_csv(table.name)]
    resources = [_resource(table, _PLAIN_DIALECT, _plain_schema(table)) for table in tables]
    return _package(described, licence, resources)


def _package(described: Described, licence: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    said = f"Utgåva {described.release_id}. {described.about.get('how_to_read', '')}".strip()
    return {
        "profile": "tabular-data-package",
        "name": "uppfoljning",
        "title": "Uppföljning av stöd till barn, unga och föräldrar",
        "id": described.release_id,
        "description": f"{described.notice} {said}".strip(),
        "licenses": [{"name": LICENCES.get(licence, "other-open"), "path": licence}],
        "resources": resources,
    }


def _resource(table: Table, dialect: dict[str, object], schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "profile": "tabular-data-resource",
        "name": table.name,
        "path": f"{table.name}.csv",
        "title": table.label,
        "description": table.explanation,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": dialect,
        "schema": schema,
    }


def _plain_schema(table: Table) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "fields": [_field(column, column.name) for column in table.columns],
        "missingValues": [""],
    }
    for described, column in zip(schema["fields"], table.columns, strict=True):
        if column.codes:
            described.setdefault("constraints", {})["enum"] = [code for code, _ in column.codes]
        if column.type == "boolean":
            described |= {"trueValues": ["true"], "falseValues": ["false"]}
        if column.type == "datetime":
            described["format"] = "any"
    if table.key:
        schema["primaryKey"] = list(table.key)
    if table.references:
        schema["foreignKeys"] = [
            {"fields": to.column, "reference": {"resource": to.table, "fields": to.table_column}}
            for to in table.references
        ]
    return schema


def _field(column: Column, heading: str) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if column.is_required:
        constraints["required"] = True
    if column.is_never_negative:
        constraints["minimum"] = 0
    if column.is_share:
        constraints["maximum"] = 1
    described = {
        "name": heading,
        "type": column.type,
        "title": column.label,
        "description": column.explanation,
    }
    return described | ({"constraints": constraints} if constraints else {})

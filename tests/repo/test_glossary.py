"""The glossary is the home of labels: readable as tables, no name twice, no mart's column without a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

HEADER = ["name", "svenska", "English", "förklaring"]
FEWEST_TERMS = 60


def rows(root: Path) -> list[list[str]]:
    """Every row of every table, cells stripped; the tables' headers are checked on the way."""
    found: list[list[str]] = []
    previous: list[str] = []
    for line in (root / "GLOSSARY.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            previous = []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if set(line) <= set("|-: "):
            assert previous == HEADER
            found.remove(previous)
        else:
            found.append(cells)
        previous = cells
    return found


def covered(name: str, names: set[str]) -> bool:
    """Whether a column has a row of its own, or its stem and its endings have."""
    if name in names:
        return True
    for ending in (n for n in names if n.startswith("_") and name.endswith(n)):
        stem = name.removesuffix(ending)
        if covered(stem, names) or (ending == "_label" and covered(f"{stem}_code", names)):
            return True
    return False


def mart_columns(root: Path) -> list[tuple[str, str, str | None]]:
    """Mart, column and the label that its contract carries, if any."""
    found = []
    for path in sorted((root / "dbt_project" / "models" / "marts").rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models") or []:
            for column in model.get("columns") or []:
                meta = {**(column.get("meta") or {}), **((column.get("config") or {}).get("meta") or {})}
                found.append((model["name"], column["name"], meta.get("label_sv")))
    return found


def test_glossary_rows_are_whole(root: Path) -> None:
    assert [row for row in rows(root) if len(row) != len(HEADER) or not all(row)] == []


def test_glossary_has_no_name_twice(root: Path) -> None:
    names = [row[0] for row in rows(root)]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [name for name in names if not re.fullmatch(r"[a-z0-9_]+", name)] == []


def test_glossary_has_the_terms_of_the_field(root: Path) -> None:
    plain = [row for row in rows(root) if not row[0].startswith(("_", "mart_", "dim_", "fct_"))]
    assert len(plain) >= FEWEST_TERMS
    words = {row[0] for row in plain}
    assert {"forhandsbedomning", "bistand", "likstallighet", "ratta_eller_forklara", "rojandekontroll"} <= words


def test_every_mart_and_each_of_its_columns_has_a_row(root: Path) -> None:
    names = {row[0] for row in rows(root)}
    columns = mart_columns(root)
    if not columns:
        pytest.skip("no marts yet")
    assert sorted({mart for mart, _, _ in columns} - names) == []
    assert sorted({column for _, column, _ in columns if not covered(column, names)}) == []


def test_a_column_that_carries_a_label_carries_the_glossarys(root: Path) -> None:
    labels = {row[0]: row[1] for row in rows(root)}
    differing = {
        (column, label, labels[column])
        for _, column, label in mart_columns(root)
        if label and column in labels and label != labels[column]
    }
    assert sorted(differing) == []

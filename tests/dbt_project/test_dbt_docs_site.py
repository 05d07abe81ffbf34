"""The documentation site: one page that fetches nothing, with the glossary and a page per mart."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dbt_built import PROJECT

from publish.views.declared import load_views

HEADINGS = ["### Question", "### Grain", "### How to read it", "### Traps"]
MARTS = sorted(path.stem for path in (PROJECT / "models" / "marts").glob("mart_*.sql"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page, made as `make docs` makes it."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([str(PROJECT.parent / "tools" / "dbt_docs.sh"), str(folder)], check=True)
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "webb"]
    for mart in MARTS:  # beside it, for readers of releases, from what is declared
        said = (folder / "webb" / "tabell" / f"{mart}.html").read_text(encoding="utf-8")
        assert "<h2>Kolumner</h2>" in said and 'href="../../' not in said
    assert {view.base for view in load_views()} == {path.stem for path in (folder / "webb" / "vy").iterdir()}
    return Path(folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def manifest(page: str) -> Any:
    """The project's manifest, as the page holds it."""
    start = page.index('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest')
    return json.JSONDecoder().raw_decode(page, start)[0]


def test_the_page_loads_nothing_from_elsewhere(page: str) -> None:
    elsewhere = r"(?:https?:)?//[\w.-]+\.[a-z]{2,}"
    markup = re.findall(rf"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\\?["']?{elsewhere}[^>]*""", page)
    from_script = re.findall(rf"""\.src=\\?["']{elsewhere}[^"']*""", page)
    from_style = re.findall(rf"""(?:@import\s+|url\()\s*\\?["']?{elsewhere}[^)"']*""", page)
    assert markup + from_script + from_style == []


def test_a_browser_is_instructed_to_fetch_nothing_before_anything_is_run(page: str) -> None:
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert found is not None
    assert found.start() < page.index("<script")
    policy = dict(part.split(maxsplit=1) for part in found.group(1).split("; "))
    assert policy.pop("default-src") == "'none'"
    allowed = {"'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert {source for sources in policy.values() for source in sources.split()} <= allowed


@pytest.mark.parametrize("mart", MARTS)
def test_a_mart_has_a_page_with_the_four_headings_each_with_a_text(manifest: Any, mart: str) -> None:
    description = manifest["nodes"][f"model.followup.{mart}"]["description"]
    lines = description.splitlines()
    assert [line for line in lines if line.startswith("#")] == HEADINGS
    parts = re.split("|".join(HEADINGS), description)
    assert [len(part.strip()) > 30 for part in parts] == [True] * 5


def test_the_first_page_links_every_mart_and_holds_the_glossary(manifest: Any) -> None:
    (overview,) = [doc["block_contents"] for key, doc in manifest["docs"].items() if key == "doc.followup.__overview__"]
    assert sorted(re.findall(r"#!/model/model\.followup\.(\w+)\)", overview)) == MARTS
    glossary = (PROJECT.parent / "GLOSSARY.md").read_text(encoding="utf-8")
    rows = [line for line in glossary.splitlines() if line.startswith("| ")]
    assert len(rows) > 100
    assert set(rows) <= set(overview.splitlines())


def test_the_page_knows_what_each_mart_is_made_from(manifest: Any) -> None:
    assert "model.followup.fct_case" in manifest["parent_map"]["model.followup.mart_case_flow"]

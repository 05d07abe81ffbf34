"""Templates and browser files: what the policy would stop, what is fetched, what a macro says of itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ingest.settings import ROOT

PAGES = ROOT / "portal" / "pages"
TEMPLATES = sorted(PAGES.rglob("*.html"))
_LIST = (ROOT / "tools" / "setup.sh").read_text(encoding="utf-8").partition("<<'EOF'\n")[2].partition("\nEOF")[0]
WANTED = [(line.split()[0], line.split()[2]) for line in _LIST.splitlines()]
"""Package and name in portal/static/vendor of what tools/setup.sh installs."""
ELSEWHERE = r"\s*=\s*['\"](?:https?:)?//"
FORBIDDEN = {
    "a style in the page": r"<style|\sstyle\s*=",
    "a script in the page": r"<script(?![^>]*\ssrc=)",
    "an event handler": r"<[^>]*\son[a-z]+\s*=|\shx-on",
    "an expression that htmx evaluates": r"hx-(?:vals|headers)\s*=\s*['\"]\s*(?:js|javascript):"
    r"|hx-trigger\s*=\s*\"[^\"]*\[",
    "text that is not escaped": r"\|\s*safe\b|autoescape\s+false",
    "something fetched from elsewhere": rf"(?:src|srcset|data|action){ELSEWHERE}|<link[^>]*href{ELSEWHERE}",
}


def code_of(template: Path) -> str:
    """Without Jinja's comments."""
    return re.sub(r"\{#.*?#\}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_has(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.IGNORECASE)
    found = [
        f"{path.relative_to(PAGES)}: {hit.group()}" for path in TEMPLATES for hit in pattern.finditer(code_of(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a style in the page", '<p style="color: red">'),
        ("a script in the page", "<script>alert(1)</script>"),
        ("an event handler", '<img src="x" onerror="alert(1)">'),
        ("an expression that htmx evaluates", '<a hx-trigger="click[ctrlKey]">'),
        ("text that is not escaped", "{{ name | safe }}"),
        ("something fetched from elsewhere", '<script src="https://cdn.example/x.js"></script>'),
    ],
)
def test_what_is_looked_for_is_found(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text, re.IGNORECASE)


def test_every_component_says_its_parameters_above_it() -> None:
    silent = []
    for path in sorted((PAGES / "components").glob("*.html")):
        text = path.read_text(encoding="utf-8")
        for macro in re.finditer(r"\{% macro ([a-z]\w*)\((.*?)\)[ -]*%\}", text):
            comments = re.findall(r"\{#-.*?-#\}", text[: macro.start()], re.DOTALL)
            names = [part.split("=")[0].strip() for part in re.split(r",(?![^\"]*\"[,)])", macro[2]) if part.strip()]
            if not comments or not text[: macro.start()].rstrip().endswith("-#}") or macro[1] not in comments[-1]:
                silent.append(f"{path.name}: {macro[1]}")
            silent += [
                f"{path.name}: {macro[1]}: {name}" for name in names if name.isidentifier() and name not in comments[-1]
            ]
    assert silent == []


def test_the_lock_of_the_browser_files_has_exact_versions_checksums_and_no_addresses() -> None:
    chosen = json.loads((ROOT / "portal" / "assets" / "package.json").read_text())["dependencies"]
    lock = json.loads((ROOT / "portal" / "assets" / "package-lock.json").read_text())["packages"]
    packages = {name.removeprefix("node_modules/"): one for name, one in lock.items() if name}
    assert {name: one["version"] for name, one in packages.items()} == chosen
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert {package for package, _ in WANTED} == set(chosen)


def test_every_file_that_a_page_loads_is_ours_or_installed() -> None:
    loaded = {hit for path in TEMPLATES for hit in re.findall(r"\"/static/([^\"{]+)\"", code_of(path))}
    installed = {f"vendor/{name}" for _, name in WANTED}
    assert installed <= loaded
    assert [name for name in sorted(loaded - installed) if not (ROOT / "portal" / "static" / name).is_file()] == []

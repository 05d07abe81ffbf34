"""The style page shows real examples; pages, and names in code, use none of the words to avoid."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

AVOIDED = (r"told|tells? of", r"kept", r"stands?", r"knowledge", r"joints", r"office", r"lies", r"comes? to be")
"""As patterns, in the order of the style page's table of words to avoid; without those that have a right use."""
EXAMPLES = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def style_page(root: Path) -> str:
    return (root / "docs" / "style.md").read_text(encoding="utf-8")


def sentences_of(page: Path) -> str:
    """A page's prose: without code, quotations and addresses of links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|\]\([^)\s]*\)", "", text)


def avoided_in(text: str) -> list[str]:
    return re.findall(rf"\b(?:{'|'.join(AVOIDED)})\b", text, re.IGNORECASE)


def test_examples_of_the_style_page_are_in_the_files_named(root: Path) -> None:
    examples = EXAMPLES.findall(style_page(root))
    assert {Path(path).suffix for path, _ in examples} == {".sql", ".py", ".yml"}
    assert [path for path, text in examples if text not in (root / path).read_text(encoding="utf-8")] == []


def test_every_word_to_avoid_is_looked_for(root: Path) -> None:
    table = style_page(root).partition("| avoid | write |\n|---|---|\n")[2].partition("\n\n")[0]
    words = [row.split("|")[1].strip() for row in table.splitlines() if "unless" not in row]
    assert len(words) == len(AVOIDED)
    assert [word for word in words if not avoided_in(word)] == []


@pytest.mark.parametrize("folder", [".", "docs", "docs/decisions", "dags", "dbt_project/docs"])
def test_pages_use_no_word_to_avoid(root: Path, folder: str) -> None:
    own = {"style.md", "GLOSSARY.md"}
    pages = [page for page in sorted((root / folder).glob("*.md")) if page.name not in own]
    found = {page.name: sorted(set(avoided_in(sentences_of(page)))) for page in pages}
    assert {name: words for name, words in found.items() if words} == {}


def names_made_in(code: str) -> Iterator[str]:
    """Names of the functions, classes, arguments and variables that a module defines."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.parametrize("room", ["followup", "synthetic", "dags", "bi", "benchmarks", "docker", "tools"])
def test_no_name_in_code_has_a_word_to_avoid(root: Path, room: str) -> None:
    found = {
        str(path.relative_to(root)): sorted({name for name in names if avoided_in(name.replace("_", " "))})
        for path in sorted((root / room).rglob("*.py"))
        if (names := list(names_made_in(path.read_text(encoding="utf-8"))))
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_every_macro_says_above_it_what_comes_out(root: Path) -> None:
    """But those that `adapter.dispatch` chooses between: the comment is above the one that calls it."""
    silent = []
    for path in sorted((root / "dbt_project" / "macros").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        for macro in re.finditer(r"\{%-? macro (\w+)", text):
            if not re.match(r"\w+?__", macro[1]) and not text[: macro.start()].rstrip().endswith("#}"):
                silent.append(f"{path.name}: {macro[1]}")
    assert silent == []


def test_a_word_to_avoid_is_found_in_prose_and_not_in_code() -> None:
    assert avoided_in("What was told is kept.") == ["told", "kept"]
    names = names_made_in("def f(kept_rows):\n    told = 1\n    return originals.kept")
    assert [name for name in names if avoided_in(name.replace("_", " "))] == ["kept_rows", "told"]
    assert avoided_in("LibreOffice stores a customer's understanding.") == []

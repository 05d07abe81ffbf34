"""Every decision is numbered, listed and says what it must."""

from __future__ import annotations

import re
from pathlib import Path

SECTIONS = ["Context", "Decision", "Consequences"]
LONGEST = 60


def pages(root: Path) -> list[Path]:
    return sorted((root / "docs" / "decisions").glob("[0-9]*.md"))


def test_decisions_are_numbered_without_gaps(root: Path) -> None:
    assert [int(page.name[:4]) for page in pages(root)] == list(range(1, len(pages(root)) + 1))


def test_index_lists_every_decision_with_its_title(root: Path) -> None:
    index = (root / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", index, re.MULTILINE)
    actual = []
    for page in pages(root):
        number, title = re.match(r"# (\d{4})\. (.+)", page.read_text(encoding="utf-8")).groups()
        actual.append((number, page.name, title))
    assert listed == actual


def test_a_decision_s_file_is_named_by_its_title(root: Path) -> None:
    for page in pages(root):
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        words = re.sub(r"[^a-z0-9]+", "-", title.lower().replace("'", "")).strip("-")
        assert page.stem == words


def test_a_decision_that_code_or_a_page_names_exists(root: Path, tracked: list[Path]) -> None:
    numbers = {page.name[:4] for page in pages(root)}
    text = {path for path in tracked if path.suffix in {".py", ".sql", ".yml", ".md", ".in", ".sh"}}
    named = re.compile(r"(?:docs/decisions/|[Dd]ecision )(\d{4})\b")
    found = {path: set(named.findall((root / path).read_text(encoding="utf-8"))) - numbers for path in text}
    assert {path: missing for path, missing in found.items() if missing} == {}


def test_each_decision_says_context_decision_and_consequences_on_one_page(root: Path) -> None:
    for page in pages(root):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS, page.name
        assert re.search(r"^Status: (accepted|replaced by \[\d{4}\].*)$", text, re.MULTILINE), page.name
        assert text.count("\n") <= LONGEST, page.name

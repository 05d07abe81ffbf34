"""Draws the corpus (files/, manifest.yml): `python tests/ingest/corpus/redraw.py`, after a contract or rule changed.

What is expected of each file is declared with it in the corpus_ modules, by hand; nothing is taken from a check.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import corpus_books
import corpus_bytes
import corpus_cells
import corpus_datasets
import corpus_layouts
import corpus_totals
import yaml
from cases import Case

HERE = Path(__file__).parent
FILES, MANIFEST = HERE / "files", HERE / "manifest.yml"
SALTED = frozenset({"workbooks/locked_with_a_password.xlsx"})
"""Encrypted with a salt of its own each time."""
_HEAD = """# What a check must say of each file under files/: whether it is taken in, and exactly which rules fire.
# Drawn with the files by redraw.py; `name` is the name under which the file is submitted, `lies_with` whose drop
# location it lies in (nobody's when it isn't said). Every person's number is synthetic (980–989).
"""


def drawn() -> Iterator[Case]:
    """Every case of the corpus."""
    for module in (corpus_bytes, corpus_cells, corpus_datasets, corpus_totals, corpus_books, corpus_layouts):
        yield from module.all_cases()


def manifest(cases: list[Case]) -> str:
    """The manifest's text."""
    entries = []
    for case in cases:
        entry: dict[str, object] = {"file": case.file, "name": case.name}
        if case.lies_with is not None:
            entry["lies_with"] = case.lies_with
        entries.append({**entry, "accepted": case.accepted, "rules": list(case.rules)})
    lines = [yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=1000).strip() for entry in entries]
    return _HEAD + "".join(f"- {line}\n" for line in lines)


def main() -> None:
    """Write everything; what is no longer drawn goes. Locked files, new each time they are drawn, remain."""
    cases = list(drawn())
    names = {case.file for case in cases}
    for path in [path for path in FILES.rglob("*") if path.is_file()]:
        if str(path.relative_to(FILES)) not in names:
            path.unlink()
    for case in cases:
        path = FILES / case.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (case.file in SALTED and path.exists()):
            path.write_bytes(case.content)
    MANIFEST.write_text(manifest(cases), encoding="utf-8")


if __name__ == "__main__":
    main()

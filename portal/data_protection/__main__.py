"""Writing docs/dataskydd/: `python -m portal.data_protection`."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ingest.settings import ROOT
from portal.data_protection.facts import all_facts

FOLDER = ROOT / "docs" / "dataskydd"
_PAGES = Path(__file__).with_name("pages")
_MADE = "Sidan skrivs av `python -m portal.data_protection`; tabellerna kommer ur koden."


def pages() -> dict[str, str]:
    """Every page by its file name, Markdown. The same code and texts give the same text."""
    made = Environment(loader=FileSystemLoader(_PAGES), undefined=StrictUndefined, autoescape=False)
    facts = all_facts()
    found = {}
    for path in sorted(_PAGES.glob("*.jinja")):
        text = made.get_template(path.name).render(**facts, made=_MADE)
        found[path.stem] = text.rstrip() + "\n"
    return found


def main() -> None:
    """Write the pages; one that is no longer made is removed."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

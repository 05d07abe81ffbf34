"""Swedish labels of tables and columns. Their one home is GLOSSARY.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ingest.organisation import own_words
from ingest.settings import ROOT

GLOSSARY = ROOT / "GLOSSARY.md"
DIMENSION = "dim_"
"""Before the name of a column: the table of its codes."""


@dataclass(frozen=True)
class Term:
    """One row of the glossary: machine name, Swedish, English, and what it means (Swedish)."""

    name: str
    swedish: str
    english: str
    explanation: str


@lru_cache(maxsize=1)
def load_terms() -> dict[str, Term]:
    """All terms of GLOSSARY.md by machine name.

    Raises:
        ValueError: a row has not four cells, or a name is there twice.
    """
    terms: dict[str, Term] = {}
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if cells[0] in ("name", "") or set(cells[0]) <= set("-: "):
            continue
        if len(cells) != 4:
            raise ValueError(f"GLOSSARY.md: {cells[0]} has {len(cells)} cells, not four")
        if cells[0] in terms:
            raise ValueError(f"GLOSSARY.md: {cells[0]} is there twice")
        name, swedish, english, explanation = cells
        terms[name] = Term(name, own_words(swedish), english, own_words(explanation))
    return terms


def split_ending(name: str) -> tuple[str, str]:
    """A column's stem and the ending that the glossary explains (`offer_rate`, `_low`); both empty when it has none.

    The stem of a `_label` is its code's column, where the glossary has that.
    """
    terms = load_terms()
    for at in range(len(name) - 1, 0, -1):
        if name[at] == "_" and name[at:] in terms and name[:at] in terms:
            return name[:at], name[at:]
    code = f"{name.removesuffix('_label')}_code"
    return (code, "_label") if name.endswith("_label") and code in terms else ("", "")


def label(name: str) -> str | None:
    """The Swedish label of a table, column or indicator; a column made of a stem and an ending has both labels.

    `offer_rate_low` is `offer_rate` with `_low`, `dim_sex` the codes of `sex`. None when the glossary has neither.
    """
    terms = load_terms()
    if name in terms:
        return terms[name].swedish
    stem, ending = split_ending(name)
    if ending:
        return f"{terms[stem].swedish}, {terms[ending].swedish}"
    of = name.removeprefix(DIMENSION)
    code = next((term for term in (of, f"{of}_code") if of != name and term in terms), None)
    return f"Koder: {terms[code].swedish[:1].lower()}{terms[code].swedish[1:]}" if code else None

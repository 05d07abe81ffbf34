"""What a release says of its tables and columns, in Swedish: its own texts, then the glossary's; never the model's.

The model's descriptions are English, for analysts, and of true figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from ingest.organisation import own_words
from publish.labels import label, load_terms, split_ending
from publish.marts.declared import Mart, load_marts
from publish.marts.dimensions import load_dimensions

TEXTS_FILE = Path(__file__).with_name("texts.yml")
PAGES_FILE = Path(__file__).with_name("pages_sv.md")


class Texts(BaseModel):
    """The release's own texts, in Swedish.

    Attributes:
        kinds: kind of column → what is added to its text.
        columns: column → what is said instead of the glossary's text, in tables of figures.
        tables: table → column (its own text: "") → the same, in that table alone.
        codes: what a dimension table is of which nothing else is said; `{key}` is the column of its codes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: Mapping[str, str]
    columns: Mapping[str, str]
    tables: Mapping[str, Mapping[str, str]]
    codes: str


@lru_cache(maxsize=1)
def load_texts() -> Texts:
    """The texts of `texts.yml`."""
    return Texts.model_validate(_of_ours(yaml.safe_load(TEXTS_FILE.read_text(encoding="utf-8"))))


def _of_ours(declared: Any) -> Any:
    """All texts in the words of the organisation; names of columns and tables are keys, and stay."""
    if isinstance(declared, dict):
        return {key: _of_ours(value) for key, value in declared.items()}
    return own_words(declared) if isinstance(declared, str) else declared


@lru_cache(maxsize=1)
def swedish_pages() -> dict[str, str]:
    """Markdown by mart, from `pages_sv.md`."""
    return parts_of(PAGES_FILE)


def parts_of(file: Path) -> dict[str, str]:
    """The parts of a Markdown file by their headings of the second level, each one word."""
    parts = re.split(r"^## (\w+)\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: own_words(text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def own_text(table: str, column: str) -> str:
    """What the release says of a column, or of a table (""), instead of the glossary; empty where it says nothing."""
    texts = load_texts()
    in_every = texts.columns.get(column, "") if table.startswith("mart_") else ""
    return texts.tables.get(table, {}).get(column, in_every).strip()


def explanation(table: str, column: str) -> str:
    """What a column is: the release's own words or the glossary's, and what its kind adds; empty when neither has it.

    A column made of a stem and an ending has the words of both (`offer_rate_low`).
    """
    terms = load_terms()
    said = own_text(table, column)
    stem, ending = split_ending(column)
    of_stem = own_text(table, stem) if stem else ""
    if not said and ending and of_stem:
        said = f"{of_stem} {terms[ending].explanation}"
    if not said and column in terms:
        said = terms[column].explanation
    if not said and ending:
        of_stem = terms[stem].explanation if stem in terms and ending != "_label" else ""
        said = f"{of_stem} {terms[ending].explanation}".strip()
    return " ".join(part for part in (said, added_text(load_marts().get(table), column)) if part)


def added_text(mart: Mart | None, column: str) -> str:
    """What is added to the text of a column, by how the mart's declaration publishes it; empty for most."""
    kinds = load_texts().kinds
    if mart is None:
        return ""
    for duration in mart.durations:
        for statistic, of in duration.statistics.items():
            if of == column:
                return kinds[statistic].strip()
    if column in mart.columns_of_dimensions:
        return kinds["dimension"].strip()
    is_limit = column.endswith(("_low", "_high"))
    if column in mart.derived and not own_text(mart.mart, column):
        return kinds["derived_limit" if is_limit else "derived"].strip()
    rate = mart.rates.get(re.sub(r"_(low|high)$", "", column)) if is_limit else None
    if rate is not None and rate.part in mart.person_counts:
        return kinds["interval"].strip()
    return kinds["sum"].strip() if column in mart.sums else ""


def table_explanation(table: str) -> str:
    """What a table holds, in a sentence or two; empty when nobody says it."""
    terms = load_terms()
    said = own_text(table, "") or (terms[table].explanation if table in terms else "")
    if not said and table in load_dimensions():
        said = load_texts().codes.format(key=load_dimensions()[table].key)
    return said


def table_comment(table: str) -> str:
    """What a table holds, and then its page (question, grain, how to read it), as Markdown."""
    return f"{table_explanation(table)}\n\n{swedish_pages().get(table, '')}".strip()


def column_comment(table: str, column: str) -> str:
    """A column's comment: label, colon, what it is."""
    return ": ".join(part for part in (label(column), explanation(table, column)) if part)

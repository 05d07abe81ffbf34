"""What a release says of its tables and columns, where the model's descriptions are not true of what is published."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from publish.labels import label, load_terms
from publish.marts.declared import Mart

TEXTS_FILE = Path(__file__).with_name("texts.yml")
_SENTENCE = re.compile(r"(?<=[.!?])[ \n]+(?=[A-ZÅÄÖ`])")
_NAMED = re.compile(r"`([a-z0-9_]+)`")


class Texts(BaseModel):
    """The release's own texts, in Swedish.

    Attributes:
        kinds: kind of column → what is added to its text.
        columns: column → what is said instead of the model's text, in tables of figures.
        tables: table → column (its own text: "") → the same, in that table alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: Mapping[str, str]
    columns: Mapping[str, str]
    tables: Mapping[str, Mapping[str, str]]


@lru_cache(maxsize=1)
def load_texts() -> Texts:
    """The texts of `texts.yml`."""
    return Texts.model_validate(yaml.safe_load(TEXTS_FILE.read_text(encoding="utf-8")))


def own_text(table: str, column: str) -> str:
    """What the release says itself of a column, or of a table (""), instead of the model; empty where it does not."""
    texts = load_texts()
    in_every = texts.columns.get(column, "") if table.startswith("mart_") else ""
    return texts.tables.get(table, {}).get(column, in_every).strip()


def added_text(mart: Mart | None, column: str) -> str:
    """What is added to the text of a column, by how the mart's declaration publishes it; empty for most."""
    kinds = load_texts().kinds
    if mart is None:
        return ""
    for duration in mart.durations:
        for statistic, of in duration.statistics.items():
            if of == column:
                return kinds[statistic].strip()
    is_limit = column.endswith(("_low", "_high"))
    if column in mart.derived and not own_text(mart.mart, column):
        return kinds["derived_limit" if is_limit else "derived"].strip()
    rate = mart.rates.get(re.sub(r"_(low|high)$", "", column)) if is_limit else None
    if rate is not None and rate.part in mart.person_counts:
        return kinds["interval"].strip()
    return kinds["sum"].strip() if column in mart.sums else ""


def true_of(text: str, lacking: Set[str]) -> str:
    """A description without the sentences that name, in backticks, a table or column that is not published.

    In an item of a list all after it go too, as they speak of it.

    Args:
        text: of the model: Markdown.
        lacking: names of tables and columns that readers of the release do not have.
    """
    lines = []
    for line in text.splitlines():
        is_item = line.startswith("- ")
        sentences = _SENTENCE.split(line)
        true = [lacking.isdisjoint(_NAMED.findall(one)) for one in sentences]
        if is_item and not all(true):  # what follows in a list's item speaks of what is left out
            sentences = sentences[: true.index(False)]
        left = [one for one, is_true in zip(sentences, true, strict=False) if is_true]
        if left or not line.strip():
            lines.append(" ".join(left))
    return "\n".join(lines).strip()


def table_comment(table: str, model: str) -> str:
    """A table's own text: the release's instead of the model's, then the page (question, grain, how to read it)."""
    described, heading, page = model.partition("### ")
    return f"{own_text(table, '') or described.strip()}\n{heading}{page}".strip()


def column_comment(mart: Mart | None, table: str, column: str, model: str) -> str:
    """A column's comment: label, colon, what it is.

    Args:
        mart: the table's declaration; None for a dimension.
        model: the model's description, true of the release; may be empty.
    """
    terms = load_terms()
    said = own_text(table, column) or model or (terms[column].explanation if column in terms else "")
    said = " ".join(part for part in (said, added_text(mart, column)) if part)
    return ": ".join(part for part in (label(column), said) if part)

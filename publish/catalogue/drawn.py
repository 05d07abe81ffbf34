"""What the readers' charts draw: titles, choices of rows, and what replaces parts of a view's own chart."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from ingest.organisation import own_words
from publish.views.declared import Chart, View

_TEXTS = frozenset({"title", "note", "interval"})
_FILE = Path(__file__).with_suffix(".yml")


class Drawn(BaseModel):
    """What is drawn of a question.

    Attributes:
        title: a Swedish sentence; empty: the chart's columns say it.
        where: SQL on the view's columns; empty: all of a period's rows.
        ascending: whether the lowest value is first.
        note: Swedish, of the choice; may be empty.
        interval: Swedish, what the line through a dot is; empty: the limits of 95 percent.
        chart: fields of the view's chart that are others here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    where: str = ""
    ascending: bool = False
    note: str = ""
    interval: str = ""
    chart: dict[str, str] = Field(default_factory=dict)

    def of(self, view: View) -> Chart:
        """The chart of a view with what is declared here."""
        return Chart(**{**asdict(view.chart), **self.chart})


@lru_cache(maxsize=1)
def load_drawn() -> dict[str, Drawn]:
    """Of each declaration of a view what is drawn.

    Raises:
        ValidationError: the file says what no chart has.
    """
    listed = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    said = {base: {**one, **{key: own_words(one[key]) for key in _TEXTS & one.keys()}} for base, one in listed.items()}
    return {base: Drawn.model_validate(one) for base, one in said.items()}

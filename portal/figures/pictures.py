"""What a chart shows, before it is drawn: rows of one value each, and the same in words for who does not see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from publish.catalogue.charts import shown_as
from publish.views.declared import Kind

Emphasis = Literal["", "chosen", "sure"]


@dataclass(frozen=True)
class Limits:
    """What chance and the usual spread give a district of this size: inner limits, and outer ones around them."""

    inner_low: float
    inner_high: float
    outer_low: float
    outer_high: float


@dataclass(frozen=True)
class Mark:
    """One row of a chart.

    Attributes:
        name: what the value is of.
        value: None where it is not shown; `text` says why.
        text: the value as it is written beside the mark.
        low, high: its interval.
        beside: the value that this one is compared with, where each row has its own.
        emphasis: a chosen district, or one that differs for sure.
    """

    name: str
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    limits: Limits | None = None
    beside: float | None = None
    emphasis: Emphasis = ""


@dataclass(frozen=True)
class Picture:
    """A chart.

    Attributes:
        title: what is seen, and of when.
        form: dots with intervals, or bars from zero.
        line: a value that all are compared with, and what it is.
        about: what the parts of the chart are, Swedish sentences.
    """

    title: str
    form: Literal["dots", "bars"]
    kind: Kind
    marks: tuple[Mark, ...]
    line: tuple[str, float] | None = None
    about: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """What the chart says: highest, lowest, what they are compared with, and who is emphasised."""
        shown = [mark for mark in self.marks if mark.value is not None]
        if not shown:
            return f"{self.title}. Inga värden visas."
        highest = max(shown, key=lambda mark: mark.value or 0)
        lowest = min(shown, key=lambda mark: mark.value or 0)
        said = [self.title, f"Högst: {highest.name} {highest.text}", f"Lägst: {lowest.name} {lowest.text}"]
        if self.line is not None:
            said.append(f"{self.line[0]}: {shown_as(self.line[1], self.kind)}")
        said += [f"Vald: {mark.name} {mark.text}" for mark in shown if mark.emphasis == "chosen"]
        said += [f"Säker skillnad: {mark.name} {mark.text}" for mark in shown if mark.emphasis == "sure"]
        lacking = len(self.marks) - len(shown)
        said += [f"Utan värde: {lacking} av {len(self.marks)}"] if lacking else []
        return ". ".join(said) + ". Alla värden finns i tabellen."

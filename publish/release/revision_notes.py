"""What a release says to readers of the sealed quarters that it revises: the number, what was amended, the city's note.

Only units whose figures the release draws anew are named: of those whose correction waits nothing is said yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.ledger import Ledger
from ingest.ledger.quarter_revisions import Amendment, amendments, in_figures_until
from ingest.ledger.quarter_revisions import revisions as ledger_revisions
from ingest.settings import CITY_TIME
from publish.cell_keys.revisions import Decided, revisions

NOT_BY_A_FILE = "Beräkningen har ändrats, eller uppgifter har tagits bort."


@dataclass(frozen=True)
class RevisionNote:
    """One revised quarter: `period` as `2018Q3`, the number of its revision, and why, in Swedish."""

    period: str
    number: int
    text: str

    @property
    def in_words(self) -> str:
        """The whole sentence, with the quarter and the number."""
        return f"Revidering {self.number} av kvartal {self.period[5:]} {self.period[:4]}. {self.text}"


def revision_notes(ledger: Ledger, decided: Sequence[Decided], made_at: datetime) -> tuple[RevisionNote, ...]:
    """The notes of a release in the making, by quarter.

    Args:
        ledger: the installation's.
        decided: what the release does with each group of figures.
        made_at: when it is made; UTC, without zone.
    """
    until = in_figures_until(ledger, made_at)
    opened = {one.reporting_quarter: one for one in ledger_revisions(ledger) if one.release_id is None}
    notes = []
    for (kind, period), number in sorted(revisions(decided).items()):
        if kind != "kvartal":
            continue
        changed = {one.group.unit for one in decided if one.revision and one.group.period == period}
        one = opened.get(period)
        found = [] if one is None else [a for a in amendments(ledger, one, until) if a.district_code in changed]
        said = [_in_words(found) or NOT_BY_A_FILE, one.note if one is not None else None]
        notes.append(RevisionNote(period, number, " ".join(part for part in said if part)))
    return tuple(notes)


def _in_words(found: Iterable[Amendment]) -> str:
    contracts, registry = load_contracts(), load_districts()
    said = []
    for one in sorted(found, key=lambda one: (registry.place(one.district_code), one.dataset)):
        unit, contract = registry.get(one.district_code), contracts.get(one.dataset)
        name = unit.name if unit is not None else one.district_code
        dataset = contract.short_title_sv if contract is not None else one.dataset
        day = one.at.replace(tzinfo=UTC).astimezone(CITY_TIME).date()
        what = "återkallades" if one.is_withdrawn else "lämnades in på nytt"
        said.append(f"{name}: {dataset} {what} {day}.")
    return " ".join(said)

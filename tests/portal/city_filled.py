"""A city with a few submissions, put straight into the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from ingest.feedback_files import feedback_path
from ingest.findings import Finding
from ingest.ledger import Ledger, Submission
from ingest.ledger.explanations import record_explanations
from ingest.ledger.portal_users import Role
from ingest.ledger.store import Explanation, RuleCount
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.settings import Settings
from ingest.storing import write_whole
from portal.city import work, working

if TYPE_CHECKING:
    from browsing import Place

HOSTILE = '<script>alert(1)</script>"><b>fil</b>'
"""A text as somebody may type it anywhere."""
SENT = datetime(2018, 4, 9, 6, 5)


def submission_id(number: int) -> str:
    """An id of the right form."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "a" * 24 + letters[number // 32] + letters[number % 32]


class City:
    """Submissions of 2018Q1: in, late, with open queries, refused, withdrawn."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self.ledger, self.settings = ledger, settings
        self.number = 0
        self.on_time = self.add("farsta", "rutiner")
        self.late = self.add("farsta", "utbud", submitted_at=datetime(2018, 5, 2), is_on_time=False)
        self.asked = self.add("bromma", "grupper", query_count=2, open_query_count=2, rules=[("GRU-040", "query", 2)])
        self.refused = self.add("bromma", "utbud", state="refused", error_count=1, rules=[("UTB-001", "error", 1)])
        self.unnamed = self.add("alvsjo", None, quarter=None, state="refused", name=HOSTILE)

    def add(
        self,
        unit: str,
        dataset: str | None,
        *,
        quarter: str | None = "2018Q1",
        state: str = "accepted",
        name: str | None = None,
        rules: list[tuple[str, str, int]] | None = None,
        **values: object,
    ) -> Submission:
        """One more submission."""
        self.number += 1
        own = submission_id(self.number)
        new = Submission(
            submission_id=own, district_code=unit, dataset=dataset, reporting_quarter=quarter,
            sequence=self.ledger.next_sequence(unit, dataset, quarter), version=None, state=state,
            source_file_name=name or f"{unit}_{dataset}_{quarter}.csv", source_file_sha256="0" * 63 + "f",
            size_bytes=1234, submitted_at=SENT, deadline_date=Quarter(2018, 1).deadline, is_on_time=True,
            is_synthetic=True, row_count=12, error_count=0, query_count=0, contract_version=1,
            person_key_version=None, original_path="", parquet_path=None, parquet_sha256=None, is_source_cleared=True,
        )  # fmt: skip
        found = [Finding(code, kind, 7, "namn", HOSTILE) for code, kind, _ in rules or ()]  # type: ignore[arg-type]
        counts = [RuleCount(code, kind, count) for code, kind, count in rules or ()]  # type: ignore[arg-type]
        return self.ledger.record(replace(new, **values), counts, found)  # type: ignore[arg-type]

    def explain(self, found: Submission, rule: str, text: str) -> None:
        """An explanation of one row."""
        record_explanations(self.ledger, [Explanation(found.submission_id, rule, "k1", text, SENT)], 1)

    def write_feedback(self, found: Submission) -> None:
        """What the sender got."""
        for ending, content in (
            ("xlsx", b"PK workbook"),
            ("json", json.dumps({"skipped": ["ARE-090", HOSTILE]}).encode()),
        ):
            write_whole(feedback_path(self.settings, found.district_code, found.submission_id, ending), content)


def filled(place: Place) -> City:
    """The city of an installation, with its keys and an administrator."""
    place.settings.home.mkdir(exist_ok=True)
    make_keys(place.settings.keys)
    place.add("adm", Role.ADMINISTRATOR)
    place.add("lars", Role.READER)
    return City(place.ledger, place.settings)


@pytest.fixture
def city(place: Place, monkeypatch: pytest.MonkeyPatch) -> City:
    """The filled city; works are done before `start` returns, in this process."""

    def at_once(settings: Settings, work_id: str) -> None:
        work.run(settings, work_id)

    monkeypatch.setattr(working, "spawn", at_once)
    return filled(place)

"""Explaining queries (rätta eller förklara): a submission's own, and those that a later submission inherits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingest.checking import CheckReport
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.ledger import Ledger, Submission
from ingest.ledger.explanations import explanations_of, record_explanations
from ingest.ledger.store import Explanation
from ingest.persons.keys import Keys
from ingest.persons.number_search import reads_as_number
from ingest.quarters import Quarter
from ingest.queries import queries_of, queries_path, read_queries

LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Explained:
    """How many queries an explanation answers, and how many of the submission's stay open."""

    explained: int
    still_open: int


class CannotBeExplained(Exception):
    """There is no such query, or the text is not allowed; the message says what to do and never repeats the text."""


def earlier_explanations(ledger: Ledger, district_code: str, dataset: str, quarter: Quarter) -> list[Explanation]:
    """Explanations that a new submission may inherit.

    Those of the version now in force come first, then those of the quarter before it, also of districts that this one
    replaced.
    """
    codes = [district_code, *load_districts().predecessors(district_code)]
    found: list[Explanation] = []
    for code, when in [(district_code, quarter), *((code, quarter.previous()) for code in codes)]:
        for earlier in ledger.in_force(district=code, dataset=dataset, quarter=str(when)):
            found += explanations_of(ledger, earlier.submission_id)
    return found


def carried_over(queries: pa.Table, submission_id: str, earlier: Iterable[Explanation]) -> list[Explanation]:
    """Earlier explanations of queries that a new submission has again, as its own; of several the first found."""
    by_key: dict[tuple[str, str], Explanation] = {}
    for one in earlier:
        by_key.setdefault((one.rule, one.row_key), one)
    if not by_key:
        return []
    firing = set(zip(queries["rule"].to_pylist(), queries["row_key"].to_pylist(), strict=True))
    return [
        replace(by_key[key], submission_id=submission_id, carried_from=by_key[key].submission_id)
        for key in sorted(by_key.keys() & firing)
    ]


def explained_by_rule(queries: pa.Table, explained: Collection[Explanation]) -> dict[str, int]:
    """How many queries of each rule an explanation answers; rules without any are left out."""
    keys = {(one.rule, one.row_key) for one in explained}
    pairs = zip(queries["rule"].to_pylist(), queries["row_key"].to_pylist(), strict=True) if keys else ()
    return dict(Counter(rule for rule, key in pairs if (rule, key) in keys))


def with_explained(report: CheckReport, ledger: Ledger, keys: Keys) -> CheckReport:
    """Add to a report how many of its queries earlier explanations answer, if its file would be taken in."""
    name = report.name
    if not (report.accepted and report.total("query") and name.district and name.dataset and name.quarter):
        return report
    queries = queries_of(report, load_contracts(name.quarter)[name.dataset], keys)
    earlier = earlier_explanations(ledger, name.district, name.dataset, name.quarter)
    return replace(report, explained=explained_by_rule(queries, earlier))


def open_count(queries: pa.Table, explained: Collection[Explanation]) -> int:
    """How many queries no explanation answers."""
    if not explained:
        return int(queries.num_rows)
    keys = {(one.rule, one.row_key) for one in explained}
    pairs = zip(queries["rule"].to_pylist(), queries["row_key"].to_pylist(), strict=True)
    return sum(pair not in keys for pair in pairs)


def explain(
    ledger: Ledger,
    home: Path,
    found: Submission,
    rule: str,
    text: str,
    now: datetime,
    *,
    row_key: str | None = None,
    row: int | None = None,
) -> Explained:
    """Explain a rule's queries in a submission: those under a row key, those of a row, or all that are there now.

    Args:
        ledger, home: the installation's.
        found: an accepted submission.
        rule: the rule's code.
        text: the district's words, at most LONGEST_TEXT characters, without anything that reads as a person's number.
        now: UTC, without zone.
        row_key: as `status` and the feedback show it.
        row: as Excel numbers it.

    Returns:
        What it answers.

    Raises:
        CannotBeExplained: no such query in the submission, or the text is not allowed.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT:
        raise CannotBeExplained(f"the explanation must have between 1 and {LONGEST_TEXT} characters")
    if reads_as_number(text):
        raise CannotBeExplained("the explanation holds something that reads as a personnummer: leave it out")
    if found.state != "accepted":
        raise CannotBeExplained(f"submission {found.submission_id} is {found.state}: only an accepted one has queries")
    queries = read_queries(queries_path(home, found.district_code, found.submission_id))
    chosen = queries.filter(pc.equal(queries["rule"], rule))
    if not chosen.num_rows:
        rules = ", ".join(sorted(set(queries["rule"].to_pylist()))) or "none"
        raise CannotBeExplained(f"{rule} has no query in submission {found.submission_id}; those that have: {rules}")
    if row_key is not None:
        chosen = chosen.filter(pc.equal(chosen["row_key"], row_key))
    if row is not None:
        chosen = chosen.filter(pc.equal(chosen["source_row_number"], row).fill_null(False))
    if not chosen.num_rows:
        raise CannotBeExplained(f"{rule} has no query in that row of submission {found.submission_id}")
    keys = sorted(set(chosen["row_key"].to_pylist()))
    given = [Explanation(found.submission_id, rule, key, text, now) for key in keys]
    answered = {(rule, key) for key in keys}
    own = explanations_of(ledger, found.submission_id)
    still_open = open_count(queries, [*(one for one in own if (one.rule, one.row_key) not in answered), *given])
    record_explanations(ledger, given, still_open)
    return Explained(int(chosen.num_rows), still_open)

"""The completeness report of a quarter: per unit and dataset what is in force, refused, missing, withdrawn and asked.

It is in Swedish, for the city. It holds codes and counts only: no file's name, no finding's text, nothing personal.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from followup.status import StatusLine, status_in
from followup.swedish import NO_BREAK, counted, dataset_name, day, quarter_name, unit_name
from ingest.file_permissions import make_folder
from ingest.ledger import Ledger, Submission
from ingest.quarters import Quarter
from ingest.settings import Settings
from ingest.storing import write_whole


@dataclass(frozen=True)
class ReportLine:
    """One expected file.

    Attributes:
        district_code, dataset: whose and which.
        version: the one in force; None without one.
        is_on_time: of that version.
        refused: files that were refused after it, or without one; a person has still to answer them.
        withdrawn: versions that were withdrawn and that no other has followed.
        queries: asked about the version in force.
        unanswered: those of them that nobody has explained.
    """

    district_code: str
    dataset: str
    version: int | None
    is_on_time: bool | None
    refused: int
    withdrawn: int
    queries: int
    unanswered: int

    @property
    def is_in_force(self) -> bool:
        """Whether the unit has a file that counts."""
        return self.version is not None


@dataclass(frozen=True)
class Completeness:
    """The report.

    Attributes:
        quarter: as `2018Q3`.
        made_on: the city's day.
        is_locked: whether it is locked.
        lines: one per expected file, and per file that nobody expected and that is in force.
        unnamed: refused files whose name says no dataset or quarter, since the quarter's end.
    """

    quarter: str
    made_on: date
    is_locked: bool
    lines: tuple[ReportLine, ...]
    unnamed: int = 0

    @property
    def units(self) -> tuple[str, ...]:
        """Codes of the units, in the order of the lines."""
        return tuple(dict.fromkeys(line.district_code for line in self.lines))

    @property
    def complete_units(self) -> tuple[str, ...]:
        """Codes of the units all of whose expected files are in force."""
        lacking = {line.district_code for line in self.lines if not line.is_in_force}
        return tuple(code for code in self.units if code not in lacking)

    @property
    def is_complete(self) -> bool:
        """Whether all expected files are in force."""
        return bool(self.lines) and all(line.is_in_force for line in self.lines)

    @property
    def fingerprint(self) -> str:
        """What the lines say, as 64 hexadecimal digits: another when anything of it changes."""
        lines = sorted(self.lines, key=lambda line: (line.district_code, line.dataset))
        said = [asdict(line) for line in lines] + [{"unnamed": self.unnamed}]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def as_json(self) -> str:
        """The report for programs."""
        said = asdict(self) | {"made_on": str(self.made_on), "is_complete": self.is_complete}
        return json.dumps(said | {"fingerprint": self.fingerprint}, ensure_ascii=False, indent=1) + "\n"


def completeness_in(ledger: Ledger, settings: Settings, quarter: Quarter) -> Completeness:
    """The report of a quarter as the ledger says it now."""
    status = status_in(ledger, settings, quarter)
    withdrawn = _withdrawn(ledger.submissions(quarter=str(quarter)))
    lines = tuple(_line(one, withdrawn[one.district_code, one.dataset]) for one in status.lines)
    is_locked = any(line.is_locked for line in status.lines)
    return Completeness(str(quarter), settings.now_date(), is_locked, lines, status.unnamed_since(quarter))


def _withdrawn(submissions: Iterable[Submission]) -> Counter[tuple[str, str | None]]:
    """(unit, dataset) → withdrawn versions after the newest that is accepted."""
    found: Counter[tuple[str, str | None]] = Counter()
    for one in sorted(submissions, key=lambda one: one.sequence):
        key = (one.district_code, one.dataset)
        if one.state == "accepted":
            found[key] = 0
        elif one.state == "withdrawn":
            found[key] += 1
    return found


def _line(one: StatusLine, withdrawn: int) -> ReportLine:
    is_in = one.state == "in_force"
    return ReportLine(
        one.district_code,
        one.dataset,
        one.version if is_in else None,
        one.is_on_time if is_in else None,
        one.refused,
        withdrawn,
        one.queries if is_in else 0,
        one.open_queries if is_in else 0,
    )


def summary_of(report: Completeness) -> str:
    """The report in a sentence."""
    quarter = Quarter.parse(report.quarter)
    complete = len(report.complete_units)
    units = f"{complete} av {counted(len(report.units), 'enhet', 'enheter')} är komplett{'a' * (complete != 1)}"
    counts = [
        (sum(not line.is_in_force for line in report.lines), "fil saknas", "filer saknas"),
        (sum(line.refused for line in report.lines) + report.unnamed, "fil togs inte in", "filer togs inte in"),
        (sum(line.withdrawn for line in report.lines), "fil är återkallad", "filer är återkallade"),
        (sum(line.unanswered for line in report.lines), "fråga är obesvarad", "frågor är obesvarade"),
    ]
    rest = ", ".join(counted(count, one, many) for count, one, many in counts if count)
    return f"{quarter_name(quarter).capitalize()}: {units}. {rest.capitalize() if rest else 'Inget återstår'}."


def in_swedish(report: Completeness) -> str:
    """The report as text: a sentence, then what is left of each unit, then what is complete."""
    quarter = Quarter.parse(report.quarter)
    parts = [
        f"Fullständighet för {quarter_name(quarter)}, {day(report.made_on)}",
        summary_of(report) + (" Kvartalet är låst." if report.is_locked else ""),
    ]
    for code in report.units:
        rest = [words for line in report.lines if line.district_code == code and (words := left_in_words(line))]
        if rest:
            parts.append("\n".join([f"{unit_name(code)}:", *(f"- {one}" for one in rest)]))
    if report.unnamed:
        parts.append(f"{counted(report.unnamed, 'fil', 'filer')} gick inte att känna igen på namnet.")
    done = [
        code
        for code in report.units
        if not any(left_in_words(line) for line in report.lines if line.district_code == code)
    ]
    if done:
        parts.append(f"Utan anmärkning: {', '.join(map(unit_name, done))}.")
    return "\n\n".join(parts).replace(NO_BREAK, " ") + "\n"


def left_in_words(line: ReportLine) -> str:
    """What is to be said of a file: `Ärenden: version 2 gäller, 1 fil togs inte in`; empty: it is as it should."""
    said = []
    if line.version is None:
        said.append("saknas")
    if line.refused:
        said.append(f"{counted(line.refused, 'fil', 'filer')} togs inte in")
    if line.withdrawn:
        said.append(f"{counted(line.withdrawn, 'version', 'versioner')} är återkallad{'e' * (line.withdrawn > 1)}")
    if line.unanswered:
        many = "e" * (line.unanswered > 1)
        said.append(f"{line.unanswered} av {counted(line.queries, 'fråga', 'frågor')} är obesvarad{many}")
    if not said:
        return ""
    force = "" if line.version is None else f"version {line.version} gäller, "
    return f"{dataset_name(line.dataset)}: {force}{', '.join(said)}"


def store_report(settings: Settings, report: Completeness) -> Path:
    """Store the report as text and JSON in FOLLOWUP_HOME, named by day and fingerprint; returns the text's path."""
    folder = make_folder(settings.home, "closings", report.quarter)
    stem = f"{report.made_on}_{report.fingerprint[:12]}"
    write_whole(folder / f"{stem}.json", report.as_json().encode())
    write_whole(folder / f"{stem}.txt", in_swedish(report).encode())
    return folder / f"{stem}.txt"

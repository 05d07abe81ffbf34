"""Small Parquet inputs for the dbt project, built from Python rows, in the very schema that intake stores.

A test names only the columns that matter to it; the rest gets a plain, valid value. Everything here is made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from followup.build.snapshot import write_inputs
from ingest.contracts import load_contracts
from ingest.quarters import Quarter
from ingest.storing import sha256_of, stored_schema

Row = Mapping[str, Any]


def day(text: str | None) -> date | None:
    """`2018-09-30` as a date; None stays None."""
    return None if text is None else date.fromisoformat(text)


def case(arende_id: str, person: str, received: str, **columns: Any) -> Row:
    """A row of `arenden`: a report received, nothing decided yet, unless `columns` (contract names) say more."""
    plain = {
        "arende_id": arende_id,
        "kon": "kvinna",
        "inkom_datum": received,
        "aktualisering": "anmalan",
        "uppgiftslamnare": "skola",
        "orsak": "beteende",
    }
    return {**_about(person, columns), **plain, **columns}


def investigated(arende_id: str, person: str, received: str, started: str, **columns: Any) -> Row:
    """A case whose investigation was opened on `started`."""
    opened = {"forhandsbedomning_klar": started, "utredning_inledd": "ja", "utredning_start": started}
    return case(arende_id, person, received, **(opened | columns))


def concluded(arende_id: str, person: str, received: str, started: str, ended: str, **columns: Any) -> Row:
    """A case whose investigation was concluded on `ended`, without an offer unless `columns` say so."""
    outcome = {"utredning_slut": ended, "barnet_horts": "nej", "skola_kontaktad": "nej", "insats_erbjuden": "nej"}
    return investigated(arende_id, person, received, started, **(outcome | columns))


def episode(insats_id: str, person: str, decided: str, **columns: Any) -> Row:
    """A row of `oppenvard`: an intervention decided on `decided`, not begun unless `columns` say so."""
    plain = {
        "insats_id": insats_id,
        "kon": "kvinna",
        "malgrupp": "familj",
        "insats": "familjebehandling",
        "regi": "egen",
        "beslut_datum": decided,
    }
    return {**_about(person, columns), **plain, **columns}


def ended_episode(insats_id: str, person: str, decided: str, started: str | None, ended: str, **columns: Any) -> Row:
    """An episode that ended on `ended`, completed and not followed up unless `columns` say otherwise."""
    outcome = {
        "start_datum": started,
        "slut_datum": ended,
        "avslutsorsak": "fullfoljd",
        "maluppfyllelse": "helt",
        "uppfoljd": "nej",
    }
    return episode(insats_id, person, decided, **(outcome | columns))


def service(insats: str, **columns: Any) -> Row:
    """A row of `serviceinsatser`; every count is 0 unless `columns` say otherwise, waiting is not reported."""
    plain: dict[str, Any] = {"insats": insats, "malgrupp": "foralder", "kon": "kvinna", "aldersgrupp": "vuxen"}
    for count in ("nya", "pagaende", "fullfoljt", "avbrutit", "samtal", "uppfoljda", "i_ko"):
        plain[f"antal_{count}"] = 0
    return {**plain, **columns}


def _about(person: str, columns: Row) -> dict[str, Any]:
    """Who a row is about: born 2010 unless given; a person called `löp-…` has only a number of the district's own."""
    linkable = not person.startswith("löp-")
    return {
        "person_key": person,
        "match_person_key": person,
        "is_linkable": linkable,
        "birth_date": columns.get("birth_date", "2010-01-01"),
        "is_birth_date_exact": linkable,
        "id_typ": "personnummer" if linkable else "reservnummer",
    }


@dataclass(frozen=True)
class Submission:
    """One submission of one dataset for one quarter."""

    district: str
    dataset: str
    quarter: str
    rows: Sequence[Row] = ()
    version: int | None = 1
    in_force: bool = True
    state: str = "accepted"
    days_after_quarter: int = 10
    """Submitted so many days after the quarter's end; 20 is the last day on time."""
    errors: int = 0
    open_queries: int = 0

    @property
    def submission_id(self) -> str:
        """An id that names what was submitted."""
        return f"{self.district}_{self.dataset}_{self.quarter}_{self.state}_{self.version}_{self.days_after_quarter}"

    @property
    def submitted_at(self) -> datetime:
        """When it came, UTC without zone."""
        end = Quarter.parse(self.quarter).end
        return datetime(end.year, end.month, end.day, 9) + timedelta(days=self.days_after_quarter)


@dataclass
class Inputs:
    """What `followup build` hands to dbt: files in force, the ledger's snapshot, the clock's date, frozen rows."""

    folder: Path
    as_of_date: str
    submissions: list[Submission] = field(default_factory=list)
    frozen: list[tuple[str, Path, str]] = field(default_factory=list)

    def submit(self, district: str, dataset: str, quarter: str, *rows: Row, **about: Any) -> None:
        """Take in one submission."""
        self.submissions.append(Submission(district, dataset, quarter, rows, **about))

    def write(self) -> dict[str, str]:
        """Write the Parquet files and return the dbt variables that point at them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = [(s.dataset, s.quarter, self._write_rows(s)) for s in self.submissions if s.in_force]
        files = [(*one, sha256_of(one[2])) for one in paths]
        rows = [_ledger_row(s) for s in self.submissions]
        return write_inputs(self.folder, rows, files, self.as_of_date, self.frozen)

    def _write_rows(self, submission: Submission) -> Path:
        schema = stored_schema(load_contracts()[submission.dataset])
        provenance = {
            "submission_id": submission.submission_id,
            "district_code": submission.district,
            "reporting_quarter": submission.quarter,
            "source_file_sha256": "0" * 64,
            "submitted_at": submission.submitted_at,
        }
        rows = [
            {name: _typed(schema, name, value) for name, value in row.items()}
            | provenance
            | {"source_row_number": number}
            for number, row in enumerate(submission.rows, start=2)
        ]
        unknown = {name for row in rows for name in row} - set(schema.names)
        if unknown:
            raise ValueError(f"not columns of {submission.dataset}: {sorted(unknown)}")
        path = self.folder / f"{submission.submission_id}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
        return path


def _typed(schema: pa.Schema, name: str, value: Any) -> Any:
    if name in schema.names and pa.types.is_date(schema.field(name).type) and isinstance(value, str):
        return date.fromisoformat(value)
    return value


def _ledger_row(submission: Submission) -> dict[str, Any]:
    return {
        "submission_id": submission.submission_id,
        "district_code": submission.district,
        "dataset": submission.dataset,
        "reporting_quarter": submission.quarter,
        "version": submission.version,
        "state": submission.state,
        "is_in_force": submission.in_force,
        "is_synthetic": True,
        "submitted_at": submission.submitted_at,
        "deadline_date": Quarter.parse(submission.quarter).deadline,
        "is_on_time": submission.submitted_at.date() <= Quarter.parse(submission.quarter).deadline,
        "row_count": len(submission.rows),
        "error_count": submission.errors,
        "query_count": submission.open_queries,
        "open_query_count": submission.open_queries,
        "source_file_name": f"{submission.district}_{submission.dataset}_{submission.quarter}.csv",
        "source_file_sha256": "0" * 64,
        "contract_version": 1,
    }

"""The input of a build: a snapshot of the ledger, the files in force, and the fingerprint of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contracts import load_contracts
from ingest.ledger import Ledger, Submission
from ingest.ledger.freezes import Frozen, newest_frozen
from ingest.ledger.store import newest_accepted
from ingest.organisation import load_organisation, organisation_folder
from ingest.quarters import Quarter
from ingest.settings import DECLARED, Settings
from ingest.storing import empty_table, sha256_of

PROJECT = DECLARED / "dbt_project"

SUBMISSIONS_SCHEMA = pa.schema(
    [
        ("submission_id", pa.string()),
        ("district_code", pa.string()),
        ("dataset", pa.string()),
        ("reporting_quarter", pa.string()),
        ("version", pa.int32()),
        ("state", pa.string()),
        ("is_in_force", pa.bool_()),
        ("is_synthetic", pa.bool_()),
        ("submitted_at", pa.timestamp("us")),
        ("deadline_date", pa.date32()),
        ("is_on_time", pa.bool_()),
        ("row_count", pa.int32()),
        ("error_count", pa.int32()),
        ("query_count", pa.int32()),
        ("open_query_count", pa.int32()),
        ("source_file_name", pa.string()),
        ("source_file_sha256", pa.string()),
        ("contract_version", pa.int32()),
    ]
)
"""One row per submission, as dbt's base view reads it."""
_DIGESTED = (".sql", ".yml", ".csv", ".md", ".py", ".toml")
_FROZEN_SCHEMA = pa.schema([("model", pa.string()), ("file", pa.string()), ("through_quarter", pa.string())])


@dataclass(frozen=True)
class Snapshot:
    """One consistent view of the ledger.

    Attributes:
        submissions: all, oldest first.
        in_force: those that count, one per (district, dataset, quarter).
        as_of: the city's date by the installation's clock, ISO.
        frozen: the figures of quarters whose rows about persons are erased; None where there are none.
    """

    submissions: tuple[Submission, ...]
    in_force: tuple[Submission, ...]
    as_of: str
    frozen: Frozen | None = None

    def with_submissions(self, submissions: Iterable[Submission]) -> Snapshot:
        """The same ledger with other submissions: those that count follow from them, and all else stays."""
        found = tuple(submissions)
        return replace(self, submissions=found, in_force=tuple(newest_accepted(found)))

    def fingerprint(self, project: Path | None = None, organisation: Path | None = None) -> str:
        """SHA-256 over what decides a build's outcome: what was submitted, what is in force, the project's files, and
        which deadlines have passed, and what is frozen. `project` and `organisation` are folders, where others are
        meant.
        """
        digest = hashlib.sha256()
        for found in sorted(self.submissions, key=lambda s: s.submission_id):
            outcome = (found.state, found.version, found.query_count, found.open_query_count, found.parquet_sha256)
            digest.update("|".join([found.submission_id, *map(str, outcome)]).encode() + b"\n")
        today = date.fromisoformat(self.as_of)
        newest = Quarter.of(today).previous()
        digest.update(f"{newest}|{today > newest.deadline}\n".encode())
        digest.update(project_digest(project, organisation).encode())
        if self.frozen is not None:
            digest.update(f"\n{self.frozen}".encode())
        return digest.hexdigest()


def project_digest(project: Path | None = None, organisation: Path | None = None) -> str:
    """SHA-256 over the files of a dbt project and of an organisation (without them: ours), hexadecimal."""
    digest, folder, own = hashlib.sha256(), project or PROJECT, organisation or organisation_folder()
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.suffix in _DIGESTED}
    files |= {f"organisation/{path.name}": path for path in own.glob("*") if path.suffix in _DIGESTED}
    for relative, path in sorted(files.items()):
        if not relative.startswith(("target/", "logs/")):
            digest.update(f"{relative}|".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def take_snapshot(settings: Settings, ledger: Ledger) -> Snapshot:
    """Read the ledger once."""
    submissions = ledger.submissions()
    in_force, as_of = newest_accepted(submissions), settings.now_date().isoformat()
    return Snapshot(tuple(submissions), tuple(in_force), as_of, newest_frozen(ledger))


def write_snapshot(snapshot: Snapshot, settings: Settings, folder: Path, rows: Mapping[str, Path]) -> dict[str, str]:
    """Write what dbt reads into a folder, and return the variables that dbt needs. `rows`: name → file.

    Returns:
        The variables of `write_inputs`, and the whole's `whole_code` and `whole_name`.
    """
    in_force = {s.submission_id for s in snapshot.in_force}
    names = {field.name for field in fields(Submission)} & set(SUBMISSIONS_SCHEMA.names)
    submissions = [
        {
            **{name: value for name, value in asdict(s).items() if name in names},
            "is_in_force": s.submission_id in in_force,
            "open_query_count": s.open_query_count if s.submission_id in in_force else 0,
        }
        for s in snapshot.submissions
    ]
    files = [
        (found.dataset, found.reporting_quarter, rows[found.parquet_path], found.parquet_sha256 or "")
        for found in snapshot.in_force
        if found.dataset is not None and found.parquet_path is not None
    ]
    frozen: list[tuple[str, Path, str]] = []
    if snapshot.frozen is not None:
        through = snapshot.frozen.through_quarter
        frozen = [(file.model, settings.home / file.path, through) for file in snapshot.frozen.files]
    whole = load_organisation()
    return write_inputs(folder, submissions, files, snapshot.as_of, frozen) | {
        "whole_code": whole.code,
        "whole_name": whole.name,
    }


def write_inputs(
    folder: Path,
    submissions: Iterable[Mapping[str, Any]],
    files: Iterable[tuple[str, str | None, Path, str]],
    as_of: str,
    frozen: Iterable[tuple[str, Path, str]] = (),
) -> dict[str, str]:
    """Write what dbt reads: the ledger's submissions, which files are in force, and the date.

    Args:
        folder: for `submissions.parquet`, `files.parquet` (a typed empty file of each dataset first), `clock.parquet`,
            `frozen.parquet`.
        submissions: a row each, as in SUBMISSIONS_SCHEMA.
        files: (dataset, quarter, Parquet file, its SHA-256) of each submission in force.
        as_of: the date that the build takes for today, ISO.
        frozen: (model, Parquet file of its frozen rows, the last quarter of these).

    Returns:
        `inputs_folder`, absolute.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    named: list[tuple[str, str | None, Path, str]] = []
    for dataset, contract in load_contracts().items():
        empty = folder / f"empty_{dataset}.parquet"
        pq.write_table(empty_table(contract), empty)
        named.append((dataset, None, empty, sha256_of(empty)))
    named.extend(files)
    listed = {
        "dataset": [dataset for dataset, *_ in named],
        "reporting_quarter": pa.array([quarter for _, quarter, *_ in named], pa.string()),
        "file": [str(path.absolute()) for _, _, path, _ in named],
        "sha256": [checksum for *_, checksum in named],
        "place": list(range(len(named))),
    }
    pq.write_table(pa.table(listed), folder / "files.parquet")
    pq.write_table(pa.table({"as_of_date": [as_of]}), folder / "clock.parquet")
    stored = [
        {"model": model, "file": str(path.absolute()), "through_quarter": quarter} for model, path, quarter in frozen
    ]
    pq.write_table(pa.Table.from_pylist(stored, schema=_FROZEN_SCHEMA), folder / "frozen.parquet")
    pq.write_table(pa.Table.from_pylist(list(submissions), schema=SUBMISSIONS_SCHEMA), folder / "submissions.parquet")
    return {"inputs_folder": str(folder)}

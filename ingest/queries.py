"""The queries of a submission, row by row, each under a key by which its explanation finds it again.

A row's key is the same in the next quarter's file. Where the dataset's row key consists of codes, the key is these
codes. Where it has an identifier, a free text or a person, the key is a keyed digest, so that nothing personal is shown
or stored.
"""

from __future__ import annotations

import base64
import errno
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.checking import CheckReport
from ingest.checks.suites import ABOUT_ABSENT_ROWS
from ingest.conforming import ConformedTable
from ingest.contracts import Contract
from ingest.failures import StorageFailure
from ingest.persons.keys import Keys
from ingest.persons.wrapping import unwrapped
from ingest.storing import write_rows

WHOLE_FILE = "*"
"""The row key of a rule about the file."""
SCHEMA = pa.schema([("rule", pa.string()), ("source_row_number", pa.int32()), ("row_key", pa.string())])
_DIGEST_BYTES = 10


def _is_made_of_codes(contract: Contract) -> bool:
    return all(name != "person" and contract.column(name).type == "code" for name in contract.row_key)


def row_keys(contract: Contract, keys: Keys, rows: Sequence[Sequence[str]]) -> list[str]:
    """The keys of rows.

    A key does not depend on the version of the person keys: it is made of the unwrapped values.

    Args:
        contract: the dataset's.
        keys: the installation's; persons are keyed under the version in use.
        rows: of each its parts in the order of the contract's row key (of a person the match key); missing parts are
            empty.

    Returns:
        For each codes joined by `|`, or a keyed digest of 16 letters and digits.
    """
    if _is_made_of_codes(contract):
        return ["|".join(parts) for parts in rows]
    at = [place for place, name in enumerate(contract.row_key) if name == "person"]
    persons = _unwrapped(keys, {parts[place] for parts in rows for place in at})
    found = []
    for parts in rows:
        stable = [persons[part] if place in at else part for place, part in enumerate(parts)]
        content = "\0".join([contract.dataset, *stable]).encode()
        digest = hashlib.blake2b(content, key=keys.person_secret, digest_size=_DIGEST_BYTES).digest()
        found.append(base64.b32encode(digest).decode().lower())
    return found


def _unwrapped(keys: Keys, persons: Collection[str]) -> dict[str, str]:
    """A value for each person key that is the same under every version; a text that is no key is its own value."""
    texts = sorted(persons)
    values, ok = unwrapped(keys.person_keys[keys.person_version], pa.array(texts, pa.string()))
    return {
        text: value.tobytes().hex() if is_key else text
        for text, value, is_key in zip(texts, values, ok.tolist(), strict=True)
    }


def _texts_at(table: ConformedTable, contract: Contract, name: str, rows: npt.NDArray[np.int64]) -> list[str]:
    """Cells of a part of the row key as texts."""
    position = table.values[name][rows]
    if name == "person":
        texts = table.match_keys
    elif contract.column(name).type == "code":
        texts = pa.array(table.codes[name].codes, pa.string())
    else:
        texts = table.texts[name]
    found: list[str] = texts.take(pa.array(position, mask=position < 0)).fill_null("").to_pylist()
    return found


def _keys_of_rows(table: ConformedTable, contract: Contract, keys: Keys, rows: npt.NDArray[np.int64]) -> dict[int, str]:
    distinct = np.unique(rows)
    parts = [_texts_at(table, contract, name, distinct) for name in contract.row_key]
    return dict(zip(distinct.tolist(), row_keys(contract, keys, list(zip(*parts, strict=True))), strict=True))


def queries_of(report: CheckReport, contract: Contract, keys: Keys) -> pa.Table:
    """The queries that a check found, one row each, as SCHEMA says; those about the file under WHOLE_FILE."""
    rules: list[str] = [f.rule for f in report.file_findings if f.severity == "query"]
    numbers: list[int | None] = [f.row for f in report.file_findings if f.severity == "query"]
    found: list[str] = [f.row_key or WHOLE_FILE for f in report.file_findings if f.severity == "query"]
    outcomes = [outcome for outcome in report.outcomes if outcome.rule.severity == "query" and not outcome.raised]
    own = [outcome for outcome in outcomes if outcome.rule.kind != ABOUT_ABSENT_ROWS]
    table = report.table
    if own and table is not None:
        by_row = _keys_of_rows(table, contract, keys, np.concatenate([outcome.rows for outcome in own]))
    for outcome in outcomes:
        rules += [outcome.rule.code] * len(outcome.rows)
        if outcome.rule.kind == ABOUT_ABSENT_ROWS:
            numbers += [None] * len(outcome.rows)
            found += row_keys(contract, keys, report.absent_keys)
        elif table is not None:
            numbers += table.row_numbers[outcome.rows].tolist()
            found += [by_row[row] for row in outcome.rows.tolist()]
    return pa.table([rules, numbers, found], schema=SCHEMA)


def queries_path(home: Path, district_code: str, submission_id: str) -> Path:
    """Path of the file with a submission's queries."""
    return home / "queries" / district_code / f"{submission_id}.parquet"


def write_queries(path: Path, queries: pa.Table) -> None:
    """Put the queries of a submission in place whole; an older file is replaced. Without queries there is no file."""
    if queries.num_rows == 0:
        path.unlink(missing_ok=True)
        return
    write_rows(path, queries)


class DamagedQueries(StorageFailure):
    """The stored queries of a submission can't be read; the message names it, its file and the command to run."""


def read_queries(path: Path) -> pa.Table:
    """The queries of a submission; none when there is no file.

    Raises:
        DamagedQueries: the file is damaged.
        OSError: the disk or its rights are at fault.
    """
    try:
        return pq.read_table(pa.BufferReader(path.read_bytes()), schema=SCHEMA)
    except FileNotFoundError:
        return SCHEMA.empty_table()
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EISDIR):
            raise
        raise DamagedQueries(
            f"the queries of submission {path.stem} are damaged: queries/{path.parent.name}/{path.name} in "
            f"FOLLOWUP_HOME; `followup restore-rows {path.stem}` makes them again from the original"
        ) from None

"""Rotations in the ledger: which have begun and not ended, and the person key version of stored rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import installation, submission

PERSONS, ORIGINALS = "persons", "originals"
"""What is rotated."""
_BEGUN = "rotating_"
_PERSON_VERSION = "person_key_version"


@dataclass(frozen=True)
class Rekeyed:
    """Where a submission's rows are under the new version, under home, and the file's SHA-256, hexadecimal."""

    submission_id: str
    parquet_path: str
    parquet_sha256: str


def rotations_under_way(ledger: Ledger) -> dict[str, int]:
    """Rotations that have begun and not ended: what is rotated → the version that it gets."""
    with ledger.reading() as connection:
        found = connection.execute(
            sa.select(installation.c.name, installation.c.value).where(
                installation.c.name.in_([_BEGUN + PERSONS, _BEGUN + ORIGINALS])
            )
        )
        return {row.name.removeprefix(_BEGUN): int(row.value) for row in found}


def begin_rotation(ledger: Ledger, versions: Mapping[str, int]) -> None:
    """Say that rotations begin, all at once: what is rotated → the version that it gets."""
    with ledger.engine.begin() as connection:
        connection.execute(
            installation.insert(), [{"name": _BEGUN + what, "value": str(new)} for what, new in versions.items()]
        )
        for what, new in versions.items():
            add_act(connection, "rotation.begun", f"keys of {what}, version {new}")


def end_rotation(ledger: Ledger, what: str) -> None:
    """Say that a rotation has ended."""
    with ledger.engine.begin() as connection:
        connection.execute(installation.delete().where(installation.c.name == _BEGUN + what))
        add_act(connection, "rotation.ended", f"keys of {what}")


def person_version(ledger: Ledger) -> int | None:
    """The person key version under which rows are stored: that of the last rotation, or before any that of the newest
    submission that has one; None when none has."""
    with ledger.reading() as connection:
        recorded = connection.execute(
            sa.select(installation.c.value).where(installation.c.name == _PERSON_VERSION)
        ).scalar()
        if recorded is not None:
            return int(recorded)
        newest = connection.execute(
            sa.select(submission.c.person_key_version)
            .where(submission.c.person_key_version.is_not(None), submission.c.parquet_path.is_not(None))
            .order_by(submission.c.submitted_at.desc())
            .limit(1)
        ).scalar()
    return None if newest is None else int(newest)


def record_rekeyed(ledger: Ledger, version: int, rekeyed: Sequence[Rekeyed]) -> None:
    """Say, all at once, where rows are under a new version of the person keys, and that it is the one of all rows."""
    with ledger.engine.begin() as connection:
        for one in rekeyed:
            connection.execute(
                submission.update()
                .where(submission.c.submission_id == one.submission_id)
                .values(
                    parquet_path=one.parquet_path,
                    parquet_sha256=one.parquet_sha256,
                    person_key_version=version,
                )
            )
        connection.execute(installation.delete().where(installation.c.name == _PERSON_VERSION))
        connection.execute(installation.insert().values(name=_PERSON_VERSION, value=str(version)))

"""Units' mappings in the ledger: each one that was set is a version, and none is changed or removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.opening import LedgerError
from ingest.ledger.store import Ledger, Submission
from ingest.ledger.tables import unit_mapping
from ingest.mappings.documents import DatasetWords, MappingRefused, UnitMapping, as_yaml, read_mapping
from ingest.quarters import Quarter


def add_mapping(ledger: Ledger, mapping: UnitMapping, now: datetime) -> UnitMapping:
    """Set a unit's mapping from its quarter on, as the unit's next version.

    Returns:
        It, with its number; the version in use where that says the same.
    """
    with ledger.engine.begin() as connection:
        before = _in_use(_versions(connection, mapping.district_code), mapping.valid_from)
        if before is not None and replace(before, version=0) == mapping:
            return before
        newest = connection.scalar(
            sa.select(sa.func.max(unit_mapping.c.version)).where(unit_mapping.c.district_code == mapping.district_code)
        )
        version = int(newest or 0) + 1
        connection.execute(
            unit_mapping.insert().values(
                district_code=mapping.district_code,
                version=version,
                valid_from=str(mapping.valid_from),
                document=as_yaml(mapping),
                set_at=now,
            )
        )
        add_act(connection, "mapping.set", f"{mapping.district_code}: version {version} from {mapping.valid_from}")
    return replace(mapping, version=version)


def mappings(ledger: Ledger, district_code: str | None = None) -> list[UnitMapping]:
    """All versions, by unit and number; only one unit's when given.

    Raises:
        LedgerError: a stored document can't be read.
    """
    with ledger.reading() as connection:
        return _versions(connection, district_code)


def mapping_in_use(ledger: Ledger, district_code: str, quarter: Quarter) -> UnitMapping | None:
    """The mapping by which a unit's files of a quarter are read: of those valid from the latest quarter not after it,
    the newest. None where the unit has none."""
    return _in_use(mappings(ledger, district_code), quarter)


def words_that_judged(ledger: Ledger, found: Submission) -> DatasetWords:
    """The unit's words by which a submission was read; none where it was read by the contract's own."""
    if found.mapping_version is None or found.dataset is None:
        return DatasetWords()
    mapping = mapping_of_version(ledger, found.district_code, found.mapping_version)
    return mapping.words_of(found.dataset) if mapping is not None else DatasetWords()


def mapping_of_version(ledger: Ledger, district_code: str, version: int | None) -> UnitMapping | None:
    """A unit's mapping of a number; None where there is none."""
    return next((one for one in mappings(ledger, district_code) if one.version == version), None)


def _in_use(versions: list[UnitMapping], quarter: Quarter) -> UnitMapping | None:
    valid = [one for one in versions if one.valid_from <= quarter]
    return max(valid, key=lambda one: (one.valid_from, one.version), default=None)


def _versions(connection: sa.Connection, district_code: str | None) -> list[UnitMapping]:
    statement = sa.select(unit_mapping).order_by(unit_mapping.c.district_code, unit_mapping.c.version)
    if district_code is not None:
        statement = statement.where(unit_mapping.c.district_code == district_code)
    found = []
    for row in connection.execute(statement):
        try:
            found.append(replace(read_mapping(row.document.encode()), version=row.version))
        except MappingRefused:
            raise LedgerError(
                f"version {row.version} of the mapping of {row.district_code} can't be read from the ledger: restore "
                "the ledger from the newest backup"
            ) from None
    return found

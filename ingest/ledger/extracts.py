"""Extracts in the ledger: who took which district's exact figures out of the warehouse, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import extract


@dataclass(frozen=True)
class Extract:
    """One extract as the ledger holds it. Columns as in `ingest.ledger.tables.extract`."""

    extracted_at: datetime
    district_code: str
    os_user: str
    login_user: str | None
    row_count: int
    file_name: str
    file_sha256: str
    is_synthetic: bool


def record_extract(ledger: Ledger, made: Extract) -> None:
    """Record an extract, before its file is put in place: no file is without its row."""
    with ledger.engine.begin() as connection:
        connection.execute(extract.insert().values(**vars(made)))
        add_act(connection, "extract.made", f"{made.district_code}: {made.file_name}")


def extracts(ledger: Ledger) -> list[Extract]:
    """All extracts, oldest first."""
    columns = [column for column in extract.c if column is not extract.c.extract_id]
    with ledger.reading() as connection:
        found = connection.execute(sa.select(*columns).order_by(extract.c.extract_id))
        return [Extract(**row._mapping) for row in found]

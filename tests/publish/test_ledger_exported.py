"""A ledger's copy is of one moment and holds every row; it goes into an empty ledger of either kind, also an older."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from followup.local.postgres_server import PostgresServer
from ingest.ledger import ChangeRefused, Ledger, LedgerError, acts, exporting, revisions
from ingest.ledger.exporting import LEFT_OUT, export_ledger, import_ledger, is_unused
from ingest.ledger.portal_users import Role, add_user
from ingest.ledger.tables import METADATA, draw, finding, release, submission

NOW = datetime(2018, 4, 10, 6, 0, 0, 123456)
pytestmark = pytest.mark.server


@pytest.fixture
def postgres_urls(server: PostgresServer) -> Iterator[list[str]]:
    """Two empty databases."""
    running, names = server.start(), ("copied_from", "copied_to")
    password = json.loads((server.home / "superuser.json").read_text(encoding="utf-8"))["postgres"]
    with server.superuser() as connection:
        for name in names:
            connection.execute(f"drop database if exists {name} with (force)")
            connection.execute(f"create database {name}")
    yield [f"postgresql://postgres:{password}@127.0.0.1:{running.port}/{name}" for name in names]
    with server.superuser() as connection:
        for name in names:
            connection.execute(f"drop database {name} with (force)")


def submitted(number: int) -> dict[str, Any]:
    return {
        "submission_id": f"s{number}", "district_code": "bromma", "dataset": "arenden", "reporting_quarter": "2018Q1",
        "sequence": number, "version": number, "state": "accepted", "source_file_name": "åäö.csv",
        "source_file_sha256": "0" * 64, "size_bytes": 2**40, "submitted_at": NOW, "deadline_date": date(2018, 4, 20),
        "is_on_time": True, "is_synthetic": False, "row_count": 1, "error_count": 0, "query_count": 1,
        "original_path": "landing/bromma/a.bin", "is_source_cleared": True,
    }  # fmt: skip


def fill(ledger: Ledger) -> None:
    """A row of every type of column, with nulls, and what PostgreSQL counts by itself."""
    add_user(ledger, "anna", Role.OFFICER, units=["bromma"], password_hash="$argon2id$x", now=NOW)
    with ledger.engine.begin() as connection:
        connection.execute(submission.insert().values(**submitted(1)))
        for row in (None, 7):
            connection.execute(
                finding.insert().values(
                    submission_id="s1", rule="ARE-001", severity="query", source_row_number=row, message='"ett"\n två'
                )
            )
        values = {"state": "released", "made_at": NOW, "is_revision": False, "policy": "{}"}
        connection.execute(release.insert().values(release_id=1, **values))
        connection.execute(
            draw.insert().values(
                family="f", unit="bromma", basis="today", period_kind="kvartal", period="2018Q1", release_id=1,
                salt="0" * 16, revision=0, sketch=bytes(range(256)),
            )
        )  # fmt: skip
        connection.execute(METADATA.tables["lease"].insert().values(name="build", holder="a|1|2|3", expires_at=NOW))


def rows(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    with ledger.reading() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in METADATA.sorted_tables
        }


def test_every_row_comes_back_in_a_ledger_of_either_kind_which_goes_on_counting(
    postgres_urls: list[str], tmp_path: Path
) -> None:
    origin = f"sqlite:///{tmp_path}/a.sqlite"
    with closing(Ledger(origin)) as ledger:
        fill(ledger)
        before, copied = rows(ledger), export_ledger(ledger)
    for number, url in enumerate([*postgres_urls, f"sqlite:///{tmp_path}/b.sqlite"], start=1):
        assert is_unused(url)
        import_ledger(url, copied, f"copy {number}")
        assert not is_unused(url)
        with closing(Ledger(url)) as ledger:
            after = rows(ledger)
            assert after["act"][:-number] == before["act"] and after["lease"] == []
            assert [one.action for one in acts.acts(ledger)][-1] == "backup.restored"
            assert acts.verify(ledger).holds
            same = set(after) - LEFT_OUT - {"act"}
            assert {name: after[name] for name in same} == {name: before[name] for name in same}
            copied = export_ledger(ledger)  # the next is from PostgreSQL
            with ledger.engine.begin() as connection:
                new = finding.insert().values(submission_id="s1", rule="ARE-002", severity="query", message="m")
                assert connection.execute(new).inserted_primary_key == (3,)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_copy_is_of_one_moment_whatever_is_written_while_it_is_taken(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite" if kind == "sqlite" else request.getfixturevalue("postgres_urls")[0]
    with closing(Ledger(url)) as ledger, closing(Ledger(url)) as other:
        fill(ledger)
        before, plainly = rows(ledger), exporting._file_of

        def written_to_meanwhile(connection: sa.Connection, table: sa.Table) -> bytes:
            with other.engine.begin() as writing:
                number = 2 + int(writing.execute(sa.select(sa.func.count()).select_from(submission)).scalar_one())
                writing.execute(submission.insert().values(**submitted(number)))
                acts.add_act(writing, "submission.accepted", f"s{number}")
            return plainly(connection, table)

        monkeypatch.setattr(exporting, "_file_of", written_to_meanwhile)
        copied = export_ledger(ledger)
        assert len(rows(ledger)["submission"]) > 10
        for name in copied.tables:
            columns = METADATA.tables[name].columns.keys()
            assert [tuple(row[column] for column in columns) for row in copied.rows(name)] == before[name], name


def test_a_copy_by_an_older_version_is_brought_up_to_date_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    with closing(Ledger(f"sqlite:///{tmp_path}/a.sqlite")) as ledger:
        fill(ledger)
        copied = export_ledger(ledger)
        revisions.downgrade(ledger.engine, "0012")
        older = sa.MetaData()
        older.reflect(ledger.engine)
        wanted = [table for table in older.sorted_tables if table.name not in {*LEFT_OUT, "alembic_version"}]
        with ledger.reading() as connection:
            tables = {table.name: exporting._file_of(connection, table) for table in wanted}
    assert "api_token" in copied.tables and "api_token" not in tables
    import_ledger(f"sqlite:///{tmp_path}/b.sqlite", replace(copied, revision="0012", tables=tables), "older")
    with closing(Ledger(f"sqlite:///{tmp_path}/b.sqlite")) as ledger:
        assert rows(ledger)["submission"][0][0] == "s1" and rows(ledger)["api_token"] == []
    with pytest.raises(LedgerError, match="newer version"):
        import_ledger(f"sqlite:///{tmp_path}/c.sqlite", replace(copied, revision="9999"), "newer")
    assert is_unused(f"sqlite:///{tmp_path}/c.sqlite")


def test_a_ledger_in_use_is_never_loaded_into_and_a_damaged_copy_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite"
    with closing(Ledger(url)) as ledger:
        fill(ledger)
        before, copied = rows(ledger), export_ledger(ledger)
        with pytest.raises(ChangeRefused, match="name an empty one"):
            import_ledger(url, copied, "again")
        assert rows(ledger) == before
    cut = copied.tables | {"draw": copied.tables["draw"][:-9]}
    with pytest.raises(LedgerError, match="the ledger's table draw is damaged"):
        import_ledger(f"sqlite:///{tmp_path}/b.sqlite", replace(copied, tables=cut), "cut")
    assert is_unused(f"sqlite:///{tmp_path}/b.sqlite")


def test_an_unchanged_table_gives_the_same_bytes_again(tmp_path: Path) -> None:
    with closing(Ledger(f"sqlite:///{tmp_path}/a.sqlite")) as ledger:
        fill(ledger)
        assert export_ledger(ledger).tables == export_ledger(ledger).tables

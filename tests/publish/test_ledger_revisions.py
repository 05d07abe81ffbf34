"""The ledger brought up to this version and back to an earlier one: what both know is the same, row for row."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.ledger import ChangeRefused, Ledger, LedgerError
from ingest.ledger.acts import verify
from ingest.ledger.copying import copy_ledger
from ingest.ledger.opening import open_engine
from ingest.ledger.revisions import downgrade, revisions, upgrade
from ingest.ledger.store import Build
from ingest.ledger.tables import METADATA

pytestmark = pytest.mark.server
Rows = dict[str, list[dict[str, Any]]]
LONG_AGO = datetime(2018, 1, 1)


def value_of(column: sa.Column[Any]) -> Any:
    match column.type:
        case sa.Boolean():
            return True
        case sa.DateTime():
            return LONG_AGO
        case sa.Date():
            return date(2018, 1, 1)
        case sa.Integer() | sa.Float() | sa.Numeric():
            return 7
        case sa.LargeBinary():
            return b"seven"
        case sa.String():
            return "7" if column.type.length and column.type.length < 5 else "seven"
        case other:
            raise AssertionError(f"no value for {other} of {column}")


def fill(engine: sa.Engine, left_out: frozenset[str] = frozenset()) -> None:
    """A row in every table, each column with a value of its own; one refers to another where it must."""
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            if table.name not in left_out:
                connection.execute(table.insert().values({one.name: value_of(one) for one in table.columns}))


def rows(engine: sa.Engine) -> Rows:
    """Table → its rows, of all tables that are there now but Alembic's."""
    found = {}
    with engine.connect().execution_options(reading=True) as connection:
        there = sa.MetaData()
        there.reflect(connection)
        for table in there.sorted_tables:
            if table.name != "alembic_version":
                found[table.name] = [dict(row._mapping) for row in connection.execute(sa.select(table))]
    return found


def same_where_both_have_it(earlier: Rows, later: Rows) -> None:
    for table in earlier.keys() & later.keys():
        assert len(earlier[table]) == len(later[table]), table
        for one, other in zip(earlier[table], later[table], strict=True):
            both = one.keys() & other.keys()
            assert {name: one[name] for name in both} == {name: other[name] for name in both}, table


def test_each_revision_back_and_up_again_leaves_what_both_know(url: str) -> None:
    Ledger(url).close()
    engine = open_engine(url)
    numbers = [one.number for one in revisions(engine)]
    fill(engine, left_out=frozenset({"act"}))
    whole = rows(engine)
    for to in [numbers[-2], "0010", "0005", numbers[0]]:
        before = rows(engine)
        everything = {*before, *(f"{name}.{column}" for name in before for row in before[name] for column in row)}
        gone = downgrade(engine, to, losing=everything)
        after = rows(engine)
        same_where_both_have_it(after, before)
        lost = {name for name in before if before[name] and name not in after}
        lost |= {
            f"{name}.{column}"
            for name in before.keys() & after.keys() if before[name]
            for column in before[name][0].keys() - after[name][0].keys()
        }  # fmt: skip
        assert lost == set(gone)
    assert upgrade(engine) == (numbers[0], numbers[-1])
    again = rows(engine)
    assert again.keys() == whole.keys()
    assert after["submission"] and after["finding"]
    same_where_both_have_it(after, again)
    engine.dispose()


def test_an_upgrade_is_undone_at_once_and_nothing_is_lost(url: str) -> None:
    Ledger(url).close()
    engine = open_engine(url)
    numbers = [one.number for one in revisions(engine)]
    back = numbers[max(numbers.index("0010"), len(numbers) - 3)]
    downgrade(engine, back)
    filled = rows(engine)
    with engine.begin() as connection:
        there = sa.MetaData()
        there.reflect(connection)
        for table in METADATA.sorted_tables:
            if table.name in filled:
                columns = there.tables[table.name].columns.keys()
                connection.execute(
                    table.insert().values({c.name: value_of(c) for c in table.columns if c.name in columns})
                )
    filled = rows(engine)
    assert upgrade(engine) == (back, numbers[-1])
    same_where_both_have_it(filled, rows(engine))
    assert downgrade(engine, back) == []
    assert rows(engine) == filled
    engine.dispose()


def test_the_audit_log_is_never_removed(url: str) -> None:
    Ledger(url).close()
    engine = open_engine(url)
    fill(engine)
    before = rows(engine)
    everything = {*before, *(f"{name}.{column}" for name in before for column in before[name][0])}
    with pytest.raises(ChangeRefused, match="the log is never removed"):
        downgrade(engine, "0009", losing=everything)
    assert rows(engine) == before
    engine.dispose()


def test_what_would_go_is_named_and_nothing_goes_unless_all_of_it_is(url: str) -> None:
    Ledger(url).close()
    engine = open_engine(url)
    fill(engine, left_out=frozenset({"act"}))
    before = rows(engine)
    for named in (frozenset(), {"api_token"}):
        with pytest.raises(ChangeRefused, match=r"no place for what is in .*repeat this with .*--lose api_request"):
            downgrade(engine, "0012", losing=named)
        assert rows(engine) == before
    engine.dispose()


def test_a_revision_that_is_none_or_no_earlier_one_is_refused(url: str) -> None:
    ledger = Ledger(url)
    for to in ("9999", "head", revisions(ledger.engine)[-1].number):
        with pytest.raises(ChangeRefused, match="no earlier revision"):
            downgrade(ledger.engine, to)
    ledger.close()


def test_a_ledger_in_use_is_changed_neither_way(url: str) -> None:
    ledger = Ledger(url)
    with ledger.lease("build"):
        for change in (upgrade, lambda engine: downgrade(engine, "0012")):
            with pytest.raises(ChangeRefused, match=r"in use \(build on .*stop Airflow and the portal"):
                change(ledger.engine)
    downgrade(ledger.engine, "0012")
    ledger.close()


def test_an_opening_brings_sqlite_up_to_date_and_leaves_a_postgresql_to_the_command(url: str) -> None:
    ledger = Ledger(url)
    downgrade(ledger.engine, "0012")
    if url.startswith("sqlite"):
        Ledger(url).close()
    else:
        with pytest.raises(LedgerError, match=r"is of revision 0012.*`followup ledger upgrade` once"):
            Ledger(url)
        assert not revisions(ledger.engine)[-1].is_in_use
        upgrade(ledger.engine)
        Ledger(url).close()
    assert revisions(ledger.engine)[-1].is_in_use
    ledger.close()


def test_a_ledger_is_copied_whole_and_goes_on_counting(tmp_path: Path, postgres_url: str) -> None:
    source = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    fill(source.engine, left_out=frozenset({"act"}))
    for number in range(3):
        source.record_build(Build(f"print {number}", "built", LONG_AGO, 1.0, None))
    target = Ledger(postgres_url)
    with source.lease("build"), pytest.raises(ChangeRefused, match="in use"):
        copy_ledger(source, target)
    copied = copy_ledger(source, target)
    before, after = rows(source.engine), rows(target.engine)
    assert {name: len(found) for name, found in after.items() if found} == copied
    assert after["lease"] == [] and {**after, "lease": before["lease"]} == before
    assert verify(target) == verify(source) and verify(target).holds
    target.record_build(Build("next", "built", LONG_AGO, 1.0, None))
    assert verify(target).holds and len(target.builds(9)) == len(before["build"]) + 1
    with pytest.raises(ChangeRefused, match="not empty"):
        copy_ledger(source, target)
    source.close()
    target.close()

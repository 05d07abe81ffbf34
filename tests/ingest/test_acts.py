"""The audit log: what was done is there with who did it, and what was changed afterwards is seen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.acting_user import ActingUser, Actor, acting_as, current_actor
from ingest.ledger import ChangeRefused, Ledger, LedgerError, acts, decisions
from ingest.ledger.acts import FIRST
from ingest.quarters import Quarter

NOW = datetime(2018, 4, 20)  # FOLLOWUP_NOW; the log does not go by it
QUARTERS = [Quarter(2018, number) for number in (1, 2, 3)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Three quarters locked by a DAG's run."""
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with acting_as(Actor("dag_run", "close_quarter 2018Q1")):
        for quarter in QUARTERS:
            decisions.lock_quarter(made, quarter, NOW)
    return made


def tamper(ledger: Ledger, *statements: str) -> None:
    """As who has the database, and takes the refusal away first."""
    with ledger.engine.begin() as connection:
        for statement in ("drop trigger act_no_update", "drop trigger act_no_delete", *statements):
            connection.execute(sa.text(statement))


def test_acts_are_logged_with_actor_subject_and_reason(ledger: Ledger) -> None:
    number = decisions.open_exception(ledger, QUARTERS[0], "farsta", None, until=None, why="late system", now=NOW)
    decisions.close_exception(ledger, number, NOW)
    assert decisions.close_exception(ledger, number, NOW) is False  # nothing was done: nothing is logged
    assert decisions.lock_quarter(ledger, QUARTERS[0], NOW) is False
    found = acts.acts(ledger)
    assert [(one.act_id, one.action, one.subject, one.why) for one in found] == [
        (1, "quarter.locked", "2018Q1", None),
        (2, "quarter.locked", "2018Q2", None),
        (3, "quarter.locked", "2018Q3", None),
        (4, "exception.opened", "1: 2018Q1 farsta every dataset, until closed", "late system"),
        (5, "exception.closed", "1", None),
    ]
    assert {(one.actor_kind, one.actor) for one in found[:3]} == {("dag_run", "close_quarter 2018Q1")}
    assert found[3].actor_kind == "account" and found[3].actor == current_actor().name
    assert all(one.acted_at.year >= 2026 for one in found)
    assert [one.act_id for one in acts.acts(ledger, last=2)] == [4, 5]


def test_account_is_named_with_who_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for login, name in ((None, "followup"), ("followup", "followup"), ("anna", "anna as followup")):
        monkeypatch.setattr("ingest.acting_user.acting_user", lambda login=login: ActingUser("followup", login))
        assert current_actor() == Actor("account", name)


def test_chain_of_untouched_log_holds(ledger: Ledger) -> None:
    found = acts.verify(ledger)
    last = acts.acts(ledger)[-1]
    assert (found.count, found.head, found.broken, found.is_noted_there) == (3, last.hash, (), None)
    assert acts.verify(ledger, noted=acts.acts(ledger)[1].hash).is_noted_there is True
    assert acts.acts(ledger)[0].previous_hash == FIRST


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("update act set why = 'another' where act_id = 2", (2,)),
        ("update act set actor = 'root' where act_id = 1", (1,)),
        ("update act set acted_at = '2020-01-01 00:00:00.000000' where act_id = 3", (3,)),
        ("delete from act where act_id = 2", (3,)),
        ("delete from act where act_id = 1", (2,)),
        ("update act set act_id = act_id + 10", (11, 12, 13)),
        (
            "insert into act select 9, acted_at, actor_kind, actor, action, '2019Q1', why, hash, hash from act "
            "where act_id = 3",
            (9,),
        ),
    ],
)
def test_what_is_changed_removed_or_put_in_is_seen(ledger: Ledger, statement: str, broken: tuple[int, ...]) -> None:
    tamper(ledger, statement)
    found = acts.verify(ledger)
    assert (found.broken, found.holds) == (broken, False)


def test_log_cut_at_its_end_is_seen_by_a_noted_hash_alone(ledger: Ledger) -> None:
    noted = acts.verify(ledger).head
    tamper(ledger, "delete from act where act_id = 3")
    assert acts.verify(ledger).holds
    assert not acts.verify(ledger, noted).holds


@pytest.mark.parametrize("statement", ["update act set why = 'x' where act_id = 1", "delete from act where act_id = 3"])
def test_database_refuses_to_change_or_delete_acts(ledger: Ledger, statement: str) -> None:
    with pytest.raises((sa.exc.IntegrityError, LedgerError)), ledger.engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert acts.verify(ledger).holds


def test_act_that_is_refused_is_not_done(ledger: Ledger) -> None:
    with pytest.raises(ChangeRefused) as refused:
        decisions.open_exception(
            ledger, QUARTERS[0], "farsta", None, until=None, why="child 20100315-9801 is missing", now=NOW
        )
    assert "9801" not in str(refused.value)
    assert decisions.open_exceptions(ledger, NOW.date()) == []
    assert acts.verify(ledger).count == 3

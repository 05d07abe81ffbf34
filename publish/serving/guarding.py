"""What a reader can do to the others that PostgreSQL can't forbid, undone: run every few minutes.

A role may always change its own password and its own settings, and a session may lift its own time limit (no trigger of
PostgreSQL sees it: roles belong to the whole server). So this puts both back and ends the sessions that gain by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from ingest.settings import Settings
from publish.serving import roles, sessions
from publish.serving.sessions import READER, Connection

_WATCHED_SECONDS = 1.0
"""How long a role is looked at after something of it was put back."""
_REMEDY = "put a new password for it into the file of logins, and run `followup release serve`"


@dataclass(frozen=True)
class Guarded:
    """What was found: `undone` is each act that was undone, in English; `unknown` is what could not be looked at."""

    undone: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def guard(settings: Settings, *, statement_seconds: float = roles.STATEMENT_SECONDS) -> Guarded:
    """Put passwords and settings of those who read back as declared, and end their sessions that are over their limits.

    Args:
        settings: the installation's, with a database.
        statement_seconds: how long a statement or a transaction may last.

    Raises:
        ServingError: the database can't be reached, or its owner may not do this.
    """
    logins = sessions.load_logins(settings.publish_logins)
    undone: list[str] = []
    unknown: list[str] = []
    try:
        with sessions.connect(settings, logins) as connection:
            for role in roles.SCHEMAS:
                if roles.can_log_in(connection, role):
                    roles.ensure_membership(connection, role)
                    put_back = list(_settings_put_back(connection, role))
                    undone += put_back
                    undone += _overdue_ended(connection, role, statement_seconds)
                    undone += _room_made(connection, role)
                    said = _password_put_back(connection, settings, role, logins.get(role))
                    (undone if said.is_undone else unknown).extend(said.lines)
                    if put_back or said.is_undone:
                        undone += _shut_out_if_it_goes_on(connection, settings, role, logins.get(role))
                elif role == READER and roles.is_there(connection, role):
                    undone.append(f"{role} is shut out: {_REMEDY}")
    except psycopg.Error as error:
        raise sessions.lost(error, settings) from None
    return Guarded(tuple(undone), tuple(unknown))


def _settings_put_back(connection: Connection, role: str) -> Iterator[str]:
    if not (wrong := roles.foreign_settings(connection, role)):
        return
    sessions.at_once(connection, lambda: roles.ensure_settings(connection, role), role)
    # Sessions that began meanwhile may read with another search path or date style: they begin anew.
    ended = sessions.end_sessions(connection, role, "true")
    yield f"{role} had other settings than declared ({', '.join(wrong)}): put back, {len(ended)} sessions ended"
    yield from (f"ended: {session}" for session in ended)


def _overdue_ended(connection: Connection, role: str, statement_seconds: float) -> Iterator[str]:
    longer = "extract(epoch from clock_timestamp() - {}) > {:f}"
    overdue = " or ".join(
        [
            f"state <> 'idle' and {longer.format('xact_start', statement_seconds)}",
            f"state in ('active', 'fastpath function call') and {longer.format('query_start', statement_seconds)}",
            f"state like 'idle in transaction%%' and {longer.format('state_change', roles.IDLE_SECONDS)}",
        ]
    )
    for session in sessions.end_sessions(connection, role, overdue):
        yield f"{role} ran longer than {statement_seconds:g} s, or idled in a transaction: ended {session}"


def _room_made(connection: Connection, role: str) -> Iterator[str]:
    """Where a role's sessions are all taken: end those that do nothing (BI tools open theirs again), then the oldest
    queries of the address that holds most, until a fifth of the sessions is free."""
    found = connection.execute(
        "select rolconnlimit, (select count(*) from pg_stat_activity where usename = rolname) from pg_roles "
        "where rolname = %s",
        [role],
    ).fetchone()
    limit, used = map(int, map(str, found or (0, 0)))
    if limit < 1 or used < limit:
        return
    idle = sessions.end_sessions(connection, role, "state = 'idle'")
    yield from (f"{role} had no session left: ended idle {session}" for session in idle)
    if (wanted := max(limit // 5, 1) - len(idle)) > 0:
        held = "count(*) over (partition by client_addr) as held"
        chosen = f"select pid, query_start, {held} from pg_stat_activity where usename = '{role}'"
        oldest = f"pid in (select pid from ({chosen}) as theirs order by held desc, query_start limit {wanted})"
        for session in sessions.end_sessions(connection, role, oldest):
            yield f"{role} had no session left: ended the oldest of whoever holds most, {session}"


@dataclass(frozen=True)
class _Said:
    is_undone: bool = False
    lines: tuple[str, ...] = ()


def _password_put_back(connection: Connection, settings: Settings, role: str, password: str | None) -> _Said:
    if password is None:
        return _Said(lines=(f"the file of logins has no password of {role}: whether it was changed is not known",))
    if not sessions.ensure_password(connection, settings, role, password):
        return _Said()
    refusal = sessions.refusal(settings, role, password)
    if refusal is None:
        return _Said(True, (f"{role} could not log in: its password had been changed, and is put back",))
    return _Said(lines=(f"{role} can't log in from here ({refusal}); its password was set as in the file of logins",))


def _shut_out_if_it_goes_on(
    connection: Connection, settings: Settings, role: str, password: str | None
) -> Iterator[str]:
    """A role that is changed again while we look is changed in a loop, by somebody who has the password: nobody logs in
    until it has another one."""
    until = time.monotonic() + _WATCHED_SECONDS
    while not (wrong := _changed_again(connection, settings, role, password)):
        if time.monotonic() > until:
            return
        time.sleep(0.1)
    sessions.shut_out(connection, role)
    sessions.at_once(connection, lambda: roles.ensure_settings(connection, role), role)
    yield f"{role} was changed again at once ({wrong}), so nobody can log in as it now: {_REMEDY}"


def _changed_again(connection: Connection, settings: Settings, role: str, password: str | None) -> str:
    if wrong := roles.foreign_settings(connection, role):
        return ", ".join(wrong)
    refusal = sessions.refusal(settings, role, password) if password else None
    return "password" if refusal is not None and "password authentication failed" in refusal else ""

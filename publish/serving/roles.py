"""The roles of the database that BI reads: what each may do, made so at every serving, and held against the catalogue.

`followup_reader` reads the schema `published` and nothing else. `followup_analyst` reads the unprotected marts; it does
not exist until an installation turns it on, and then the server logs every statement of it.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import psycopg.conninfo
from psycopg import sql

from ingest.postgres import connection_options
from ingest.settings import Settings
from publish.serving.release_file import PUBLISHED, ServingError

READER = "followup_reader"
ANALYST = "followup_analyst"
OWNER = "owner"
MARTS = "marts"
STATEMENT_SECONDS, IDLE_SECONDS = 300, 60
SETTINGS_OF_ROLES = {
    "default_transaction_read_only": "on",
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "60s",
}
"""Defaults, which a session can change; `publish.serving.guarding` ends the sessions that gain by it."""
SPACE = {"temp_file_limit": "2GB"}
"""For sorting and cursors on disk, per session: only a superuser, or whom it lets, can set it."""
QUIET = {"log_min_messages": "fatal", "log_statement": "none"}
"""What the reader does fills no log of the server: neither its errors nor what it raises. Set as SPACE is; the
analysts' statements are logged."""
SCHEMAS = {READER: PUBLISHED, ANALYST: MARTS}
MOST_SESSIONS = {READER: 50, ANALYST: 10}
"""Of a role at a time; and together never more than half of what the server takes."""
BOUNDS = Path(__file__).with_name("bounds.sql")
_HARMFUL = re.compile(r"proname ~ '([^']*)'")
_TRIES, _STRUGGLES, _LOCK_SECONDS, _LOGIN_SECONDS = 8, 200, 1, 15
_END_MILLISECONDS = 2000
"""How long a session that is ended may take to be gone."""
_IN_THE_WAY = (
    psycopg.errors.InternalError_,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)
"""How PostgreSQL says that another session changes the same role."""
_SYSTEM = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"

Connection = psycopg.Connection[tuple[object, ...]]


def load_logins(path: Path | None) -> dict[str, str]:
    """The passwords by role, from the installation's file.

    Raises:
        ServingError: the file can't be read, is not JSON of names and passwords, or others than its owner may read it.
    """
    if path is None:
        return {}
    try:
        if path.stat().st_mode & 0o077 and path.is_file():
            raise ServingError(f"{path} can be read by others: chmod 600 {path}")
        found = json.loads(path.read_text(encoding="utf-8") or "{}")
    except (OSError, ValueError) as error:
        raise ServingError(f"FOLLOWUP_PUBLISH_LOGINS: {path} can't be read as JSON ({type(error).__name__})") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) and value for value in found.values()):
        raise ServingError(f"FOLLOWUP_PUBLISH_LOGINS: {path} must be an object of role names and passwords")
    if unknown := found.keys() - {OWNER, READER, ANALYST}:
        raise ServingError(
            f"FOLLOWUP_PUBLISH_LOGINS: {path} names roles that there aren't: {', '.join(sorted(unknown))}"
        )
    return found


def connect(settings: Settings, logins: dict[str, str]) -> Connection:
    """A connection as the database's owner, each statement its own transaction until one is begun.

    Raises:
        ServingError: the URL is missing, carries a password, or the server does not let us in.
    """
    url = settings.publish_postgres.get_secret_value() if settings.publish_postgres else ""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise ServingError("FOLLOWUP_PUBLISH_POSTGRES is no PostgreSQL address") from None
    if given.get("password"):
        raise ServingError("FOLLOWUP_PUBLISH_POSTGRES has a password in it: put it into the file of logins, as owner")
    password = logins.get(OWNER)
    added = connection_options(given, has_password=bool(password))
    try:
        return psycopg.connect(
            psycopg.conninfo.make_conninfo(url, password=password, application_name="followup publish", **added),
            autocommit=True,
        )
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise ServingError(
            f"the database for BI can't be reached: {said}; check FOLLOWUP_PUBLISH_POSTGRES, the file of logins and "
            "that the server runs, then run this again"
        ) from None


def lost(error: psycopg.Error, settings: Settings) -> ServingError:
    """What to say of a database that refused or broke off in the middle: where it is, its words, what to do."""
    given = psycopg.conninfo.conninfo_to_dict(
        settings.publish_postgres.get_secret_value() if settings.publish_postgres else ""
    )
    place = f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
    said = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    return ServingError(
        f"the database for BI at {place} refused or was lost: {said}; see that the server runs, then run "
        "`followup release serve`"
    )


def ensure_reader(connection: Connection, logins: dict[str, str]) -> None:
    """Make the reader's role and the database's rights as they must be, but for the grants that a swap gives."""

    def ensure() -> None:
        _ensure_role(connection, READER, logins.get(READER))
        ensure_settings(connection, READER)
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("revoke all on database {} from public").format(database))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(READER)))
        if _one(connection, "select true from pg_namespace where nspname = 'public'"):
            connection.execute("revoke all on schema public from public")
        if connection.info.parameter_status("is_superuser") == "on":
            set_bounds(connection)

    at_once(connection, ensure, READER)


def ensure_analyst(connection: Connection, logins: dict[str, str]) -> None:
    """Let the analysts' role log in, every statement of it logged by the server.

    Raises:
        ServingError: it has no password of its own, or the server does not let us have its statements logged.
    """
    if not logins.get(ANALYST):
        raise ServingError(f"FOLLOWUP_PUBLISH_ANALYSTS is on, but the file of logins has no password of {ANALYST}")
    if logins[ANALYST] in (logins.get(READER), logins.get(OWNER)):
        raise ServingError(f"{ANALYST} must have a password of its own")

    def ensure() -> None:
        _ensure_role(connection, ANALYST, logins[ANALYST])
        ensure_settings(connection, ANALYST)
        grant = sql.SQL("grant connect on database {} to {}")
        connection.execute(grant.format(sql.Identifier(connection.info.dbname), sql.Identifier(ANALYST)))

    at_once(connection, ensure, ANALYST)


def set_bounds(connection: psycopg.Connection[Any]) -> None:
    """Take from everybody what harms others (`bounds.sql`), as a superuser connected to the readers' database."""
    connection.execute(BOUNDS.read_bytes())


def ensure_settings(connection: Connection, role: str) -> None:
    """Make a role's settings those that are declared, in every database of the server, and no others.

    Raises:
        ServingError: the server does not let us have the analysts' statements logged.
    """
    for (database,) in connection.execute(
        "select datname::text from pg_db_role_setting left join pg_database d on d.oid = setdatabase "
        "where setrole = %s::regrole",
        [role],
    ).fetchall():
        where = sql.SQL(" in database {}").format(sql.Identifier(str(database))) if database else sql.SQL("")
        connection.execute(sql.SQL("alter role {}{} reset all").format(sql.Identifier(role), where))
    try:
        _set(connection, role, declared_settings(connection, role))
    except psycopg.errors.InsufficientPrivilege:
        raise ServingError(
            f"the server does not let its owner log {ANALYST}'s statements, so the marts are not loaded; have its "
            f"administrator run: GRANT SET ON PARAMETER log_statement TO {connection.info.user}"
        ) from None


def declared_settings(connection: Connection, role: str) -> dict[str, str]:
    """The settings that a role has in this database, by name."""
    declared = _changeable(role)
    if role == ANALYST:
        declared["log_statement"] = "all"
    bounds = SPACE | (QUIET if role == READER else {})
    return declared | {name: value for name, value in bounds.items() if may_set(connection, name)}


def foreign_settings(connection: Connection, role: str) -> list[str]:
    """Names of settings that a role has otherwise than declared and can change itself."""
    rows = connection.execute(
        "select setdatabase = (select oid from pg_database where datname = current_database()), "
        "split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1), coalesce(context, 'user') "
        "from pg_db_role_setting cross join unnest(setconfig) as entry "
        "left join pg_settings on lower(name) = lower(split_part(entry, '=', 1)) where setrole = %s::regrole",
        [role],
    ).fetchall()
    declared = _changeable(role)
    found = {str(name): str(value) for is_here, name, value, _ in rows if is_here}
    wrong = {name for name, value in declared.items() if found.get(name) != value}
    wrong |= {
        str(name) for is_here, name, _, context in rows if context == "user" and not (is_here and name in declared)
    }
    return sorted(wrong)


def _changeable(role: str) -> dict[str, str]:
    return SETTINGS_OF_ROLES | {"search_path": SCHEMAS[role]}


def may_set(connection: Connection, parameter: str) -> bool:
    """Whether we may set, for a role, a parameter that the role itself can't."""
    if connection.info.server_version < 150000:
        return connection.info.parameter_status("is_superuser") == "on"
    return bool(_one(connection, "select has_parameter_privilege(%s, 'set')", parameter))


def turn_analyst_off(connection: Connection) -> bool:
    """Shut the analysts' role out; True when it could log in until now."""
    with connection.transaction():
        can_login = can_log_in(connection, ANALYST)
        if can_login:
            connection.execute(sql.SQL("alter role {} nologin").format(sql.Identifier(ANALYST)))
            revoke = sql.SQL("revoke all on database {} from {}")
            connection.execute(revoke.format(sql.Identifier(connection.info.dbname), sql.Identifier(ANALYST)))
        return can_login


def excess(connection: Connection, role: str, schema: str) -> list[str]:
    """What a role may do beyond reading one schema, as the catalogue of this database has it; empty when nothing.

    Its other databases are not in it (`other_databases`), nor what every role of PostgreSQL may read (the catalogue).
    """
    found = []
    queries = {
        "has the attribute {}": "select attribute from pg_roles, unnest(array["
        "case when rolsuper then 'superuser' end, case when rolcreaterole then 'createrole' end, "
        "case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end, "
        "case when rolbypassrls then 'bypassrls' end]) as attribute "
        "where rolname = %(role)s and attribute is not null",
        "is a member of {}": "select roleid::regrole::text from pg_auth_members where member = %(role)s::regrole",
        "may make {} in the database": "select case right_ when 'create' then 'schemas' else 'temporary tables' end "
        "from unnest(array['create', 'temporary']) as right_ "
        "where has_database_privilege(%(role)s, current_database(), right_)",
        "may create in schema {}": "select nspname::text from pg_namespace n "
        "where has_schema_privilege(%(role)s, n.oid, 'create')",
        "has rights on {}": f"select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace "
        f"where {_SYSTEM} and n.nspname <> all(%(own)s) and relkind in ('r', 'v', 'm', 'p', 'f') and "
        "(has_table_privilege(%(role)s, c.oid, 'select, insert, update, delete, truncate, references, trigger') "
        "or has_any_column_privilege(%(role)s, c.oid, 'select, insert, update, references'))",
        "may write {}": "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace "
        "where n.nspname = any(%(own)s) and relkind in ('r', 'v', 'm', 'p', 'f') and "
        "has_table_privilege(%(role)s, c.oid, 'insert, update, delete, truncate, references, trigger')",
        "may run {}": f"select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = pronamespace "
        f"where {_SYSTEM} and prosecdef and has_function_privilege(%(role)s, p.oid, 'execute')",
        "owns {}": "select classid::regclass::text || ' ' || objid from pg_shdepend "
        "where refclassid = 'pg_authid'::regclass and refobjid = %(role)s::regrole and deptype = 'o' "
        # Rights by default on what it makes: it can make nothing, and PostgreSQL can't forbid it these.
        "and classid <> 'pg_default_acl'::regclass "
        "and dbid in (0, (select oid from pg_database where datname = current_database()))",
    }
    for said, query in queries.items():
        rows = connection.execute(query, {"role": role, "own": [schema, f"{schema}__new"]}).fetchall()
        found += [said.format(row[0]) for row in rows]
    return found


def other_databases(connection: Connection, role: str) -> list[str]:
    """The server's other databases that let a role in."""
    rows = connection.execute(
        "select datname::text from pg_database where datallowconn and datname <> current_database() "
        "and has_database_privilege(%s, oid, 'connect') order by 1",
        [role],
    ).fetchall()
    return [str(row[0]) for row in rows]


def is_there(connection: Connection, role: str) -> bool:
    """Whether a role has been made."""
    return bool(_one(connection, "select true from pg_roles where rolname = %s", role))


def can_log_in(connection: Connection, role: str) -> bool:
    """Whether a role has been made and not shut out."""
    return bool(_one(connection, "select rolcanlogin from pg_roles where rolname = %s", role))


def harmful_functions(connection: Connection, role: str) -> list[str]:
    """Functions that `bounds.sql` forbids and a role may call: nobody has run it here."""
    rows = connection.execute(
        "select distinct proname::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname ~ %s "
        "and has_function_privilege(%s, oid, 'execute') order by 1",
        [_HARMFUL.findall(BOUNDS.read_text(encoding="utf-8"))[0], role],
    ).fetchall()
    return [str(row[0]) for row in rows]


def ensure_membership(connection: Connection, role: str) -> None:
    """Make the database's owner a member of a role: it sees the role's sessions then, and may end them."""
    if not _one(connection, "select pg_has_role(current_user, %s, 'usage')", role):
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))


def set_password(connection: Connection, role: str, password: str) -> None:
    """Give a role a password. Only the verifier leaves this process: no server log ever holds the password."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier)))


def at_once(connection: Connection, work: Callable[[], None], role: str | None = None) -> None:
    """Do work in one transaction, again when another process (a serving, the guard) does the same at this moment.

    With `role`, sessions of it that have changed something, which only its own settings and password can be, are ended
    before each further try: one that changes them in a loop, or in a transaction that it leaves open, holds up nobody.
    """
    for left in reversed(range(_TRIES if role is None else _STRUGGLES)):
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'")
                work()
            return
        except _IN_THE_WAY:
            if not left:
                raise
            if role is not None:
                end_sessions(connection, role, "backend_xid is not null")
            time.sleep(random.uniform(0.05, 0.3) if role is None else random.uniform(0, 0.02))


def end_sessions(connection: Connection, role: str, condition: str) -> list[str]:
    """End a role's sessions that meet a condition; gives process, address and program of each that has ended.

    Waits for each to end: one that is not gone yet still takes a place, and a login after it is refused.
    """
    # Materialized: PostgreSQL might else call the function before it has looked whose session it is.
    rows = connection.execute(
        "with met as materialized (select pid, coalesce(host(client_addr), 'local') as address, "
        "coalesce(nullif(application_name, ''), '-') as program from pg_stat_activity "
        f"where usename = %s and pid <> pg_backend_pid() and ({condition})) "
        f"select pid, address, program, pg_terminate_backend(pid, {_END_MILLISECONDS}) from met order by pid",
        [role],
    ).fetchall()
    return [f"process {pid} from {address} ({program})" for pid, address, program, is_ended in rows if is_ended]


def refusal(settings: Settings, role: str, password: str) -> str | None:
    """Why the server does not let a role in; None when it does."""
    url = settings.publish_postgres.get_secret_value() if settings.publish_postgres else ""
    added = connection_options({*psycopg.conninfo.conninfo_to_dict(url), "connect_timeout"}, has_password=True)
    try:
        psycopg.connect(
            psycopg.conninfo.make_conninfo(
                url, user=role, password=password, application_name="followup guard", **added
            ),
            connect_timeout=_LOGIN_SECONDS,
        ).close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    return None


def ensure_password(connection: Connection, settings: Settings, role: str, password: str) -> bool:
    """Make a password that does not let a role in the one that does, and end the sessions that had another; whether it
    had to be set."""
    if refusal(settings, role, password) is None:
        return False
    at_once(connection, lambda: set_password(connection, role, password), role)
    # An open session could change it again; who has no password then gets no new one.
    end_sessions(connection, role, "true")
    at_once(connection, lambda: set_password(connection, role, password), role)
    return True


def shut_out(connection: Connection, role: str) -> None:
    """Let nobody log in as a role, and end its sessions."""

    def forbid() -> None:
        connection.execute(sql.SQL("alter role {} nologin").format(sql.Identifier(role)))

    at_once(connection, forbid, role)
    end_sessions(connection, role, "true")


def _ensure_role(connection: Connection, role: str, password: str | None) -> None:
    named = sql.Identifier(role)
    if not is_there(connection, role):
        try:
            connection.execute(
                sql.SQL("create role {} nosuperuser nocreatedb nocreaterole noreplication").format(named)
            )
        except psycopg.errors.InsufficientPrivilege:
            raise ServingError(
                f"the database's owner may not make roles: have its administrator run CREATE ROLE {role}, or "
                f"ALTER ROLE {connection.info.user} CREATEROLE"
            ) from None
    try:
        most = _one(
            connection,
            "select least(%s, greatest(1, current_setting('max_connections')::int / 2))",
            MOST_SESSIONS[role],
        )
        limited = sql.SQL("alter role {} login noinherit connection limit {}")
        connection.execute(limited.format(named, sql.Literal(most)))
        ensure_membership(connection, role)
        if password is not None:
            set_password(connection, role, password)
    except psycopg.errors.InsufficientPrivilege:
        raise ServingError(f"the database's owner may not change the role {role}; it must have made it") from None


def _set(connection: Connection, role: str, values: dict[str, str]) -> None:
    for key, value in values.items():
        statement = sql.SQL("alter role {} in database {} set {} = {}")
        connection.execute(
            statement.format(
                sql.Identifier(role), sql.Identifier(connection.info.dbname), sql.Identifier(key), sql.Literal(value)
            )
        )


def _one(connection: Connection, query: str, *values: object) -> object:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None

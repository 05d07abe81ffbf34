"""The roles of the database that BI reads: what each may do, made so at every serving, and held against the catalogue.

`followup_reader` reads the schema `published` and nothing else. `followup_analyst` reads the unprotected marts; it does
not exist until an installation turns it on, and then the server logs every statement of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from publish.serving.release_file import PUBLISHED, ServingError
from publish.serving.sessions import ANALYST, OWNER, READER, Connection, at_once, set_password

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
LOG_LINE_PREFIX = "%m [%p] %u@%d %h "
"""Of each line of the server's log: when, process, role and database, from where."""
SCHEMAS = {READER: PUBLISHED, ANALYST: MARTS}
MOST_SESSIONS = {READER: 50, ANALYST: 10}
"""Of a role at a time; and together never more than half of what the server takes."""
BOUNDS = Path(__file__).with_name("bounds.sql")
_HARMFUL = re.compile(r"proname ~ '([^']*)'")
_SYSTEM = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"


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
    """Let the analysts' role log in, every statement of it logged by the server with the role's name.

    Raises:
        ServingError: it has no password of its own, the server does not let us have its statements logged, or its log
            does not name who asks.
    """
    if not logins.get(ANALYST):
        raise ServingError(f"FOLLOWUP_PUBLISH_ANALYSTS is on, but the file of logins has no password of {ANALYST}")
    if logins[ANALYST] in (logins.get(READER), logins.get(OWNER)):
        raise ServingError(f"{ANALYST} must have a password of its own")
    if not log_names_roles(connection):
        raise ServingError(
            f"the server's log does not name who asks, so {ANALYST}'s statements could not be told from others' and "
            f"the marts are not loaded; have its administrator run: ALTER SYSTEM SET log_line_prefix = "
            f"'{LOG_LINE_PREFIX}'; SELECT pg_reload_conf()"
        )

    def ensure() -> None:
        _ensure_role(connection, ANALYST, logins[ANALYST])
        ensure_settings(connection, ANALYST)
        grant = sql.SQL("grant connect on database {} to {}")
        connection.execute(grant.format(sql.Identifier(connection.info.dbname), sql.Identifier(ANALYST)))

    at_once(connection, ensure, ANALYST)


def log_names_roles(connection: Connection) -> bool:
    """Whether each line of the server's log has the role: by its prefix, or in columns (csvlog, jsonlog)."""
    prefix = str(_one(connection, "select current_setting('log_line_prefix')"))
    places = {one.strip() for one in str(_one(connection, "select current_setting('log_destination')")).split(",")}
    # %% is a per cent sign, so it begins no other mark
    return "%u" in prefix.replace("%%", "") or places <= {"csvlog", "jsonlog"}


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
        "has_table_privilege(%(role)s, c.oid, 'insert, update, delete, truncate, trigger')",
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

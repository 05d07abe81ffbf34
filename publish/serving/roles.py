"""The roles of the database that BI reads: what each may do, made so at every serving, and held against the catalogue.

`followup_reader` reads the schema `published` and nothing else. `followup_analyst` reads the unprotected marts; it does
not exist until an installation turns it on, and then the server logs every statement of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import psycopg.conninfo
from psycopg import sql

from ingest.settings import Settings
from publish.serving.release_file import PUBLISHED, ServingError

READER = "followup_reader"
ANALYST = "followup_analyst"
OWNER = "owner"
MARTS = "marts"
SETTINGS_OF_ROLES = {
    "default_transaction_read_only": "on",
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "60s",
}
"""Defaults, which a session can change; what holds whatever it sets are the grants."""
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
    try:
        return psycopg.connect(
            psycopg.conninfo.make_conninfo(url, password=logins.get(OWNER), application_name="followup publish"),
            autocommit=True,
            connect_timeout=15,
        )
    except psycopg.Error as error:
        raise ServingError(f"the database for BI can't be reached: {str(error).strip()}") from None


def ensure_reader(connection: Connection, logins: dict[str, str]) -> None:
    """Make the reader's role and the database's rights as they must be, but for the grants that a swap gives."""
    with connection.transaction():
        _ensure_role(connection, READER, logins.get(READER))
        _set(connection, READER, SETTINGS_OF_ROLES | {"search_path": PUBLISHED})
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("revoke all on database {} from public").format(database))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(READER)))
        if _one(connection, "select true from pg_namespace where nspname = 'public'"):
            connection.execute("revoke all on schema public from public")
        _refuse_writing_large_objects(connection)


def ensure_analyst(connection: Connection, logins: dict[str, str]) -> None:
    """Let the analysts' role log in, every statement of it logged by the server.

    Raises:
        ServingError: it has no password of its own, or the server does not let us have its statements logged.
    """
    if not logins.get(ANALYST):
        raise ServingError(f"FOLLOWUP_PUBLISH_ANALYSTS is on, but the file of logins has no password of {ANALYST}")
    if logins[ANALYST] in (logins.get(READER), logins.get(OWNER)):
        raise ServingError(f"{ANALYST} must have a password of its own")
    with connection.transaction():
        _ensure_role(connection, ANALYST, logins[ANALYST])
        _set(connection, ANALYST, SETTINGS_OF_ROLES | {"search_path": MARTS})
        grant = sql.SQL("grant connect on database {} to {}")
        connection.execute(grant.format(sql.Identifier(connection.info.dbname), sql.Identifier(ANALYST)))
        try:
            _set(connection, ANALYST, {"log_statement": "all"})
        except psycopg.errors.InsufficientPrivilege:
            raise ServingError(
                f"the server does not let its owner log {ANALYST}'s statements, so the marts are not loaded; have its "
                f"administrator run: GRANT SET ON PARAMETER log_statement TO {connection.info.user}"
            ) from None


def turn_analyst_off(connection: Connection) -> bool:
    """Shut the analysts' role out; True when it could log in until now."""
    with connection.transaction():
        can_login = _one(connection, "select rolcanlogin from pg_roles where rolname = %s", ANALYST)
        if can_login:
            connection.execute(sql.SQL("alter role {} nologin").format(sql.Identifier(ANALYST)))
            revoke = sql.SQL("revoke all on database {} from {}")
            connection.execute(revoke.format(sql.Identifier(connection.info.dbname), sql.Identifier(ANALYST)))
        return bool(can_login)


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
        "where refclassid = 'pg_authid'::regclass and refobjid = %(role)s::regrole and deptype = 'o'",
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


def may_make_large_objects(connection: Connection, role: str) -> bool:
    """Whether a role could store large objects, which PostgreSQL lets every role do unless a superuser forbids it."""
    return bool(_one(connection, "select has_function_privilege(%s, 'lo_create(oid)', 'execute')", role))


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
        connection.execute(sql.SQL("alter role {} login noinherit").format(named))
        if password is not None:
            # Only the verifier leaves this process: no server log ever holds the password.
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
            connection.execute(sql.SQL("alter role {} password {}").format(named, sql.Literal(verifier)))
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


def _refuse_writing_large_objects(connection: Connection) -> None:
    """PostgreSQL lets every role make large objects; only a superuser can say otherwise."""
    if connection.info.parameter_status("is_superuser") == "on":
        connection.execute(
            "revoke execute on function lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) from public"
        )


def _one(connection: Connection, query: str, *values: object) -> object:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None

"""Options of every connection to a PostgreSQL: the ledger's and the published database's."""

from __future__ import annotations

from collections.abc import Container

SCRAM = "scram-sha-256"
WAITS = {
    "connect_timeout": 15,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Seconds; milliseconds for the last. A server that is gone without closing is noticed after half a minute."""


def required_auth(*, has_password: bool) -> str:
    """The value of libpq's `require_auth`: a process that merely holds the server's port gets no password in clear.

    Args:
        has_password: whether we give libpq a password. Without, it may find one itself (`.pgpass`, PGPASSWORD) or need
            none (a socket, a certificate): then only the ways that give it away are forbidden.
    """
    return SCRAM if has_password else "!password,!md5"


def connection_options(given: Container[str], *, has_password: bool) -> dict[str, str | int]:
    """Options of a connection that its address does not set itself."""
    wanted: dict[str, str | int] = WAITS | {"require_auth": required_auth(has_password=has_password)}
    return {name: value for name, value in wanted.items() if name not in given}

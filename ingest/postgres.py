"""How every connection of ours to a PostgreSQL is opened, the ledger's and the published database's alike."""

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
"""Seconds, and milliseconds for the last: a server that vanished without a word is noticed after half a minute."""


def required_auth(*, has_password: bool) -> str:
    """The value of libpq's `require_auth`: who merely holds the server's port is not given a password in clear.

    Args:
        has_password: whether we give libpq a password. Without, it may find one itself (`.pgpass`, PGPASSWORD) or need
            none (a socket, a certificate): then only the ways that give it away are forbidden.
    """
    return SCRAM if has_password else "!password,!md5"


def connection_options(given: Container[str], *, has_password: bool) -> dict[str, str | int]:
    """What a connection is opened with beside its address; what the address says itself goes before."""
    wanted: dict[str, str | int] = WAITS | {"require_auth": required_auth(has_password=has_password)}
    return {name: value for name, value in wanted.items() if name not in given}

"""Who acts: the accounts of this process as the system knows them, not as its environment says; or who it acts for."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_LOGIN = Path("/proc/self/loginuid")
_NOBODY_LOGGED_IN = 2**32 - 1


@dataclass(frozen=True)
class ActingUser:
    """Names of accounts, or `uid 1234` of one without a name.

    `account` is the process's own; `login` the one that logged in to this machine, where the system has recorded it
    (auditing by the kernel): it stays the same through `sudo` and `su`.
    """

    account: str
    login: str | None


ActorKind = Literal["account", "dag_run", "user", "token"]


@dataclass(frozen=True)
class Actor:
    """Who the audit log names: an account of the system (`anna as followup` after sudo), a DAG's run, a user, or a
    token of the API (`7 journalsystem`)."""

    kind: ActorKind
    name: str


_ACTING: ContextVar[Actor | None] = ContextVar("acting", default=None)


def current_actor() -> Actor:
    """Who acts now: who `acting_as` says, else the account of this process."""
    if (actor := _ACTING.get()) is not None:
        return actor
    user = acting_user()
    return Actor("account", user.account if user.login in (None, user.account) else f"{user.login} as {user.account}")


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Until the end of the block, what is done is done by this actor."""
    token = _ACTING.set(actor)
    try:
        yield
    finally:
        _ACTING.reset(token)


def acting_user() -> ActingUser:
    """The user of this process. Variables such as LOGNAME are not asked: anybody can set them."""
    try:
        logged_in = int(_LOGIN.read_text(encoding="ascii"))
    except (OSError, ValueError):  # a system that records none
        logged_in = _NOBODY_LOGGED_IN
    login = None if logged_in == _NOBODY_LOGGED_IN else _name(logged_in)
    return ActingUser(_name(os.getuid()), login)


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name[:80]
    except KeyError:
        return f"uid {number}"

"""Who acts: the accounts of this process as the system knows them, not as its environment says."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

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

"""Passwords of local users: argon2id hashes, which ones are refused, drawn ones, and ones from a file."""

from __future__ import annotations

import os
import secrets
import stat
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from ingest.file_permissions import OTHERS
from ingest.portal_login.guessable import is_guessable

SHORTEST = 15
"""Characters: NIST SP 800-63B-4 (3.1.1.2), of a password that is the only factor. No kinds are asked for."""
LONGEST = 128
"""Characters; longer ones cost time to read and are no safer."""
_DRAWN_FROM = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 letters and digits that can't be taken for each other."""
_DRAWN_GROUPS, _DRAWN_GROUP = 6, 4
"""24 of 32 letters: 120 bits."""
_LONGEST_FILE = 4096


@dataclass(frozen=True)
class Cost:
    """Parameters of argon2id."""

    passes: int
    memory_kib: int
    lanes: int


RFC_9106_SECOND = Cost(passes=3, memory_kib=64 * 1024, lanes=4)
"""The second recommended option of RFC 9106 (section 4); more than OWASP's Password Storage Cheat Sheet asks for."""
_HASHED_AT_ONCE = 2
"""Per process: each takes `memory_kib`, and many tries at once must not take the machine's memory."""


class PasswordRefused(Exception):
    """A password can't be used; the message says what to do and never repeats it."""


class Passwords:
    """Hashing and verifying. One per process; may be used from several threads."""

    def __init__(self, cost: Cost = RFC_9106_SECOND) -> None:
        """Take the parameters of new hashes; older hashes carry their own."""
        self._hasher = PasswordHasher(cost.passes, cost.memory_kib, cost.lanes, type=Type.ID)
        self._turns = threading.BoundedSemaphore(_HASHED_AT_ONCE)
        self._of_nobody = self._hasher.hash(secrets.token_bytes(32))

    def hash(self, password: str) -> str:
        """The hash to store, with salt and parameters."""
        with self._turns:
            return self._hasher.hash(_bytes_of(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed.

        One hash is computed whatever is given, so that the answer takes as long for who has no password (None: there is
        no such user, they are disabled, or sign in elsewhere).
        """
        is_possible = stored is not None and len(password) <= LONGEST
        with self._turns:
            try:
                self._hasher.verify(stored or self._of_nobody, _bytes_of(password[:LONGEST]))
            except (VerifyMismatchError, InvalidHashError):
                return False
        return is_possible

    def renewed(self, stored: str, password: str) -> str | None:
        """A hash by today's parameters where the stored one has others; else None."""
        return self.hash(password) if self._hasher.check_needs_rehash(stored) else None


def check_new_password(password: str, name: str) -> None:
    """Refuse a new password that is too short, too long or easy to guess.

    Raises:
        PasswordRefused: it is.
    """
    length = len(unicodedata.normalize("NFKC", password))
    if not SHORTEST <= length <= LONGEST or len(password) > LONGEST:
        raise PasswordRefused(f"a password has {SHORTEST} to {LONGEST} characters: four words or more are easy to keep")
    if not password.isprintable():
        raise PasswordRefused("a password has no line breaks, tabs or other invisible characters")
    if is_guessable(password, name):
        raise PasswordRefused(
            "the password is too easy to guess: without common words, years, rows of keys and the user's name too "
            "little is left; take other words, or --draw"
        )


def draw_password() -> str:
    """A random password of 120 bits that can be read aloud."""
    while True:
        groups = ["".join(secrets.choice(_DRAWN_FROM) for _ in range(_DRAWN_GROUP)) for _ in range(_DRAWN_GROUPS)]
        drawn = "-".join(groups)
        if not is_guessable(drawn, ""):
            return drawn


def read_password_file(path: Path) -> str:
    """The password in a file of ours that nobody else may open: its only line.

    Raises:
        PasswordRefused: it is missing, a link or no file, open to others, another user's, or holds other than one line.
    """
    try:
        held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PasswordRefused(f"the password file can't be read ({error.strerror})") from None
    try:
        found = os.fstat(held)
        if not stat.S_ISREG(found.st_mode):
            raise PasswordRefused("the password file must be a regular file")
        if found.st_mode & OTHERS or found.st_uid != os.geteuid():
            raise PasswordRefused("the password file must be yours and closed to others: chmod 600")
        content = os.read(held, _LONGEST_FILE + 1)
    except OSError as error:
        raise PasswordRefused(f"the password file can't be read ({error.strerror})") from None
    finally:
        os.close(held)
    try:
        text = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise PasswordRefused("the password file must be text in UTF-8") from None
    if not text or "\n" in text or len(content) > _LONGEST_FILE:
        raise PasswordRefused("the password file must hold one line, the password")
    return text


def write_drawn_password(path: Path) -> str:
    """Draw a password and write it into a new file for its owner alone.

    Raises:
        PasswordRefused: the file is there already, or can't be made.
    """
    drawn = draw_password()
    write_secret(path, drawn, "password")
    return drawn


def write_secret(path: Path, secret: str, kind: str) -> None:
    """Write a secret into a new file for its owner alone: one line.

    Raises:
        PasswordRefused: the file is there already, or can't be made; the message names the kind.
    """
    try:
        held = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise PasswordRefused(f"the file for the {kind} is there already, and is never overwritten") from None
    except OSError as error:
        raise PasswordRefused(f"the file for the {kind} can't be made ({error.strerror})") from None
    with os.fdopen(held, "w", encoding="utf-8") as handle:
        os.fchmod(held, 0o600)
        handle.write(f"{secret}\n")


def _bytes_of(password: str) -> bytes:
    """One form for what different keyboards send for the same letters. Half a surrogate pair is never a password."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")

"""Run a program in a process that is killed (SIGKILL) at its n-th step.

A step is a file of the watched folder opened for writing, renamed or removed, a folder or link made there (events of
Python's audit hooks), a transaction of the ledger before its commit and after it, or a line sent to a mail server.
Between two steps the process may be killed too: so many seconds after the one before.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked

DISK, LEDGER, MAIL = "disk", "ledger", "mail"
_ON_DISK = ("os.rename", "os.remove", "os.mkdir", "os.symlink", "os.link", "os.rmdir", "shutil.rmtree")
_UNSTEADY = "/build/"
"""What dbt writes about itself: by several threads, in another order each time."""
_DRIVER = """
import sys
sys.path.append("tests")
from killing import counted
asked = sys.argv[1:5]
sys.argv[1:5] = []
with counted(*asked):
    exec(compile({program!r}, "<program>", "exec"), {{"__name__": "__main__"}})
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: its exit code; negative: the signal that ended it.
        moments: of each step, seconds since the program began; empty where it was killed.
        out, err: what it printed.
    """

    code: int
    moments: tuple[float, ...]
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        """Whether it was."""
        return self.code == -signal.SIGKILL

    @property
    def steps(self) -> int:
        """How many steps it took."""
        return len(self.moments)


def die(
    program: str,
    *arguments: str,
    environment: Mapping[str, str],
    watched: Path | str,
    step: int = 0,
    seconds: float = 0.0,
    kinds: Collection[str] = (DISK, LEDGER, MAIL),
    timeout: float = 240,
) -> Ended:
    """Run a Python program and kill it at a step; 0 lets it live.

    Args:
        program: Python.
        arguments: what its `sys.argv` has after the first.
        environment: its variables, beside this process' own.
        watched: what the path of a file must hold to be counted.
        step: the fatal one, from 1.
        seconds: how long after that step it is killed.
        kinds: which steps are counted.
        timeout: seconds after which it is given up.
    """
    done = forked.run(
        _DRIVER.format(program=program), str(watched), str(step), str(seconds), ",".join(kinds), *arguments,
        environment=os.environ | dict(environment), timeout=timeout,
    )  # fmt: skip
    counts = [line for line in done.stderr.splitlines() if line.startswith("moments=")]
    moments = tuple(map(float, counts[-1].removeprefix("moments=").split(","))) if counts and counts[-1][8:] else ()
    return Ended(done.returncode, moments, done.stdout, done.stderr)


def run(command: list[str], environment: dict[str, str], watched: Path, fatal_step: int = 0) -> tuple[int, int | None]:
    """Run `followup <command>`, of which only steps on disk are counted; 0 lets it live.

    Returns:
        Exit code (negative: the signal that ended it), and how many steps it took when it lived.
    """
    done = die(
        forked.COMMAND_LINE, *command, environment=environment, watched=watched, step=fatal_step, kinds=(DISK,)
    )  # fmt: skip
    if done.code not in (0, 1, -signal.SIGKILL):
        raise AssertionError(f"{command} ended with {done.code}: {done.err[-2000:]}")
    return done.code, None if done.was_killed else done.steps


def spread(steps: int, sample: int) -> list[int]:
    """So many of the steps from 1 on, evenly, first and last among them."""
    return sorted({1 + round(i * (steps - 1) / (sample - 1)) for i in range(sample)})


@contextmanager
def counted(watched: str, fatal: str, seconds: str, kinds: str) -> Iterator[None]:
    """In the process itself: count its steps while the block runs, and die at one; print the moments at its end."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    own, began, moments = os.getpid(), time.monotonic(), []
    is_time = threading.Event()

    def kill_later() -> None:
        is_time.wait()
        time.sleep(float(seconds))
        os.kill(own, signal.SIGKILL)

    def step(*_: object) -> None:
        if os.getpid() != own or sys.is_finalizing():
            return  # a process that it forked: only its parent dies
        moments.append(time.monotonic() - began)
        if len(moments) == int(fatal):
            if float(seconds):
                is_time.set()
            else:
                os.kill(own, signal.SIGKILL)

    def hook(name: str, args: tuple[Any, ...]) -> None:
        if name == "smtplib.send":
            if MAIL in kinds:
                step()
            return
        if name == "open":
            path, _, flags = args
            if not isinstance(path, str) or not (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif name not in _ON_DISK:
            return
        paths = [str(arg) for arg in args[:2]]
        if DISK in kinds and any(watched in path for path in paths) and not any(_UNSTEADY in path for path in paths):
            step()

    if float(seconds):
        threading.Thread(target=kill_later, daemon=True).start()
    if LEDGER in kinds:
        event.listen(Engine, "commit", step)
        event.listen(Pool, "checkin", step)
    sys.addaudithook(hook)
    try:
        yield
    finally:
        sys.stderr.write(f"\nmoments={','.join(f'{moment:.4f}' for moment in moments)}\n")

"""Run a command of ours in a process that is killed (SIGKILL) at its n-th step on disk.

A step is an event of Python's audit hooks: opening a file for writing, renaming, removing, making a folder or a link,
inside the folder that is watched.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import forked

_DRIVER = """
import os, signal, sys
watched, fatal = sys.argv[1], int(sys.argv[2])
steps = 0

def hook(event, args):
    global steps
    if event == "open":
        path, mode, flags = args
        if not isinstance(path, str) or not (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event not in ("os.rename", "os.remove", "os.mkdir", "os.symlink", "os.rmdir", "shutil.rmtree"):
        return
    if not any(watched in str(arg) for arg in args[:2]):
        return
    steps += 1
    if steps == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

from followup.cli.main import main
sys.argv = ["followup", *sys.argv[3:]]
sys.addaudithook(hook)
try:
    main()
finally:
    print(f"steps={steps}", file=sys.stderr)
"""


def run(command: list[str], environment: dict[str, str], watched: Path, fatal_step: int = 0) -> tuple[int, int | None]:
    """Run `followup <command>`; 0 lets it live.

    Returns:
        Exit code (negative: the signal that ended it), and how many steps it took when it lived.
    """
    done = forked.run(_DRIVER, str(watched), str(fatal_step), *command, environment=os.environ | environment)
    counted = [line for line in done.stderr.splitlines() if line.startswith("steps=")]
    if done.returncode not in (0, 1, -signal.SIGKILL):
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.returncode, int(counted[-1].removeprefix("steps=")) if counted else None

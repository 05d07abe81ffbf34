"""Python programs in processes of their own that needn't import our modules first: that takes them seconds.

They are forked from one process that has imported what the command line imports and has done nothing else; its few
threads are of libraries that provide for a fork. What
`run` and `start` give is else what `subprocess` gives for `python -c`: an environment, an exit code, what was printed,
and a process that can be killed.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COMMAND_LINE = "import sys; from followup.cli.main import main; sys.argv[0] = 'followup'; main()"
"""The program that `python -m followup.cli.main` is."""
_SERVER = """
import gc, importlib, json, os, signal, sys, traceback

def imitate(asked):
    for place, number in ((os.devnull, 0), (asked["out"], 1), (asked["err"], 2)):
        os.dup2(os.open(place, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
    os.chdir(asked["folder"])
    os.umask(0o022)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["-c", *asked["arguments"]]
    code = 0
    try:
        exec(compile(asked["program"], "<program>", "exec"), {"__name__": "__main__"})
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

for name in sys.argv[1:]:
    importlib.import_module(name)
gc.collect()
gc.freeze()
children = set()
for line in sys.stdin:
    asked = json.loads(line)
    if "pid" in asked:
        ended, status = os.waitpid(asked["pid"], os.WNOHANG)
        children -= {ended}
        print(json.dumps(os.waitstatus_to_exitcode(status) if ended else None), flush=True)
    else:
        child = os.fork()
        if child == 0:
            imitate(asked)
        children.add(child)
        print(json.dumps(child), flush=True)
for child in children:
    os.kill(child, signal.SIGKILL)
"""
IMPORTED = (
    "followup.cli.main",
    "followup.build.preview",
    "ingest.receiving",
    "ingest.checks.expectations",
    "publish.release.releasing",
    "publish.serving",
    "publish.gate.expectations",
    "dbt.cli.main",
    "dbt.task.build",
    "dbt.adapters.duckdb",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "sqlparse",
)
"""What the command line's commands import, most of it when they need it."""


@dataclass(frozen=True)
class Started:
    """A program that runs."""

    pid: int
    out: Path
    err: Path

    def poll(self) -> int | None:
        """Its exit code (negative: the signal that ended it); None while it runs."""
        code: int | None = _ask({"pid": self.pid})
        return code

    def wait(self, timeout: float = 240) -> int:
        """Its exit code, once it has ended; TimeoutExpired, and it is killed, where that takes longer."""
        give_up_at, pause = time.monotonic() + timeout, 0.002
        while (code := self.poll()) is None:
            if time.monotonic() > give_up_at:
                self.kill()
                raise subprocess.TimeoutExpired("program", timeout, self.out.read_text(), self.err.read_text())
            time.sleep(pause)
            pause = min(0.05, pause * 1.5)
        return code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def start(program: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Started:
    """Start a program in a process of its own.

    Args:
        program: Python.
        arguments: what its `sys.argv` has after the first.
        environment: all of it; by default this process'.
    """
    folder = Path(tempfile.mkdtemp(dir=os.environ["FOLLOWUP_TEST_SHARED"], prefix="forked-"))
    out, err = folder / "out", folder / "err"
    out.touch()
    err.touch()
    pid = _ask(
        {
            "program": program,
            "arguments": arguments,
            "environment": dict(os.environ if environment is None else environment),
            "folder": str(Path.cwd()),
            "out": str(out),
            "err": str(err),
        }
    )
    return Started(pid, out, err)


def run(
    program: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `start`; with its exit code and what it printed."""
    started = start(program, *arguments, environment=environment)
    code = started.wait(timeout)
    return subprocess.CompletedProcess(
        [program, *arguments], code, started.out.read_text(encoding="utf-8"), started.err.read_text(encoding="utf-8")
    )


_server: list[subprocess.Popen[str]] = []


def _ask(question: dict[str, Any]) -> Any:
    if not _server:
        _server.append(
            subprocess.Popen(
                [sys.executable, "-c", _SERVER, *IMPORTED],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            )
        )
        atexit.register(_stop)
    server = _server[0]
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps(question) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    assert answer, f"the process that programs are forked from has ended with {server.wait()}"
    return json.loads(answer)


def _stop() -> None:
    server = _server.pop()
    assert server.stdin is not None
    server.stdin.close()
    server.wait(10)

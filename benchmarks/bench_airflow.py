"""One quarter of fourteen districts (126 files) through Airflow, from trigger to marts: seconds, and peaks of memory.

`make bench` runs it. Prints figures, asserts nothing by time. All in a temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from followup.local.airflow_client import AirflowClient
from followup.local.orchestrator import Orchestrator
from followup.local.rehearsal import FIRST, Rehearsal, RehearsalFiles
from synthetic.city import draw_city

TARGET_SECONDS, TARGET_GIB = 120, 1.5
EVERY_SECONDS = 0.05


class PeakMemory:
    """Watches the processes of one Airflow: peak resident memory by what the process was doing.

    Resident memory counts pages shared with the parent: a forked task shows its worker's libraries as its own.
    """

    def __init__(self, home: Path) -> None:
        """Take whose processes are watched: those with this AIRFLOW_HOME."""
        self._wanted = f"AIRFLOW_HOME={home}".encode()
        self._ours: dict[int, bool] = {}
        self.peaks: dict[str, int] = defaultdict(int)
        self.together = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            private = 0
            for entry in Path("/proc").iterdir():
                if not entry.name.isdigit():
                    continue
                with contextlib.suppress(OSError, KeyError):  # it has just ended
                    if self._is_ours(entry):
                        status = dict(
                            line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line
                        )
                        resident = int(status["VmHWM"].split()[0]) * 1024
                        private += int(status["RssAnon"].split()[0]) * 1024
                        what = _doing((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                        self.peaks[what] = max(self.peaks[what], resident)
            self.together = max(self.together, private)

    def _is_ours(self, entry: Path) -> bool:
        pid = int(entry.name)
        if pid not in self._ours:
            self._ours[pid] = self._wanted in (entry / "environ").read_bytes().split(b"\0")
        return self._ours[pid]


def _doing(command: str) -> str:
    if task := re.search(r"airflow worker -- ([0-9a-f-]{36})", command):
        return task[1]  # the task instance's id
    for part, what in {
        "api": "api-server",
        "scheduler": "scheduler",
        "dag-processor": "dag-processor",
        "LocalExecutor": "executor's worker (tasks are forked from it)",
    }.items():
        if part in command:
            return what
    return "other"


def _tasks(client: AirflowClient) -> dict[str, str]:
    """What each task instance id is."""
    found = {}
    for dag_id in ("collect_submissions", "build_marts"):
        for run in client.runs(dag_id):
            answer = client.call("GET", f"dags/{dag_id}/dagRuns/{run.run_id}/taskInstances", limit=100)
            found |= {task["id"]: f"task {task['task_id']}" for task in answer["task_instances"]}
    return found


def main() -> None:
    """Measure and print."""
    console = Console(highlight=False, width=100)
    with tempfile.TemporaryDirectory(prefix="followup-bench-") as folder:
        stage = RehearsalFiles(Path(folder))
        settings = stage.prepare()
        city = draw_city(stage.folder / "staging", FIRST, FIRST)
        for file in city.files:
            (stage.inbox / file.district).mkdir(parents=True, exist_ok=True)
        stage.set_clock(FIRST)
        orchestrator = Orchestrator(stage.airflow)
        try:
            began = time.monotonic()
            orchestrator.start()
            started = time.monotonic() - began
            with PeakMemory(stage.airflow) as memory:
                client = orchestrator.client()
                rehearsal = Rehearsal(stage, settings, client, Console(quiet=True))
                began = time.monotonic()
                rehearsal.collect(FIRST, city.files)
                collected = time.monotonic() - began
                rehearsal.wait_for_marts()
                marts = time.monotonic() - began
            tasks = _tasks(client)
            runs = [run for dag_id in ("collect_submissions", "build_marts") for run in client.runs(dag_id)]
        finally:
            orchestrator.stop()
    rows = sum(file.rows for file in city.files)
    console.print(f"{len(city.files)} files, {rows} rows, {os.cpu_count()} cores; Airflow up in {started:.1f} s")
    for run in runs:
        console.print(f"  {run.dag_id}: {run.state}, {run.seconds:.1f} s")
    console.print(f"trigger to files in force {collected:.1f} s, to marts {marts:.1f} s")
    console.print(f"  {marts / TARGET_SECONDS:.0%} of the {TARGET_SECONDS} s aimed at; {rows / marts:.0f} rows/s")
    peaks: dict[str, int] = defaultdict(int)
    for what, peak in memory.peaks.items():
        peaks[tasks.get(what, what)] = max(peaks[tasks.get(what, what)], peak)
    table = Table(title="Peak resident memory, the largest process of each kind")
    table.add_column("process")
    table.add_column("MiB", justify="right")
    table.add_column(f"of {TARGET_GIB} GiB", justify="right")
    for what, peak in sorted(peaks.items(), key=lambda item: -item[1]):
        table.add_row(what, f"{peak / 2**20:.0f}", f"{peak / (TARGET_GIB * 2**30):.0%}")
    console.print(table)
    console.print(f"All processes together, shared pages of files not counted: {memory.together / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()

"""Two synthetic years of fourteen districts through a real Airflow, quarter by quarter, on a clock of their own, and a
release of the figures.

`python -m followup.local.rehearsal`. All its files are under data/demo; nothing of an installation is read or touched.
Safe to repeat: what is in force is not taken in again, and an interrupted rehearsal goes on where it stopped.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from followup.build.snapshot import take_snapshot
from followup.local.airflow_client import FINISHED, AirflowClient, AirflowError, Run
from followup.local.figures import FUNNEL, funnel_table, groups_table, release_table, waiting_table
from followup.local.orchestrator import HOME_VARIABLE, Orchestrator, OrchestratorError
from followup.local.postgres_server import HOME_VARIABLE as POSTGRES_HOME_VARIABLE
from ingest.districts import load_districts
from ingest.failures import in_sentences
from ingest.file_permissions import close_to_others, find_open_to_others, go_private, make_folder
from ingest.ledger import Ledger, LedgerError, Submission
from ingest.locations.local_folder import put_file
from ingest.locations.sources import MANIFEST
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter, quarters_between
from ingest.settings import ROOT, Settings, SettingsError
from publish.serving.targets import SITE_FOLDER
from synthetic.city import DATASETS, DrawnFile, draw_city
from synthetic.writing import sha256

FIRST, LAST = Quarter(2018, 1), Quarter(2019, 4)
DAY_OF_COLLECTION = 10
"""Day of the month after the quarter's end on which its files are collected: ten days before they would be late."""
COLLECT_SECONDS = 900
BUILD_SECONDS = 1800
START_OF_BUILD_SECONDS = 120
RELEASE_SECONDS = 1800


class RehearsalFailed(Exception):
    """The rehearsal failed; the message names what failed and the log to read."""


@dataclass(frozen=True)
class RehearsalFiles:
    """The files of the rehearsal, all in one folder."""

    folder: Path = ROOT / "data" / "demo"

    @property
    def inbox(self) -> Path:
        """Parent of the drop locations."""
        return self.folder / "inbox"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def private(self) -> tuple[Path, ...]:
        """What only this service's user may open; what is published is beside it."""
        return self.folder / "home", self.airflow, self.inbox

    @property
    def environment(self) -> dict[str, str]:
        """The settings under which the rehearsal and its Airflow run, and they only."""
        return {
            "FOLLOWUP_HOME": str(self.folder / "home"),
            "FOLLOWUP_INBOX": str(self.inbox),
            "FOLLOWUP_KEYS": str(self.folder / "keys.json"),
            "FOLLOWUP_PUBLISHED": str(self.folder / "published"),
            "FOLLOWUP_NOW": f"@{self.folder / 'clock'}",
            "FOLLOWUP_SETTLE_SECONDS": "0",  # files are put in place whole
            HOME_VARIABLE: str(self.airflow),
            POSTGRES_HOME_VARIABLE: str(self.folder / "postgres"),
        }

    def prepare(self) -> Settings:
        """Make the folders and keys, and let this process's settings be the rehearsal's."""
        make_folder(self.folder / "home")  # and so the folders above it, which others may pass to what is published
        for name in [name for name in os.environ if name.startswith("FOLLOWUP_")]:
            del os.environ[name]
        os.environ |= self.environment
        exports = [f"export {name}={shlex.quote(value)}\n" for name, value in self.environment.items()]
        (self.folder / "environment").write_text("".join(exports), encoding="utf-8")
        settings = Settings()
        for path in list(find_open_to_others(self.private)):  # an earlier version's
            close_to_others(path)
        if not settings.keys.exists():
            make_keys(settings.keys)
        return settings

    def set_clock(self, quarter: Quarter) -> date:
        """Move the clock to the morning on which a quarter is collected, and return the day."""
        day = quarter.next().start.replace(day=DAY_OF_COLLECTION)
        new = self.folder / "clock.new"
        new.write_text(f"{day}T08:00:00\n", encoding="utf-8")
        new.replace(self.folder / "clock")
        return day

    def send(self, file: DrawnFile) -> None:
        """Put a file into its district's drop location, whole, with the list that declares it synthetic."""
        folder = make_folder(self.inbox, file.district)
        for source in (file.path.with_name(MANIFEST), file.path):
            put_file(folder, source.name, source.read_bytes())


_Key = tuple[str, str]


def _key(file: DrawnFile) -> _Key:
    return file.path.name, sha256(file.path.read_bytes())


class Rehearsal:
    """One rehearsal with an Airflow that runs."""

    def __init__(self, stage: RehearsalFiles, settings: Settings, airflow: AirflowClient, console: Console) -> None:
        """Take what it works with; `settings` are the stage's."""
        self.stage, self.settings, self.airflow, self.console = stage, settings, airflow, console
        self._old_builds = {run.run_id for run in airflow.runs("build_marts") if run.state in FINISHED}

    def run(self, files: Sequence[DrawnFile]) -> None:
        """Collect each quarter that is not in force as drawn, or the last once more when all are; marts; a release.

        Raises:
            RehearsalFailed, AirflowError: see `collect`, `wait_for_marts` and `release`.
        """
        held = self._in_force()
        missing = [file for file in files if _key(file) not in held]
        for quarter in quarters_between(FIRST, LAST):
            sent = [file for file in missing if file.quarter == quarter]
            if sent:
                self.collect(quarter, sent)
        if not missing:
            self.console.print(f"All {len(files)} files are in force since an earlier rehearsal.")
            self.console.print(f"{LAST} is sent once more, to see that nothing is taken in twice:")
            self.collect(LAST, [file for file in files if file.quarter == LAST])
            if self._in_force() != held:
                raise RehearsalFailed("files that were in force already were taken in a second time")
        self.stage.set_clock(LAST)
        self.wait_for_marts()
        held = self._in_force()
        lost = [file.path.name for file in files if _key(file) not in held]
        expected = sum(len(load_districts().valid_in(quarter)) for quarter in quarters_between(FIRST, LAST))
        expected *= len(DATASETS)
        if lost or len(held) != expected:
            raise RehearsalFailed(f"{len(held)} submissions are in force and should be {expected}; missing: {lost[:5]}")
        self.release()

    def collect(self, quarter: Quarter, sent: Sequence[DrawnFile]) -> None:
        """Let the districts send files of a quarter, and let Airflow take them in.

        Raises:
            RehearsalFailed: a district's task failed, a file was refused, or a build has failed meanwhile.
            AirflowError: Airflow did not answer or was not done in time.
        """
        day, began, before = self.stage.set_clock(quarter), time.monotonic(), self._in_force()
        for file in sent:
            self.stage.send(file)
        with self.console.status(f"{quarter}: collect_submissions runs"):
            run_id = self.airflow.trigger("collect_submissions")
            run = self.airflow.wait("collect_submissions", run_id, seconds=COLLECT_SECONDS)
        if run.state != "success":
            raise RehearsalFailed(self._failure(run))
        after = self._in_force()
        keys = [_key(file) for file in sent]
        refused = [name for name, checksum in keys if (name, checksum) not in after]
        if refused:
            status = f"( . {_shown(self.stage.folder / 'environment')}; followup status --quarter {quarter} )"
            raise RehearsalFailed(f"{quarter}: not in force: {', '.join(refused[:5])}; why: {status}")
        new = [key for key in keys if key not in before]
        rows = sum(after[key].row_count for key in keys)
        known = len(keys) - len(new)
        what = f"{len(new)} files taken in" if new else f"{known} files answered as already received, none taken in"
        self.console.print(f"  {day}  {quarter}: {what} ({rows} rows), {time.monotonic() - began:.0f} s")
        self._refuse_failed_builds()

    def wait_for_marts(self) -> None:
        """Wait until everything in force is built and no build is left.

        Raises:
            RehearsalFailed: a build failed, or none came.
        """
        began = time.monotonic()
        with self.console.status("build_marts runs"):
            while True:
                self._refuse_failed_builds()
                active = [run for run in self.airflow.runs("build_marts") if run.state not in FINISHED]
                waited = time.monotonic() - began
                if not active and self._is_built():
                    break
                if waited > BUILD_SECONDS or (not active and waited > START_OF_BUILD_SECONDS):
                    log = self.stage.airflow / "logs" / "scheduler.log"
                    raise RehearsalFailed(f"build_marts did not build what is in force in {waited:.0f} s; see {log}")
                time.sleep(1)
        builds = [run for run in self.airflow.runs("build_marts") if run.run_id not in self._old_builds]
        done = f"{len(builds)} runs of build_marts succeeded" if builds else "nothing had changed"
        self.console.print(f"  marts of all that is in force: {done}, {waited:.0f} s after the last collection")

    def release(self) -> None:
        """Let Airflow propose a release that the request itself approves, and serve it.

        Raises:
            RehearsalFailed: the marts have errors, the audit blocked the release, or it could not be served.
            AirflowError: Airflow did not answer or was not done in time.
        """
        began = time.monotonic()
        with self.console.status("publish_release runs"):
            run_id = self.airflow.trigger("publish_release", {"approve": True})
            run = self.airflow.wait("publish_release", run_id, seconds=RELEASE_SECONDS)
        if run.state != "success":
            raise RehearsalFailed(self._failure(run))
        self.console.print(f"  release of what can go out: publish_release succeeded, {time.monotonic() - began:.0f} s")

    def _refuse_failed_builds(self) -> None:
        for run in self.airflow.runs("build_marts"):
            if run.state == "failed" and run.run_id not in self._old_builds:
                with self._ledger() as ledger:
                    build = ledger.last_build("failed")
                raise RehearsalFailed(f"{self._failure(run)}\n{build.detail if build else ''}")

    def _failure(self, run: Run) -> str:
        """Names the DAG, each failed task by what it maps, and its log."""
        lines = [f"{run.dag_id} failed ({run.run_id})"]
        for task in self.airflow.tasks(run.dag_id, run.run_id):
            if task.state == "failed":
                folder = self.stage.airflow / "logs" / "tasks" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
                logs = folder / f"task_id={task.task_id}" / (f"map_index={task.map_index}" if task.mapped_name else "")
                lines.append(f"  {task.task_id} {task.mapped_name or ''}: see {logs}/attempt={task.try_number}.log")
        return "\n".join(lines)

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        ledger = Ledger(self.settings.ledger)
        try:
            yield ledger
        finally:
            ledger.close()

    def _in_force(self) -> dict[_Key, Submission]:
        """Submissions in force by name and checksum of their file: two quarters' files may hold the same."""
        with self._ledger() as ledger:
            return {(found.source_file_name, found.source_file_sha256): found for found in ledger.in_force()}

    def _is_built(self) -> bool:
        with self._ledger() as ledger:
            build, snapshot = ledger.last_build(), take_snapshot(self.settings, ledger)
        return build is not None and self.settings.warehouse.exists() and build.fingerprint == snapshot.fingerprint()


def rehearse(stage: RehearsalFiles, console: Console) -> None:
    """Rehearse the city's two years and print its figures; Airflow is stopped again unless it ran before.

    Raises:
        RehearsalFailed, OrchestratorError, AirflowError, SettingsError, LedgerError: each says what to look at.
    """
    began = time.monotonic()
    settings = stage.prepare()
    with (stage.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RehearsalFailed(f"another rehearsal runs in {stage.folder}") from None
        with console.status("drawing the city"):
            city = draw_city(stage.folder / "staging", FIRST, LAST)
        districts = {file.district for file in city.files}
        console.print(f"Drawn: {len(city.files)} files of {len(districts)} districts, {FIRST}–{LAST}.", city.notice)
        for district in districts:
            make_folder(stage.inbox, district)
        stage.set_clock(FIRST)
        orchestrator = Orchestrator(stage.airflow)
        ran_before = orchestrator.running() is not None
        try:
            with console.status("Airflow starts"):
                running = orchestrator.start(tell=console.print)
            console.print(f"Airflow answers at {running.url}. Each quarter's files are sent and collected:")
            Rehearsal(stage, settings, orchestrator.client(), console).run(city.files)
        finally:
            if not ran_before:
                orchestrator.stop()
    if left_open := list(find_open_to_others(stage.private)):
        raise RehearsalFailed(f"{len(left_open)} files and folders are open to other users: {left_open[0]}")
    _print_figures(stage, settings, console)
    console.print(f"Done in {time.monotonic() - began:.0f} s; Airflow {'still runs' if ran_before else 'is stopped'}.")


def _print_figures(stage: RehearsalFiles, settings: Settings, console: Console) -> None:
    console.print()
    console.print(funnel_table(settings.warehouse))
    console.print(waiting_table(settings.warehouse))
    console.print(groups_table(settings.warehouse))
    console.print(release_table(settings.published))
    python, warehouse, query = (_shown(path) for path in (Path(sys.executable), settings.warehouse, FUNNEL))
    environment = _shown(stage.folder / "environment")
    code = f"import duckdb; duckdb.connect('{warehouse}', read_only=True).sql(open('{query}').read()).show()"
    pages = _shown(settings.published / SITE_FOLDER / "index.html")
    console.print(f"What readers get, a page with a chart per question: open {pages}", soft_wrap=True)
    console.print(f"The marts are the schema marts in {warehouse}. To ask them yourself:")
    console.print(f'  {python} -c "{code}"', soft_wrap=True)
    console.print(
        f"Who has sent what:         ( . {environment}; {_shown(Path(sys.executable).parent)}/followup status )"
    )
    console.print(
        f"The runs in Airflow's page: ( . {environment}; make up ), and to stop it ( . {environment}; make down )"
    )
    console.print("All of it is synthetic: drawn by a seed, about nobody.")


def _shown(path: Path) -> str:
    """A path as it is typed from the checkout, when that is where we are."""
    inside = Path.cwd() == ROOT and path.is_relative_to(ROOT)
    return shlex.quote(str(path.relative_to(ROOT) if inside else path))


def main() -> int:
    """Rehearse under data/demo. Exit 0 when all came out as it must, 1 when not, 130 or 143 when interrupted."""
    go_private()
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rehearse(RehearsalFiles(), console)
    except (RehearsalFailed, OrchestratorError, AirflowError, SettingsError, LedgerError) as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"make demo: {error}")
        return 1
    except KeyboardInterrupt:
        Console(stderr=True).print("make demo: interrupted; Airflow is stopped. Run it again to go on.")
        return 130
    except Exception as error:
        lines = in_sentences(error)
        if not lines:
            raise
        for line in lines:
            Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"make demo: {line}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Building the warehouse: ledger snapshot → dbt → swap, its manifest before it. A failed build leaves the last good
marts in place.
"""

from __future__ import annotations

import gc
import inspect
import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from followup.build.engines import engine_of
from followup.build.lineage import is_configured, send_lineage
from followup.build.project_copy import project_of_organisation
from followup.build.rows_at_hand import build_inputs, remove_fetched
from followup.build.snapshot import PROJECT, Snapshot, project_digest, take_snapshot
from ingest.failures import StorageFailure, cause_in, place_of, sentence
from ingest.file_permissions import make_folder
from ingest.ledger import Ledger
from ingest.ledger.erasures import is_erased_since
from ingest.ledger.store import Build
from ingest.maintenance.reimporting import require_ledger_not_lost
from ingest.organisation import load_organisation, organisation_folder
from ingest.organisation_tables import check_tables
from ingest.settings import Settings
from ingest.storing import write_whole
from publish.catalogue import manifest as catalogue
from publish.catalogue.manifest import Manifest, distil, keep_manifest, manifest_file
from publish.warehouse import PARQUET_FOLDER, is_damaged

_FAILED = frozenset({"error", "fail", "runtime error"})
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_STORAGE_ERROR = re.compile(r"\b(IO|FATAL|INTERNAL|Out of Memory|Serialization|TransactionContext) Error|\[Errno \d+\]")
_MANIFEST = "manifest.json"
"""In a node's message: storage failed, not the model or the data."""


@dataclass(frozen=True)
class NodeResult:
    """The outcome of one seed, model or test. `seconds` is its run time."""

    name: str
    kind: str
    status: str
    seconds: float
    message: str | None


@dataclass(frozen=True)
class BuildResult:
    """A build that left good marts. `status`: built, or unchanged (what is in force was built already)."""

    status: str
    fingerprint: str
    nodes: tuple[NodeResult, ...]
    seconds: float


@dataclass(frozen=True)
class FileBuilt:
    """A warehouse file that was built: the outcome of each node, and the manifest of its models."""

    nodes: tuple[NodeResult, ...]
    described: Manifest


class BuildFailed(Exception):
    """A model or test failed, or dbt could not run. The last good warehouse is still there."""

    def __init__(self, nodes: tuple[NodeResult, ...], reason: str | None = None) -> None:
        """Name what failed."""
        self.nodes, self.reason = nodes, reason
        self.failed = [node.name for node in nodes if node.status in _FAILED]
        super().__init__(reason or f"{len(self.failed)} failed: {', '.join(self.failed[:10])}")


def build(
    settings: Settings, *, force: bool = False, on_node: Callable[[NodeResult], None] | None = None
) -> BuildResult:
    """Build the warehouse from all that is in force.

    Args:
        settings: the installation's.
        force: build even when what is in force was built already.
        on_node: called as each seed, model and test ends.

    Returns:
        What was done.

    Raises:
        BuildFailed: a model or test failed; the last good marts stay.
        DamagedRows: the rows of a submission in force are missing or are not what was stored.
        LeaseBusy: another build runs and did not end within five minutes; or it took over from this one, which was
            stopped for long.
        LedgerError: nothing is in force, and landing/ holds originals that the ledger lacks.
    """
    ledger = Ledger(settings.ledger)
    try:
        with ledger.lease("build", wait_seconds=300):
            snapshot = take_snapshot(settings, ledger)
            if not snapshot.in_force:
                require_ledger_not_lost(settings, ledger)
            fingerprint = snapshot.fingerprint()
            last = ledger.last_build()
            is_whole = (
                settings.warehouse.exists() and manifest_file(settings).exists() and not is_damaged(settings.warehouse)
            )
            remove_fetched(settings.half_done / "build")  # also where a killed build's rows are all that is left
            if not force and last is not None and last.fingerprint == fingerprint and is_whole:
                return BuildResult("unchanged", fingerprint, (), 0.0)
            return _build(settings, ledger, snapshot, fingerprint, on_node)
    finally:
        ledger.close()


def _build(
    settings: Settings,
    ledger: Ledger,
    snapshot: Snapshot,
    fingerprint: str,
    on_node: Callable[[NodeResult], None] | None,
) -> BuildResult:
    started, began = datetime.now(UTC).replace(tzinfo=None), time.monotonic()
    _require_one_key_version(snapshot)
    half_done = make_folder(settings.half_done.absolute())
    folder, upcoming = half_done / "build", half_done / "warehouse.next.duckdb"
    engine, last = engine_of(settings), ledger.last_build()
    engine.tidy(settings.warehouse)  # first: what killed builds left may take the place that this one needs
    try:
        built = build_file(settings, snapshot, upcoming, folder, marts=marts_folder(settings), on_node=on_node)
    except BuildFailed as error:
        detail = error.reason or ", ".join(error.failed)
        ledger.record_build(Build(fingerprint, "failed", started, time.monotonic() - began, detail))
        raise
    seconds = time.monotonic() - began
    with beside(upcoming, settings.warehouse) as whole, ledger.fenced("build") as connection:
        put_in_place(settings, whole, built.described)
        ledger.record_build(Build(fingerprint, "built", started, seconds, None), connection)
    engine.tidy(settings.warehouse, only_in_place=last is not None and is_erased_since(ledger, last.started_at))
    shutil.rmtree(folder / "target", ignore_errors=True)
    return BuildResult("built", fingerprint, built.nodes, seconds)


def marts_folder(settings: Settings) -> Path:
    """Where an engine that writes Parquet files has the folders of the warehouse in place and of the one before."""
    return settings.warehouse.absolute().parent / PARQUET_FOLDER


def put_in_place(settings: Settings, whole: Path, described: Manifest) -> None:
    """Let a warehouse (from `beside`) be the one that counts, its manifest first: no warehouse without it."""
    keep_manifest(described, settings)
    whole.replace(settings.warehouse)


@contextmanager
def beside(built: Path, place: Path) -> Iterator[Path]:
    """A built file, all on disk, on the file system of the place where it is put; what is left of it is removed."""
    whole = built
    make_folder(place.parent)
    for leftover in place.parent.glob(f".{place.name}.*.new"):  # of a process that was killed; the lease is ours
        leftover.unlink(missing_ok=True)
    if built.stat().st_dev != place.parent.stat().st_dev:
        whole = place.with_name(f".{place.name}.{secrets.token_hex(4)}.new")
    try:
        if whole is not built:
            shutil.copyfile(built, whole)
        with whole.open("rb") as handle:
            os.fsync(handle.fileno())
        yield whole
    finally:
        for left in {whole, built}:
            left.unlink(missing_ok=True)


def _require_one_key_version(snapshot: Snapshot) -> None:
    versions = {s.person_key_version for s in snapshot.in_force if s.person_key_version is not None}
    if len(versions) > 1:
        raise BuildFailed((), f"persons in force are keyed under several key versions ({sorted(versions)})")


def build_file(
    settings: Settings,
    snapshot: Snapshot,
    warehouse: Path,
    folder: Path,
    *,
    marts: Path | None = None,
    with_tests: bool = True,
    on_node: Callable[[NodeResult], None] | None = None,
) -> FileBuilt:
    """Build a snapshot into a warehouse file of its own; the ledger and other warehouses are left alone.

    Args:
        settings: the installation's.
        snapshot: what is built.
        warehouse: the file; an old one is removed, and after a failure none is left.
        folder: for dbt's inputs, logs and artefacts.
        marts: where an engine that writes Parquet files has the folders of its builds; default in `folder`.
        with_tests: whether the data tests are run too.
        on_node: called as each seed, model and test ends.

    Returns:
        What was built.

    Raises:
        BuildFailed: a model or test failed, dbt could not run, or persons are keyed under several versions.
        DamagedRows: the rows of a submission in force are missing or are not what was stored.
        StorageFailure: dbt could not write or read.
    """
    _require_one_key_version(snapshot)
    check_tables(load_organisation())
    engine = engine_of(settings)
    engine.require()  # first: rows may have to be fetched
    engine.remove(warehouse)
    with (
        build_inputs(settings, snapshot, folder) as variables,
        engine.session(warehouse, folder, marts or folder / PARQUET_FOLDER),
    ):
        parsed = _parsed_file(settings, warehouse, engine.target)
        project = project_of_organisation(PROJECT, parsed.parent)
        arguments = [*_dbt_arguments(project, variables, folder, with_tests), "--target", engine.target]
        nodes, reason, described = _run_dbt(arguments, folder, parsed, on_node)
        if is_configured():
            send_lineage(project, folder / "target", engine.target)
        failed = [node for node in nodes if node.status in _FAILED]
        if is_good := described is not None and reason is None and not failed:
            assert described is not None
            engine.complete(warehouse, described)
    if described is None or not is_good:
        engine.remove(warehouse)
        for message in (reason, *(node.message for node in failed)):
            if _STORAGE_ERROR.search(message or "") and (cause := cause_in(message or "")) is not None:
                raise StorageFailure(sentence(cause, place_of(warehouse, settings)))
        raise BuildFailed(nodes, reason)
    return FileBuilt(nodes, described)


def _run_dbt(
    arguments: list[str], folder: Path, parsed: Path, on_node: Callable[[NodeResult], None] | None
) -> tuple[tuple[NodeResult, ...], str | None, Manifest | None]:
    """Run dbt in this process; unit tests are left to the test suite.

    The project is parsed once and stored as the file `parsed`, its distilled manifest beside it, until a file of the
    project changes. What differs from build to build is read when a model is compiled.

    Returns:
        The outcome of each node, why dbt could not run at all (None when it ran), and the manifest of the models (None
        when dbt could not read them).
    """
    from dbt.cli.main import dbtRunner

    done: dict[str, NodeResult] = {}

    def on_event(event: Any) -> None:
        log.log(_LEVELS.get(event.info.level, logging.DEBUG), event.info.msg)
        if event.info.name != "NodeFinished":
            return
        info, result = event.data.node_info, event.data.run_result
        node = NodeResult(
            info.node_name, info.resource_type, result.status, float(result.execution_time), result.message or None
        )
        done[info.unique_id] = node
        if on_node is not None:
            on_node(node)

    manifest, described = (None, None) if is_configured() else _read_parsed(parsed)
    if manifest is not None:
        arguments = [*arguments, "--no-write-json"]
    with _build_log(folder / "logs") as log, _gc_paused():
        outcome = dbtRunner(manifest=manifest, callbacks=[on_event]).invoke(arguments)
    if manifest is None:
        described = _store_parsed(folder / "target", parsed)
    nodes = tuple(done.values())
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception  # no fault of the build's
    if outcome.exception is not None:
        return nodes, f"dbt could not run: {type(outcome.exception).__name__}: {outcome.exception}", described
    if outcome.success and described is None:
        return nodes, f"dbt wrote no whole {_MANIFEST} to {folder / 'target'}; run this again", None
    if not outcome.success and not any(node.status in _FAILED for node in nodes):
        return (
            nodes,
            "dbt ended without success; see the log in build/logs under FOLLOWUP_SCRATCH or FOLLOWUP_HOME",
            described,
        )
    return nodes, None, described


def _dbt_arguments(project: Path, variables: dict[str, str], folder: Path, with_tests: bool) -> list[str]:
    left_out = ["unit_test"] if with_tests else ["unit_test", "test"]
    arguments = ["build", "--vars", json.dumps(variables)]
    arguments += [word for kind in left_out for word in ("--exclude-resource-type", kind)]
    arguments += [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(folder / "target"),
    ]
    # dbt would format thousands of events for logs of its own that nobody reads
    arguments += ["--log-path", str(folder / "logs"), "--log-level", "none", "--log-level-file", "none"]
    return [*arguments, "--quiet", "--no-use-colors", "--no-partial-parse"]


class _BestEffortLog(RotatingFileHandler):
    """A log that may lack lines: when the disk is full the build itself fails with that message."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is logging's)
        """Instead of a traceback on standard error."""


@contextmanager
def _build_log(folder: Path) -> Iterator[logging.Logger]:
    """The log of builds, `dbt.log` in a folder; older logs stay until they take some megabytes."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = _BestEffortLog(folder / "dbt.log", maxBytes=5 << 20, backupCount=3, encoding="utf-8")
    lines.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s: %(message)s"))
    log = logging.Logger("dbt", logging.INFO)
    log.addHandler(lines)
    try:
        yield log
    finally:
        lines.close()


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause garbage collection: it would search the parsed project again and again, and free nothing of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parsed_file(settings: Settings, warehouse: Path, target: str = "warehouse") -> Path:
    """The file of the parsed project; its name changes with everything that it is made of."""
    from dbt.version import get_installed_version

    folder = (settings.parsed or settings.half_done / "build" / "parsed").absolute()
    # the database that models are in is named after the warehouse's file, and the parsed project holds paths of seeds;
    # what the manifest holds is decided by the code that distils it
    database = warehouse.name.partition(".")[0]
    place = sha256(f"{PROJECT}{organisation_folder()}{inspect.getsource(catalogue)}".encode()).hexdigest()[:8]
    version = get_installed_version().to_version_string(skip_matcher=True)
    return folder / f"{project_digest()[:32]}-{place}-{version}-{target}-{database}.msgpack"


def _store_parsed(target: Path, parsed: Path) -> Manifest | None:
    """Store what dbt has parsed, and its distilled manifest, and remove those of older files of the project.

    Returns:
        The manifest; None where dbt could not parse the project, or not write all of it.
    """
    new, manifest = target / "partial_parse.msgpack", target / _MANIFEST
    try:
        described = distil(json.loads(manifest.read_bytes()))
    except (FileNotFoundError, ValueError):  # cut off: the disk is full
        return None
    if not new.exists():
        return None
    parsed.parent.mkdir(parents=True, exist_ok=True)
    digest = parsed.name.partition("-")[0]
    for old in (*parsed.parent.glob("*.msgpack"), *parsed.parent.glob("*.json")):
        if not old.name.startswith(digest):
            old.unlink(missing_ok=True)
    write_whole(parsed.with_suffix(".json"), described.model_dump_json().encode())
    write_whole(parsed, new.read_bytes())
    return described


def _read_parsed(parsed: Path) -> tuple[Any, Manifest | None]:
    """The parsed project that an earlier build stored, and its manifest; None twice where one can't be read."""
    from dbt.contracts.graph.manifest import Manifest as ParsedProject

    try:
        described = Manifest.model_validate_json(parsed.with_suffix(".json").read_bytes())
        return ParsedProject.from_msgpack(parsed.read_bytes()), described
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # none, cut off, or of another make
        return None, None


def without_quoted_values(message: str) -> str:
    """The first lines of a database's message, with whatever it quotes left out."""
    lines = [line.strip() for line in message.strip().splitlines()[:3]]
    return re.sub(r"""(["'])(?:(?!\1).)*\1""", "…", " ".join(lines))[:400]

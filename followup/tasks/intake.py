"""What the orchestrator's tasks call: one function each, logging and returning only codes and counts.

Great Expectations and dbt are slow to import, so they are imported when a task does its work and not when Airflow reads
the DAG files.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from importlib import import_module

from ingest.districts import load_districts, load_drop_locations
from ingest.failures import storage_failures_in_words
from ingest.file_permissions import close_home, go_private
from ingest.quarters import Quarter
from ingest.settings import Settings, SettingsError

log = logging.getLogger(__name__)


def warm_up() -> None:
    """Import what the tasks use, so that processes forked from this one need not."""
    for name in (
        "ingest.receiving",
        "ingest.checks.expectations",
        "followup.build.building",
        "dbt.cli.main",
        "dbt.adapters.duckdb",
    ):
        import_module(name)


def settings_of_task() -> Settings:
    """The installation's settings, once what this task writes, and what an earlier version wrote, is closed to others:
    each task has a process of its own, whatever started this Airflow."""
    go_private()
    settings = Settings()
    close_home(settings.home)
    return settings


@storage_failures_in_words
def districts_to_collect(quarter: str | None = None, districts: Sequence[str] | None = None) -> list[str]:
    """Codes of the districts whose drop locations are to be read.

    Args:
        quarter: the quarter that is collected; None or empty means the newest that has ended.
        districts: exactly these; None or empty means the districts valid for the quarter (mergers are followed) where
            districts.yml gives them a drop location, and all other units in whose location something waits.

    Raises:
        SettingsError: a district asked for has no drop location.
        ValueError: the quarter is not written YYYYQn.
    """
    from ingest.receiving import districts_to_visit, warn_of_unknown_folders

    settings = settings_of_task()
    warn_of_unknown_folders(settings)  # by this task alone: once per run
    located = load_drop_locations(settings)
    if districts:
        unknown = sorted(set(districts) - set(located))
        if unknown:
            raise SettingsError(f"{settings.districts}: no drop location for {', '.join(unknown)}")
        return list(districts)
    visited = set(districts_to_visit(settings))
    if quarter:
        registry, newest = load_districts(), Quarter.of(settings.now_date()).previous()
        visited -= {district.code for district in registry.valid_in(newest)}
        visited |= {district.code for district in registry.valid_in(Quarter.parse(quarter))}
    return [code for code in located if code in visited]


@storage_failures_in_words
def collect_district(district: str, quarter: str | None = None) -> tuple[str, ...]:
    """Take in all that waits in one district's drop location, with a line in the log for every file.

    Args:
        district: the district's code.
        quarter: take only this quarter's files; None or empty takes all.

    Returns:
        The quarters, as `2018Q3`, about which the ledger now says something new.

    Raises:
        DropLocationUnreachable: the drop location can't be read.
        ValueError: the quarter is not written YYYYQn.
    """
    from ingest.receiving import receive_district

    receipt = receive_district(settings_of_task(), district, Quarter.parse(quarter) if quarter else None)
    for file in receipt.files:
        log.info(
            "%s: %s %s %s, %s rows, %s errors, %s queries, submission %s",
            district, file.dataset or "unknown dataset", file.quarter or "unknown quarter", file.state,
            file.rows, file.errors, file.queries, file.submission_id or "-",
        )  # fmt: skip
    counts = Counter(file.state for file in receipt.files)
    log.info("%s: %s", district, ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "nothing waited")
    return receipt.changed_quarters


@storage_failures_in_words
def retry_district(district: str, quarter: str | None = None) -> tuple[str, ...] | None:
    """As `collect_district`; None, and a line in the log, while the drop location is still out of reach."""
    from ingest.locations.sources import DropLocationUnreachable

    try:
        return collect_district(district, quarter)
    except DropLocationUnreachable as error:
        log.warning("%s; it is tried again later", error)
        return None


@storage_failures_in_words
def changes_to_build() -> list[tuple[str, str]]:
    """(district code, quarter) of everything that is in the ledger and not in the marts.

    Found by comparing the two, not from what the tasks of one run received. So it also lists what a killed task or the
    command line put in force. When nothing was submitted but a deadline has passed or the models have changed,
    the newest quarter's districts are named. Empty when what is in force was built already, or nothing was ever sent.
    """
    from followup.build.snapshot import take_snapshot
    from ingest.ledger import Ledger
    from publish.warehouse import is_damaged

    settings = settings_of_task()
    ledger = Ledger(settings.ledger)
    try:
        snapshot, built = take_snapshot(settings, ledger), ledger.last_build()
    finally:
        ledger.close()
    submissions = snapshot.submissions
    is_built = built is not None and settings.warehouse.exists() and not is_damaged(settings.warehouse)
    if not submissions or (built is not None and is_built and built.fingerprint == snapshot.fingerprint()):
        return []
    shown = _shown_in_marts(settings) if is_built else set()
    newest = str(Quarter.of(settings.now_date()).previous())
    changed = {
        (found.district_code, found.reporting_quarter or newest)
        for found in submissions
        if (found.submission_id, found.state) not in shown
    }
    if not changed:
        latest = max(found.reporting_quarter or newest for found in submissions)
        changed = {
            (found.district_code, latest) for found in submissions if (found.reporting_quarter or newest) == latest
        }
    return sorted(changed)


def _shown_in_marts(settings: Settings) -> set[tuple[str, str]]:
    """(submission id, state) of what the warehouse was built from; empty when it can't be read."""
    import duckdb

    from publish.warehouse import WarehouseFailed, open_warehouse

    try:
        with open_warehouse(settings.warehouse) as warehouse:
            return set(warehouse.execute("select submission_id, submission_state from core.fct_submission").fetchall())
    except (WarehouseFailed, duckdb.Error):
        return set()


@storage_failures_in_words
def build_and_log() -> str:
    """Build the marts from all that is in force, with a line in the log for every model and test.

    Returns:
        `built`, or `unchanged` when nothing has changed since the last build.

    Raises:
        BuildFailed: a model or a test failed; the last good marts stay.
        DamagedRows: the stored rows of a submission are missing or damaged; `followup restore-rows` mends it.
    """
    from followup.build.building import NodeResult, build, without_quoted_values

    def log_node(node: NodeResult) -> None:
        failed = node.status in ("error", "fail")
        log.log(
            logging.ERROR if failed else logging.INFO,
            "%s %s: %s in %.2f s%s", node.kind, node.name, node.status, node.seconds,
            f" ({without_quoted_values(node.message)})" if failed and node.message else "",
        )  # fmt: skip

    result = build(settings_of_task(), on_node=log_node)
    log.info(
        "%s: fingerprint %s, %d nodes, %.1f s", result.status, result.fingerprint, len(result.nodes), result.seconds
    )
    return str(result.status)

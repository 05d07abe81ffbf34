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
from ingest.quarters import Quarter
from ingest.settings import Settings, SettingsError

log = logging.getLogger(__name__)


def warm_up() -> None:
    """Import what the tasks use, so that processes forked from this one need not."""
    for name in ("ingest.receiving", "ingest.checks", "followup.building", "dbt.cli.main"):
        import_module(name)


def collected_quarter(settings: Settings, quarter: str | None) -> Quarter:
    """The quarter asked for; else the one being collected today: the newest that has ended.

    Raises:
        ValueError: the text is no quarter.
    """
    return Quarter.parse(quarter) if quarter else Quarter.of(settings.now_date()).previous()


def districts_to_collect(quarter: str | None = None, districts: Sequence[str] | None = None) -> list[str]:
    """Codes of the districts whose drop locations are to be read.

    Args:
        quarter: the quarter that is collected; None or empty means the newest that has ended.
        districts: exactly these; None or empty means the districts valid for the quarter (mergers are followed), and
            the city-wide unit, where districts.yml gives them a drop location.

    Raises:
        SettingsError: a district asked for has no drop location.
        ValueError: the quarter is not written YYYYQn.
    """
    settings = Settings()
    located = load_drop_locations(settings)
    if districts:
        unknown = sorted(set(districts) - set(located))
        if unknown:
            raise SettingsError(f"{settings.districts}: no drop location for {', '.join(unknown)}")
        return list(districts)
    registry = load_districts()
    valid = registry.valid_in(collected_quarter(settings, quarter))
    citywide = [district for district in registry.districts if district.kind == "citywide"]
    return [district.code for district in [*valid, *citywide] if district.code in located]


def collect_district(district: str, quarter: str | None = None) -> dict[str, int]:
    """Take in all that waits in one district's drop location.

    Args:
        district: the district's code.
        quarter: take only this quarter's files; None or empty takes all.

    Returns:
        Files by state: `accepted`, `refused`, `duplicate`, `waiting`.

    Raises:
        DropLocationUnreachable: the drop location can't be read.
        ValueError: the quarter is not written YYYYQn.
    """
    from ingest.receiving import receive_district

    receipt = receive_district(Settings(), district, Quarter.parse(quarter) if quarter else None)
    for file in receipt.files:
        log.info(
            "%s: %s %s %s, %s rows, %s errors, %s queries, submission %s",
            district, file.dataset or "unknown dataset", file.quarter or "unknown quarter", file.state,
            file.rows, file.errors, file.queries, file.submission_id or "-",
        )  # fmt: skip
    counts = dict(Counter(file.state for file in receipt.files))
    log.info("%s: %s", district, ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "nothing waited")
    return counts


def changes_to_build() -> list[tuple[str, str]]:
    """(district code, quarter) of everything that has changed since the marts were last built.

    Read from the ledger and not from what the tasks of one run took in: what a killed task, the command line or the
    portal put in force is announced too.
    """
    raise NotImplementedError


def build_and_log() -> str:
    """Build the marts from all that is in force, with a line in the log for every model and test.

    Returns:
        `built`, or `unchanged` when nothing has changed since the last build.

    Raises:
        BuildFailed: a model or a test failed; the last good marts stay.
    """
    from followup.building import NodeResult, build

    def log_node(node: NodeResult) -> None:
        failed = node.status in ("error", "fail")
        log.log(
            logging.ERROR if failed else logging.INFO,
            "%s %s: %s in %.2f s%s", node.kind, node.name, node.status, node.seconds,
            f" ({node.message})" if failed and node.message else "",
        )  # fmt: skip

    result = build(Settings(), on_node=log_node)
    log.info(
        "%s: fingerprint %s, %d nodes, %.1f s", result.status, result.fingerprint, len(result.nodes), result.seconds
    )
    return str(result.status)

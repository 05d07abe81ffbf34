"""What the tasks of `apply_contract` call: trying a contract, and putting the deployed one in use."""

from __future__ import annotations

import logging
from pathlib import Path

from followup.tasks.intake import settings_of_task
from ingest.failures import storage_failures_in_words
from ingest.quarters import Quarter

log = logging.getLogger(__name__)


class ContractNotTried(Exception):
    """The trial could not run; its log has the reason."""


@storage_failures_in_words
def try_and_log(
    folder: str | None = None, dataset: str | None = None, quarter: str | None = None, *, with_figures: bool = True
) -> str:
    """Try a contract on what is in force, with a line in the log for each submission that comes out otherwise.

    Args:
        folder: of changed files, on this machine; None or empty tries the deployed contract.
        dataset, quarter: only theirs; None or empty means all.
        with_figures: whether marts are built and compared.

    Returns:
        The first line: how many come out how.

    Raises:
        ContractNotTried: the changed contract or a mapping can't be used, or the build failed.
        SettingsError: the marts are not of what is in force.
    """
    import subprocess

    from followup.contract_report import text_of
    from followup.contract_trial import in_process_of_its_own, try_contract

    settings = settings_of_task()
    if folder:
        arguments = [*_given("--dataset", dataset), *_given("--quarter", quarter)]
        arguments.append("--figures" if with_figures else "--no-figures")
        done = in_process_of_its_own(
            settings, Path(folder), arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if done.returncode not in (0, 1):
            log.error("%s", done.stderr.strip())
            raise ContractNotTried("the contract could not be tried: see the log")
        lines = done.stdout.splitlines()
    else:
        chosen = Quarter.parse(quarter) if quarter else None
        trial = try_contract(settings, dataset=dataset or None, quarter=chosen, with_figures=with_figures)
        lines = list(text_of(trial))
    for line in lines:
        log.info("%s", line)
    return lines[0] if lines else ""


def _given(option: str, value: str | None) -> list[str]:
    return [option, value] if value else []


@storage_failures_in_words
def apply_and_log(dataset: str | None = None, quarter: str | None = None) -> list[tuple[str, str]]:
    """Put the deployed contract in use, with a line in the log for each submission that comes out otherwise.

    Args:
        dataset, quarter: only theirs; None or empty means all.

    Returns:
        (district code, quarter) of what was recorded anew.
    """
    from followup.contract_report import line_of
    from followup.contract_trial import chosen
    from ingest.maintenance.checking_again import apply_contract
    from ingest.recording import open_intake

    with open_intake(settings_of_task()) as intake:
        submissions = chosen(intake, dataset or None, None, quarter or None)
        done = apply_contract(intake, submissions)
    for one in done.checked:
        log.info("%s", line_of(one))
    for found in done.locked:
        log.warning("locked, left as it is: %s %s %s", found.district_code, found.dataset, found.reporting_quarter)
    log.info("%d in force checked, %d recorded anew", len(submissions), len(done.recorded))
    return sorted({(one.district_code, one.reporting_quarter or "") for one in done.recorded})

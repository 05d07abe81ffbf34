"""`followup contract try`: what a changed contract, rule, alias or code list would do. Nothing is stored.

A folder of changed files is laid over a copy of the declared parts, and a process of its own reads these: contracts,
rules and seeds are read once per process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from followup.build.building import NodeResult, build_file
from followup.build.figure_diff import MartDiff, diff_marts
from followup.build.preview import link_warehouse, temporary_folder
from followup.build.snapshot import PROJECT, project_digest, take_snapshot
from ingest.checks.suites import require_known_rules, require_whole_rules
from ingest.ledger import Submission
from ingest.ledger.decisions import local_names
from ingest.ledger.mappings import mappings as stored_mappings
from ingest.maintenance.checking_again import CheckedAgain, Outcome, check_in_force
from ingest.mappings.documents import UnitMapping, mistakes_in
from ingest.organisation import OWN, deployed_folder, organisation_folder
from ingest.quarters import Quarter
from ingest.recording import IntakeContext, open_intake
from ingest.settings import DECLARED_IN, ROOT, Settings, SettingsError
from ingest.storing import write_rows

SEEDS = "seeds"
"""The folder of a changed contract whose files are seeds of the dbt project."""
MAPPINGS = "mappings"
"""The folder of a changed contract whose files are units' mappings, as `followup mapping set` reads them."""


class NoSuchDeclaration(Exception):
    """A file of the folder has no counterpart to lie over; the message names it."""


@dataclass(frozen=True)
class Contradicted:
    """A unit's mapping that contradicts a contract, and how: a sentence for each word."""

    district_code: str
    version: int
    mistakes: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What would come of a contract.

    Attributes:
        checked: all submissions in force that were asked for.
        marts: those in which a figure would differ; None when no figures were asked for.
        mappings: units' mappings in use that contradict the contract.
    """

    checked: tuple[CheckedAgain, ...]
    marts: tuple[MartDiff, ...] | None
    mappings: tuple[Contradicted, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether a file that is in force, or a unit's next one, would be refused, or could not be judged."""
        return bool(self.mappings or self.with_outcome(Outcome.refused) or self.with_outcome(Outcome.fault))

    def with_outcome(self, outcome: Outcome) -> list[CheckedAgain]:
        """The submissions with an outcome."""
        return [one for one in self.checked if one.outcome is outcome]


def chosen(
    intake: IntakeContext, dataset: str | None = None, district: str | None = None, quarter: str | None = None
) -> list[Submission]:
    """The submissions in force of a dataset, district and quarter; None means all."""
    return list(intake.ledger.in_force(district=district, dataset=dataset, quarter=quarter))


def try_contract(
    settings: Settings,
    *,
    dataset: str | None = None,
    district: str | None = None,
    quarter: Quarter | None = None,
    with_figures: bool = True,
    most: int | None = 20,
    mappings: Sequence[UnitMapping] = (),
    on_file: Callable[[Submission, int, int], None] = lambda found, number, total: None,
    on_node: Callable[[NodeResult], None] | None = None,
) -> Trial:
    """Check submissions in force under the contract that this process has read, and build the marts as they would be.

    Args:
        settings: the installation's.
        dataset, district, quarter: only theirs.
        with_figures: whether marts are built and compared.
        most: figures listed per mart; None lists all.
        mappings: of units, as they would be set: files that would be read by them are read so.
        on_file: called after each file with its number and how many there are.
        on_node: called as each seed, model and test of a build ends.

    Raises:
        SettingsError: no ledger or keys here; or the marts are not of what is in force, and figures are asked for.
        BuildFailed: with this contract the build would fail.
        ContractError: a rule names a column, code or expectation that there is not.
    """
    require_whole_rules()
    require_known_rules()
    with open_intake(settings) as intake, temporary_folder(settings.half_done.absolute() / "trial") as folder:
        submissions = chosen(intake, dataset, district, None if quarter is None else str(quarter))
        others: dict[str, Submission] = {}

        def keep(found: Submission, rows: pa.Table) -> None:
            path = folder / f"{found.submission_id}.parquet"
            checksum = write_rows(path, rows)
            others[found.submission_id] = replace(found, parquet_path=str(path), parquet_sha256=checksum)

        checked = []
        again = check_in_force(intake, submissions, keep if with_figures else _drop, _words_for(intake, mappings))
        for number, one in enumerate(again, start=1):
            checked.append(one)
            on_file(one.submission, number, len(submissions))
        marts = _figures(intake, others, folder, most, on_node) if with_figures else None
        contradicted = tuple(_contradicted(intake, district, mappings))
    return Trial(tuple(checked), marts, contradicted)


def _words_for(intake: IntakeContext, tried: Sequence[UnitMapping]) -> Callable[[Submission], UnitMapping | None]:
    """By which of the mappings that are tried a submission would be read; None where by none of them."""
    stored = stored_mappings(intake.ledger) if tried else []

    def words(found: Submission) -> UnitMapping | None:
        quarter = Quarter.parse(found.reporting_quarter or "")
        valid = [one for one in (*stored, *tried) if one.district_code == found.district_code]
        valid = [one for one in valid if one.valid_from <= quarter]
        # of one quarter the tried one is the newest: it is not set yet, and has no number
        used = max(valid, key=lambda one: (one.valid_from, not one.version, one.version), default=None)
        return used if used is not None and not used.version else None

    return words


def _contradicted(intake: IntakeContext, district: str | None, tried: Sequence[UnitMapping]) -> Iterator[Contradicted]:
    """Units' newest mappings that contradict the contract; those that are tried were checked before."""
    newest = {one.district_code: one for one in stored_mappings(intake.ledger, district)}
    for code in sorted(newest.keys() - {one.district_code for one in tried}):
        if mistakes := mistakes_in(newest[code], local_names(intake.ledger)):
            yield Contradicted(code, newest[code].version, tuple(mistakes))


def _drop(found: Submission, rows: pa.Table) -> None:
    """No figures: the rows are not needed."""


def _figures(
    intake: IntakeContext,
    others: dict[str, Submission],
    folder: Path,
    most: int | None,
    on_node: Callable[[NodeResult], None] | None,
) -> tuple[MartDiff, ...]:
    deployed = (ROOT / "dbt_project", deployed_folder())
    if not others and project_digest(*deployed) == project_digest(PROJECT):
        return ()
    settings, snapshot = intake.settings, take_snapshot(intake.settings, intake.ledger)
    after, before = (folder / side / settings.warehouse.name for side in ("after", "before"))
    before.parent.mkdir()
    if not link_warehouse(settings, intake.ledger, snapshot.fingerprint(*deployed), before):
        raise SettingsError("the marts are not of what is in force: run `followup build` first, or add --no-figures")
    changed = snapshot.with_submissions(others.get(found.submission_id, found) for found in snapshot.submissions)
    build_file(settings, changed, after, after.parent, with_tests=False, on_node=on_node)
    return tuple(diff_marts(before, after, None, None, most))


@contextmanager
def changed_declarations(settings: Settings, folder: Path) -> Iterator[dict[str, str]]:
    """A copy of the declared parts with a folder's files over it, and the environment of a process that reads it.

    Args:
        settings: the installation's.
        folder: of changed files, laid out as expectations/; in `seeds/` those of the dbt project. `mappings/` in it is
            left out.

    Yields:
        The environment.

    Raises:
        NoSuchDeclaration: a file is none of a contract, a suite, a shared list or a seed; or there is no file.
    """
    changed = sorted(path for path in folder.rglob("*") if path.is_file())
    if not changed:
        raise NoSuchDeclaration(f"{folder} holds no file: put the changed ones there, laid out as in expectations/")
    with temporary_folder(settings.half_done.absolute() / "declared") as copy:
        for name in ("expectations", "dbt_project"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("target", "logs"))
        for path in organisation_folder().iterdir():
            if path.is_file():
                shutil.copyfile(path, copy / "dbt_project" / "organisation" / path.name)
        for path in changed:
            if path.relative_to(folder).parts[0] != MAPPINGS:  # these are no part of what is declared
                shutil.copyfile(path, _counterpart(copy, path.relative_to(folder)))
        yield {**os.environ, DECLARED_IN: str(copy), "FOLLOWUP_PARSED": str(copy / "parsed")}


def _counterpart(copy: Path, relative: Path) -> Path:
    if relative.parts[0] != SEEDS:
        target = copy / "expectations" / relative
    elif relative.stem in OWN:
        target = copy / "dbt_project" / "organisation" / relative.name
    else:
        target = copy / "dbt_project" / relative
    if not target.is_file():
        raise NoSuchDeclaration(f"{relative} changes nothing: there is no such file in expectations/ or the seeds")
    return target


def in_process_of_its_own(settings: Settings, folder: Path, arguments: Sequence[str], **options: Any) -> Any:
    """Run `followup contract try` with a folder's changes, in another process.

    Args:
        settings: the installation's.
        folder: see `changed_declarations`.
        arguments: of the command, without the folder.
        options: of `subprocess.run`.

    Returns:
        What `subprocess.run` returns.
    """
    words = [part for path in sorted((folder / MAPPINGS).glob("*")) for part in ("--mapping", str(path))]
    with changed_declarations(settings, folder) as environment:
        command = [sys.executable, "-m", "followup.cli.main", "contract", "try", *arguments, *words]
        return subprocess.run(command, env=environment, check=False, **options)

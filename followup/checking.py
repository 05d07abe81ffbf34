"""Checking files by hand, before they are submitted: nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from followup.mapping import read_checked
from ingest.checking import CheckReport, check_file
from ingest.comparing import with_changes
from ingest.explaining import with_explained
from ingest.feedback_workbook import ENDING, as_workbook
from ingest.ledger import Ledger
from ingest.naming import read_name
from ingest.persons.keys import load_keys, throwaway_keys
from ingest.recording import circumstances_of, require_current_keys
from ingest.row_files import row_files
from ingest.settings import MEGABYTE, Settings
from ingest.storing import write_whole


def check_paths(
    settings: Settings,
    paths: Sequence[Path],
    on_file: Callable[[int, int, str], None] | None = None,
    words: Path | None = None,
) -> list[tuple[Path, CheckReport]]:
    """Check files one by one, in the order given.

    Rules over several files are tried against what is in force when this installation has a ledger and keys, and the
    reports say what a resubmission would change; else such rules are listed as skipped.

    Args:
        settings: the installation's; a district's own computer needs none of it.
        paths: files to check.
        on_file: called before each with its number, how many there are, and its name.
        words: a unit's mapping that is not set yet; its files are read by it.

    Raises:
        MappingRefused: the mapping can't be used.
        SettingsError: the installation's keys can't be read, or their rotation has not ended.
    """
    has_ledger = settings.ledger_url is not None or (settings.home / "ledger.sqlite").exists()
    use_past = has_ledger and settings.keys.exists()
    keys = load_keys(settings.keys) if use_past else throwaway_keys()
    ledger = Ledger(settings.ledger) if use_past else None
    reports = []
    try:
        mapping = None if words is None else read_checked(words, ledger)
        if ledger is not None:
            require_current_keys(keys, ledger)
        for number, path in enumerate(paths, start=1):
            name = read_name(path.name)
            if on_file is not None:
                on_file(number, len(paths), name.shown)
            with path.open("rb") as handle:
                raw = handle.read(settings.max_file_megabytes * MEGABYTE + 1)
            circumstances = circumstances_of(settings, keys, ledger, name, name.district)
            if mapping is not None and mapping.district_code == name.district:
                circumstances = replace(circumstances, mapping=mapping)
            report = check_file(raw, name, circumstances)
            if ledger is not None:
                report = with_explained(with_changes(report, ledger, row_files(settings), keys), ledger, keys)
            reports.append((path, report))
    finally:
        if ledger is not None:
            ledger.close()
    return reports


def write_feedback(folder: Path, reports: Sequence[CheckReport]) -> list[Path]:
    """Write each report as a workbook `<name>.aterkoppling.xlsx`, the folder made when missing.

    Two files of one name (from two folders) get a number between name and ending.

    Returns:
        The paths of the workbooks, in the order given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for report in reports:
        name, number = report.name.shown.replace("/", "_"), 1
        path = folder / f"{name}.{ENDING}"
        while path in written:
            number += 1
            path = folder / f"{name}.{number}.{ENDING}"
        write_whole(path, as_workbook(report.name.shown, report))
        written.append(path)
    return written

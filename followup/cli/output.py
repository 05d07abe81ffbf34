"""What the commands print."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingest.contracts import load_contracts
from ingest.ledger import Ledger
from ingest.ledger.store import RuleCount
from ingest.quarters import Quarter
from ingest.settings import Settings

if TYPE_CHECKING:
    from followup.build.building import BuildFailed, BuildResult
    from followup.doctor import DoctorFinding
    from followup.status import LockedOut, OpenQuery, StatusLine, SubmissionStatus
    from ingest.checking import CheckReport
    from ingest.maintenance.reimporting import Reimported
    from ingest.receiving import Receipt
    from publish.release.approving import Release
    from publish.serving import Served
    from synthetic.city import CityDrawn

Step = Callable[[int | None, int | None, str], None]


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


class CheckFormat(StrEnum):
    """How the verdict on files is given."""

    text = "text"
    json = "json"
    xlsx = "xlsx"


@contextmanager
def progress(console: Console, unit: str = "") -> Iterator[Step]:
    """A progress bar on standard error while the block runs; silent when that is no terminal.

    Yields:
        A function to call with (number, total, what); without a total it counts.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(unit or "…", total=None)

        def step(number: int | None, total: int | None, what: str) -> None:
            if number is None:
                bar.update(task, advance=1, description=f"{escape(what[:50])} ({unit})" if unit else escape(what[:60]))
            else:
                bar.update(task, completed=number, total=total, description=escape(what[:60]))

        yield step


def city_report(city: CityDrawn, out: Path) -> str:
    """The report of a drawn city."""
    planted = [file for file in city.files if file.fault]
    rows = sum(file.rows for file in city.files)
    lines = [f"[bold]{escape(city.notice)}[/]"]
    lines.append(f"{len(city.files)} files, {rows} rows, {city.persons} synthetic persons, seed {city.seed} → {out}")
    lines += [f"  planted: {file.fault}: {file.path.name}" for file in planted]
    return "\n".join(lines)


def print_checks(
    console: Console, reports: Sequence[tuple[str, CheckReport]], format: CheckFormat, written: Sequence[Path] = ()
) -> None:
    """Print the verdict and the findings of each file; for Excel the verdict and the path of the workbook."""
    from ingest.feedback import as_json, as_text, verdict

    if format is CheckFormat.xlsx:
        for (_, report), path in zip(reports, written, strict=True):
            line = f"{report.name.shown}: {verdict(report)}"
            console.print(escape(line), style=_style(line), soft_wrap=True, highlight=False)
            console.print(escape(f"  → {path}"), soft_wrap=True, highlight=False)
        return
    if format is CheckFormat.json:
        console.file.write(json.dumps([as_json(file, report) for file, report in reports], ensure_ascii=False) + "\n")
        return
    for file, report in reports:
        for line in as_text(report.name.shown if file.endswith(report.name.shown) else "fil", report):
            console.print(escape(line), style=_style(line), soft_wrap=True, highlight=False)


def _style(line: str) -> str:
    if "TAS INTE IN" in line or line.startswith("  FEL"):
        return "red"
    return "yellow" if line.startswith("  FRÅGA") else ""


def _reasons(counts: Sequence[RuleCount]) -> str:
    return ", ".join(f"{c.rule} ×{c.row_count}" for c in counts if c.severity == "error")


def print_receipt(console: Console, settings: Settings, receipt: Receipt) -> None:
    """Print the outcome of the files, and the reasons of every refusal."""
    states = Counter(file.state for district in receipt.districts for file in district.files)
    words = {"accepted": "accepted", "refused": "refused", "duplicate": "already received", "waiting": "left waiting"}
    counts = ", ".join(f"{states[state]} {word}" for state, word in words.items() if states[state])
    if counts or not receipt.unreachable:
        console.print(counts or "Nothing waits.")
    refused = [(d.district_code, f) for d in receipt.districts for f in d.files if f.state == "refused"]
    if refused:
        ledger = Ledger(settings.ledger)
        try:
            for district, file in refused:
                console.print(f"[red]refused[/] {district} {escape(file.file_name)}", highlight=False, soft_wrap=True)
                for found in _first_of_each(ledger, file.submission_id or ""):
                    console.print(f"    {escape(found)}", highlight=False, soft_wrap=True)
        finally:
            ledger.close()
    for reason in dict.fromkeys(receipt.reasons):
        lost = [code for code, why in zip(receipt.unreachable, receipt.reasons, strict=True) if why == reason]
        line = f"[red]out of reach[/] {', '.join(lost)}: {escape(reason)} (`followup status`: what was taken in before)"
        console.print(line, highlight=False, soft_wrap=True)


_LEFT_IN_LANDING = {
    "overtaken": "left: the ledger has a later file of that district, dataset and quarter",
    "nameless": "left: it does not say what its file was called; have the district send it again",
    "damaged": "left: it can't be decrypted; restore landing/ or the key file",
}


def print_reimported(console: Console, done: Sequence[Reimported]) -> None:
    """Print the outcome of originals that the ledger lacked."""
    for one in done:
        outcome = _LEFT_IN_LANDING.get(one.state, one.state)
        line = f"  {one.district_code} {one.shown}: {outcome}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    states = Counter(one.state for one in done)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    line = f"{len(done)} originals were not in the ledger: {counts}." if done else "The ledger knows every original."
    console.print(line, highlight=False)
    if states["accepted"]:
        console.print(
            "Withdrawals, explanations, locks and names that the ledger has lost are to be made again; then build.",
            highlight=False,
        )


def _first_of_each(ledger: Ledger, submission_id: str) -> list[str]:
    counts = {c.rule: c for c in ledger.rule_counts(submission_id)}
    lines = []
    seen: set[str] = set()
    for found in ledger.findings(submission_id):
        if found.severity == "error" and found.rule not in seen:
            seen.add(found.rule)
            row = f" rad {found.row}" if found.row is not None else ""
            lines.append(f"{found.rule} ×{counts[found.rule].row_count}{row}: {found.message}")
    return lines


def print_build(console: Console, settings: Settings, result: BuildResult) -> None:
    """Print what was built."""
    if result.status == "unchanged":
        console.print("Nothing has changed since the last build.")
        return
    kinds = Counter(node.kind for node in result.nodes)
    made = ", ".join(f"{kinds[kind]} {kind}s" for kind in ("seed", "model", "test") if kinds[kind])
    console.print(f"Built in {result.seconds:.1f} s: {made} → {settings.warehouse}", soft_wrap=True)


def print_failed_build(console: Console, error: BuildFailed) -> None:
    """Print what failed. The full message of the database is only in the log of builds, because it may quote values."""
    from followup.build.building import without_quoted_values

    console.print(
        f"[red]The build failed; the last good marts are still there.[/] {escape(str(error))}", soft_wrap=True
    )
    for node in error.nodes:
        if node.status in ("error", "fail", "runtime error"):
            said = without_quoted_values(node.message) if node.message else node.status
            console.print(f"  {node.kind} {node.name}: {escape(said)}", soft_wrap=True)


def print_release(console: Console, made: Release) -> None:
    """Print the state of a release: what was published and where, or what it waits for; and the result of its audit."""
    if made.notice:
        console.print(f"[bold]{escape(made.notice)}[/]", soft_wrap=True)
    for warning in made.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False, soft_wrap=True)
    for name, rows in made.tables.items():
        console.print(f"  published.{name}: {rows} rows", highlight=False)
    certificate = made.certificate
    if certificate is not None:
        rates = sum(table.rates for table in certificate.tables)
        few = sum(table.too_few for table in certificate.tables)
        console.print(
            f"{certificate.figures} counts, {few} of {rates} rates of too few; {certificate.attacked} counts attacked "
            "(certificate.html says what was found)",
            highlight=False,
            soft_wrap=True,
        )
        if certificate.held:
            console.print(
                f"[yellow]{certificate.held} groups of figures keep their current figures[/]: "
                "their corrections wait for more changed records, or past the limit of draws for the yearly revision "
                "(`followup publish --yearly-revision`)",
                highlight=False,
                soft_wrap=True,
            )
    if made.state == "unchanged":
        console.print(
            f"[yellow]Nothing new[/]: release {made.release_id}, which readers see, shows the same. No release is made "
            "(--force makes one; `followup release serve` serves the current one once more).",
            highlight=False,
            soft_wrap=True,
        )
        return
    kind = "revision" if made.is_revision else "release"
    if made.served is None:
        console.print(
            f"[yellow]Release {made.release_id} waits[/] ({kind}, up to {made.until_quarter}; {made.waits_because}): "
            f"`followup release approve {made.release_id}`",
            highlight=False,
            soft_wrap=True,
        )
        return
    console.print(f"[green]Release {made.release_id} is out[/] ({kind}, up to {made.until_quarter}).", highlight=False)
    print_served(console, made.served)


def print_served(console: Console, served: Served) -> None:
    """Print where readers find a release, and notes on its targets for the operator."""
    lines = f"DuckDB:  {served.duckdb_file}\nParquet: {served.parquet_folder}/\nCSV:     {served.csv_folder}/"
    if served.workbook:
        lines += f"\nExcel:   {served.workbook}"
    if served.site:
        lines += f"\nPages:   {served.site}"
    if served.database:
        lines += f"\nPostgreSQL: {served.database}"
    if served.analysts:
        lines += "\nThe unprotected marts are loaded for followup_analyst."
    console.print(escape(lines), highlight=False, soft_wrap=True)
    for note in served.notes:
        console.print(escape(note), highlight=False, soft_wrap=True)


def print_status(console: Console, found: SubmissionStatus, format: Format) -> None:
    """Print who has submitted what, and why files were refused."""
    if format is Format.json:
        answer = {
            "lines": [asdict(line) for line in found.lines],
            "to_lock": list(found.to_lock),
            "open_queries": [asdict(query) for query in found.open_queries],
            "refusals": [
                {
                    "district": r.submission.district_code,
                    "dataset": r.submission.dataset,
                    "quarter": r.submission.reporting_quarter,
                    "file": r.submission.source_file_name,
                    "submission": r.submission.submission_id,
                    "submitted_at": r.submission.submitted_at.isoformat(),
                    "reasons": [asdict(count) for count in r.reasons],
                    "findings": [asdict(f) for f in r.findings],
                }
                for r in found.refusals
            ],
        }
        console.file.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    if not found.lines and not found.refusals:
        console.print("Nothing has been submitted.")
        return
    quarters = sorted({line.quarter for line in found.lines})
    for quarter in quarters:
        lines = [line for line in found.lines if line.quarter == quarter]
        console.print(_status_table(quarter, lines))
    for refusal in found.refusals:
        s = refusal.submission
        console.print(
            f"[red]refused[/] {s.district_code} {escape(s.source_file_name)}: {_reasons(refusal.reasons)}",
            highlight=False,
            soft_wrap=True,
        )
        seen: set[str] = set()
        for f in refusal.findings:
            if f.severity == "error" and f.rule not in seen:
                seen.add(f.rule)
                row = f" rad {f.row}" if f.row is not None else ""
                console.print(f"    {f.rule}{row}: {escape(f.message)}", highlight=False, soft_wrap=True)
    _print_open_queries(console, found.open_queries)
    if found.to_lock:
        which = ", ".join(found.to_lock)
        console.print(
            f"Old enough to be locked (`followup lock --quarter …`): {which}", highlight=False, soft_wrap=True
        )


def print_locked_out(console: Console, quarter: Quarter, found: LockedOut) -> None:
    """Print what locking a quarter shuts out, before the question whether to lock it."""
    lines = [
        f"  missing {dataset}: {len(units)} units: {', '.join(units)}"
        for dataset, units in sorted(found.missing.items())
    ]
    lines += [
        f"  refused, and nothing accepted after it: {one.district_code} {one.source_file_name}" for one in found.refused
    ]
    lines += [f"  open queries: {unit} {dataset}: {count}" for unit, dataset, count in found.open_queries]
    heading = f"Locking {quarter} shuts out what is not in force by now:" if lines else f"Nothing of {quarter} is open."
    for line in (heading, *lines):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_open_queries(console: Console, queries: Sequence[OpenQuery]) -> None:
    """Print what is to be corrected or explained, file by file."""
    for submission_id, listed in groupby(queries, key=lambda query: query.submission_id):
        of_file = list(listed)
        first = of_file[0]
        console.print(f"[yellow]open queries[/] {first.district_code} {first.dataset} {first.quarter}, {submission_id}")
        for (rule, message), same in groupby(of_file, key=lambda query: (query.rule, query.message)):
            rows = list(same)
            places = ", ".join(f"rad {q.row} [{q.row_key}]" if q.row else f"[{q.row_key}]" for q in rows[:5])
            more = f" … ({len(rows)})" if len(rows) > 5 else ""
            console.print(f"    {rule}: {message} {places}{more}", markup=False, highlight=False, soft_wrap=True)


_LEGEND = (
    "v2: version in force · 3?: open queries · late: after the deadline · refused: a newer file stands refused · "
    "–: missing · .: awaited"
)


def _status_table(quarter: str, lines: Sequence[StatusLine]) -> Table:
    """A row per district, a column per dataset under the prefix of its rules."""
    contracts = load_contracts()
    datasets = [name for name in contracts if any(line.dataset == name for line in lines)]
    is_locked = any(line.is_locked for line in lines)
    table = Table(
        title=f"{quarter}{' (locked)' if is_locked else ''}",
        caption=_LEGEND,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,  # so that at 80 columns no word of a cell is cut
    )
    table.add_column("district", no_wrap=True)
    for dataset in datasets:
        table.add_column(contracts[dataset].prefix)
    cells: dict[str, dict[str, str]] = {}
    for line in lines:
        cells.setdefault(line.district_code, {})[line.dataset] = _cell(line)
    for district, row in cells.items():
        table.add_row(district, *(row.get(dataset, "") for dataset in datasets))
    return table


def _cell(line: StatusLine) -> str:
    if line.state != "in_force":
        text = "[red]–[/]" if line.state == "missing" else "."
    else:
        late = "" if line.is_on_time else " [yellow]late[/]"
        queries = f" [yellow]{line.open_queries}?[/]" if line.open_queries else ""
        text = f"v{line.version}{queries}{late}"
    return text + (" [red]refused[/]" if line.refused else "")


def print_findings(console: Console, found: Sequence[DoctorFinding]) -> None:
    """Print what the doctor found, a line each."""
    for one in found:
        mark = "[green]good[/]" if one.is_good else "[red]look[/]"
        console.print(f"{mark}  {one.what}: {escape(one.message)}", highlight=False, soft_wrap=True)

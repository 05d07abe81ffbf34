"""`followup protect` and `followup audit`: any table in long form."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from followup.cli import output
from followup.cli.options import Exit, FormatOption, console, errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from publish.suppression.auditing import Audit
    from publish.suppression.longform import LongTable
    from publish.suppression.protecting import Protection
    from publish.suppression.tabulating import Tabulated

_RESULT_COLUMNS = ("count", "suppressed", "status", "low", "high")


class Attacker(StrEnum):
    """What readers know."""

    plain = "plain"
    strong = "strong"


CellsArgument = Annotated[Path, typer.Argument(metavar="CELLS.csv", show_default=False)]
DimensionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dim",
        metavar="NAME[=TREE.csv,…]",
        help="A column of CELLS that is a dimension; each needs one. TREE.csv (columns child and parent) says which "
        "codes add up to which; several trees give linked tables. Without a tree all codes add up to 'alla'.",
    ),
]
ThresholdOption = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=1000,
        help="The smallest count that needs no protection: 5 protects counts of 1 to 4. A protected count must look "
        "possible anywhere from 0 to this number, and every suppressed one within an interval at least this wide. "
        "By default what the policy of releases says.",
    ),
]
AttackerOption = Annotated[
    Attacker,
    typer.Option(help="plain: knows the margins, and that counts are not negative. strong: also that they are whole."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(protect)
    app.command()(audit)


def protect(
    cells: CellsArgument,
    dim: DimensionOption = None,
    threshold: ThresholdOption = None,
    attacker: AttackerOption = Attacker.strong,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table as it can go out, hidden counts left empty.")
    ] = None,
    format: FormatOption = output.Format.text,
) -> None:
    """Choose which cells of a table to hide so that no small count can be worked out from the rest.

    CELLS has a column per dimension and `count`. Margins may be in it or are computed; a combination without a row
    counts 0. With a column `suppressed`, what is true in it stays hidden. The result is audited before it is shown.
    Exit 0 when every protected cell is protected, 1 when one can't be, 2 when the file or an option is wrong.
    """
    from publish.suppression.longform import BadCells
    from publish.suppression.protecting import Requirement
    from publish.suppression.protecting import protect as choose
    from publish.suppression.tabulating import linked_of, tabulate, write_cells

    threshold = _threshold(threshold)
    table = _read_table(cells, dim, needs_suppressed=False)
    try:
        tabulated = tabulate(table, missing_is_zero=True)
    except BadCells as error:
        raise _usage_error(f"{cells.name}: {error}") from None
    system = linked_of(tabulated, threshold, _suppressed_rows(tabulated))
    with output.progress(errors, unit="blocks") as bar:
        protection = choose(
            system,
            Requirement(threshold=threshold, width=threshold),
            on_block=lambda done, blocks: bar(done, blocks, "protecting"),
        )
    found = _audit(tabulated, protection.suppressed, system.primary, threshold, attacker)
    if out is not None:
        write_cells(out, tabulated, protection.suppressed)
    answer = _result(tabulated, protection.suppressed, system.primary, found, threshold, attacker)
    answer |= {"method": protection.method, "is_solved": protection.is_solved}
    _print_result(answer, format, _method(protection))
    raise typer.Exit(Exit.DONE if found.is_passed and protection.is_solved else Exit.REFUSED)


def audit(
    cells: CellsArgument,
    number: Annotated[int | None, typer.Argument(min=1, help="With `release` in place of a file: its number.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Of a release: every figure, however long it takes.")] = False,
    dim: DimensionOption = None,
    threshold: ThresholdOption = None,
    attacker: AttackerOption = Attacker.strong,
    format: FormatOption = output.Format.text,
) -> None:
    """Work out what readers can conclude about the suppressed cells of a table.

    CELLS has a column per dimension, `count` and `suppressed` (true or false, 1 or 0, ja or nej). A suppressed row's
    count may be empty; one that is given is never used in the audit, only to see whether the cell is a protected one.
    A margin without a row is taken as published when all true counts below it are given, and as unknown otherwise;
    any other combination without a row is unknown.
    `followup audit release 3 --full` attacks a stored release instead: the current one, or one that waits.
    Exit 0 when nothing is bounded too tightly, 1 when a cell is (a protected one that is shown included), 2 when the
    file or an option is wrong.
    """
    import numpy as np

    from publish.suppression.auditing import NotPublic
    from publish.suppression.longform import BadCells
    from publish.suppression.tabulating import tabulate

    if number is not None:
        if str(cells) != "release" or dim:
            raise _usage_error("a number belongs to a release: followup audit release NUMBER")
        raise typer.Exit(_audit_release(number, full))
    threshold = _threshold(threshold)
    table = _read_table(cells, dim, needs_suppressed=True)
    try:
        tabulated = tabulate(table, missing_is_zero=False)
        marked = _suppressed_rows(tabulated)
        small = np.asarray((tabulated.counts > 0) & (tabulated.counts < threshold))
        found = _audit(tabulated, marked, small, threshold, attacker)
    except (BadCells, NotPublic) as error:
        raise _usage_error(f"{cells.name}: {error}") from None
    _print_result(_result(tabulated, marked, small, found, threshold, attacker), format, "")
    raise typer.Exit(Exit.DONE if found.is_passed else Exit.REFUSED)


def _audit_release(number: int, full: bool) -> Exit:
    from ingest.settings import Settings
    from publish.policy import load_policy
    from publish.release.approving import ReleaseRefused
    from publish.release.auditing import audit_release
    from publish.release.keyed import NotKeyed
    from publish.release.releasing import findings_of
    from publish.warehouse import WarehouseFailed

    try:
        with output.progress(errors, unit="samples") as bar:
            attacked = audit_release(Settings(), number, is_full=full, on_step=bar)
    except (ReleaseRefused, NotKeyed, WarehouseFailed) as error:
        errors.print(f"[red]Not audited:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return Exit.FAILED
    report = attacked.report
    lines = [f"Utgåva {number}: {report.attacked} av {report.figures} uppgifter prövades på {report.seconds:.0f} s."]
    if report.waiting:
        lines.append(
            f"  {report.waiting} av dem visar vad som räknades tidigare, och bedöms inte efter det som räknas nu."
        )
    lines += [f"  {one.sv}: {one.value}" for one in findings_of(attacked, load_policy())]
    lines.append("Över gränserna: " + "; ".join(one.name for one in attacked.breaches) + "." if attacked.breaches
                 else "Inget är över gränserna.")  # fmt: skip
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return Exit.REFUSED if attacked.breaches else Exit.DONE


def _usage_error(message: str) -> typer.Exit:
    errors.print(f"[red]{escape(message)}[/]", soft_wrap=True, highlight=False)
    return typer.Exit(Exit.USAGE)


def _threshold(given: int | None) -> int:
    from publish.policy import PolicyError, load_policy

    try:
        return given if given is not None else load_policy().threshold
    except PolicyError as error:
        raise _usage_error(str(error)) from None


def _read_table(cells: Path, dim: list[str] | None, *, needs_suppressed: bool) -> LongTable:
    from publish.suppression.longform import BadCells, read_cells

    trees: dict[str, list[Path]] = {}
    for option in dim or []:
        name, _, files = option.partition("=")
        name = name.strip()
        if not name or name in _RESULT_COLUMNS:
            raise typer.BadParameter(f"{option}: a dimension needs a name, and none of {', '.join(_RESULT_COLUMNS)}")
        if name in trees:
            raise typer.BadParameter(f"--dim names {name} twice")
        trees[name] = [Path(file.strip()) for file in files.split(",") if file.strip()]
    if not trees:
        raise typer.BadParameter("name the table's dimensions, each with --dim NAME")
    try:
        return read_cells(cells, trees, needs_suppressed=needs_suppressed)
    except BadCells as error:
        raise _usage_error(str(error)) from None


def _suppressed_rows(tabulated: Tabulated) -> NDArray[np.bool_]:
    import numpy as np

    rows = tabulated.table.rows
    return np.array([number is not None and rows[number].is_suppressed for number in tabulated.row_of], dtype=np.bool_)


def _audit(
    tabulated: Tabulated,
    suppressed: NDArray[np.bool_],
    protected: NDArray[np.bool_],
    threshold: int,
    attacker: Attacker,
) -> Audit:
    import numpy as np

    from publish.suppression.auditing import Need
    from publish.suppression.auditing import audit as find_bounds

    with output.progress(errors, unit="parts") as bar:
        return find_bounds(
            [tabulated.public(suppressed)],
            tabulated.hierarchies,
            tabulated.totals,
            attacker=attacker.value,
            protected=[tabulated.cell(tabulated.cells[at]) for at in np.flatnonzero(protected)],
            need=Need(0, threshold, threshold),
            full=True,
            on_component=lambda done, parts: bar(done, parts, "auditing"),
        )


def _method(protection: Protection) -> str:
    return {
        "optimum": "no pattern hides less",
        "heuristic": "cheapest block by block, not proven cheapest",
        "nothing to protect": "nothing needs protection",
    }[protection.method] + ("" if protection.is_solved else f"; {len(protection.unsolved)} cells have no solution")


def _result(
    tabulated: Tabulated,
    suppressed: NDArray[np.bool_],
    protected: NDArray[np.bool_],
    found: Audit,
    threshold: int,
    attacker: Attacker,
) -> dict[str, Any]:
    failed = {failure.cell for failure in found.failures}
    names = list(tabulated.totals)
    listed: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for at, codes in enumerate(tabulated.cells):
        known = not math.isnan(tabulated.counts[at])
        if not known and tabulated.row_of[at] is None:
            continue
        cell = tabulated.cell(codes)
        count = int(tabulated.counts[at]) if known else None
        bounds = found.bounds.get(cell)
        low, high = (bounds.low, bounds.high) if bounds is not None else (count, count)
        status = "shown"
        if suppressed[at]:
            status = "few" if protected[at] else "secondary"
        one = dict(zip(names, codes, strict=True)) | {
            "count": count, "status": status, "low": _number(low), "high": _number(high),
        }  # fmt: skip
        listed.append(one)
        if cell in failed:
            failures.append(one)
    return {
        "threshold": threshold,
        "protected_counts": f"1-{threshold - 1}",
        "attacker": attacker.value,
        "passed": found.is_passed,
        "failures": failures,
        "cells": listed,
    }


def _number(value: float | None) -> int | float | None:
    """A whole number as one; no bound, or none known, as None."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else round(value, 6)


def _print_result(answer: dict[str, Any], format: output.Format, method: str) -> None:
    if format is output.Format.json:
        console.file.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    cells = answer["cells"]
    few, secondary = (sum(cell["status"] == status for cell in cells) for status in ("few", "secondary"))
    lines = [
        f"{len(cells)} cells: {few} hidden because they count {answer['protected_counts']}, {secondary} others hidden"
        + (f" ({method})" if method else "")
    ]
    lines += [f"  {_cell_line(cell)}" for cell in cells if cell["status"] != "shown"]
    if answer["passed"]:
        lines.append(f"Nothing can be bounded too tightly ({answer['attacker']} attacker).")
    else:
        lines.append(f"{len(answer['failures'])} cells can be bounded too tightly ({answer['attacker']} attacker):")
        lines += [f"  {_cell_line(cell)}" for cell in answer["failures"]]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _cell_line(cell: dict[str, Any]) -> str:
    codes = ", ".join(f"{k} {v}" for k, v in cell.items() if k not in _RESULT_COLUMNS)
    count = "" if cell["count"] is None else f" {cell['count']}"
    if cell["low"] == cell["high"] and cell["low"] is not None:
        return f"{codes}:{count} ({cell['status']}), known exactly: {cell['low']}"
    high = "any number" if cell["high"] is None else cell["high"]
    return f"{codes}:{count} ({cell['status']}), can be {cell['low']} to {high}"

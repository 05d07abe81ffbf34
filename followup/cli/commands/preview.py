"""`followup preview FILE`: which figures a file would change, before it is submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from followup.build.figure_diff import WHOLE, Figure, MartDiff, Value
from followup.cli import output
from followup.cli.options import Exit, FormatOption, console, errors
from ingest.settings import Settings

if TYPE_CHECKING:
    from followup.build.preview import Preview

SHOWN_FIGURES = 20
"""Figures shown per mart; all are counted."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(preview)


def preview(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, metavar="FILE")],
    format: FormatOption = output.Format.text,
    all_figures: Annotated[bool, typer.Option("--all", help="List every figure of the district and quarter.")] = False,
) -> None:
    """Show which figures would move if a file were taken in now. Nothing is stored.

    Builds a temporary warehouse with the file in place of the version in force, and compares. Exit 1 when the file
    would be refused (and why), 3 when the build would fail with it.
    """
    from followup.build.building import BuildFailed
    from followup.build.preview import as_json
    from followup.build.preview import preview as make_preview

    settings = Settings()
    try:
        with output.progress(errors, unit="models and tests") as bar:
            done = make_preview(
                settings,
                file,
                most=None if all_figures else SHOWN_FIGURES,
                on_node=lambda node: bar(None, None, node.name),
            )
    except BuildFailed as error:
        errors.print(f"[red]With this file the next build would fail.[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(Exit.FAILED) from None
    if format is output.Format.json:
        console.file.write(json.dumps(as_json(str(file), done), ensure_ascii=False) + "\n")
    else:
        for line in text_of(done):
            console.print(escape(line), soft_wrap=True, highlight=False)
    raise typer.Exit(Exit.DONE if done.report.accepted else Exit.REFUSED)


def text_of(done: Preview) -> list[str]:
    """Lines for people: those of the check, then the figures that differ, mart by mart."""
    from ingest.feedback import as_text

    name = done.report.name
    lines = list(as_text(name.shown, done.report))
    if not done.report.accepted:
        return lines
    if done.is_known:
        version = done.replaced.version if done.replaced else None
        return [*lines, f"The same content as version {version}, which is in force: no figure moves."]
    if not done.marts:
        return [*lines, "No figure moves."]
    for mart in done.marts:
        lines += ["", *_mart_lines(mart, f"{name.district} {name.quarter}")]
    return lines


def _mart_lines(mart: MartDiff, here: str) -> list[str]:
    other = [
        f"{count} of {whose}"
        for count, whose in (
            (mart.other_quarters, "its other quarters"),
            (mart.city, "the whole city"),
            (mart.elsewhere, "other districts"),
        )
        if count
    ]
    lines = [f"{mart.mart}: {mart.here} of {here}{''.join(f', {part}' for part in other)}"]
    wheres = [_row_label(figure) for figure in mart.figures]
    width = max(map(len, wheres), default=0)
    measure_width = max((len(figure.measure) for figure in mart.figures), default=0)
    for figure, where in zip(mart.figures, wheres, strict=True):
        change = f"{_shown(figure.before)} → {_shown(figure.after)}"
        lines.append(f"  {where:<{width}}  {figure.measure:<{measure_width}}  {change}")
    if mart.here > len(mart.figures):
        lines.append(f"  … and {mart.here - len(mart.figures)} more (--all lists them)")
    return lines


def _row_label(figure: Figure) -> str:
    """The key of a row, without the heading's columns and those that it is not broken down by."""
    in_heading, not_shown = ("district_code", "reporting_quarter"), (WHOLE, "False", "None")
    parts = [value for name, value in figure.key.items() if name not in in_heading and value not in not_shown]
    return ", ".join(["total"] * (figure.cuts == 0) + parts)


def _shown(value: Value) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Watching an installation from outside: its metrics."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from followup.cli.options import Exit, errors
from ingest.ledger import Ledger
from ingest.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(metrics)


def metrics(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write them there, for node_exporter's textfile collector."),
    ] = None,
) -> None:
    """Print counts and ages of this installation for Prometheus; nothing of any unit or person."""
    from followup.metrics import metrics_text, write_metrics

    settings = Settings()
    if out is None:
        with closing(Ledger(settings.ledger)) as ledger:
            typer.echo(metrics_text(settings, ledger), nl=False)
    elif not write_metrics(settings, out):
        errors.print(f"The ledger does not answer; {out} says so.", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(Exit.FAILED)

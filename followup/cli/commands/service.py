"""A systemd unit for a machine without containers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from followup.cli.options import Exit, console, errors
from ingest.settings import Settings

service_app = typer.Typer(help="Airflow as a systemd service, for a machine without containers.", no_args_is_help=True)
RunAsOption = Annotated[
    str | None, typer.Option("--run-as", metavar="USER", help="As root: the user under whom it runs.")
]
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Write the files here, to be put in place by hand.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(service_app, name="service")


@service_app.command()
def install(run_as: RunAsOption = None, to: ToOption = None) -> None:
    """Write a unit that does what `make up` does, with the machine's start, and that starts again what ends.

    As root a unit of the machine, else one of your own (then `loginctl enable-linger` lets it run without you). The
    settings are those of this shell's environment. Nothing is started: the commands for that are printed.
    """
    from followup.local import service as services

    try:
        found = services.find_service(run_as, to)
        is_new = services.install(found, Settings().airflow_home)
    except services.ServiceError as error:
        errors.print(f"[red]{error}[/]", soft_wrap=True, highlight=False)
        raise typer.Exit(Exit.FAILED) from None
    console.print(f"Unit:     {found.unit_file}", soft_wrap=True, highlight=False)
    already = "" if is_new else " (was there, left as it is)"
    console.print(f"Settings: {found.environment_file}{already}", soft_wrap=True, highlight=False)
    console.print("Stop what `make up` has started (make down), then:", highlight=False)
    console.print(f"  {found.systemctl} daemon-reload", highlight=False)
    console.print(f"  {found.systemctl} enable --now {services.UNIT}", highlight=False)
    console.print(f"To see how it fares: {found.systemctl} status {services.UNIT}", soft_wrap=True, highlight=False)


@service_app.command()
def remove(run_as: RunAsOption = None, to: ToOption = None) -> None:
    """Remove the unit. Its settings and all data stay."""
    from followup.local import service as services

    try:
        found = services.find_service(run_as, to)
        was_there = services.remove(found)
    except services.ServiceError as error:
        errors.print(f"[red]{error}[/]", soft_wrap=True, highlight=False)
        raise typer.Exit(Exit.FAILED) from None
    if not was_there:
        console.print(f"There is no {found.unit_file}.", soft_wrap=True, highlight=False)
        return
    console.print(f"{found.unit_file} is removed. If it runs still:", soft_wrap=True, highlight=False)
    console.print(f"  {found.systemctl} stop {services.UNIT}; {found.systemctl} daemon-reload", highlight=False)

"""What all commands share: the console, exit codes, options."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import typer
from rich.console import Console

from followup import reporting
from ingest.quarters import Quarter

EXIT_CODES = (
    "Exit codes: 0 done; 1 some file is refused, or a check failed; 2 wrong usage; "
    "3 the operation failed (a drop location out of reach, a failed build, missing keys)."
)
console = Console()
errors = Console(stderr=True)


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    FAILED = 3


def quarter_of(text: str | Quarter) -> Quarter:
    """Read an option's quarter.

    Raises:
        typer.BadParameter: it is none.
    """
    if isinstance(text, Quarter):  # a default
        return text
    try:
        return Quarter.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


QuarterOption = Annotated[
    Quarter | None, typer.Option("--quarter", "-q", parser=quarter_of, metavar="YYYYQn", help="Only this quarter.")
]
InboxOption = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Look for files in DIR/<district>/ instead of where districts.yml says."),
]
FormatOption = Annotated[reporting.Format, typer.Option("--format", "-f", help="text for people, json for programs.")]

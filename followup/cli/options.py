"""What all commands share: the console, exit codes, options."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import sys
import traceback
from collections.abc import Iterator
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import rich.console
import typer
from typer.core import TyperGroup

from followup.cli import output
from followup.cli.entry import INTERRUPTED, INTERRUPTED_CODE
from ingest.contracts import ContractError
from ingest.failures import DEVICE, cause_of, in_sentences, sentence
from ingest.ledger import LedgerError
from ingest.ledger.leases import LeaseBusy
from ingest.locations.sources import DropLocationUnreachable
from ingest.quarters import Quarter
from ingest.settings import ROOT, Settings, SettingsError

EXIT_CODES = (
    "Exit codes: 0 done; 1 some file is refused, or a check failed; 2 wrong usage; "
    "3 the operation failed (a disk, a database, a drop location, a build, missing keys); "
    "130 interrupted by Ctrl-C."
)


class _Console(rich.console.Console):
    """A console that raises when its reader has ended, so that it is a failure like others."""

    def on_broken_pipe(self) -> None:
        """Instead of ending the process with code 1."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


console = _Console()
errors = _Console(stderr=True)


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    FAILED = 3
    INTERRUPTED = INTERRUPTED_CODE


TRACEBACK = "FOLLOWUP_TRACEBACK"
"""Variable that, set to 1, shows developers the whole of an internal error; it may quote data."""


class Commands(TyperGroup):
    """The commands, none of which ends with a traceback: what failed is one sentence, and exit code 3."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        with failures_in_a_sentence():
            return super().invoke(ctx)


@contextlib.contextmanager
def failures_in_a_sentence() -> Iterator[None]:
    """Print a failure in the block on standard error, in one sentence that repeats nothing of the data.

    Raises:
        typer.Exit: with code 3, or 130 of Ctrl-C; other endings of a command (its own exit code, wrong usage) pass.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # None where the shell has closed it
                sys.stdout.flush()  # now: at the end of the process nothing can report a failure
    except (Exception, KeyboardInterrupt) as error:
        if _is_for_typer(error):
            raise
        lines = _failure_of_standard_output(error) or _known_failure(error)
        if not lines:
            if os.environ.get(TRACEBACK) == "1":
                raise
            lines = [_internal_error(error)]
        with contextlib.suppress(OSError):
            for line in lines:
                errors.print(line, style="red", markup=False, soft_wrap=True, highlight=False)
        raise typer.Exit(Exit.INTERRUPTED if _is_interruption(error) else Exit.FAILED) from None


def _is_interruption(error: BaseException) -> bool:
    """Whether somebody pressed Ctrl-C, also at a question."""
    return isinstance(error, KeyboardInterrupt | typer.Abort)


def _is_for_typer(error: BaseException) -> bool:
    """Whether typer handles the exception itself: an exit code, wrong usage."""
    return any(one.__name__ in ("Exit", "ClickException") for one in type(error).__mro__)


def _known_failure(error: BaseException) -> list[str]:
    """The sentence of a known kind of failure; nothing for others."""
    if _is_interruption(error):
        return [INTERRUPTED]
    if isinstance(error, SettingsError | LedgerError | LeaseBusy | DropLocationUnreachable | ContractError):
        return [str(error)]
    return in_sentences(error)


_PRINTERS = (__file__, rich.console.__file__, typer.echo.__code__.co_filename)
"""Source files whose lines write to standard output."""


def _failure_of_standard_output(error: BaseException) -> list[str]:
    """The sentence when standard output is full or closed; nothing for other failures."""
    if not isinstance(error, OSError) or error.filename is not None:
        return []
    last = traceback.extract_tb(error.__traceback__)[-1]
    if last.filename not in _PRINTERS and ".file.write" not in (last.line or ""):
        return []
    _silence(sys.stdout)
    if error.errno == errno.EPIPE:
        return ["standard output was closed before all was printed"]
    return [sentence(cause_of(error) or DEVICE, "standard output")]


def _silence(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _internal_error(error: BaseException) -> str:
    """The sentence of a fault of ours: its kind and place, never its message, which may quote data."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename]
    at = (ours or frames)[-1]
    file = Path(at.filename)
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name
    return (
        f"internal error {type(error).__name__} at {shown}:{at.lineno}: nothing half-done counts; report it, or see "
        f"all of it with {TRACEBACK}=1 (which may quote data)"
    )


def is_agreed(question: str) -> bool:
    """The answer at the terminal; no answer (end of input) is no.

    Raises:
        typer.BadParameter: there is nobody to ask.
    """
    if not is_terminal():
        raise typer.BadParameter("there is no terminal to ask at: look at what is listed, then run it with --yes")
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_for_person_number() -> str:
    """Ask for a person's number at the terminal, twice, and show nothing of it.

    Raises:
        typer.BadParameter: there is no terminal; a number in a pipe would be in a file or a history.
    """
    if not is_terminal():
        raise typer.BadParameter("there is no terminal to ask for the number at: run it at one")
    return str(
        typer.prompt("Personnummer (nothing is shown while you type)", hide_input=True, confirmation_prompt=True)
    )


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


def known_unit(code: str | None) -> str | None:
    """A unit that an option names, or none.

    Raises:
        typer.BadParameter: there is no such unit.
    """
    from ingest.districts import load_districts
    from ingest.persons.number_search import reads_as_number

    registry = load_districts()
    if code is None or registry.get(code) is not None:
        return code
    near = difflib.get_close_matches(code, [one.code for one in registry.districts], n=1)
    hint = f"; did you mean {near[0]}?" if near else ": the codes are in districts.csv of the organisation"
    raise typer.BadParameter(f"{'that' if reads_as_number(code) else code} is no unit{hint}")


def require_begun(settings: Settings, quarter: Quarter | None) -> None:
    """Require that a quarter that is named has begun.

    Raises:
        typer.BadParameter: it has not.
    """
    from followup.deciding import DecisionRefused
    from followup.deciding import require_begun as require

    try:
        if quarter is not None:
            require(settings, quarter)
    except DecisionRefused as refused:
        raise typer.BadParameter(str(refused)) from None


QuarterOption = Annotated[
    Quarter | None, typer.Option("--quarter", "-q", parser=quarter_of, metavar="YYYYQn", help="Only this quarter.")
]
InboxOption = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Look for files in DIR/<district>/ instead of where districts.yml says."),
]
FormatOption = Annotated[output.Format, typer.Option("--format", "-f", help="text for people, json for programs.")]


def print_line(line: str) -> None:
    """Print a line as it is: nothing in it is markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def sentence_of(refused: Exception) -> str:
    """An error's text as a sentence."""
    text = str(refused)
    return f"{text[:1].upper()}{text[1:]}."


def refusal(message: str) -> typer.Exit:
    """Say why a command did nothing; the exit to raise."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(Exit.REFUSED)


def iso(at: datetime | None) -> str | None:
    """A moment in UTC, stored without zone, for programs."""
    return None if at is None else at.isoformat(timespec="seconds") + "Z"

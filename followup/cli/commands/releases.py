"""`followup publish` and `followup release`: propose, approve, reject, serve, list and guard releases."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Annotated

import typer
from rich.markup import escape

from followup.cli import output
from followup.cli.options import Exit, FormatOption, QuarterOption, console, errors
from ingest.ledger import ChangeRefused, Ledger
from ingest.ledger.releases import ReleaseRow, releases
from ingest.settings import Settings, SettingsError

release_app = typer.Typer(name="release", help="Releases: what was proposed, what has gone out.", no_args_is_help=True)
NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="As `followup release list` tells it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(publish)
    release_app.command("list")(list_releases)
    release_app.command("approve")(approve)
    release_app.command("reject")(reject)
    release_app.command("serve")(serve)
    release_app.command("guard")(guard)
    app.add_typer(release_app)


def _failure(what: str, error: Exception, code: Exit) -> typer.Exit:
    errors.print(f"[red]{what}:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
    return typer.Exit(code)


def publish(
    quarter: QuarterOption = None,
    approve: Annotated[bool, typer.Option("--approve", help="Let it go out now, approved by you.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Although the current release shows the same.")] = False,
    yearly_revision: Annotated[
        bool, typer.Option("--yearly-revision", help="Take in corrections that waited past the limit of draws.")
    ] = False,
) -> None:
    """Make a release of the marts: every count by its cell key, attacked first, and served once it is approved.

    Without --approve it waits for `followup release approve`, unless the installation approves its releases itself (at
    most one a week). When the current release shows the same already, none is made. --quarter: figures up to and
    including this quarter. Exit 1 when the marts or the attacks stop the release, 3 when there is no warehouse or key.
    """
    from publish.catalogue.manifest import ManifestMissing
    from publish.gate.passing import GateClosed, MartsMissing
    from publish.release.approving import ReleaseRefused
    from publish.release.keyed import NotKeyed
    from publish.release.releasing import ReleaseBlocked, release
    from publish.serving import ServingError

    settings = Settings()
    try:
        with output.progress(errors) as bar:
            until = str(quarter) if quarter else None
            made = release(
                settings,
                approve=approve or None,
                quarter=until,
                on_step=bar,
                force=force,
                is_yearly_revision=yearly_revision,
            )
    except (ReleaseRefused, ReleaseBlocked, GateClosed) as error:
        raise _failure("Nothing published", error, Exit.REFUSED) from None
    except (NotKeyed, MartsMissing, ManifestMissing, SettingsError) as error:
        raise _failure("Nothing published", error, Exit.FAILED) from None
    except ServingError as error:
        raise _failure("Not served", error, Exit.FAILED) from None
    output.print_release(console, made)
    if made.served is not None or made.state == "unchanged":
        _warn_of_a_server_beside(settings)


def _warn_of_a_server_beside(settings: Settings) -> None:
    """Warn when a PostgreSQL of `make up` runs whose readers do not see this release, as it is served to files only."""
    from followup.local.postgres_server import PostgresServer
    from publish.serving import has_database

    if has_database(settings):
        return
    with suppress(OSError, ValueError):  # it is not ours, or this user can't read it
        running = PostgresServer(settings.postgres_home).running()
        if running is not None:
            variables = " ".join(f"{name}={value}" for name, value in running.environment.items())
            errors.print(
                f"A PostgreSQL runs beside (port {running.port}) not set for publishing: its readers see nothing "
                f"of this release. To serve it there too: {variables} followup release serve",
                style="yellow", markup=False, highlight=False, soft_wrap=True,
            )  # fmt: skip


def list_releases(format: FormatOption = output.Format.text) -> None:
    """List all releases: proposed, released, blocked, rejected, replaced by a newer proposal."""
    with closing(Ledger(Settings().ledger)) as ledger:
        found = releases(ledger)
    if format is output.Format.json:
        console.file.write(json.dumps([_as_json(one) for one in found], ensure_ascii=False) + "\n")
        return
    for one in found:
        when = f"{(one.released_at or one.made_at):%Y-%m-%d %H:%M}"
        until = f"  up to {one.until_quarter}" if one.until_quarter else ""
        revision = "  revision" if one.is_revision else ""
        line = f"{one.release_id:>4}  {one.state:<9} {when}{until}{revision}"
        console.print(line, highlight=False, markup=False)
        if one.detail:
            console.print(f"      {one.detail}", highlight=False, markup=False, soft_wrap=True)
    if not found:
        console.print("Nothing has been released.")


def _as_json(row: ReleaseRow) -> dict[str, object]:
    return {
        "release": row.release_id,
        "state": row.state,
        "made_at": row.made_at.isoformat(),
        "released_at": row.released_at.isoformat() if row.released_at else None,
        "until_quarter": row.until_quarter,
        "is_revision": row.is_revision,
        "detail": row.detail,
        "certificate": json.loads(row.certificate) if row.certificate else None,
    }


def approve(number: NumberArgument) -> None:
    """Let a proposed release go out."""
    from publish.release.approving import ReleaseRefused, approve_release
    from publish.serving import ServingError

    try:
        with output.progress(errors) as bar:
            made = approve_release(Settings(), number, on_step=bar)
    except (ChangeRefused, ReleaseRefused) as error:
        raise _failure("Nothing published", error, Exit.REFUSED) from None
    except ServingError as error:
        raise _failure("Not served", error, Exit.FAILED) from None
    output.print_release(console, made)


def reject(
    number: NumberArgument,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why, in words; never anything personal.")],
) -> None:
    """Say that a proposed release is not published. What readers see stays, and a new one can be proposed."""
    from followup.deciding import DecisionRefused, checked_reason
    from publish.release.approving import reject_release

    try:
        reject_release(Settings(), number, checked_reason(why))
    except DecisionRefused as refused:
        raise typer.BadParameter(str(refused)) from None
    except ChangeRefused as error:
        raise _failure("Not rejected", error, Exit.REFUSED) from None
    console.print(f"Release {number} is rejected.", highlight=False)


def serve() -> None:
    """Serve once more what has gone out: after a change of the database for BI, its passwords, or analysts' access."""
    from publish.release.approving import ReleaseRefused, serve_current
    from publish.serving import ServingError

    try:
        with output.progress(errors) as bar:
            served = serve_current(Settings(), on_step=bar)
    except ReleaseRefused as error:
        raise _failure("Nothing served", error, Exit.REFUSED) from None
    except ServingError as error:
        raise _failure("Not served", error, Exit.FAILED) from None
    output.print_served(console, served)


def guard() -> None:
    """Undo what a reader of the database for BI did to the others: passwords, settings, endless statements.

    Exit code 1 when something was undone: somebody who has the role's password did it. Meant for every few minutes.
    """
    from publish.serving import ServingError, has_database
    from publish.serving.guarding import guard as guard_readers

    settings = Settings()
    if not has_database(settings):
        console.print("There is no database for BI to guard.")
        return
    try:
        found = guard_readers(settings)
    except ServingError as error:
        raise _failure("Not guarded", error, Exit.FAILED) from None
    for line in found.unknown:
        errors.print(f"[yellow]Not known:[/] {escape(line)}", soft_wrap=True, highlight=False)
    for line in found.undone:
        errors.print(f"[red]Undone:[/] {escape(line)}", soft_wrap=True, highlight=False)
    if found.undone:
        raise typer.Exit(Exit.REFUSED)
    console.print("Nothing had to be undone.")

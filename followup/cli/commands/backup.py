"""Backing an installation up, looking at its backups, and restoring one into an empty place."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from followup.cli import output
from followup.cli.marts import build_marts
from followup.cli.options import Exit, errors, print_line
from ingest.settings import Settings

UrlArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="URL", help="A folder, sftp://user@host/folder or s3://bucket/folder. [FOLLOWUP_BACKUP_URL]"
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(backup)
    app.command()(restore)


def remind_of_backups(settings: Settings, what: str) -> None:
    """Say what has to be done about earlier backups, where an installation makes any.

    Args:
        settings: the installation's.
        what: what they have and it has no more: "the person".
    """
    if settings.backup_url is not None:
        print_line(
            f"Earlier backups still have {what}: `followup backup --drop-older` removes them now; else each goes when "
            f"it is {settings.backup_days} days old."
        )


def backup(
    url: UrlArgument = None,
    list_sets: Annotated[bool, typer.Option("--list", help="List the backups that are there.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read all backups back; nothing is written.")] = False,
    drop_older: Annotated[
        bool,
        typer.Option("--drop-older", help="Then remove all earlier backups: after erasing, or a rotation of keys."),
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read back what is there already too, and send again what is damaged.")
    ] = False,
    make_key: Annotated[bool, typer.Option("--make-key", help="Draw the backup key, once; never overwrites.")] = False,
) -> None:
    """Back up ledger, originals, rows, answers and releases: encrypted, only what is new, each read back.

    Others may receive, build and publish meanwhile. Keys are in no backup. Backups older than FOLLOWUP_BACKUP_DAYS are
    removed.
    """
    asked = [list_sets, verify, make_key]
    if sum(asked) > 1 or (any(asked) and (drop_older or reread)):
        raise typer.BadParameter("--list, --verify and --make-key each go alone")
    settings = Settings()
    if make_key:
        raise typer.Exit(_make_key(settings))
    if list_sets:
        raise typer.Exit(_list(settings, url))
    raise typer.Exit(_verify(settings, url) if verify else _back_up(settings, url, drop_older, reread))


def _make_key(settings: Settings) -> Exit:
    from followup.backup.sealing import make_backup_key

    try:
        path = make_backup_key(settings)
    except FileExistsError:
        errors.print(f"[red]{settings.backup_key} is there already and is never overwritten.[/]", soft_wrap=True)
        return Exit.FAILED
    print_line(
        f"The backup key is in {path}. Store a copy in a vault: apart from the backups, and apart from the copy of "
        f"{settings.keys}. Without it no backup can be read."
    )
    return Exit.DONE


def _list(settings: Settings, url: str | None) -> Exit:
    from followup.backup.looking import look_at_backups
    from followup.backup.sets import age
    from ingest.ledger import Ledger
    from ingest.ledger.acts import system_now

    with closing(Ledger(settings.ledger)) as ledger:
        seen = look_at_backups(settings, ledger, url)
    for one in seen.sets:
        note = ", from before the last erasing or rotation of keys" if one in seen.outdated else ""
        print_line(f"{one.name}  {one.taken_at:%Y-%m-%d %H:%M} UTC, {age(one.taken_at, system_now())} old{note}")
    print_line(f"{len(seen.sets)} backups at {seen.shown}.")
    return Exit.DONE


def _verify(settings: Settings, url: str | None) -> Exit:
    from followup.backup.backing_up import verify as read_back

    with output.progress(errors) as bar:
        found = read_back(settings, url, on_step=bar)
    for what in found.damaged:
        errors.print(f"damaged or missing: {what}", style="red", markup=False, highlight=False, soft_wrap=True)
    print_line(f"{len(found.sets)} backups, {found.objects} objects read back, {len(found.damaged)} damaged.")
    if found.damaged:
        print_line("`followup backup --reread` sends again what is still here; then look at the disk of the backups.")
    return Exit.REFUSED if found.damaged else Exit.DONE


def _back_up(settings: Settings, url: str | None, drop_older: bool, reread: bool) -> Exit:
    from followup.backup.backing_up import back_up

    with output.progress(errors) as bar:
        done = back_up(settings, url, is_dropping_older=drop_older, is_rereading=reread, on_step=bar)
    print_line(
        f"Backup {done.name} is at {done.shown}: {done.files} files, {_megabytes(done.size)}; {done.sent_objects} "
        f"objects, {_megabytes(done.sent_bytes)}, were new, and were read back."
    )
    if done.removed:
        print_line(f"{len(done.removed)} earlier backups are removed.")
    for path in done.left_out:
        errors.print(f"missing or damaged: {path}", style="red", markup=False, highlight=False, soft_wrap=True)
    if done.left_out:
        errors.print(
            "The backup lacks these, and earlier backups are not removed: `followup doctor` says what mends them.",
            soft_wrap=True,
        )
    for name in done.unreadable:
        errors.print(f"backup {name} is damaged; nothing that it may need was removed", markup=False, soft_wrap=True)
    return Exit.REFUSED if done.left_out or done.unreadable else Exit.DONE


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def restore(
    url: UrlArgument = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="HOME", help="An empty folder beside the running installation; ledger and releases in it."
        ),
    ] = None,
    set_name: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="Which backup; else the newest.")
    ] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="The key file is lost: nothing can be received then.")
    ] = False,
    only_ledger: Annotated[
        bool, typer.Option("--only-ledger", help="The ledger alone is lost: into an empty one; files stay.")
    ] = False,
    no_build: Annotated[bool, typer.Option("--no-build", help="Don't build the marts.")] = False,
) -> None:
    """Restore a backup into an empty place, and build the marts. The key file must be back before.

    Without --to: into FOLLOWUP_HOME, FOLLOWUP_LEDGER_URL and FOLLOWUP_PUBLISHED, which must be empty. Can be run again
    when it was interrupted.
    """
    from followup.backup.restoring import restore as bring_back
    from followup.backup.restoring import restored_settings

    if only_ledger and to is not None:
        raise typer.BadParameter("--only-ledger brings the ledger back to its own place: it goes without --to")
    settings = Settings() if to is None else restored_settings(Settings(), to)
    with output.progress(errors) as bar:
        done = bring_back(
            settings, url, set_name=set_name, without_keys=without_keys, is_only_ledger=only_ledger, on_step=bar
        )
    what = "its ledger" if only_ledger else f"{done.files} files, {_megabytes(done.size)}, and the ledger"
    print_line(f"Backup {done.name} is restored to {settings.home}: {what}. Nobody is signed in to the portal.")
    for path in done.left_out:
        errors.print(f"missing or damaged in the backup: {path}", style="red", markup=False, soft_wrap=True)
    if done.left_out:
        errors.print("All else is restored: `followup doctor` says what mends these.", soft_wrap=True)
    if done.erased_since:
        errors.print(
            f"[red]{done.erased_since} persons were erased after this backup: erase them again (`followup erase "
            "--person`).[/]", soft_wrap=True,
        )  # fmt: skip
    if not no_build and build_marts(settings) is None:
        raise typer.Exit(Exit.FAILED)
    if not no_build:
        print_line("The marts are built.")
    raise typer.Exit(Exit.REFUSED if done.left_out or done.erased_since else Exit.DONE)

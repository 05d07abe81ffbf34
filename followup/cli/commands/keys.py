"""The keys of an installation: which are in use, bringing what is stored under new ones, removing those not needed."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from followup.cli import output
from followup.cli.commands.backup import remind_of_backups
from followup.cli.marts import rebuild_marts
from followup.cli.options import Exit, console, errors, is_agreed
from ingest.ledger.rotations import ORIGINALS, PERSONS, rotations_under_way
from ingest.settings import Settings

keys_app = typer.Typer(
    help="Secret keys: show their versions, rotate, prune; draw the noise secret.", no_args_is_help=True
)
YesOption = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
_KEYS = {PERSONS: "person key", ORIGINALS: "key of originals"}
_FILES = {PERSONS: "files of rows", ORIGINALS: "originals"}


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(keys_app, name="keys")


@keys_app.command()
def status() -> None:
    """Show the versions of each key, which is in use, and how many files are under it. No key is shown."""
    from ingest.maintenance.rotating import key_uses
    from ingest.recording import open_intake

    with open_intake(Settings(), is_rotating=True) as intake:
        uses, begun = key_uses(intake), rotations_under_way(intake.ledger)
    table = Table("key", "version", "files", "", box=None, pad_edge=False)
    for use in uses:
        note = "in use" if use.is_in_use else "" if use.is_there else "not in the key file: restore its newest copy"
        table.add_row(_KEYS[use.what], str(use.version), f"{use.files} {_FILES[use.what]}", note)
    console.print(table)
    for what, version in begun.items():
        console.print(f"The rotation to {_KEYS[what]} version {version} has not ended: run `followup keys rotate`.")


@keys_app.command()
def rotate(
    persons: Annotated[bool, typer.Option("--persons", help="The key under which persons are stored.")] = False,
    originals: Annotated[bool, typer.Option("--originals", help="The key of encrypted originals.")] = False,
    yes: YesOption = False,
) -> None:
    """Draw new versions of the keys, of both kinds unless one is named, and bring all that is stored under them.

    Can be run again when it was interrupted. Nobody may receive, build or publish meanwhile. After new person keys the
    marts are built again.
    """
    from ingest.maintenance.rotating import rotate as rotate_keys
    from ingest.recording import open_intake

    settings = Settings()
    named_kinds = [what for what, is_named in ((PERSONS, persons), (ORIGINALS, originals)) if is_named]
    wanted = named_kinds or [PERSONS, ORIGINALS]
    with open_intake(settings, is_rotating=True) as intake:
        begun = rotations_under_way(intake.ledger)
        named = " and ".join(_KEYS[what] for what in begun or wanted)
        console.print(
            f"{'The interrupted rotation goes on' if begun else 'A new version is drawn'}: {named}. All that is stored "
            f"is brought under it. Back up {settings.keys} before and after: without it nothing stored can be read.",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        if not yes and not is_agreed("Is the key file backed up, and shall the keys be rotated?"):
            console.print("Nothing is changed.")
            return
        with output.progress(errors) as bar:
            done = rotate_keys(intake, wanted, bar)
    for what, version in done.versions.items():
        line = f"{_KEYS[what]} version {version} is in use; {done.files[what]} {_FILES[what]} went over to it"
        console.print(f"{line[0].upper()}{line[1:]}.", highlight=False)
    console.print(f"Back up {settings.keys} now. Older versions are in it until `followup keys prune`.", soft_wrap=True)
    # a run that goes on may have rotated the person keys before it was cut off, and not built
    is_built = not (PERSONS in done.versions or done.was_interrupted) or rebuild_marts(
        settings, outdated="the old person keys", with_what="with the new person keys."
    )
    remind_of_backups(settings, "what was stored under the old keys")
    for path in done.left:
        errors.print(f"[red]{escape(path)} can't be read and stays under its old key: restore it[/]", soft_wrap=True)
    if done.left or not is_built:
        raise typer.Exit(Exit.FAILED)


@keys_app.command()
def prune(yes: YesOption = False) -> None:
    """Remove from the key file the versions that no stored file is under."""
    from ingest.maintenance.rotating import prune as prune_keys
    from ingest.maintenance.rotating import unused_versions
    from ingest.recording import open_intake

    settings = Settings()
    with open_intake(settings) as intake:
        found = [(what, version) for what, versions in unused_versions(intake).items() for version in versions]
        if not found:
            console.print("Every version in the key file is in use.")
            return
        named = ", ".join(f"{_KEYS[what]} version {version}" for what, version in found)
        console.print(
            f"Nothing stored is under: {named}. Backups made before the rotation can't be read with the pruned file.",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        if not yes and not is_agreed(f"Remove them from {settings.keys}?"):
            console.print("Nothing is changed.")
            return
        removed = prune_keys(intake)
    count = sum(map(len, removed.values()))
    console.print(f"{count} versions are removed. Back up {settings.keys}, and erase its older copies.", soft_wrap=True)


@keys_app.command()
def noise(
    draw_anew: Annotated[
        bool, typer.Option("--draw-anew", help="The noise secret is lost for good, or known to others.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Draw the noise secret, under which published counts deviate, where the key file has none.

    It is never rotated. When it is lost it is drawn anew only with `--draw-anew`: then every figure that was published
    is drawn once more, which tells readers more of small counts, and counts against the policy's limit of draws.
    """
    from ingest.noise_secret import draw_noise_secret
    from ingest.recording import open_intake

    settings = Settings()
    with open_intake(settings) as intake:
        if draw_anew:
            console.print(
                "Every figure that was published will be drawn once more. That can't be undone. If there is a backup "
                f"of the key file, restore it to {settings.keys} instead.",
                soft_wrap=True, highlight=False,
            )  # fmt: skip
            if not yes and not is_agreed("Is the noise secret lost for good, or known to others?"):
                console.print("Nothing is changed.")
                return
        draw_noise_secret(intake, anew=draw_anew)
    console.print(f"The noise secret is in {settings.keys}. Back it up now.", soft_wrap=True, highlight=False)

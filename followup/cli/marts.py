"""Builds of the marts that commands run: with a progress bar, and a sentence when they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from followup.cli import output
from followup.cli.options import console, errors
from ingest.settings import Settings

if TYPE_CHECKING:
    from followup.build.building import BuildResult


def build_marts(settings: Settings, *, force: bool = False) -> BuildResult | None:
    """Build the marts; None when the build failed, and what failed is printed.

    Args:
        settings: the installation's.
        force: build although nothing has changed.
    """
    from followup.build.building import BuildFailed, build

    try:
        with output.progress(errors, unit="models and tests") as bar:
            return build(settings, force=force, on_node=lambda node: bar(None, None, node.name))
    except BuildFailed as error:
        output.print_failed_build(errors, error)
        return None


def rebuild_marts(settings: Settings, *, outdated: str, with_what: str) -> bool:
    """Build the marts after stored rows were changed; an installation without marts has nothing to build.

    Args:
        settings: the installation's.
        outdated: what the marts still hold when the build fails, for the message.
        with_what: end of the sentence "The marts are built again …".

    Returns:
        Whether no marts with the old rows are left.
    """
    if not settings.warehouse.exists():
        return True
    if build_marts(settings) is None:
        errors.print(f"[red]The marts still hold {outdated}: mend it and run `followup build`.[/]")
        return False
    console.print(f"The marts are built again {with_what}")
    return True

"""Files that say how to log in to a server where this installation writes: one for its owner alone, never in a URL."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from ingest.settings import SettingsError


def read_login(path: Path | None, variable: str, options: Collection[str]) -> dict[str, str]:
    """What a login's file says: option of a drop location → value; nothing where no file is named.

    Args:
        path: a JSON file.
        variable: the setting that names it, for messages.
        options: which there may be.

    Raises:
        SettingsError: it can't be read, others may read it, or it holds something else; no value is repeated.
    """
    if path is None or path.is_char_device():  # /dev/null, where containers are given no file
        return {}
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} can be read by others: chmod 600 {path}")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{variable} ({path}) can't be read ({error.strerror})") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise SettingsError(f"{variable} ({path}) is no JSON of texts by name")
    if unknown := sorted(set(found) - set(options)):
        raise SettingsError(f"{variable} ({path}): {unknown[0]} is none of {', '.join(sorted(options))}")
    return found

"""The installation's settings as variables, for processes that are started from another folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ingest.organisation import deployed_folder
from ingest.settings import Settings, SettingsError


def followup_environment() -> dict[str, str]:
    """The installation's settings as absolute paths, so that they mean the same in every process.

    Raises:
        SettingsError: FOLLOWUP_HOME is set, and FOLLOWUP_KEYS is not.
    """
    settings = Settings()
    found = {key: value for key, value in os.environ.items() if key.startswith("FOLLOWUP_")}
    found["FOLLOWUP_HOME"] = str(settings.home.absolute())
    found["FOLLOWUP_KEYS"] = str(settings.keys.absolute())
    found["FOLLOWUP_DISTRICTS"] = str(settings.districts.absolute())
    found["FOLLOWUP_PUBLISHED"] = str(settings.published.absolute())
    places = {
        "ORGANISATION": deployed_folder() if settings.organisation is not None else None,
        "PUBLISH_LOGINS": settings.publish_logins,
        "PARSED": settings.parsed,
        "BACKUP_LOGIN": settings.backup_login,
        "VALIDATED": settings.validated if settings.given_validated and not settings.validated_bucket else None,
        "VALIDATED_LOGIN": settings.validated_login,
        "BACKUP_KEY": settings.backup_key if settings.given_backup_key or not settings.names_its_home else None,
    }
    for name, path in places.items():
        if path is not None:
            found[f"FOLLOWUP_{name}"] = str(path.absolute())
    with contextlib.suppress(SettingsError):  # a districts.yml of its own may need none
        found["FOLLOWUP_INBOX"] = settings.inbox if "://" in settings.inbox else str(Path(settings.inbox).absolute())
    clock = settings.now_text
    if clock and clock.startswith("@"):
        found["FOLLOWUP_NOW"] = f"@{Path(clock[1:]).absolute()}"
    return found

"""Where the feedback on each submission is stored."""

from __future__ import annotations

from pathlib import Path

from ingest.settings import Settings

FEEDBACK_ENDINGS = ("txt", "json", "xlsx")
"""Endings of the feedback files of each submission."""


def feedback_path(settings: Settings, district_code: str, submission_id: str, ending: str) -> Path:
    """Path of a feedback file."""
    return settings.feedback / district_code / f"{submission_id}.{ending}"

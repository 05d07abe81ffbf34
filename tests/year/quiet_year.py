"""The quiet year: every final file on time, one build, one release."""

from __future__ import annotations

from pathlib import Path

from places import Installation, quarter_of, require, say

from ingest.quarters import Quarter

QUARTERS = ("2025Q1", "2025Q2", "2025Q3", "2025Q4")
END = "2026-03-02T09:00:00"


def final_files(drawn: Path, quarter: str) -> list[Path]:
    """The files of a quarter as they are at the end."""
    return [
        path for path in sorted(drawn.glob("*/*")) if path.suffix in (".csv", ".xlsx") and quarter_of(path) == quarter
    ]


def units_of(drawn: Path) -> list[str]:
    """All units that hand in files during the year."""
    return sorted(path.name for path in drawn.iterdir() if path.is_dir())


def quiet_year(project: Path, root: Path, drawn: Path) -> Installation:
    """Run it, and return the installation with its marts."""
    say("The quiet year")
    quiet = Installation(project, root)
    quiet.locations(units_of(drawn), {})
    for quarter in QUARTERS:
        quiet.put(final_files(drawn, quarter))
        quiet.now = f"{Quarter.parse(quarter).deadline}T09:00:00"
        quiet.run("receive")
        require(not quiet.waiting(), f"files of {quarter} still wait: {quiet.waiting()[:3]}")
    quiet.now = END
    quiet.run("build")
    return quiet

"""A release of the demo city, all tables of eight quarters, and then the one that a further quarter brings.

`make bench` runs it; with the path of a built `warehouse.duckdb` it takes that instead of drawing and building a city.
Prints seconds by stage, memory, sizes on disk, how useful the figures are, and what the attacks found; asserts nothing.
Goals, on two cores that do nothing else: a full release within 60 s, the next quarter's within 30 s, 2 GiB, 300 MB.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from release_utility import utility
from rich.console import Console
from rich.table import Table

from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.settings import Settings
from publish.release.approving import Release
from publish.release.releasing import release
from synthetic.city import draw_city

FIRST, LAST, BEFORE_LAST = Quarter(2018, 1), Quarter(2019, 4), "2019Q3"
STAGES = {"looking": "gate", "reading": "read", "drawing": "draw", "deriving": "derive", "writing": "write",
          "attacking": "attack"}  # fmt: skip


class Stages:
    """Seconds by stage, by the progress that a release reports."""

    def __init__(self) -> None:
        """Start the clock."""
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "gate", time.monotonic()

    def __call__(self, number: int | None, total: int | None, what: str) -> None:
        """Note a step."""
        stage = next((name for start, name in STAGES.items() if what.startswith(start)), None)
        stage = stage or "serve"
        if stage != self._stage:
            self.stop()
            self._stage = stage

    def stop(self) -> None:
        """Count the time until now for the stage that ends."""
        now = time.monotonic()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now


@contextmanager
def city(given: Path | None) -> Iterator[Path]:
    """A warehouse of the demo city."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_city(root / "inbox", FIRST, LAST, scale=1.0, seed=7, faults=False)
        make_keys(root / "keys.json")
        environment = {
            "FOLLOWUP_HOME": str(root / "home"), "FOLLOWUP_KEYS": str(root / "keys.json"),
            "FOLLOWUP_NOW": "2020-02-20T08:00:00",
        }  # fmt: skip
        command = [sys.executable, "-m", "followup.cli.main", "run", "--inbox", str(root / "inbox")]
        subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
        yield root / "home" / "warehouse.duckdb"


def measured(warehouse: Path, quarters: list[str | None]) -> Iterator[tuple[Release, dict[str, float], float, Path]]:
    """Releases one after the other from a ledger of their own; without the gate, which has a suite of its own.

    With seconds by stage, seconds of processor time, and the folder that readers open.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "warehouse.duckdb").symlink_to(warehouse.resolve())
        settings = Settings.model_validate({"home": home, "keys": home.parent / "keys.json"})
        make_keys(settings.keys)
        for quarter in quarters:
            stages, busy = Stages(), time.process_time()
            made = release(settings, approve=True, quarter=quarter, on_step=stages, gate=lambda _: [])
            stages.stop()
            yield made, stages.seconds, time.process_time() - busy, settings.published.resolve()


def sizes(folder: Path) -> str:
    """MB of a release by kind of file."""
    kinds: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            kinds[path.suffix] = kinds.get(path.suffix, 0) + path.stat().st_size
    listed = ", ".join(f"{kind} {size / 1e6:.0f}" for kind, size in sorted(kinds.items()) if size > 500_000)
    return f"{sum(kinds.values()) / 1e6:.0f} MB ({listed})"


def main() -> None:
    """Print the tables."""
    console = Console(width=140)
    columns = ("read", "draw", "derive", "write", "attack", "serve")
    table = Table("release", *columns, "all", "processor", "counts", "too few", "peak GiB", "on disk")
    with city(Path(sys.argv[1]) if len(sys.argv) > 1 else None) as warehouse:
        runs = {"eight quarters at once": [None], "seven, then one more": [BEFORE_LAST, None]}
        for name, quarters in runs.items():
            for made, seconds, busy, folder in measured(warehouse, quarters):
                certificate = made.certificate
                if certificate is None:
                    continue
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
                rates, few = (sum(getattr(one, part) for one in certificate.tables) for part in ("rates", "too_few"))
                table.add_row(
                    f"{name}: up to {made.until_quarter}",
                    *(f"{seconds.get(column, 0.0):.1f}" for column in columns),
                    f"{sum(seconds.values()):.1f}",
                    f"{busy:.1f}",
                    str(certificate.figures),
                    f"{few / max(rates, 1):.0%}",
                    f"{peak:.2f}",
                    sizes(folder),
                )
                for finding in certificate.findings:
                    console.print(f"{finding.sv}: {finding.value}")
                if len(quarters) == 1:
                    for what, found, wanted in utility(warehouse, folder / "followup.duckdb").rows:
                        console.print(f"{what}: {found} (wanted: {wanted})", highlight=False)
    console.print(table)


if __name__ == "__main__":
    main()

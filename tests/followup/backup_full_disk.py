"""Backing up onto a disk that fills up, and restoring onto one: a tmpfs of its own, at some levels of free room.

    PYTHONPATH=tests unshare -rm python tests/followup/backup_full_disk.py PLACE 0 0.3 0.9

PLACE is an installation of `backed_up.py` with one backup, which is not changed, or `-`: then one is made. At each
level the command ends with exit code 3 and one sentence, the backups that were there are whole, and with room the same
command ends right.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1]))
from backed_up import BackedUpPlace, files_of, prepared
from full_disk import PLENTY, Disk
from full_disk import prepared as before

from followup.backup.backing_up import verify
from followup.cli.main import app

STORED = ("landing", "validated", "queries", "feedback", "proposed", "releases")


def followup(place: BackedUpPlace, *command: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(command), env=place.environment)
    printed = " ".join(done.output.split())
    sys.stdout.write(f"{command[0]}: {done.exit_code} {printed[:200]}\n")
    return done.exit_code, printed


def fails_for_room(place: BackedUpPlace, *command: str) -> str:
    code, printed = followup(place, *command)
    assert code == 3 and "internal error" not in printed, printed
    assert "disk is full" in printed and "make room" in printed, printed
    return printed


def backing_up(place: BackedUpPlace, disk: Disk, shares: list[float]) -> None:
    """The folder of the backups is on the disk."""
    first = place.sets()[0].name
    shutil.move(place.backups, disk.folder / "backups")
    place.backups.symlink_to(disk.folder)
    where = str(disk.folder / "backups")
    (place.home / "added").mkdir()
    (place.home / "added" / "a.parquet").write_bytes(bytes(range(256)) * 4000)
    for share in shares:
        disk.leave(max(int(1_024_000 * share), 4096))
        said = fails_for_room(place, "backup", where)
        assert where in said and "earlier backups are as they were" in said, said
        found = verify(place.settings, where)
        assert found.sets == (first,) and not found.damaged
    disk.leave(PLENTY)
    assert followup(place, "backup", where)[0] == 0
    found = verify(place.settings, where)
    assert len(found.sets) == 2 and not found.damaged
    place.backups.unlink()
    shutil.move(disk.folder / "backups", place.backups)


def restoring(place: BackedUpPlace, disk: Disk, shares: list[float]) -> None:
    """The home that is restored to is on the disk."""
    command = ["restore", str(place.backups), "--no-build", "--to"]
    assert followup(place, *command, str(place.root / "whole"))[0] == 0
    size = sum(path.stat().st_size for path in (place.root / "whole").rglob("*") if path.is_file())
    for number, share in enumerate(shares):
        home = disk.folder / f"home{number}"
        disk.leave(max(int(size * share), 4096))
        assert str(disk.folder) in fails_for_room(place, *command, str(home))
        disk.leave(PLENTY)
        assert followup(place, *command, str(home))[0] == 0
        assert files_of(home, *STORED) == files_of(place.root / "whole", *STORED)


def main(origin: Path | None, shares: list[float]) -> None:
    with tempfile.TemporaryDirectory(prefix="backup-full-disk-") as folder:
        root = Path(folder) / "place"
        if origin is None:
            received = before("build", Path(folder) / "made")
            prepared(received).back_up()
            received.root.rename(root)
        else:
            shutil.copytree(origin, root, symlinks=True)
        disk = Disk(Path(folder) / "disk")
        try:
            backing_up(BackedUpPlace(root), disk, shares)
            restoring(BackedUpPlace(root), disk, shares)
        finally:
            subprocess.run(["umount", "-l", disk.folder], check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(None if sys.argv[1] == "-" else Path(sys.argv[1]), [float(share) for share in sys.argv[2:]])

"""The hard year: what senders, operators, machines and the calendar do to an installation."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from drop_servers import SftpPlace, Sshd
from places import Done, Installation, Violated, require, say, unit_of
from quiet_year import END, final_files, units_of

from followup.local.postgres_server import PostgresServer
from ingest.ledger import Ledger

FAR = "farsta"
"""The unit whose drop location is on a server of its own."""
LEGAL_GROUND = "rattslig_grund"
DISK = 3_000_000_000


class HardYear:
    """Runs the year step by step, and prints each with the date by the installation's clock."""

    def __init__(self, project: Path, root: Path, drawn: Path, seed: int, can_mount: bool) -> None:
        """Start PostgreSQL and the far unit's server; nothing is handed in yet."""
        self.installation = Installation(project, root)
        self.drawn, self.chance, self.can_mount = drawn, random.Random(seed), can_mount
        self._database = PostgresServer(root / "postgres", options=("-c", "fsync=off"))
        self._server = Sshd(root / "sshd")
        self._far = SftpPlace(self._server, root / "far")
        self.installation.locations(
            [unit for unit in units_of(drawn) if unit != FAR], {FAR: {**self._far.entry, "synthetic": True}}
        )
        self._steps = 0
        self.blocked: list[str] = []

    def stop(self) -> None:
        """End the servers."""
        self._server.stop()
        self._database.stop()

    def run(self) -> None:
        """The year."""
        say("The hard year")
        self._disk_of_its_own()
        self.installation.environment |= self._database.start().environment
        self.first_quarter()
        self.second_quarter()
        self.third_quarter()
        self.fourth_quarter()

    def first_quarter(self) -> None:
        """Clocks are changed; a process is killed; a location is down; files are broken and late; PostgreSQL stops."""
        files = final_files(self.drawn, "2025Q1")
        early = self._one(files, "bromma", "arenden")
        self._at("2025-03-30T01:59:30+01:00", "bromma hands in before the quarter is over, a minute before summer time")
        self.installation.put([early])
        self._receives(refused=1)
        self._at("2025-03-30T03:00:30+02:00", "a minute later it is summer time")
        self._receives()

        self._at("2025-04-08T08:00:00", "twelve units hand in; the process that takes them in is killed")
        late = [path for path in files if unit_of(path) in ("sodermalm", FAR)]
        broken = self._one(files, "norrmalm", "arenden")
        on_time = [path for path in files if path not in late and path != broken]
        self.installation.put(on_time)
        self._put_broken(broken)
        enough = len(on_time) * self.chance.uniform(0.2, 0.8)
        self.installation.kill("receive", when=lambda: self._submissions() > enough)
        say(f"  killed with {self._submissions()} of {len(on_time) + 1} files taken in")
        self._server.stop()
        self._at("2025-04-08T08:30:00", f"it is started again; {FAR}'s server is down")
        done = self._receives(refused=1, ends=(3,))
        require(FAR in done.said, f"nothing says that {FAR} is out of reach: {done.said[-600:]}")
        self._all_in_force("2025Q1", len(on_time))
        self._at("2025-04-14T08:00:00", f"{FAR}'s server is back after a week, and has its files")
        self._server.process = self._server._start()
        for path in (path for path in late if unit_of(path) == FAR):
            self._far.put(path.name, path.read_bytes())
        self._receives()
        self._build()
        self._at("2025-04-24T10:00:00", "norrmalm corrects its file, after the deadline")
        self.installation.put([broken])
        self._receives()
        self._at("2025-05-02T10:00:00", "sodermalm is last, twelve days late")
        self.installation.put(path for path in late if unit_of(path) == "sodermalm")
        self._receives()
        self._all_in_force("2025Q1", len(files))
        self._build()
        self._at("2025-05-05T09:00:00", "the quarter is locked and released; PostgreSQL stops in the middle")
        self.installation.run("lock", "--quarter", "2025Q1", "--yes")
        self._publish_while_postgres_stops()

    def second_quarter(self) -> None:
        """After closing, a unit hands in again; two units have become one; the disk fills up."""
        again = self._one(final_files(self.drawn, "2025Q1"), "skarpnack", "arenden")
        self._at("2025-05-20T09:00:00", "skarpnack hands in the locked quarter again: refused")
        self._put_with_less(again)
        self._receives(refused=1)
        self.installation.run("exception", "open", "--quarter", "2025Q1", "--district", "skarpnack", "--why",
                              "rader saknades", "--until", "2025-05-30")  # fmt: skip
        self._at("2025-05-21T09:00:00", "an exception is opened, and the same files are taken in")
        self._put_with_less(again)
        self._receives()
        self._at("2025-05-22T09:00:00", "the corrected file is the right one after all")
        self.installation.put([again])
        self._receives()
        self._build()
        self._publishes()

        self._at("2025-07-08T09:00:00", "two units are one since 1 July, and hand in the second quarter as two")
        files = final_files(self.drawn, "2025Q2")
        require({"alvsjo", "hagersten-liljeholmen"} <= {unit_of(path) for path in files}, "the old units have no files")
        self._hand_in(files)
        if self.can_mount:
            self._on_a_full_disk("receive", 400_000)
        self._receives()
        self._all_in_force("2025Q2", len(files))
        if self.can_mount:
            self._on_a_full_disk("build", 4_000_000)
        self._build()
        self._publishes()

    def third_quarter(self) -> None:
        """The law has changed; the clocks are changed back."""
        files = final_files(self.drawn, "2025Q3")
        require("hagersten-alvsjo" in {unit_of(path) for path in files}, "the new unit has no files")
        require("alvsjo" not in {unit_of(path) for path in files}, "a unit that is no more has files")
        old_way = self._one(files, "hasselby-vallingby", "serviceinsatser")
        twice = self._one(files, "bromma", "arenden")
        self._at("2025-10-07T09:00:00", "hasselby-vallingby's file is as before the new law")
        self._hand_in([path for path in files if path not in (old_way, twice)])
        self._put_without(old_way, LEGAL_GROUND)
        self._receives(refused=1)
        self._at("2025-10-09T09:00:00", "it says on what ground each intervention was given")
        self.installation.put([old_way])
        self._receives()
        self._at("2025-10-26T02:30:00+02:00", "bromma hands in half past two in the night when clocks are put back")
        self._put_with_less(twice)
        self._receives()
        self._at("2025-10-26T02:30:00+01:00", "it is half past two again, and bromma hands in what is right")
        self.installation.put([twice])
        self._receives()
        self._all_in_force("2025Q3", len(files))
        self._build()
        self._publishes()

    def fourth_quarter(self) -> None:
        """All is closed."""
        files = final_files(self.drawn, "2025Q4")
        self._at("2026-01-12T09:00:00", "all hand in the last quarter")
        self._hand_in(files)
        self._receives()
        self._all_in_force("2025Q4", len(files))
        self._at(END, "the year is built and released")
        self._build()
        self._publishes()

    def _at(self, moment: str, what: str) -> None:
        self._steps += 1
        self.installation.now = moment
        say(f"{self._steps:>3}. {moment[:16].replace('T', ' ')}  {what}")

    def _one(self, files: list[Path], unit: str, dataset: str) -> Path:
        (found,) = [path for path in files if path.name.startswith(f"{unit}_{dataset}_")]
        return found

    def _hand_in(self, files: list[Path]) -> None:
        self.installation.put(path for path in files if unit_of(path) != FAR)
        for path in files:
            if unit_of(path) == FAR:
                self._far.put(path.name, path.read_bytes())

    def _changed(self, file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Hand in a file with other lines."""
        altered = self.installation.root / "altered" / file.name
        altered.parent.mkdir(exist_ok=True)
        altered.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))
        self.installation.put([altered])

    def _put_broken(self, file: Path) -> None:
        self._changed(file, lambda lines: [lines[0], *(b";".join([b"?", *line.split(b";")[1:]]) for line in lines[1:])])

    def _put_with_less(self, file: Path) -> None:
        self._changed(file, lambda lines: lines[:-3])

    def _put_without(self, file: Path, column: str) -> None:
        def without(lines: list[bytes]) -> list[bytes]:
            separator = max((b";", b",", b"\t"), key=lines[0].count)
            names = [_text_of(name).strip(' \r\n"').casefold() for name in lines[0].split(separator)]
            left = [number for number, name in enumerate(names) if name not in (column, "rättslig grund")]
            require(len(left) == len(names) - 1, f"{file.name} has no column {column}: {names}")
            ending = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
            rows = [line.strip(b"\r\n").split(separator) for line in lines]
            return [separator.join(row[number] for number in left) + ending for row in rows]

        self._changed(file, without)

    def _submissions(self) -> int:
        if not (self.installation.home / "ledger.sqlite").exists():
            return 0
        ledger = Ledger(f"sqlite:///{self.installation.home / 'ledger.sqlite'}")
        try:
            return len(ledger.submissions())
        finally:
            ledger.close()

    def _receives(self, refused: int = 0, ends: tuple[int, ...] | None = None) -> Done:
        """Take in all that waits; so many files are refused."""
        done = self.installation.run("receive", ends=ends or ((1,) if refused else (0,)))
        waiting = self.installation.waiting()
        require(not waiting, f"{len(waiting)} files still wait, such as {[path.name for path in waiting[:3]]}")
        return done

    def _all_in_force(self, quarter: str, files: int) -> None:
        lines = self.installation.status(quarter)["lines"]
        there = sum(line["state"] == "in_force" for line in lines)
        require(there == files, f"{there} files of {quarter} are in force, not {files}")

    def _build(self) -> None:
        self.installation.run("build")

    def _publishes(self) -> None:
        """Release; where the attacks block it, the year goes on, and has not gone as it must."""
        done = self.installation.run("publish", "--approve", ends=(0, 1))
        if done.code:
            self.blocked.append(self.installation.now[:10])
            say(f"  {done.said[-300:]}")

    def _publish_while_postgres_stops(self) -> None:
        process = self.installation.start("publish", "--approve")
        give_up_at = time.monotonic() + 600
        with self._owner() as connection:
            while process.poll() is None and not _is_writing(connection) and time.monotonic() < give_up_at:
                time.sleep(0.005)
        if process.poll() is not None:
            raise Violated(f"PostgreSQL could not be stopped in time: {' '.join(map(str, process.communicate()))}")
        self._database.stop()
        out, error = process.communicate(timeout=600)
        said = " ".join((out + error).split())
        require(process.returncode == 3, f"publish ended with {process.returncode} without PostgreSQL: {said[-600:]}")
        say("  stopped while tables were written: publish ends with 3")
        self._database.start()
        require(not self._shown(), "half a release is shown")
        self.installation.run("publish", "--approve")
        require(self._shown(), "the release is not shown after PostgreSQL came back")
        say(f"  started again: readers see {self._shown()} tables")

    def _owner(self) -> psycopg.Connection[tuple[object, ...]]:
        import json

        running = self._database.running()
        require(running, "PostgreSQL does not run")
        assert running is not None
        logins = json.loads(running.logins_file.read_text(encoding="utf-8"))
        password = next(value for name, value in logins.items() if "owner" in name)
        return psycopg.connect(running.owner_url, password=password, autocommit=True)

    def _shown(self) -> int:
        query = "select count(*) from information_schema.tables where table_schema = 'published'"
        with self._owner() as connection:
            found = connection.execute(query).fetchone()
        return int(str(found[0])) if found else 0

    def _disk_of_its_own(self) -> None:
        self.installation.home.mkdir(parents=True, exist_ok=True)
        if self.can_mount:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(self.installation.home)],
                check=True,
            )
        else:
            say("  not done: only root can mount the small disk that fills up")

    def _on_a_full_disk(self, command: str, room: int) -> None:
        """Run a command on a disk with so many bytes left; it must say so, and change nothing that counts."""
        ballast = self.installation.home / "ballast"
        with ballast.open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, shutil.disk_usage(self.installation.home).free - room)
        done = self.installation.run(command, ends=(3,))
        require("full" in done.said.casefold(), f"nothing says that the disk is full: {done.said[-600:]}")
        ballast.unlink()
        say(f"  {command} on a full disk ends with 3 and says so")


def _text_of(name: bytes) -> str:
    try:
        return name.decode("utf-8-sig")
    except UnicodeDecodeError:
        return name.decode("cp1252")


def _is_writing(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Whether another session of the owner is in the middle of writing tables."""
    query = (
        "select 1 from pg_stat_activity where usename = current_user and pid <> pg_backend_pid() "
        "and xact_start is not null and state <> 'idle'"
    )
    return connection.execute(query).fetchone() is not None

"""Processes that work with files, rows and mails: intake, the portal's worker, reminders, backups, erasing."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path

from backed_up import BackedUpPlace, prepared
from city import drawn_files, received_city, settle, state
from full_disk import see_nothing_is_lost
from handing_over import AT_WORK, Office, after_restart, csv, form, reopened
from handing_over import state as portal_state
from kind import Kind, Outcome, acts_of, command
from ledger_filled import fill_two_units
from servers import SERVERS

from followup.backup.backing_up import verify
from ingest.storing import has_rows_as_stored


class Receive(Kind):
    """Files of two units are taken in; one is refused."""

    name = "receive"
    codes = (1, 0)  # 0 where a run that was killed has refused the one file before

    def prepare(self) -> None:
        """Files wait."""
        settle(self.root / "new", drawn_files())
        for path in (self.root / "new").iterdir():
            path.rename(self.root / path.name)
        (self.root / "new").rmdir()
        broken = self.place.inbox / "alvsjo" / "alvsjo_oppenvard_2018Q1.csv"
        broken.write_bytes(broken.read_bytes() + b"x;y\r\n")
        self.dropped = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.place.inbox.glob("*/*")
            if path.is_file() and path.name != "SYNTETISK.json"
        }

    def arguments(self) -> list[str]:
        """The command with the drop locations."""
        return ["receive", "--inbox", str(self.place.inbox)]

    def look(self, expected: Outcome) -> None:
        """Every file is at its place or in the ledger with its original."""
        see_nothing_is_lost(self.place, self.dropped)

    def outcome(self) -> Outcome:
        """All that intake leaves."""
        with closing(self.place.ledger()) as ledger:
            return state(self.place) | {"acts": acts_of(ledger)}

    def see_done(self, found: Outcome) -> None:
        """Each file is one submission."""
        with closing(self.place.ledger()) as ledger:
            each = Counter(one.source_file_name for one in ledger.submissions())
        assert set(each) == set(self.dropped) and set(each.values()) == {1}, each
        see_nothing_is_lost(self.place, self.dropped)


class Worker(Kind):
    """The portal's worker takes in what was handed in."""

    name = "worker"
    program = AT_WORK
    now = "2018-10-10T08:00:00"

    def prepare(self) -> None:
        """Two files were handed in."""
        office = Office(self.root / "office", self.now)
        names = ("bromma_arenden_2018Q3.csv", "bromma_oppenvard_2018Q3.csv")
        office.send(form([(name, csv(name, [])) for name in names]))
        office.ledger.close()

    def arguments(self) -> list[str]:
        """The installation, and to work."""
        return [str(self.root / "office"), self.now, "work"]

    def environment(self) -> dict[str, str]:
        """None: the program knows its installation."""
        return {}

    def go_on(self) -> None:
        """What the next worker does."""
        office = reopened(self.root / "office", self.now)
        after_restart(office)
        office.ledger.close()

    def outcome(self) -> Outcome:
        """All that a kill could double or lose."""
        office = reopened(self.root / "office", self.now)
        found = portal_state(office) | {"uploads": Counter(one.state for one in office.handover.uploads_of("bromma"))}
        office.ledger.close()
        return found

    def see_done(self, found: Outcome) -> None:
        """Both files are in force once, and nothing waits."""
        assert found["uploads"] == {"accepted": 2} and found["spool"] == [] and len(found["submissions"]) == 2


class Remind(Kind):
    """Two units and the team are mailed."""

    name, words = "remind", ("remind",)

    def prepare(self) -> None:
        """Somebody is to be reminded of something."""
        self.place.home.mkdir(parents=True)
        with closing(self.place.ledger()) as ledger:
            fill_two_units(ledger)

    def begin(self) -> None:
        """The mail server has taken nothing."""
        SERVERS.mail.taken.clear()

    def environment(self) -> dict[str, str]:
        """With a mail server, the day after the deadline."""
        return super().environment() | {
            "FOLLOWUP_NOW": "2018-04-21T08:00:00",
            "FOLLOWUP_MAIL_HOST": "127.0.0.1",
            "FOLLOWUP_MAIL_PORT": str(SERVERS.mail.port),
            "FOLLOWUP_MAIL_TLS": "none",
            "FOLLOWUP_MAIL_SENDER": "uppfoljning@staden.example",
            "FOLLOWUP_MAIL_TEAM": "teamet@staden.example",
        }

    def look(self, expected: Outcome) -> None:
        """Nobody is mailed twice."""
        mailed = Counter(str(one["To"]) for one in SERVERS.mail.taken)
        assert not mailed or max(mailed.values()) == 1, f"a mail twice: {mailed}"

    def go_on(self) -> None:
        """The same, twice."""
        self.run()
        self.run()

    def outcome(self) -> Outcome:
        """How many mails were sent, or are said to be unsure."""
        listed = command(self.place, "remind", "--sent", **self.environment())
        unsure = listed.count("unsure, never sent again")
        self.look({})
        mails = len({str(one["To"]) for one in SERVERS.mail.taken})
        assert mails <= 3 <= mails + unsure and unsure <= 2, (mails, listed)
        return {"mails that are sent or unsure": len([line for line in listed.splitlines() if "reminder" in line
                                                      or "overview" in line])}  # fmt: skip


class BackUp(Kind):
    """A second backup is made."""

    name, words = "backup", ("backup",)

    def __init__(self, root: Path, shared: Path) -> None:
        """With a place for backups."""
        super().__init__(root, shared)
        self.place: BackedUpPlace = BackedUpPlace(root)

    def prepare(self) -> None:
        """There is a backup, and more files since."""
        shutil.copytree(received_city().root, self.root, symlinks=True, dirs_exist_ok=True)
        prepared(self.place).back_up()
        parquet = next(self.place.home.glob("validated/grupper/**/*.parquet"))
        (self.place.home / "added").mkdir()
        for number in range(3):
            (self.place.home / "added" / f"{number}.parquet").write_bytes(parquet.read_bytes() + bytes([number]))

    def look(self, expected: Outcome) -> None:
        """Every backup that is there is whole."""
        found = verify(self.place.settings)
        assert not found.damaged and 1 <= len(found.sets) <= 4, found

    def outcome(self) -> Outcome:
        """What the newest backup holds, and that nothing is beside what backups need."""
        self.look({})
        sets = self.place.sets()
        needed = {piece.name for one in sets for piece in one.pieces()} | {".followup"}
        assert {path.name for path in (self.place.backups / "objects").iterdir()} == needed, "objects are left"
        return {"files": [file.path for file in sets[-1].files]}


class Erase(Kind):
    """One person is erased."""

    name = "erase"
    program = """
import sys
from ingest.maintenance.erasing import erase_person
from ingest.recording import open_intake
from ingest.settings import Settings
with open_intake(Settings()) as intake:
    erase_person(intake, sys.argv[1], Settings().now().replace(tzinfo=None))
"""

    def prepare(self) -> None:
        """Somebody has rows."""
        shutil.copytree(received_city().root, self.root, symlinks=True, dirs_exist_ok=True)
        self.before = self.outcome()

    def arguments(self) -> list[str]:
        """The person's number."""
        for path in sorted(drawn_files().glob("*/*_arenden_*.csv")):
            if found := re.search(rb"\b(?:19|20)\d{6}-?\d{4}\b", path.read_bytes()):
                return [found[0].decode()]
        raise AssertionError("no drawn file of cases has a number")

    def look(self, expected: Outcome) -> None:
        """What is in force has its rows; nobody else's original has gone."""
        with closing(self.place.ledger()) as ledger:
            files = self.place.rows
            assert all(has_rows_as_stored(files, found) for found in ledger.in_force())
        left = {str(path.relative_to(self.place.home)) for path in self.place.home.glob("landing/**/*.bin")}
        assert set(expected["originals"]) <= left, "originals of others"

    def outcome(self) -> Outcome:
        """All that is stored; the log has an erasing once or, where it was begun again, twice."""
        found = state(self.place)
        return {key: found[key] for key in ("submissions", "findings", "validated", "originals", "feedback")}

    def see_done(self, found: Outcome) -> None:
        """Rows and an original are gone."""
        assert found["validated"] != self.before["validated"] and found["originals"] != self.before["originals"]
        assert found["validated"].keys() != {} and len(found["submissions"]) == len(self.before["submissions"])

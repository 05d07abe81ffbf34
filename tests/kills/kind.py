"""A type of process that is killed: how it is prepared, run, looked at, and what it must come to."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import forked
from city import Place
from killing import Ended, die

from ingest.ledger import Ledger
from ingest.ledger.acts import acts
from ingest.ledger.acts import verify as verify_acts

COMMAND = forked.COMMAND_LINE
Outcome = dict[str, Any]


def command(place: Place, *words: str, code: int = 0, **variables: str) -> str:
    """Run a command to its end."""
    done = forked.run(COMMAND, *words, environment=os.environ | place.environment | variables)
    assert done.returncode == code, f"{words}: {done.returncode} {done.stdout[-1500:]} {done.stderr[-1500:]}"
    return done.stdout


def acts_of(ledger: Ledger) -> Counter[tuple[str, str]]:
    """What was done to what, how often; the chain must be whole."""
    assert verify_acts(ledger).holds, "the log of acts"
    return Counter((one.action, one.subject) for one in acts(ledger))


class Kind:
    """A type of process, at an installation that is at the same place in each round."""

    name = ""
    program = COMMAND
    words: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)
    """How it may end by itself."""

    def __init__(self, root: Path, shared: Path) -> None:
        """Nothing is made yet."""
        self.root, self.shared = root, shared
        self.place = Place(root)

    def prepare(self) -> None:
        """Fill the empty place."""
        raise NotImplementedError

    def begin(self) -> None:
        """Set back what is outside the place."""

    def arguments(self) -> list[str]:
        """Of the program."""
        return list(self.words)

    def environment(self) -> dict[str, str]:
        """Of the program."""
        return self.place.environment

    def run(self, step: int = 0, seconds: float = 0.0) -> Ended:
        """Run it, and kill it at a step."""
        done = die(
            self.program, *self.arguments(), environment=self.environment(), watched=self.root, step=step,
            seconds=seconds,
        )  # fmt: skip
        assert done.was_killed or done.code in self.codes, f"{self.name}: {done.code} {done.out} {done.err[-3000:]}"
        return done

    def look(self, expected: Outcome) -> None:
        """Right after it was killed: readers and senders have the old or the new, whole."""

    def go_on(self) -> None:
        """Run it again, as an operator would."""
        self.run()

    def outcome(self) -> Outcome:
        """What must be the same as undisturbed."""
        raise NotImplementedError

    def see_done(self, found: Outcome) -> None:
        """What must be so at the end, disturbed or not."""

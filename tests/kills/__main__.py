"""Kill a process of each type at a step that a seed draws, again and again: `make test-kills ROUNDS=50 SEED=7`.

Each round has a small installation as it was before, draws the type of process and when it dies, and looks at once:
what readers and senders have is the old or the new, whole. Then the same is run again, as an operator or Airflow would,
and sometimes killed again; at the end all must be as after a run that nobody disturbed: no submission lost or doubled,
no half release, no mail twice. It prints each round, and ends with 1 where something was not as it must be.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(HERE.parent)]
sys.path += [str(HERE.parent / "followup"), str(HERE.parent / "portal")]

from kinds_of_marts import Build, Close, FreezeFigures, Publish  # noqa: E402
from kinds_of_rows import BackUp, Erase, Receive, Remind, Worker  # noqa: E402
from servers import running  # noqa: E402

say = functools.partial(print, flush=True)
KINDS = {
    one.name: one for one in (Receive, Worker, Build, Publish, Remind, Close, BackUp, Erase, FreezeFigures)
}  # fmt: skip
AGAIN = 0.3
"""In so many of the rounds the second run is killed too."""
AFTER_A_STEP = 0.5
"""In so many it dies between two steps, at a moment of the whole run, not right at a step."""


@dataclass
class Measured:
    """A type of process, its installation before, and an undisturbed run."""

    kind: Any
    before: Path
    moments: tuple[float, ...]
    expected: Any
    killed: list[int] = field(default_factory=list)

    def draw(self, chance: random.Random) -> tuple[int, float]:
        """When it dies: a step from 1, and seconds after it."""
        if chance.random() >= AFTER_A_STEP:
            return chance.randrange(len(self.moments)) + 1, 0.0
        moment = chance.uniform(0, self.moments[-1])
        step = max(1, bisect_right(self.moments, moment))
        return step, max(0.001, moment - self.moments[step - 1])


class Rounds:
    """All rounds."""

    def __init__(self, folder: Path, seed: int, names: list[str]) -> None:
        """Nothing is prepared yet."""
        self.folder, self.chance = folder, random.Random(seed)
        self.place = folder / "place"
        self.names = names
        self.measured: dict[str, Measured] = {}

    def measure(self, name: str) -> Measured:
        """Prepare a type of process and run it once undisturbed, the first time it is drawn."""
        if name not in self.measured:
            kind, before = KINDS[name](self.place, self.folder), self.folder / f"before-{name}"
            self._empty()
            kind.prepare()
            shutil.copytree(self.place, before, symlinks=True)
            kind.begin()
            done = kind.run()
            expected = kind.outcome()
            kind.see_done(expected)
            self.measured[name] = Measured(kind, before, done.moments, expected)
            say(f"  {name}: undisturbed it takes {done.steps} steps and {done.moments[-1]:.1f} s")
        return self.measured[name]

    def _empty(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()

    def round(self, number: int, name: str) -> None:
        """One round; AssertionError where something is not as it must be."""
        one = self.measure(name)
        while True:
            self._empty()
            shutil.copytree(one.before, self.place, symlinks=True, dirs_exist_ok=True)
            one.kind.begin()
            step, seconds = one.draw(self.chance)
            said = f"round {number:2}: {name} at step {step} of {len(one.moments)}" + (
                f" and {seconds:.2f} s" if seconds else ""
            )
            if one.kind.run(step, seconds).was_killed:
                break
            say(f"{said}: it had ended before; drawn anew")
        one.killed.append(step)
        one.kind.look(one.expected)
        if self.chance.random() < AGAIN:
            again, seconds = one.draw(self.chance)
            if one.kind.run(again, seconds).was_killed:
                said += f", again at step {again}"
                one.kind.look(one.expected)
        one.kind.go_on()
        found = one.kind.outcome()
        one.kind.see_done(found)
        differing = [key for key in one.expected if one.expected[key] != found.get(key)]
        assert not differing, f"{said}: other than undisturbed: " + "; ".join(
            f"{key}: {str(one.expected[key])[:1500]} | {str(found.get(key))[:1500]}" for key in differing
        )
        say(f"{said}: as undisturbed")


def main() -> int:
    """Run the rounds."""
    parser = argparse.ArgumentParser(prog="make test-kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--types", default=",".join(KINDS), help=f"which: {', '.join(KINDS)}")
    asked = parser.parse_args()
    names, began = asked.types.split(","), time.monotonic()
    say(f"seed {asked.seed}, {asked.rounds} rounds: {', '.join(names)}")
    folder = Path(tempfile.mkdtemp(prefix="followup-kills-"))
    folder.chmod(0o711)
    (folder / "shared").mkdir()
    for variable in [name for name in os.environ if name.startswith("FOLLOWUP_")]:
        del os.environ[variable]
    os.environ |= {"FOLLOWUP_TEST_SHARED": str(folder / "shared"), "FOLLOWUP_PARSED": str(folder / "parsed")}
    os.environ |= {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "GX_ANALYTICS_ENABLED": "false"}
    rounds = Rounds(folder, asked.seed, names)
    order: list[str] = []
    while len(order) < asked.rounds:  # each type as often as the others, in a drawn order
        order += rounds.chance.sample(names, len(names))
    try:
        with running(folder):
            for number, name in enumerate(order[: asked.rounds], start=1):
                rounds.round(number, name)
    except Exception as wrong:  # noqa: BLE001 - whatever it is, the seed must be said with it
        say("".join(traceback.format_exception(wrong, limit=-4))[-6000:])
        say(f"NOT AS IT MUST BE, seed {asked.seed}: {wrong}"[:4000])
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    killed = Counter({name: len(one.killed) for name, one in rounds.measured.items()})
    say(f"killed: {', '.join(f'{name} {count}' for name, count in sorted(killed.items()))}")
    say("no submission lost or doubled, no half release, no mail twice, every end as undisturbed")
    say(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

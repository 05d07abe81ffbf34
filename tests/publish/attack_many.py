"""Attacks the releases of many random cities: `make test-attack CITIES=500 SEED=0`.

Each city is released quarter by quarter and once restated in a throw-away installation, then attacked with all that
its readers have. What fails is told with the seed that repeats it: `make test-attack CITIES=1 SEED=<seed>`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from attack_city import draw_city
from attacked_city import Outcome, attack_city

MOST_BLOCKED = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cities", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="the first city's")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no city after these")
    parser.add_argument("--more", action="store_true", help="attack once more, told which quarter was restated")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="cities at a time")
    chosen = parser.parse_args()
    started, outcomes = time.monotonic(), []
    attacked = partial(attack_seed, is_told_more=chosen.more)
    seeds = iter(range(chosen.seed, chosen.seed + chosen.cities))
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, mp_context=spawned) as pool:
        waiting = [pool.submit(attacked, seed) for seed in islice(seeds, 2 * chosen.processes)]
        while waiting:
            outcomes.append(waiting.pop(0).result())
            tell(outcomes[-1])
            if time.monotonic() - started < chosen.seconds:
                waiting += [pool.submit(attacked, seed) for seed in islice(seeds, 1)]
    say(f"\n{time.monotonic() - started:.0f} seconds, {chosen.processes} cities at a time")
    return summarise(outcomes)


def attack_seed(seed: int, *, is_told_more: bool) -> Outcome:
    """Draw a city, release it, attack it, and leave nothing of it."""
    home = Path(tempfile.mkdtemp(prefix="followup-attack-"))
    try:
        return attack_city(draw_city(seed), home / "home", is_told_more=is_told_more)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(outcome: Outcome) -> None:
    said = f"seed {outcome.seed}: {outcome.releases} releases, {outcome.hidden} hidden, narrowest {outcome.narrowest:g}"
    say(said + (", BLOCKED" if outcome.blocked else "") + (", FAILED" if outcome.failures else ""))
    for told, lines in (("blocked", outcome.blocked), ("failed", outcome.failures), ("told more", outcome.more)):
        for line in lines[:5]:
            say(f"    {told}: {line[:200]}")


def summarise(outcomes: list[Outcome]) -> int:
    """Print all together; 1 when a city failed or too many were blocked."""
    total: Counter[str] = Counter()
    for one in outcomes:
        total.update(
            releases=one.releases,
            not_released=len(one.blocked),
            hidden=one.hidden,
            targets=len(one.intervals),
            zeros=one.hidden_zero_rows,
            programs=one.programs,
            integer_programs=one.integer_programs,
            systems_tried=one.systems_tried,
            told_more=len(one.more),
        )
    blocked = [one.seed for one in outcomes if one.blocked]
    failed = [one.seed for one in outcomes if one.failures]
    more = [one.seed for one in outcomes if one.more]
    narrowest = min((one.narrowest for one in outcomes), default=float("inf"))
    say(f"\ncities              {len(outcomes)}")
    say(f"releases            {total['releases']}")
    say(f"blocked             {total['not_released']} releases in {len(blocked)} cities {blocked[:20]}")
    say(f"hidden figures      {total['hidden']}, {total['zeros']} of them 0; intervals sought {total['targets']}")
    say(f"programs            {total['programs']}, {total['integer_programs']} of whole numbers")
    say(f"systems tried       {total['systems_tried']}")
    say(f"narrowest interval  {narrowest:g}")
    say(f"failed cities       {len(failed)} {failed[:20]}")
    say(f"with --more         {total['told_more']} too narrow, in {len(more)} cities {more[:20]} (not promised)")
    return int(bool(failed) or len(blocked) > MOST_BLOCKED * max(len(outcomes), 1))


if __name__ == "__main__":
    sys.exit(main())

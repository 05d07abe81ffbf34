"""Freezing and erasing on a synthetic city of fourteen units and eight quarters: `make test-freeze`.

The city is received, built and released; its person keys are rotated; old quarters are locked, and the clock goes to
where the rows about persons of the oldest are due. After `followup erase-expired` every figure of every mart is as
before, private columns too, in the warehouse that the erasing puts in place and in one that is built anew; the release
is the same byte for byte, and another one made of the frozen figures would show the same. Nothing under the old keys is
left anywhere; explanations of single rows have gone with their rows, and the others still answer.
"""

from __future__ import annotations

import argparse
import base64
import re
import secrets
import shutil
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # the rooms before the folders of their tests
from backed_up import BackedUpPlace, files_of
from rehearsing import (
    OldKeys,
    explain_somebody,
    followup,
    is_explained,
    persons_in_rows,
    say,
    send_again,
)

from followup.backup.sealing import make_backup_key
from ingest.ledger.freezes import newest_frozen
from ingest.persons.keys import load_keys, make_keys
from ingest.quarters import Quarter, quarters_between
from publish.serving.folder import current_folder
from synthetic.city import draw_city

FIRST, LAST = Quarter(2018, 1), Quarter(2019, 4)
NOW, LATER = "2020-02-20T08:00:00", "2020-10-10T08:00:00"
ROWS_KEPT = 8
THROUGH, ERASED = Quarter(2019, 2), Quarter(2018, 3)
"""In October 2020, eight quarters after 2018Q3."""


@dataclass(frozen=True)
class LaterPlace(BackedUpPlace):
    """The same installation as the clock says another time."""

    now: str = NOW

    @property
    def environment(self) -> dict[str, str]:
        later = {"FOLLOWUP_NOW": self.now, "FOLLOWUP_ROWS_KEPT_QUARTERS": str(ROWS_KEPT)}
        return {**super().environment, **later}


def see_same_figures(before: Path, place: BackedUpPlace) -> None:
    """Every mart, with its private columns, has the same rows as in a warehouse that was put aside."""
    rows = frozen = 0
    with duckdb.connect() as both:
        for name, file in (("before", before), ("after", place.home / "warehouse.duckdb")):
            both.execute(f"attach '{file}' as {name} (read_only)")
        listed = (
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = '{}' "
            "and schema_name in ('marts', 'keyed') and table_name <> 'about' order by 1"
        )
        tables, others = (both.execute(listed.format(name)).fetchall() for name in ("before", "after"))
        assert tables == others and len(tables) > 20
        for (table,) in tables:
            for one, other in (("before", "after"), ("after", "before")):
                differing = f"select count(*) from (from {one}.{table} except all from {other}.{table})"
                assert both.execute(differing).fetchall() == [(0,)], table
            columns = {name for name, *_ in both.execute(f"describe before.{table}").fetchall()}
            rows += both.execute(f"select count(*) from before.{table}").fetchall()[0][0]
            if "reporting_quarter" in columns:
                older = f"select count(*) from before.{table} where reporting_quarter <= '{THROUGH}'"
                frozen += both.execute(older).fetchall()[0][0]
    assert frozen > 1000
    say(f"the same: {len(tables)} tables of marts, {rows} rows, {frozen} of them of frozen quarters, both ways")


def rehearse(root: Path, scale: float) -> None:
    place = LaterPlace(root / "place")
    place.backups.mkdir(parents=True)
    # The same keys each time, after the rotation too: with others a release's deviations are others, and what the
    # attacks find in so small a city may be above a limit.
    secrets.token_bytes = Random(1).randbytes  # type: ignore[assignment]
    make_keys(place.root / "keys.json")
    make_backup_key(place.settings)
    draw_city(place.inbox, FIRST, LAST, scale=scale, seed=7)
    drawn = shutil.copytree(place.inbox, root / "drawn")
    followup(place, "receive", "--inbox", str(place.inbox))
    erased, erased_key = explain_somebody(place, str(FIRST))
    stays, stays_key = explain_somebody(place, str(LAST))
    keys = load_keys(place.root / "keys.json")
    before_it = (keys.person_keys[1], keys.original_keys[1])
    old = OldKeys(frozenset(persons_in_rows(place.home)), (*before_it, *(base64.b64encode(one) for one in before_it)))
    followup(place, "keys", "rotate", "--yes")
    followup(place, "keys", "prune", "--yes")
    for quarter in quarters_between(FIRST, THROUGH):
        followup(place, "lock", "--quarter", str(quarter), "--yes")
    later = LaterPlace(place.root, LATER)
    followup(later, "build")
    followup(later, "publish", "--approve")
    folder = current_folder(later.settings)
    assert folder is not None
    release, before = files_of(folder, "."), root / "before.duckdb"
    shutil.copy(later.home / "warehouse.duckdb", before)
    persons = persons_in_rows(later.home)
    said = followup(later, "erase-expired", "--yes")
    gone = re.search(rf"till och med {ERASED}: (\d+) i", said)
    assert gone is not None and int(gone[1]) > 100, said
    with closing(later.ledger()) as ledger:
        frozen = newest_frozen(ledger)
    assert frozen is not None and (frozen.through_quarter, frozen.erased_quarter) == (str(THROUGH), str(ERASED))
    left = persons_in_rows(later.home)
    assert left < persons
    say(f"{gone[1]} rows are erased, and {len(persons - left)} of {len(persons)} persons have none left")
    see_same_figures(before, later)
    followup(later, "build", "--force")
    see_same_figures(before, later)
    assert files_of(folder, ".") == release and current_folder(later.settings) == folder
    say(f"the release is the same: {len(release)} files, byte for byte")
    said = followup(later, "publish", "--approve")
    assert "shows the same. No release is made" in said, said
    assert not is_explained(later, erased.submission_id, erased_key)
    assert is_explained(later, stays.submission_id, stays_key)
    again = send_again(later, drawn, stays)
    assert is_explained(later, again.submission_id, stays_key)
    say("an explanation has gone with its row; another is carried to the next version of its file")
    followup(later, "backup", "--drop-older")
    for what, keys_gone in (
        ("old keys", old),
        ("keys of persons without rows", OldKeys(frozenset(persons - left), ())),
    ):
        places = keys_gone.places(later)
        assert not any(places.values()), (what, places)
        say(f"none of {len(keys_gone.persons)} {what} in {', '.join(places)}")
    say("the freeze is rehearsed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=0.1)
    with tempfile.TemporaryDirectory(prefix="followup-freeze-") as folder:
        rehearse(Path(folder), parser.parse_args().scale)

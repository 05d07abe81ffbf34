"""The whole attack on a release that is stored: every figure, however long it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from ingest.ledger import Ledger
from ingest.ledger.draws import draws_until
from ingest.ledger.releases import releases
from ingest.noise_secret import noise_secret
from ingest.persons.keys import load_keys
from ingest.settings import Settings
from publish.cell_keys.keys import NOTHING
from publish.cell_keys.revisions import group_of
from publish.marts.declared import Mart, Measures, load_marts, load_measures
from publish.policy import Policy, load_policy
from publish.release.approving import FILE_NAME, ReleaseRefused, proposal_folder
from publish.release.attacking import Attacked, attack_figures, long_form, measures_of
from publish.release.deriving import Published
from publish.release.groups import salts_of
from publish.release.held import unfinished
from publish.release.keyed import Flags, Rows, keyed_warehouse, merged_units, read_mart
from publish.release.known import relations_known


def audit_release(
    settings: Settings,
    release_id: int,
    *,
    is_full: bool = True,
    seed: int = 0,
    declared: Mapping[str, Mart] | None = None,
    measures: Measures | None = None,
    policy: Policy | None = None,
    on_step: Callable[[int | None, int | None, str], None] = lambda number, total, what: None,
) -> Attacked:
    """Attack the figures of a release's file.

    The true counts, by which the attacks are scored, are those of the warehouse now. Groups of figures whose content
    has changed since they were drawn, or can't be counted now, help to find others, and nothing is scored by them.

    Args:
        settings: the installation's.
        release_id: of a release whose file is still there: the current one, or one that waits.
        is_full: all figures; else samples within the policy's time.
        seed: of the samples.
        declared, measures: what is published, instead of `publish/marts`.
        policy: instead of policy.yml.
        on_step: called with progress.

    Raises:
        ReleaseRefused: there is no such release, or its file is gone.
        NotKeyed: the warehouse lacks a mart.
        WarehouseFailed: it can't be read.
    """
    declared, measures = declared or load_marts(), measures or load_measures()
    with closing(Ledger(settings.ledger)) as ledger:
        known = {one.release_id: one for one in releases(ledger)}
        secret = noise_secret(load_keys(settings.keys), ledger)
        drawn = {group_of(one): one.salt for one in draws_until(ledger, release_id)}  # the last of each
    file = proposal_folder(settings, release_id) / FILE_NAME
    if release_id not in known or not file.exists():
        raise ReleaseRefused(f"release {release_id} is not stored: only the current one, and one that waits, are")
    on_step(None, None, "reading the release")
    stored = _stored(file, declared)
    with keyed_warehouse(settings.warehouse) as warehouse:
        merged = merged_units(warehouse)
        until = known[release_id].until_quarter
        read = {name: read_mart(warehouse, mart, until=until) for name, mart in declared.items()}
    counted = {name: _all_of(read[name].rows) for name in stored}
    now = salts_of(read.values(), measures, secret)
    changed = [group for group in now.keys() | drawn.keys() if now.get(group, NOTHING) != drawn.get(group, NOTHING)]
    changed += unfinished([one.rows for one in read.values()], file)
    published, _ = long_form(stored, declared, release_id)
    _, truth = long_form(counted, declared, release_id)
    policy = policy or load_policy()
    relations = relations_known(stored, declared, measures, policy, merged)
    return attack_figures(
        published, truth, relations, policy, seed=seed, is_full=is_full,
        waiting=measures_of(changed, published),
        on_sample=lambda done, wanted: on_step(done, wanted, "attacking"),
    )  # fmt: skip


def _stored(file: Path, declared: Mapping[str, Mart]) -> dict[str, tuple[Published, Flags]]:
    """The marts of a release's file that count persons by unit."""
    found = {}
    with duckdb.connect(str(file), read_only=True) as connection:
        there = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        for name, mart in declared.items():
            if name in there and mart.person_counts and "district_code" in mart.keys:
                found[name] = _all_of(Rows(mart, connection.execute(f"from published.{name}").to_arrow_table()))
    return found


def _all_of(rows: Rows) -> tuple[Published, Flags]:
    counts = {name: rows.ints(name) for name in rows.mart.person_counts}
    made = Published(rows, counts)
    if rows.has("is_capped"):
        capped = rows.table["is_capped"].cast(pa.int8()).to_numpy() > 0
        made.capped = {name: capped for name, one in rows.mart.person_counts.items() if one.part_of}
    return made, np.ones(len(rows), np.bool_)

"""Releases: cut, protected, audited, proposed, approved, served. What readers see changes by this and nothing else.

A release is first a proposal: its file, its certificate and a row in the ledger with the cells that it changes. What
becomes of it then stands in `approving.py`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ingest.ledger import Ledger, decisions
from ingest.ledger import releases as kept
from ingest.ledger.releases import ReleaseRow
from ingest.settings import Settings
from publish.approving import (
    FILE_NAME,
    Release,
    ReleaseRefused,
    Step,
    complete,
    go_out,
    ledger_for_release,
    naive,
    no_other,
    proposal_folder,
    shown_by,
)
from publish.auditing import Audit, NotPublic
from publish.catalogue.manifest import ManifestMissing, load_manifest
from publish.catalogue.write import write_catalogue
from publish.certificate import Certificate, TableShown, solver_name, write_certificate
from publish.cutting import CELL, Cut, cut
from publish.gate.passing import pass_gate
from publish.leaving_out import leave_out
from publish.linking import Known, Layer, System, changes_of, link, remember, rows_told_by, to_remember
from publish.policy import Policy, load_policy
from publish.protecting import Protection, Requirement, protect
from publish.public import PublicCells, audit_public, read_public, unknown_of
from publish.tables import Tables, load_tables
from publish.warehouse import CutError, Warehouse
from publish.writing import Heading, notice_of, write_release

MOST_MARGIN = 2
"""How much more than the policy asks a pattern is made for, at most, when the audit finds a cell too narrow: patterns
are proven with counts that may be fractions, and the strong attacker knows that they are whole."""


class ReleaseBlocked(Exception):
    """Protection or audit failed: nothing goes out. The message names tables and codes, never a figure."""


def release(
    settings: Settings,
    *,
    approve: bool | None = None,
    quarter: str | None = None,
    on_step: Step = lambda number, total, what: None,
    tables: Tables | None = None,
    policy: Policy | None = None,
    now: datetime | None = None,
    gate: Callable[[Settings], object] = pass_gate,
    processes: int = 2,
    force: bool = False,
) -> Release:
    """Make a release of what the marts hold now.

    Args:
        settings: the installation's.
        approve: True lets it go out at once; False lets it wait; None lets it go out by itself where the policy or the
            installation says so and the last release is old enough.
        quarter: nothing later than this goes out; the newest complete quarter without.
        on_step: told of progress: number and total where they are known, and what is being done.
        tables: what goes out, instead of tables.yml.
        policy: instead of policy.yml.
        now: instead of the installation's clock.
        gate: looks at the marts first, and raises where they are not fit to go out.
        processes: how many blocks are protected at a time.
        force: make one although the current release, or a proposal that waits, shows the very same.

    Raises:
        ReleaseRefused: there is nothing to release, or an older quarter than what has gone out.
        ReleaseBlocked: protection or audit failed; recorded in the ledger.
        CutError: the marts can't be cut, or contradict themselves.
        GateClosed: the marts are not fit to go out.
        LeaseBusy: another process is releasing.
        ServingError: the release is approved but could not be served; the next run serves it.
    """
    with ledger_for_release(settings) as ledger:
        complete(settings, ledger, on_step)
        making = _Making(
            settings,
            ledger,
            tables or load_tables(),
            policy or load_policy(),
            now or settings.now(),
            on_step,
            processes,
            force,
        )
        return making.run(approve, quarter, gate)


class _TooNarrow(Exception):
    """The audit found cells about which too much can be concluded; its one argument lists them."""


class _Making:
    """One release in the making."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        tables: Tables,
        policy: Policy,
        now: datetime,
        on_step: Step,
        processes: int,
        force: bool,
    ) -> None:
        self.settings, self.ledger, self.tables, self.policy = settings, ledger, tables, policy
        self.now, self.on_step, self.processes, self.force = now, on_step, processes, force
        self.number = kept.next_number(ledger)
        self.current = kept.current_release(ledger)

    def run(self, approve: bool | None, quarter: str | None, gate: Callable[[Settings], object]) -> Release:
        if quarter and self.current and self.current.until_quarter and quarter < self.current.until_quarter:
            raise ReleaseRefused(
                f"release {self.current.release_id} holds figures up to {self.current.until_quarter}: they can't be "
                "taken back by a release of an earlier quarter"
            )
        self.on_step(None, None, "looking at the marts")
        found = gate(self.settings)
        warnings = tuple(str(one) for one in found) if isinstance(found, list) else ()
        self.on_step(None, None, "reading earlier releases")
        known = remember(kept.released_cells(self.ledger))
        with Warehouse(self.settings.warehouse) as warehouse:
            told = cut(warehouse, self.tables, until=quarter, on_table=lambda name: self.on_step(None, None, name))
            if not told.quarters:
                raise ReleaseRefused("no quarter is complete yet: there is nothing to release")
            margin = 0
            while True:
                left, system, protection = self._protect(told, known, margin)
                try:
                    return self._propose(warehouse, left, system, protection, known, approve, warnings)
                except _TooNarrow as failed:
                    if margin == MOST_MARGIN:
                        self._block(failed.args[0], "fail the audit")
                    margin += 1

    def _protect(self, told: Cut, known: Known, margin: int) -> tuple[Cut, System, Protection]:
        """What is to go out when all that nothing protects is left out, and its pattern."""
        requirement = Requirement(threshold=self.policy.threshold, width=self.policy.width, margin=margin)
        while True:
            self.on_step(None, None, "linking cells")
            try:
                system = link(told.cells, told.nesting, self.policy, known)
            except ValueError as error:
                raise CutError(f"the marts contradict themselves: {error}") from error
            hopeless = set(system.exposed)
            if not hopeless:
                protection = protect(
                    system.linked,
                    requirement,
                    processes=self.processes,
                    on_block=lambda done, blocks: self.on_step(done, blocks, "protecting"),
                )
                hopeless = self._hopeless(system, protection)
            if not hopeless:
                return told, system, protection
            told = leave_out(told, self.tables, hopeless)

    def _hopeless(self, system: System, protection: Protection) -> set[int]:
        """The cells (rows of the current layer) to leave out as nothing protects them, or what is left of them.

        What has gone out can't be left out any more: where only such cells are without protection, nothing goes out.
        """
        linked, cells = system.linked, system.current.cells
        is_kept = linked.sealed[system.current.numbers] | cells["is_internal"].to_numpy(dtype=bool)
        taken_back = np.flatnonzero(linked.sealed & ~linked.suppressed & ~linked.internal & protection.suppressed)
        if len(taken_back):
            self._block(self._named(system, taken_back), "were shown before and can't be hidden any more")
        at = {key: row for row, key in enumerate(cells["key"])}
        found: set[int] = set()
        for row in np.flatnonzero(np.isin(system.current.numbers, protection.unsolved)):
            new = (one for one in rows_told_by(str(cells["key"].iloc[row]), at) if not is_kept[one])
            found.update(islice(new, 1))
        if len(protection.unsolved) and not found:
            self._block(self._named(system, protection.unsolved), "can't be protected, whatever else is hidden")
        return found

    def _named(self, system: System, numbers: NDArray[np.int64]) -> list[str]:
        keys = system.keys()
        return [_in_words(self.tables, key) for key in sorted({keys[number] for number in numbers.tolist()})]

    def _block(self, cells: list[str], why: str) -> NoReturn:
        listed = "; ".join(cells[:20]) + (f"; and {len(cells) - 20} more" if len(cells) > 20 else "")
        detail = f"{len(cells)} cells {why}: {listed}"
        row = ReleaseRow(self.number, "blocked", naive(self.now), None, None, False, self._policy(), None, detail)
        kept.record_release(self.ledger, row)
        raise ReleaseBlocked(f"release {self.number} is blocked: {detail}")

    def _policy(self) -> str:
        return json.dumps(self.policy.model_dump(), ensure_ascii=False)

    def _propose(
        self,
        warehouse: Warehouse,
        told: Cut,
        system: System,
        protection: Protection,
        known: Known,
        approve: bool | None,
        warnings: tuple[str, ...],
    ) -> Release:
        """Write, audit, certify, record, and let it go out unless it waits.

        Raises:
            _TooNarrow: something fails the audit.
        """
        until, is_revision = told.quarters[-1], bool(system.changed)
        hidden = protection.suppressed[system.current.numbers[: len(told.cells)]]
        heading = Heading(self.number, self.now, until, frozenset(decisions.locked_quarters(self.ledger)), is_revision)
        folder = proposal_folder(self.settings, self.number)
        staged = folder.with_name(f".{self.number}")
        if staged.exists():
            shutil.rmtree(staged)
        (staged / "beside").mkdir(parents=True)
        self.on_step(None, None, "writing the tables")
        rows = write_release(staged / FILE_NAME, warehouse, self.tables, told, hidden, self.policy, heading)
        if not self.force and (same := shown_by(self.settings, self.ledger, staged / FILE_NAME)) is not None:
            shutil.rmtree(staged)
            made = Release(same.release_id, "unchanged", same.is_revision, same.until_quarter, rows, None, None, None)
            made = replace(made, warnings=warnings, notice=notice_of(warehouse))
            return no_other(self.settings, self.ledger, same, made, self._waits(approve), self.now, self.on_step)
        try:
            audit = self._audit(staged / FILE_NAME, system, known)
        except NotPublic as error:
            shutil.rmtree(staged)
            self._block([str(error)], "can't be audited")
        notice = notice_of(warehouse)
        certificate = self._certify(told, system, protection, audit, hidden, rows, until, notice, known)
        if audit.left_out:
            shutil.rmtree(staged)
            self._block(list(audit.left_out), "make cycles too large to audit")
        if not audit.is_passed:
            shutil.rmtree(staged)
            raise _TooNarrow([str(failure.cell) for failure in audit.failures])
        write_certificate(certificate, staged / "beside")
        self._describe(staged)
        if folder.exists():
            shutil.rmtree(folder)
        staged.replace(folder)
        row = ReleaseRow(
            self.number,
            "proposed",
            naive(self.now),
            None,
            until,
            is_revision,
            self._policy(),
            certificate.as_json(),
            None,
        )
        changes = changes_of(told.cells, system, known)
        kept.record_release(self.ledger, row, to_remember(self.number, changes, told.cells, hidden))
        waits = self._waits(approve)
        made = Release(self.number, "proposed", is_revision, until, rows, certificate, None, waits, warnings, notice)
        if waits is not None:
            return made
        served = go_out(self.settings, self.ledger, self.number, self.now, self.on_step)
        return replace(made, state="released", served=served)

    def _describe(self, staged: Path) -> None:
        """Dictionary and catalogue beside the release, where the models' descriptions are kept."""
        try:
            manifest = load_manifest(self.settings)
        except ManifestMissing:
            return
        write_catalogue(staged / FILE_NAME, manifest, staged / "beside", self.settings)

    def _waits(self, approve: bool | None) -> str | None:
        """Why the proposal waits for approval; None when it goes out now."""
        if approve is not None:
            return None if approve else "approval was not given"
        by_itself = self.settings.release_approves_itself
        if not (self.policy.approve_by_itself if by_itself is None else by_itself):
            return "the city approves releases"
        if self.current is None or self.current.released_at is None:
            return None
        next_at = self.current.released_at + timedelta(days=self.policy.days_between_releases)
        if naive(self.now) < next_at:
            return f"release {self.current.release_id} is less than {self.policy.days_between_releases} days old"
        return None

    def _audit(self, path: Path, system: System, known: Known) -> Audit:
        now, nested = read_public(path, self.tables, str(self.number))
        public, versions = [now], [_versions(system.current)]
        layers = [system.current]
        for number, layer in system.earlier.items():
            rows = system.told[number]
            rows = rows.assign(count=rows["value"].astype("Int64").mask(~rows["is_shown"].to_numpy(dtype=bool)))
            is_told = ~rows["is_internal"].to_numpy(dtype=bool)
            public.append(PublicCells(str(number), rows[is_told], unknown_of(rows[~is_told])))
            versions.append(_versions(layer))
            layers.append(layer)
        protected = {
            (key, version)
            for layer in layers
            for key, version, number in zip(layer.cells["key"], layer.cells["version"], layer.numbers, strict=True)
            if system.linked.primary[number]
        }
        self.on_step(None, None, "auditing")
        return audit_public(
            public, versions, nested, self.tables, self.policy, sorted(protected),
            on_component=lambda done, parts: self.on_step(done, parts, "auditing"),
        )  # fmt: skip

    def _certify(
        self,
        told: Cut,
        system: System,
        protection: Protection,
        audit: Audit,
        hidden: NDArray[np.bool_],
        rows: dict[str, int],
        until: str,
        notice: str,
        known: Known,
    ) -> Certificate:
        shown = []
        for name, table in self.tables.tables.items():
            frame = told.rows.get(name)
            cells = (
                np.unique(np.concatenate([frame[CELL + c].to_numpy(dtype=np.int64) for c in table.counts]))
                if frame is not None
                else np.zeros(0, dtype=np.int64)
            )
            shown.append(TableShown(name, rows[name], len(cells), int(hidden[cells].sum())))
        before = set(known.newest.index.str.split("|").str[2]) if len(known.newest) else set()
        periods = set(told.cells["period"])
        revised = {key.split("|")[2] for key in system.changed}
        is_new = ~told.cells["key"].isin(known.newest.index)
        touched = revised | set(told.cells.loc[is_new, "period"])
        together = (f"{self.number}", *(f"{number}" for number in system.earlier))
        return Certificate(
            release_id=self.number,
            made_at=self.now.astimezone(UTC).isoformat(timespec="seconds"),
            until_quarter=until,
            notice=notice,
            tables=tuple(shown),
            tables_without_persons=tuple(self.tables.open_tables),
            cells=len(system.linked.values),
            hidden=int(hidden.sum()),
            left_out=len(told.left_out),
            narrowest_interval=audit.narrowest,
            attacker=self.policy.attacker,
            threshold=self.policy.threshold,
            width=self.policy.width,
            group_disclosure=self.policy.group_disclosure,
            audited_together=together,
            new_periods=tuple(sorted(periods - before)),
            sealed_periods=tuple(sorted((periods & before) - touched)),
            revised_periods=tuple(sorted(revised)),
            solver=solver_name(),
            programs=protection.programs + audit.programs,
            integer_programs=audit.integer_programs,
            joint_cells=audit.joint_cells,
            protecting_seconds=round(protection.seconds, 1),
            auditing_seconds=round(audit.seconds, 1),
            passed=audit.is_passed,
        )


def _versions(layer: Layer) -> Callable[[str], str]:
    by_key = dict(zip(layer.cells["key"], layer.cells["version"], strict=True))
    return by_key.__getitem__


def _in_words(tables: Tables, key: str) -> str:
    """A cell by the tables that it stands in and its codes; never its figure."""
    measure, geography, period, codes = key.split("|")
    of = measure.split("−")[0]
    names = [name for name, t in tables.tables.items() if any(of in block.counts.values() for block in t.blocks)]
    where = ", ".join(part for part in (geography, period, codes) if part)
    return f"{'/'.join(names)} {measure} ({where})"

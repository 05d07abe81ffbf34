"""Releases: made, attacked, proposed, approved, served. What readers see changes by this and nothing else.

A release is first a proposal: its file, its certificate and a row in the ledger with the draws that it made. What
becomes of it then is in `approving.py`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import numpy as np

from ingest.ledger import Ledger, decisions, releases
from ingest.ledger.draws import released_draws
from ingest.ledger.quarter_revisions import sealed_for_readers
from ingest.ledger.releases import ReleaseRow
from ingest.noise_secret import noise_secret
from ingest.organisation import own_words
from ingest.persons.keys import load_keys
from ingest.settings import Settings
from publish.catalogue.manifest import ManifestMissing, load_manifest
from publish.catalogue.site import Issued
from publish.catalogue.write import write_catalogue
from publish.cell_keys.ptable import PTable
from publish.cell_keys.revisions import draws_to_record, new_periods, revisions
from publish.gate.passing import in_lines, pass_gate
from publish.marts.declared import Mart, Measures, load_marts, load_measures
from publish.policy import Policy, load_policy
from publish.release.approving import (
    FILE_NAME,
    Release,
    ReleaseRefused,
    Step,
    approve_and_serve,
    complete,
    ledger_for_release,
    naive,
    no_other,
    proposal_folder,
    shown_by,
)
from publish.release.attacking import Attacked, Checked, attack_release, seed_of
from publish.release.certificate import Certificate, Finding, TableShown, write_certificate
from publish.release.keyed import keyed_warehouse
from publish.release.making import Made, make
from publish.release.revision_notes import RevisionNote, revision_notes
from publish.release.tables import Heading
from publish.release.writing import NOT_THERE, in_words, notice_of, write_release

LISTED = 20
"""True counts whose published figures are listed in the certificate."""


_AFTER_A_BLOCK = (
    "Running it again changes nothing: wait for more data, or publish fewer quarters (`followup publish --quarter`). "
    "See docs/runbook.md, Publishing."
)


class ReleaseBlocked(Exception):
    """The attacks found what the policy forbids: nothing is published. The message has no figure of the release."""


def release(
    settings: Settings,
    *,
    approve: bool | None = None,
    quarter: str | None = None,
    on_step: Step = lambda number, total, what: None,
    declared: Mapping[str, Mart] | None = None,
    measures: Measures | None = None,
    policy: Policy | None = None,
    now: datetime | None = None,
    gate: Callable[[Settings], object] = pass_gate,
    force: bool = False,
    is_yearly_revision: bool = False,
) -> Release:
    """Make a release of what the marts hold now.

    Args:
        settings: the installation's.
        approve: True publishes it at once; False lets it wait; None publishes it where the policy or the installation
            says that releases need no approval, and the last release is old enough.
        quarter: nothing later than this is published; all that can be without.
        on_step: called with progress: number and total where they are known, and what is being done.
        declared, measures: what is published, instead of `publish/marts`.
        policy: instead of policy.yml.
        now: instead of the installation's clock.
        gate: looks at the marts first, and raises where they are not fit to be published.
        force: make one although the current release, or a proposal that waits, shows the very same.
        is_yearly_revision: whether corrections past the limit of draws are taken in now.

    Raises:
        ReleaseRefused: there is nothing to release, or an older quarter than what is published.
        ReleaseBlocked: the attacks found too much; recorded in the ledger.
        NotKeyed: the warehouse was built without keys.
        SettingsError: the key file has no noise secret, or another than figures were drawn with.
        GateClosed: the marts are not fit to be published.
        LeaseBusy: another process is releasing.
        ServingError: the release is approved but could not be served; the next run serves it.
    """
    with ledger_for_release(settings) as ledger:
        complete(settings, ledger, on_step)
        making = _Making(
            settings,
            ledger,
            load_marts() if declared is None else declared,
            load_measures() if measures is None else measures,
            policy or load_policy(),
            now or settings.now(),
            on_step,
            force,
            is_yearly_revision,
        )
        return making.run(approve, quarter, gate)


class _Making:
    """One release in the making."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        declared: Mapping[str, Mart],
        measures: Measures,
        policy: Policy,
        now: datetime,
        on_step: Step,
        force: bool,
        is_yearly_revision: bool,
    ) -> None:
        self.settings, self.ledger, self.declared, self.measures = settings, ledger, declared, measures
        self.policy, self.now, self.on_step, self.force = policy, now, on_step, force
        self.is_yearly_revision = is_yearly_revision
        self.number = releases.next_number(ledger)
        self.current = releases.current_release(ledger)
        self.locked = frozenset(decisions.locked_quarters(ledger))
        self.sealed = sealed_for_readers(ledger, self.current.released_at if self.current else None)

    def run(self, approve: bool | None, quarter: str | None, gate: Callable[[Settings], object]) -> Release:
        if quarter and self.current and self.current.until_quarter and quarter < self.current.until_quarter:
            raise ReleaseRefused(
                f"release {self.current.release_id} has figures up to {self.current.until_quarter}: they can't be "
                "taken back by a release of an earlier quarter"
            )
        self.on_step(None, None, "looking at the marts")
        found = gate(self.settings)
        warnings = tuple(in_lines(found)) if isinstance(found, list) else ()
        secret = noise_secret(load_keys(self.settings.keys), self.ledger)
        made = make(
            self.settings.warehouse,
            self.declared,
            self.measures,
            self.policy.cell_keys,
            secret,
            earlier=released_draws(self.ledger),
            locked=self.sealed,
            current=self._current_file(),
            until=quarter,
            is_yearly_revision=self.is_yearly_revision,
            on_step=lambda what: self.on_step(None, None, what),
        )
        if not made.quarters():
            raise ReleaseRefused("no quarter is complete yet: there is nothing to release")
        return self._propose(made, approve, warnings, secret)

    def _current_file(self) -> Path | None:
        if self.current is None:
            return None
        file = proposal_folder(self.settings, self.current.release_id) / FILE_NAME
        return file if file.exists() else None

    def _propose(self, made: Made, approve: bool | None, warnings: tuple[str, ...], secret: bytes) -> Release:
        """Write, attack, certify, record, and publish it unless it waits."""
        until, revised = made.quarters()[-1], revisions(made.decided)
        notes = revision_notes(self.ledger, made.decided, naive(self.now))
        heading = Heading(
            self.number,
            self.now,
            until,
            self.locked,
            tuple(sorted(revised.items())),
            tuple(one.in_words for one in notes),
        )
        folder = proposal_folder(self.settings, self.number)
        staged = folder.with_name(f".{self.number}")
        if staged.exists():
            shutil.rmtree(staged)
        (staged / "beside").mkdir(parents=True)
        self.on_step(None, None, "writing the tables")
        rows = write_release(staged / FILE_NAME, self.settings.warehouse, made, self.policy.cell_keys, heading)
        with keyed_warehouse(self.settings.warehouse) as warehouse:
            notice = notice_of(warehouse)
        if not self.force and (same := shown_by(self.settings, self.ledger, staged / FILE_NAME)) is not None:
            shutil.rmtree(staged)
            alike = Release(same.release_id, "unchanged", same.is_revision, same.until_quarter, rows, None, None, None)
            alike = replace(alike, warnings=warnings, notice=notice)
            return no_other(self.settings, self.ledger, same, alike, self._waits(approve), self.now, self.on_step)
        self.on_step(None, None, "attacking")
        shown = tuple(_shown(made, name, count) for name, count in rows.items() if name in made.marts)
        made.forget_rates()
        seed = seed_of(made, self.policy, secret)
        attacked = attack_release(
            made, self.declared, self.measures, self.policy, self.number, seed=seed, folder=staged, secret=secret
        )
        certificate = self._certify(made, attacked, shown, until, notice, notes)
        if attacked.breaches:
            shutil.rmtree(staged)
            self._block(certificate)
        write_certificate(certificate, staged / "beside")
        self._describe(staged, certificate)
        if folder.exists():
            shutil.rmtree(folder)
        staged.replace(folder)
        row = ReleaseRow(
            self.number,
            "proposed",
            naive(self.now),
            None,
            until,
            heading.is_revision,
            self._policy(),
            certificate.as_json(),
            None,
        )
        releases.record_release(self.ledger, row, draws_to_record(made.decided, self.number))
        waits = self._waits(approve)
        proposed = Release(
            self.number, "proposed", heading.is_revision, until, rows, certificate, None, waits, warnings, notice
        )
        if waits is not None:
            return proposed
        served = approve_and_serve(self.settings, self.ledger, self.number, self.now, self.on_step)
        return replace(proposed, state="released", served=served)

    def _block(self, certificate: Certificate) -> NoReturn:
        detail = "the attacks found more than the policy allows: " + "; ".join(certificate.breaches)
        row = ReleaseRow(
            self.number, "blocked", naive(self.now), None, None, False, self._policy(), certificate.as_json(), detail
        )
        releases.record_release(self.ledger, row)
        raise ReleaseBlocked(f"release {self.number} is blocked: {detail}. {_AFTER_A_BLOCK}")

    def _policy(self) -> str:
        return json.dumps(self.policy.model_dump(), ensure_ascii=False)

    def _describe(self, staged: Path, certificate: Certificate) -> None:
        """The readers' site and the catalogue beside the release, where the models' descriptions are there."""
        try:
            manifest = load_manifest(self.settings)
        except ManifestMissing:
            return
        write_catalogue(
            staged / FILE_NAME, manifest, staged / "beside", self.settings, issued(certificate, self.ledger)
        )

    def _waits(self, approve: bool | None) -> str | None:
        """Why the proposal waits for approval; None when it is published now."""
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

    def _certify(
        self,
        made: Made,
        attacked: Attacked,
        tables: tuple[TableShown, ...],
        until: str,
        notice: str,
        notes: tuple[RevisionNote, ...],
    ) -> Certificate:
        policy, report = self.policy.cell_keys, attacked.report
        decided = [one.decision for one in made.decided]
        return Certificate(
            release_id=self.number,
            made_at=self.now.astimezone(UTC).isoformat(timespec="seconds"),
            until_quarter=until,
            notice=notice,
            how_to_read=in_words(policy),
            not_there=own_words(NOT_THERE).format(few=policy.too_few),
            tables=tables,
            figures=sum(
                int(chosen.sum()) * len(made.marts[name].rows.mart.person_counts)
                for name, chosen in made.chosen.items()
            ),
            js=policy.js,
            greatest_deviation=policy.greatest_deviation,
            variance=policy.variance,
            too_few=policy.too_few,
            ptable=_listed(made.ptable),
            drawn_for_the_first_time=decided.count("first"),
            drawn_anew=decided.count("anew") + decided.count("returned") + decided.count("emptied"),
            held=decided.count("held"),
            revised_periods=tuple(sorted(period for _, period in revisions(made.decided))),
            new_periods=tuple(sorted(new_periods(made.decided))),
            revisions=tuple((one.period, one.number, one.text) for one in notes),
            attacked=report.attacked,
            seed=report.seed,
            findings=findings_of(attacked, self.policy),
            breaches=tuple(f"{one.name}: {one.found:.3g} (at most {one.limit:g})" for one in attacked.breaches),
            passed=not attacked.breaches,
        )


def issued(certificate: Certificate, ledger: Ledger) -> list[Issued]:
    """The release in the making and those that have been published, newest first."""
    found = [
        Issued(
            certificate.release_id,
            "",
            certificate.until_quarter or "",
            bool(certificate.revised_periods),
            certificate.new_periods,
            certificate.revised_periods,
            certificate.revisions,
        )
    ]
    for row in reversed(releases.releases(ledger)):
        if row.state == "released" and row.released_at is not None:
            said = json.loads(row.certificate or "{}")
            new, revised = (tuple(said.get(name, ())) for name in ("new_periods", "revised_periods"))
            notes = tuple((str(period), int(number), str(text)) for period, number, text in said.get("revisions", ()))
            at = f"{row.released_at:%Y-%m-%d}"
            found.append(Issued(row.release_id, at, row.until_quarter or "", row.is_revision, new, revised, notes))
    return found


def _shown(made: Made, name: str, rows: int) -> TableShown:
    found, chosen = made.marts[name], made.chosen[name]
    rates = [found.numbers[rate][chosen] for rate in found.rows.mart.rates]
    return TableShown(name, rows, sum(map(len, rates)), sum(int(np.isnan(one).sum()) for one in rates))


def _listed(ptable: PTable) -> tuple[tuple[int, int, float], ...]:
    return tuple(one for one in ptable.listed() if one[0] <= LISTED)


def findings_of(attacked: Attacked, policy: Policy) -> tuple[Finding, ...]:
    """What the attacks found, each beside its limit, for people who read no code."""
    report, measured, width = attacked.report, attacked.measured, policy.attack.width
    averaging, attributes = report.averaging, report.attributes
    alone = max(averaging.small_by_figure, averaging.small_by_prior)

    def said(name: Checked, unit: str, decimals: int = 0) -> str:
        one = measured[name]
        return f"{one.found:.{decimals}f}{unit} (gräns {one.limit:g}{unit})".replace(".", ",")

    return (
        Finding("Små antal (1–4) bland de prövade", f"{report.bounds.cells}"),
        Finding("Av dem kända exakt", said("exact", "")),
        Finding(f"Av dem kända på färre än {width} när", said("narrower", " %", 2)),
        Finding(
            own_words("Andra stadsdelars små antal, kända exakt för den som kan sina egna"), said("insider_exact", "")
        ),
        Finding(f"Av dem kända på färre än {width} när bara för den som kan sina egna", said("insider", " %", 2)),
        Finding(
            "Små antal gissade rätt av den som lägger ihop alla uppgifter, mot den som bara ser uppgiften själv",
            f"{100 * averaging.small_by_sums:.0f} % mot {100 * alone:.0f} % av {averaging.cells}",
        ),
        Finding(
            "Så mycket bättre gissar den, utöver vad slumpen kan ge (undre gränsen för 95 % säkerhet)",
            said("averaging", " procentenheter", 1),
        ),
        Finding(
            own_words("Slutsatser om ett barn som är säkrare än 90 %, där stadens andelar ger mindre än 80 %, ")
            + f"av {attributes.groups} möjliga",
            said("sure", " %", 2),
        ),
        Finding("Tomma rader som avslöjar att någon finns", said("rows", "")),
        Finding("Antal och bidrag som medelvärden, medianer och summor avslöjar", said("durations", "")),
        Finding("Nycklar och rester i utgåvans fil", said("files", "")),
        Finding(
            "Prövas inte på varje utgåva",
            "vad två utgåvor säger om ett enda ärende som har kommit till; det är mätt för metoden",
        ),
    )

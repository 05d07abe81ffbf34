"""The process of a work: `python -m portal.city.work ID`. It does once what its file says, in the name of who asked."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.acting_user import Actor, acting_as
from ingest.failures import in_sentences
from ingest.file_permissions import go_private
from ingest.ledger import ChangeRefused, Ledger, LedgerError
from ingest.ledger.acts import system_now
from ingest.ledger.leases import LeaseBusy
from ingest.logs import start_logging
from ingest.settings import Settings, SettingsError
from portal.city.said import fault_of, step_of
from portal.city.working import BUSY, Kind, State, Work, lease_of, lease_of_lane, read, write
from portal.pages.render import counted, dataset_name, quarter_name, unit_name

log = logging.getLogger("portal.city.work")
_BUILT_LATER = "Siffrorna ändras vid nästa bygge."
_FAILED = "Arbetet gick inte att slutföra. Felet är vårt. Försök igen, eller fråga den som sköter systemet."
_REFUSED = "Det gick inte att göra som läget är. Inget har ändrats."


class Ended(Exception):
    """How a work ended."""

    def __init__(self, state: State, outcome: str, *lines: str, detail: str = "") -> None:
        """Swedish words, and what the program said."""
        super().__init__(outcome)
        self.state, self.outcome, self.lines, self.detail = state, outcome, lines, detail


def run(settings: Settings, work_id: str) -> None:
    """Do a work that waits, and store how it ended. One that has begun is never begun again."""
    work = read(settings, work_id)
    if work is None or work.state != "waiting":
        return
    try:
        with (
            closing(Ledger(settings.ledger)) as ledger,
            ledger.lease(lease_of_lane(work), 0),
            ledger.lease(lease_of(work), 0),
        ):
            write(settings, replace(work, state="working", changed_at=system_now()))
            ended = _done(settings, work)
            _store(settings, work, ended)
    except LeaseBusy:
        _store(settings, work, Ended("refused", BUSY))
    except LedgerError as error:
        _store(settings, work, Ended("failed", _FAILED, detail=str(error)))


def _store(settings: Settings, work: Work, ended: Ended) -> None:
    write(
        settings,
        replace(
            work, state=ended.state, outcome=ended.outcome, lines=ended.lines, detail=ended.detail[:2000],
            changed_at=system_now(), about={},
        ),
    )  # fmt: skip


def _done(settings: Settings, work: Work) -> Ended:
    shown = work

    def on_step(number: int | None, total: int | None, what: str) -> None:
        nonlocal shown
        step = step_of(what)
        if step != shown.step:
            shown = replace(work, state="working", step=step, changed_at=system_now())
            write(settings, shown)

    try:
        with acting_as(Actor("user", work.actor)):
            return _DO[work.kind](settings, work.about, on_step)
    except Ended as ended:
        return ended
    except Exception as error:  # noqa: BLE001  (said on the page and in the log, without its text)
        return _failed(error)


def _failed(error: Exception) -> Ended:
    if isinstance(error, LeaseBusy):
        return Ended("refused", BUSY, detail=str(error))
    if isinstance(error, ChangeRefused):
        return Ended("refused", _REFUSED, detail=str(error))
    if isinstance(error, SettingsError | LedgerError):
        return Ended("failed", _FAILED, detail=str(error))
    sentences = in_sentences(error)
    if sentences:
        return Ended("failed", _FAILED, detail=" ".join(sentences))
    places = [f"{Path(one.filename).name}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
    log.error("%s at %s", type(error).__name__, " > ".join(places[-6:]))
    return Ended("failed", _FAILED, detail=f"internal error: {type(error).__name__}")


Step = Callable[[int | None, int | None, str], None]


def _propose(settings: Settings, about: dict[str, str], on_step: Step) -> Ended:
    from publish.catalogue.manifest import ManifestMissing
    from publish.gate.passing import GateClosed, MartsMissing
    from publish.release.approving import ReleaseRefused
    from publish.release.keyed import NotKeyed
    from publish.release.releasing import ReleaseBlocked, release
    from publish.serving import ServingError

    try:
        made = release(
            settings,
            approve=False,
            quarter=about.get("quarter") or None,
            on_step=on_step,
            force=about.get("force") == "1",
            is_yearly_revision=about.get("yearly") == "1",
        )
    except ReleaseBlocked as error:
        return Ended("refused", "Prövningen stoppade utgåvan: den visar mer än reglerna tillåter.", detail=str(error))
    except GateClosed as error:
        return Ended("refused", "Marterna har fel och kan inte ges ut. Rätta och bygg om först.", detail=str(error))
    except ReleaseRefused as error:
        return Ended("refused", "Det finns inget att ge ut, eller så går det inte nu.", detail=str(error))
    except (MartsMissing, ManifestMissing, NotKeyed) as error:
        return Ended("refused", "Det finns inga färdiga marter. Bygg först.", detail=str(error))
    except ServingError as error:
        return Ended("failed", "En tidigare utgåva kunde inte läggas ut för läsarna.", detail=str(error))
    if made.state == "unchanged":
        return Ended("done", f"Inget nytt: utgåva {made.release_id}, som läsarna ser, visar samma siffror.")
    return Ended("done", f"Utgåva {made.release_id} är föreslagen. Titta på den och godkänn eller avvisa.")


def _approve(settings: Settings, about: dict[str, str], on_step: Step) -> Ended:
    from publish.release.approving import ReleaseRefused, approve_release
    from publish.serving import ServingError

    number = int(about["release"])
    try:
        made = approve_release(settings, number, on_step=on_step)
    except ChangeRefused as error:
        return Ended("refused", f"Utgåva {number} väntar inte längre på att godkännas.", detail=str(error))
    except ReleaseRefused as error:
        return Ended("refused", "Utgåvan gick inte att ge ut.", detail=str(error))
    except ServingError as error:
        return Ended("failed", _NOT_SERVED, detail=str(error))
    lines = [counted(len(made.tables), "tabell", "tabeller")]
    notes = made.served.notes if made.served is not None else ()
    return Ended("done", f"Utgåva {number} är utgiven. Läsarna ser den nu.", *lines, detail=" ".join(notes))


_NOT_SERVED = (
    "Utgåvan är godkänd men kunde inte läggas ut för läsarna än. Välj ”Lägg ut igen” på utgåvans sida när felet är "
    "avhjälpt."
)


def _serve(settings: Settings, about: dict[str, str], on_step: Step) -> Ended:
    from publish.release.approving import ReleaseRefused, serve_current
    from publish.serving import ServingError

    try:
        served = serve_current(settings, on_step=on_step)
    except ReleaseRefused as error:
        return Ended("refused", "Det finns ingen utgåva att lägga ut.", detail=str(error))
    except ServingError as error:
        return Ended("failed", "Utgåvan kunde inte läggas ut för läsarna.", detail=str(error))
    return Ended("done", "Den gällande utgåvan är utlagd igen.", detail=" ".join(served.notes))


def _withdraw(settings: Settings, about: dict[str, str], on_step: Step) -> Ended:
    from followup import deciding
    from ingest.recording import open_intake

    with open_intake(settings) as intake:
        found = intake.ledger.find(about["submission"])
        if found is None:
            return Ended("refused", _REFUSED)
        try:
            done = deciding.withdraw(intake, found, about["why"])
        except deciding.DecisionRefused as refused:
            return Ended("refused", fault_of(refused))
    what = f"{unit_name(found.district_code)}, {dataset_name(found.dataset)}, {quarter_name(found.reporting_quarter)}"
    left = "Ingen version gäller nu." if done.in_force is None else f"Version {done.in_force.version} gäller igen."
    again = [
        f"Frågorna prövades igen: {unit_name(one.submission.district_code)}, {dataset_name(one.submission.dataset)}, "
        f"{quarter_name(one.submission.reporting_quarter)}"
        for one in done.again
    ]
    return Ended("done", f"Inlämningen är återkallad: {what}. {left} {_BUILT_LATER}", *again)


def _name(settings: Settings, about: dict[str, str], on_step: Step) -> Ended:
    from followup import deciding
    from ingest.maintenance.reprocessing import reprocess
    from ingest.recording import open_intake

    try:
        name = deciding.checked_local_name(about["name"], about["means"], about["unit"] or None)
    except deciding.DecisionRefused as refused:
        return Ended("refused", fault_of(refused))
    with open_intake(settings) as intake:
        done = reprocess(intake, deciding.add_local_name(intake, name))
    words = {"accepted": "tas in", "refused": "tas inte in"}
    lines = [
        f"{unit_name(one.district_code)}, {dataset_name(one.dataset)}, {quarter_name(one.reporting_quarter)}: "
        f"{words.get(one.state, one.state)}"
        for one in done
    ]
    checked = f"{counted(len(done), 'fil', 'filer')} som inte togs in kontrollerades igen." if done else (
        "Ingen fil väntade på namnet."
    )  # fmt: skip
    return Ended("done", f"Namnet är tillagt. {checked}" + (f" {_BUILT_LATER}" if done else ""), *lines)


_DO: dict[Kind, Callable[[Settings, dict[str, str], Any], Ended]] = {
    Kind.PROPOSE: _propose,
    Kind.APPROVE: _approve,
    Kind.SERVE: _serve,
    Kind.WITHDRAW: _withdraw,
    Kind.NAME: _name,
}


def main() -> None:
    """Run the work that the command line names."""
    settings = Settings()
    start_logging(settings, logging.INFO)
    go_private()
    os.nice(5)  # pages are answered first
    run(settings, sys.argv[1])


if __name__ == "__main__":
    main()

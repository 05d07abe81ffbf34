"""What a trial of a contract, and putting it in use, say: lines for people and a structure for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from followup.build.figure_diff import MartDiff
    from followup.contract_trial import Trial
    from ingest.maintenance.checking_again import CheckedAgain


def line_of(one: CheckedAgain) -> str:
    """One submission and what its check comes to: `refused: bromma utbud 2025Q3: UTB-028 ×12`."""
    found = one.submission
    said = ", ".join(f"{rule} ×{count}" for rule, count in one.rules) or one.why
    rows = "" if not one.rows else f"{'; ' if said else ''}{one.rows} rows would be others"
    return f"{one.outcome}: {found.district_code} {found.dataset} {found.reporting_quarter}: {said}{rows}"


def rules_in(checked: Iterable[CheckedAgain]) -> Iterator[str]:
    """What each rule that submissions break is for, a line each: `ARE-028: …`."""
    from ingest.checks.suites import load_rules
    from ingest.findings import file_rules

    known = {code: rule.why for code, rule in file_rules().items()}
    named = set()
    for one in checked:
        named |= {rule for rule, _ in one.rules}
        if not named <= known.keys() and one.submission.dataset:
            known |= {rule.code: rule.why for rule in load_rules(one.submission.dataset)}
    yield from (f"{code}: {known[code]}" for code in sorted(named & known.keys()))


def text_of(trial: Trial) -> Iterator[str]:
    """Lines for people; the first says how many come out how."""
    from ingest.maintenance.checking_again import Outcome

    counts = ", ".join(f"{len(trial.with_outcome(kind))} {kind}" for kind in Outcome)
    yield f"{len(trial.checked)} submissions in force: {counts}."
    yield from (line_of(one) for one in trial.checked if one.outcome is not Outcome.same)
    yield from rules_in(one for one in trial.checked if one.outcome is not Outcome.same)
    for mapping in trial.mappings:
        for mistake in mapping.mistakes:
            yield (
                f"mapping of {mapping.district_code}, version {mapping.version}: {mistake}; the unit's next files "
                "would be refused (FIL-095): set a new version with the contract"
            )
    if trial.marts is None:
        return
    if not trial.marts:
        yield "No figure moves."
    for mart in trial.marts:
        yield f"{mart.mart}: {mart.here} figures move"
        yield from (f"  {line}" for line in _figures(mart))


def _figures(mart: MartDiff) -> Iterator[str]:
    from followup.build.figure_diff import WHOLE

    for figure in mart.figures:
        where = ", ".join(value for value in figure.key.values() if value not in (WHOLE, "False", "None"))
        yield f"{where}: {figure.measure} {figure.before} → {figure.after}"
    if mart.here > len(mart.figures):
        yield f"… and {mart.here - len(mart.figures)} more"


def as_json(trial: Trial) -> dict[str, Any]:
    """What `followup contract try --format json` prints."""
    return {
        "submissions": [
            {
                "submission_id": one.submission.submission_id,
                "district": one.submission.district_code,
                "dataset": one.submission.dataset,
                "quarter": one.submission.reporting_quarter,
                "outcome": one.outcome.value,
                "rules": dict(one.rules),
                "rows": one.rows,
                "why": one.why or None,
            }
            for one in trial.checked
        ],
        "mappings": [
            {"district": one.district_code, "version": one.version, "mistakes": list(one.mistakes)}
            for one in trial.mappings
        ],
        "marts": None if trial.marts is None else {mart.mart: mart.here for mart in trial.marts},
    }

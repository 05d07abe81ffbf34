"""Why an open revision of a closed quarter waits, and what to do, in English for the city's team."""

from __future__ import annotations

from collections import Counter

from ingest.ledger import Ledger
from ingest.ledger.draws import released_draws
from ingest.ledger.quarter_revisions import Amendment, Revision, amendments, in_figures_until
from ingest.ledger.releases import releases
from publish.cell_keys.revisions import group_of
from publish.policy import load_policy


def why_it_waits(ledger: Ledger, one: Revision) -> str:
    """The reason in a sentence or two.

    What is known is which builds and releases there are, how often the quarter's figures were drawn, and which files
    were withdrawn. How many records have changed is known to a release in the making alone.
    """
    after = [row for row in releases(ledger) if in_figures_until(ledger, row.made_at) >= one.opened_at]
    newest = after[-1] if after else None
    if newest is not None and newest.state == "proposed":
        return f"release {newest.release_id} waits for approval: `followup release approve {newest.release_id}`"
    if newest is not None and newest.state == "blocked":
        return f"release {newest.release_id} was blocked: docs/runbook.md, Publishing"
    published = next((row for row in reversed(after) if row.state == "released"), None)
    if published is not None:
        return f"release {published.release_id} is published without it: {_held(ledger, one)}"
    built = ledger.last_build()
    if built is None or built.started_at < one.opened_at:
        return "the figures are from before it: run `followup build`, then `followup publish`"
    return (
        "no release has been made since it is in the figures: run `followup publish`. If that finds nothing new, "
        + _held(ledger, one)
    )


def _held(ledger: Ledger, one: Revision) -> str:
    policy = load_policy().cell_keys
    gone = [found for found in amendments(ledger, one) if found.is_withdrawn and not _is_in_force(ledger, one, found)]
    if gone:
        files = ", ".join(f"{found.district_code} {found.dataset}" for found in gone)
        return f"it waits until files that were withdrawn are there again: {files}"
    drawn = Counter(group_of(draw) for draw in released_draws(ledger) if draw.period == one.reporting_quarter)
    if max(drawn.values(), default=0) >= policy.draws:
        return (
            f"some of its figures have been drawn {policy.draws} times, the most that the policy allows: "
            "`followup publish --yearly-revision` publishes it, where enough records have changed"
        )
    return (
        f"it waits for more changes: fewer than {policy.least_changed} records of its figures have changed "
        "(docs/runbook.md, Publishing: Waiting corrections)"
    )


def _is_in_force(ledger: Ledger, one: Revision, found: Amendment) -> bool:
    return bool(ledger.in_force(district=found.district_code, dataset=found.dataset, quarter=one.reporting_quarter))

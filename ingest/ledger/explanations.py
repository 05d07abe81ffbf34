"""Explanations in the ledger, and queries that are replaced when their rules run again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

import sqlalchemy as sa

from ingest.findings import Finding
from ingest.ledger.acts import add_act
from ingest.ledger.store import Explanation, Ledger, RuleCount, insert_findings
from ingest.ledger.tables import explanation, finding, finding_count, submission


def explanations_of(ledger: Ledger, submission_id: str) -> list[Explanation]:
    """The explanations given for a submission, carried ones too; by rule and row key."""
    statement = (
        sa.select(explanation)
        .where(explanation.c.submission_id == submission_id)
        .order_by(explanation.c.rule, explanation.c.row_key)
    )
    with ledger.reading() as connection:
        return [Explanation(**row._mapping) for row in connection.execute(statement)]


def record_explanations(ledger: Ledger, given: Sequence[Explanation], open_query_count: int) -> None:
    """Store explanations of one submission, in place of older ones under the same rule and row key.

    Args:
        ledger: where.
        given: all of the same submission.
        open_query_count: how many of its queries are open from now on.
    """
    with ledger.engine.begin() as connection:
        for one in given:
            connection.execute(
                explanation.delete().where(
                    explanation.c.submission_id == one.submission_id,
                    explanation.c.rule == one.rule,
                    explanation.c.row_key == one.row_key,
                )
            )
        connection.execute(explanation.insert(), [asdict(one) for one in given])
        _set_open(connection, given[0].submission_id, open_query_count)
        rules = ", ".join(sorted({one.rule for one in given}))
        add_act(connection, "query.explained", f"{given[0].submission_id}: {rules}")


def replace_queries(
    ledger: Ledger,
    submission_id: str,
    rules: Collection[str],
    counts: Sequence[RuleCount],
    findings: Sequence[Finding],
    carried: Sequence[Explanation],
    open_query_count: int,
) -> None:
    """Replace the findings of these rules in a submission by what they found when run again.

    Args:
        ledger: where.
        submission_id: whose queries.
        rules: codes of the rules that ran again.
        counts, findings: of these rules only.
        carried: explanations that come over from an earlier submission and are not there yet.
        open_query_count: how many of all its queries are open from now on.
    """
    codes = list(rules)
    with ledger.engine.begin() as connection:
        for table in (finding, finding_count):
            connection.execute(table.delete().where(table.c.submission_id == submission_id, table.c.rule.in_(codes)))
        insert_findings(connection, submission_id, counts, findings)
        if carried:
            connection.execute(explanation.insert(), [asdict(one) for one in carried])
        total: int = connection.execute(
            sa.select(sa.func.coalesce(sa.func.sum(finding_count.c.row_count), 0)).where(
                finding_count.c.submission_id == submission_id, finding_count.c.severity == "query"
            )
        ).scalar_one()
        connection.execute(
            submission.update().where(submission.c.submission_id == submission_id).values(query_count=int(total))
        )
        _set_open(connection, submission_id, open_query_count)


def _set_open(connection: sa.Connection, submission_id: str, open_query_count: int) -> None:
    connection.execute(
        submission.update().where(submission.c.submission_id == submission_id).values(open_query_count=open_query_count)
    )

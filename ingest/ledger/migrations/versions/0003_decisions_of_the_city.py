"""Decisions of the city, explanations, erasures"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "erasure",
        sa.Column("erasure_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="originals (by age) or person"),
        sa.Column("erased_at", sa.DateTime(), nullable=False),
        sa.Column("original_count", sa.Integer(), nullable=False, comment="originals erased"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="rows removed, over all versions"),
        sa.PrimaryKeyConstraint("erasure_id", name=op.f("pk_erasure")),
    )
    op.create_table(
        "local_name",
        sa.Column("district_code", sa.String(length=40), nullable=False, comment="empty: every district"),
        sa.Column("folded_alias", sa.String(length=200), nullable=False),
        sa.Column("alias", sa.String(length=200), nullable=False),
        sa.Column("intervention_code", sa.String(length=60), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("district_code", "folded_alias", name=op.f("pk_local_name")),
    )
    op.create_table(
        "lock_exception",
        sa.Column("lock_exception_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("reporting_quarter", sa.String(length=6), nullable=False),
        sa.Column("district_code", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=40), nullable=True, comment="null: every dataset"),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column(
            "until_date",
            sa.Date(),
            nullable=True,
            comment="last day on which it holds, by the city's date; null: until closed",
        ),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("lock_exception_id", name=op.f("pk_lock_exception")),
    )
    with op.batch_alter_table("lock_exception", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_lock_exception_reporting_quarter_district_code"),
            ["reporting_quarter", "district_code"],
            unique=False,
        )

    op.create_table(
        "quarter_lock",
        sa.Column("quarter_lock_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("reporting_quarter", sa.String(length=6), nullable=False),
        sa.Column("locked_at", sa.DateTime(), nullable=False),
        sa.Column("unlocked_at", sa.DateTime(), nullable=True, comment="null while it is locked"),
        sa.PrimaryKeyConstraint("quarter_lock_id", name=op.f("pk_quarter_lock")),
    )
    with op.batch_alter_table("quarter_lock", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quarter_lock_reporting_quarter"), ["reporting_quarter"], unique=False)

    op.create_table(
        "explanation",
        sa.Column("submission_id", sa.String(length=26), nullable=False),
        sa.Column("rule", sa.String(length=10), nullable=False),
        sa.Column("row_key", sa.String(length=200), nullable=False, comment="* for a rule about the file"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("explained_at", sa.DateTime(), nullable=False, comment="when it was first given"),
        sa.Column(
            "carried_from",
            sa.String(length=26),
            nullable=True,
            comment="submission from which it was carried; null when given here",
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.submission_id"], name=op.f("fk_explanation_submission_id")
        ),
        sa.PrimaryKeyConstraint("submission_id", "rule", "row_key", name=op.f("pk_explanation")),
    )
    op.create_table(
        "withdrawal",
        sa.Column("submission_id", sa.String(length=26), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.submission_id"], name=op.f("fk_withdrawal_submission_id")
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_withdrawal")),
    )
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "open_query_count", sa.Integer(), server_default="0", nullable=False, comment="queries not explained"
            )
        )
        batch_op.add_column(
            sa.Column(
                "original_erased_at", sa.DateTime(), nullable=True, comment="when the encrypted original was erased"
            )
        )
    # until now nothing could be explained
    op.execute("update submission set open_query_count = query_count where state = 'accepted'")


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.drop_column("original_erased_at")
        batch_op.drop_column("open_query_count")

    op.drop_table("withdrawal")
    op.drop_table("explanation")
    with op.batch_alter_table("quarter_lock", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quarter_lock_reporting_quarter"))

    op.drop_table("quarter_lock")
    with op.batch_alter_table("lock_exception", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lock_exception_reporting_quarter_district_code"))

    op.drop_table("lock_exception")
    op.drop_table("local_name")
    op.drop_table("erasure")

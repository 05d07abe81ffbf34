"""Frozen figures of quarters whose rows about persons are erased; reports of what was erased"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "freeze",
        sa.Column("freeze_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("through_quarter", sa.String(6), nullable=False, comment="newest quarter whose figures are frozen"),
        sa.Column("erased_quarter", sa.String(6), nullable=False, comment="newest whose rows about persons are erased"),
        sa.Column("frozen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("freeze_id", name=op.f("pk_freeze")),
    )
    op.create_table(
        "frozen_figures",
        sa.Column("freeze_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(60), nullable=False, comment="whose rows of the frozen periods are in the file"),
        sa.Column("path", sa.String(300), nullable=False, comment="under home"),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["freeze_id"], ["freeze.freeze_id"], name=op.f("fk_frozen_figures_freeze_id")),
        sa.PrimaryKeyConstraint("freeze_id", "model", name=op.f("pk_frozen_figures")),
    )
    op.create_table(
        "expiry_report",
        sa.Column("expiry_report_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("expired_at", sa.DateTime(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False, comment="JSON: how much of what; nothing personal"),
        sa.PrimaryKeyConstraint("expiry_report_id", name=op.f("pk_expiry_report")),
    )


def downgrade() -> None:
    """Undo."""
    for table in ("expiry_report", "frozen_figures", "freeze"):
        op.drop_table(table)

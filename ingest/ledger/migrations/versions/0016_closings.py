"""Questions whether to close a quarter"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "closing",
        sa.Column("closing_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("reporting_quarter", sa.String(6), nullable=False),
        sa.Column("reason", sa.String(10), nullable=False, comment="why it was asked: complete, due or asked"),
        sa.Column("fingerprint", sa.String(64), nullable=False, comment="of the completeness report that was shown"),
        sa.Column("asked_by", sa.String(250), nullable=False, comment="run or account that asks"),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("closing_id", name=op.f("pk_closing")),
    )
    op.create_index(op.f("ix_closing_reporting_quarter"), "closing", ["reporting_quarter"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("closing")

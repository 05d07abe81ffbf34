"""Questions whether to close a quarter, and revisions of closed ones"""

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
    op.create_table(
        "revision",
        sa.Column("reporting_quarter", sa.String(6), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="counted per quarter, from 1"),
        sa.Column("opened_at", sa.DateTime(), nullable=False, comment="when the sealed quarter was first amended"),
        sa.Column("note", sa.Text(), comment="what the city says of it to readers"),
        sa.Column("release_id", sa.Integer(), comment="that published it; null while it is open"),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name=op.f("fk_revision_release_id")),
        sa.PrimaryKeyConstraint("reporting_quarter", "number", name=op.f("pk_revision")),
    )


def downgrade() -> None:
    """Undo."""
    for table in ("revision", "closing"):
        op.drop_table(table)

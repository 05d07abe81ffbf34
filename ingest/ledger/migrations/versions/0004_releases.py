"""Releases, and the cells that each changed"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "release",
        sa.Column("release_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False, comment="proposed, released, blocked or replaced"),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("released_at", sa.DateTime(), nullable=True, comment="null as long as it has not gone out"),
        sa.Column("until_quarter", sa.String(length=6), nullable=True, comment="newest quarter that goes out"),
        sa.Column("is_revision", sa.Boolean(), nullable=False, comment="changes figures that had gone out"),
        sa.Column("policy", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("certificate", sa.Text(), nullable=True, comment="JSON; null when none could be made"),
        sa.Column("detail", sa.Text(), nullable=True, comment="why it is blocked: tables and codes, no values"),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_release")),
    )
    op.create_table(
        "release_cell",
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("cell", sa.String(length=300), nullable=False, comment="measure|geography|period|codes"),
        sa.Column("value", sa.Integer(), nullable=True, comment="true count; null from where it goes out no more"),
        sa.Column("is_shown", sa.Boolean(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False, comment="hidden for its own sake; never told outside"),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name=op.f("fk_release_cell_release_id")),
        sa.PrimaryKeyConstraint("release_id", "cell", name=op.f("pk_release_cell")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("release_cell")
    op.drop_table("release")

"""Draws of published figures"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "draw",
        sa.Column("family", sa.String(length=60), nullable=False, comment="measures that count the same records"),
        sa.Column("unit", sa.String(length=40), nullable=False, comment="district code or stockholm"),
        sa.Column("basis", sa.String(length=20), nullable=False, comment="as_submitted or today"),
        sa.Column("period_kind", sa.String(length=20), nullable=False, comment="kvartal, rullande_ar or ar"),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=False, comment="the first with this salt"),
        sa.Column("salt", sa.String(length=16), nullable=False, comment="hexadecimal; 0 where nothing is counted"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="number of the sealed period's revision; 0: none"),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name=op.f("fk_draw_release_id_release")),
        sa.PrimaryKeyConstraint("family", "unit", "basis", "period_kind", "period", "release_id", name=op.f("pk_draw")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("draw")

"""Mappings of units' own column names and codes, and which version a submission was read by"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "unit_mapping",
        sa.Column("district_code", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts the unit's mappings"),
        sa.Column("valid_from", sa.String(6), nullable=False, comment="first quarter that is read by it"),
        sa.Column("document", sa.Text(), nullable=False, comment="YAML; nothing personal"),
        sa.Column("set_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("district_code", "version", name=op.f("pk_unit_mapping")),
    )
    op.add_column(
        "submission",
        sa.Column("mapping_version", sa.Integer(), comment="version of its unit's mapping that it was read by"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("submission", "mapping_version")
    op.drop_table("unit_mapping")

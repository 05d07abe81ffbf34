"""Extracts of exact figures that were made for districts"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "extract",
        sa.Column("extract_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("extracted_at", sa.DateTime(), nullable=False),
        sa.Column("district_code", sa.String(40), nullable=False),
        sa.Column("os_user", sa.String(80), nullable=False, comment="account of the process"),
        sa.Column("login_user", sa.String(80), comment="account that logged in, where the system knows it"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="rows of all marts in the file"),
        sa.Column("file_name", sa.String(200), nullable=False, comment="without its folder"),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("is_synthetic", sa.Boolean(), nullable=False, comment="all rows in force are synthetic"),
        sa.PrimaryKeyConstraint("extract_id", name=op.f("pk_extract")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("extract")

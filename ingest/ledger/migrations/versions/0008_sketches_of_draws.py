"""Draws say by a sketch how much has changed since"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Draws from before have no sketch: what they drew is drawn anew by any change, once."""
    op.add_column(
        "draw",
        sa.Column(
            "sketch", sa.LargeBinary(), nullable=False, server_default="", comment="keyed digests of what is counted"
        ),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("draw", "sketch")

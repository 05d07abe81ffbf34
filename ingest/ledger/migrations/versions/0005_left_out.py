"""Cells whose rows are left out of a release"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("release_cell") as table:
        table.add_column(
            sa.Column(
                "is_left_out",
                sa.Boolean(),
                nullable=False,
                server_default=sa.false(),
                comment="its row does not go out, as nothing would protect it",
            )
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("release_cell") as table:
        table.drop_column("is_left_out")

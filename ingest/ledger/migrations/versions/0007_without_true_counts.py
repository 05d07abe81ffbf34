"""True counts of published cells are needed no more, and removed"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. SQLite writes zeros over the rows: else they could be read in the file's free pages."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("pragma secure_delete = on")
    op.drop_table("release_cell")


def downgrade() -> None:
    """Undo: the table is there again, without the counts."""
    op.create_table(
        "release_cell",
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("cell", sa.String(length=300), nullable=False, comment="measure|geography|period|codes"),
        sa.Column("value", sa.Integer(), nullable=True, comment="true count; null from where it goes out no more"),
        sa.Column("is_shown", sa.Boolean(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False, comment="hidden for its own sake; never told outside"),
        sa.Column(
            "is_left_out",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="its row does not go out, as nothing would protect it",
        ),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name=op.f("fk_release_cell_release_id")),
        sa.PrimaryKeyConstraint("release_id", "cell", name=op.f("pk_release_cell")),
    )

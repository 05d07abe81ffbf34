"""Every act, who did it and why: rows that are only added"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_REFUSED = "acts are only added"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "act",
        sa.Column("act_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("acted_at", sa.DateTime(), nullable=False, comment="by the system's clock, not FOLLOWUP_NOW"),
        sa.Column("actor_kind", sa.String(20), nullable=False, comment="account or dag_run"),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(60), nullable=False, comment="such as quarter.locked"),
        sa.Column(
            "subject",
            sa.String(200),
            nullable=False,
            comment="quarter, submission, release, district; nothing personal",
        ),
        sa.Column("why", sa.Text(), comment="the reason that was given"),
        sa.Column("previous_hash", sa.String(64), nullable=False, comment="the hash of the act before"),
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 of the other columns, hexadecimal"),
        sa.PrimaryKeyConstraint("act_id", name=op.f("pk_act")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "create function act_refuse() returns trigger language plpgsql as "
            f"$$ begin raise exception '{_REFUSED}'; end $$"
        )
        op.execute(
            "create trigger act_only_added before update or delete or truncate on act "
            "for each statement execute function act_refuse()"
        )
    else:
        for what in ("update", "delete"):
            op.execute(
                f"create trigger act_no_{what} before {what} on act begin select raise(abort, '{_REFUSED}'); end"
            )


def downgrade() -> None:
    """Undo."""
    op.drop_table("act")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function act_refuse()")

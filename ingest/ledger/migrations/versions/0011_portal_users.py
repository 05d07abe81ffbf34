"""Users of the portal, their sessions, and tries to sign in"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OLD, _NEW = "account or dag_run", "account, dag_run or user"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "portal_user",
        sa.Column("user_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(80), nullable=False, comment="folded"),
        sa.Column("role", sa.String(20), nullable=False, comment="officer, city, reader or administrator"),
        sa.Column("password_hash", sa.String(200), comment="argon2id; null for who signs in elsewhere (OIDC)"),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("disabled_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_portal_user")),
        sa.UniqueConstraint("name", name=op.f("uq_portal_user_name")),
    )
    op.create_table(
        "portal_user_unit",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("district_code", sa.String(40), nullable=False, comment="a unit that an officer reports for"),
        sa.ForeignKeyConstraint(["user_id"], ["portal_user.user_id"], name=op.f("fk_portal_user_unit_user_id")),
        sa.PrimaryKeyConstraint("user_id", "district_code", name=op.f("pk_portal_user_unit")),
    )
    op.create_table(
        "portal_session",
        sa.Column("session_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, comment="SHA-256; the token is not stored"),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False, comment="however much it is used"),
        sa.Column("revoked_at", sa.DateTime()),
        sa.Column("network", sa.String(50), nullable=False, comment="where from: /24 of IPv4, /48 of IPv6"),
        sa.Column("agent", sa.String(200), nullable=False, comment="the browser as it names itself"),
        sa.ForeignKeyConstraint(["user_id"], ["portal_user.user_id"], name=op.f("fk_portal_session_user_id")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_portal_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_portal_session_token_hash")),
    )
    op.create_index(op.f("ix_portal_session_user_id"), "portal_session", ["user_id"])
    op.create_table(
        "login_attempt",
        sa.Column("kind", sa.String(10), nullable=False, comment="name, address or device"),
        sa.Column("key_hash", sa.String(64), nullable=False, comment="what was typed is not stored"),
        sa.Column("user_id", sa.Integer(), comment="whose device"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.DateTime(), nullable=False),
        sa.Column("blocked_until", sa.DateTime()),
        sa.ForeignKeyConstraint(["user_id"], ["portal_user.user_id"], name=op.f("fk_login_attempt_user_id")),
        sa.PrimaryKeyConstraint("kind", "key_hash", name=op.f("pk_login_attempt")),
    )
    op.create_index(op.f("ix_login_attempt_user_id"), "login_attempt", ["user_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("act", "actor_kind", comment=_NEW, existing_comment=_OLD)


def downgrade() -> None:
    """Undo."""
    for table in ("login_attempt", "portal_session", "portal_user_unit", "portal_user"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("act", "actor_kind", comment=_OLD, existing_comment=_NEW)

"""Tokens of the API, and answers to requests that may be sent twice"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_OLD, _NEW = "account, dag_run or user", "account, dag_run, user or token"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "api_token",
        sa.Column("token_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, comment="SHA-256; the token is not stored"),
        sa.Column("name", sa.String(40), nullable=False, comment="what it is for; nothing personal"),
        sa.Column("district_code", sa.String(40), nullable=False, comment="the unit that it acts for"),
        sa.Column("scopes", sa.String(60), nullable=False, comment="check, explain, read, submit, with spaces between"),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by", sa.String(220), nullable=False, comment="kind and name of who made it"),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("last_used_on", sa.Date(), comment="day, UTC"),
        sa.Column("revoked_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index(op.f("ix_api_token_district_code"), "api_token", ["district_code"])
    op.create_table(
        "api_request",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False, comment="SHA-256 of the Idempotency-Key"),
        sa.Column("request_hash", sa.String(64), comment="of method, path and content; null while it is answered"),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(120), comment="process that answers it"),
        sa.Column("claim_until", sa.DateTime(), comment="until then nobody else answers it"),
        sa.Column("status", sa.Integer(), comment="of HTTP; null while it is answered"),
        sa.Column("answer", sa.Text(), comment="JSON"),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.token_id"], name=op.f("fk_api_request_token_id")),
        sa.PrimaryKeyConstraint("token_id", "key_hash", name=op.f("pk_api_request")),
    )
    op.create_index(op.f("ix_api_request_created_at"), "api_request", ["created_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("act", "actor_kind", comment=_NEW, existing_comment=_OLD)


def downgrade() -> None:
    """Undo."""
    for table in ("api_request", "api_token"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("act", "actor_kind", comment=_OLD, existing_comment=_NEW)

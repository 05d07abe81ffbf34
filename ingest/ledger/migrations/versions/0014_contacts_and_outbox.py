"""Contacts of units, and the outbox of mail"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "contact",
        sa.Column("district_code", sa.String(40), nullable=False),
        sa.Column("address", sa.String(254), nullable=False, comment="e-mail of whom the unit's reminders are sent to"),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("district_code", "address", name=op.f("pk_contact")),
    )
    op.create_table(
        "mail",
        sa.Column("mail_key", sa.String(120), nullable=False, comment="such as reminder 2018-10-21 farsta: once only"),
        sa.Column("kind", sa.String(20), nullable=False, comment="reminder, overview or failure"),
        sa.Column("mailed_on", sa.Date(), nullable=False, comment="the city's day that it is about"),
        sa.Column("district_code", sa.String(40), comment="null: for the city's team"),
        sa.Column("recipients", sa.Text(), nullable=False, comment="JSON: e-mail addresses"),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="nothing personal; empty once it has ended"),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False, comment="not sent after this day"),
        sa.Column("state", sa.String(10), nullable=False, comment="waiting, claimed, sent, refused, unsure or expired"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(120), comment="process that sends it"),
        sa.Column("claimed_at", sa.DateTime()),
        sa.Column("sent_at", sa.DateTime()),
        sa.Column("detail", sa.Text(), comment="why it was not sent, or to whom not"),
        sa.PrimaryKeyConstraint("mail_key", name=op.f("pk_mail")),
    )
    op.create_index(op.f("ix_mail_mailed_on"), "mail", ["mailed_on"])


def downgrade() -> None:
    """Undo."""
    for table in ("mail", "contact"):
        op.drop_table(table)

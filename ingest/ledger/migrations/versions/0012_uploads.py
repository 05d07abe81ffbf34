"""Files that were handed over in the portal"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "upload",
        sa.Column("upload_id", sa.String(26), nullable=False, comment="drawn at random"),
        sa.Column("batch_id", sa.String(26), nullable=False, comment="files that came in one request"),
        sa.Column("district_code", sa.String(40), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False, comment="check or submit"),
        sa.Column("file_name", sa.String(200), nullable=False, comment="as it may be shown"),
        sa.Column("dataset", sa.String(40), comment="null until it is known"),
        sa.Column("quarter", sa.String(6), comment="null until it is known"),
        sa.Column(
            "is_named_by_sender", sa.Boolean(), nullable=False, comment="dataset and quarter were chosen on the page"
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), comment="null until the file is whole"),
        sa.Column("state", sa.String(12), nullable=False, comment="see ingest.ledger.uploads.UploadState"),
        sa.Column("step", sa.String(20), comment="what a worker does with it now, in Swedish"),
        sa.Column("is_accepted", sa.Boolean(), comment="by the last check; null before it"),
        sa.Column("replaces", sa.String(26), comment="submission in force that the sender was shown it would replace"),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False, comment="the sender agreed to replace it"),
        sa.Column("actor_kind", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(), nullable=False, comment="by the system's clock; the same for a whole batch"
        ),
        sa.Column("changed_at", sa.DateTime(), nullable=False, comment="of its state, by the system's clock"),
        sa.Column("submitted_at", sa.DateTime(), comment="when it was handed in, by the installation's clock"),
        sa.Column("submission_id", sa.String(26), comment="what it became, or is a copy of"),
        sa.Column("detail", sa.Text(), comment="what the sender is told besides, in Swedish"),
        sa.Column("is_synthetic", sa.Boolean(), nullable=False),
        sa.Column("is_settled", sa.Boolean(), nullable=False, comment="what follows its last state is done"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="times that a worker has begun"),
        sa.Column("claimed_by", sa.String(120), comment="process that works with it"),
        sa.Column("claim_until", sa.DateTime(), comment="until then nobody else takes it"),
        sa.Column("preview_state", sa.String(10), comment="waiting, working, again, done or failed"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.submission_id"], name=op.f("fk_upload_submission_id")),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_batch_id"), "upload", ["batch_id"])
    op.create_index(op.f("ix_upload_district_code_created_at"), "upload", ["district_code", "created_at"])
    op.create_index(op.f("ix_upload_state_is_settled"), "upload", ["state", "is_settled"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("upload")

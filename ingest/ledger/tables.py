"""The ledger's tables. Times are UTC and stored without a zone."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

submission = sa.Table(
    "submission",
    METADATA,
    sa.Column("submission_id", sa.String(26), primary_key=True),
    sa.Column("district_code", sa.String(40), nullable=False),
    sa.Column("dataset", sa.String(40), comment="null when the file's name could not be read"),
    sa.Column("reporting_quarter", sa.String(6), comment="null when the file's name could not be read"),
    sa.Column("sequence", sa.Integer, nullable=False, comment="counts every submission of the key, refused ones too"),
    sa.Column("version", sa.Integer, comment="counts accepted ones; null when refused"),
    sa.Column("state", sa.String(12), nullable=False, comment="accepted, refused or withdrawn"),
    sa.Column("source_file_name", sa.String(200), nullable=False),
    sa.Column("source_file_sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("submitted_at", sa.DateTime, nullable=False),
    sa.Column("deadline_date", sa.Date),
    sa.Column("is_on_time", sa.Boolean),
    sa.Column("is_synthetic", sa.Boolean, nullable=False),
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("error_count", sa.Integer, nullable=False),
    sa.Column("query_count", sa.Integer, nullable=False),
    sa.Column("contract_version", sa.Integer),
    sa.Column("person_key_version", sa.Integer),
    sa.Column("original_path", sa.String(300), nullable=False, comment="encrypted original, under home"),
    sa.Column("parquet_path", sa.String(300), comment="accepted rows, under home"),
    sa.Column("parquet_sha256", sa.String(64)),
    sa.Column("is_source_cleared", sa.Boolean, nullable=False, comment="whether the drop location's file is gone"),
    sa.Column("open_query_count", sa.Integer, nullable=False, server_default="0", comment="queries not explained"),
    sa.Column("original_erased_at", sa.DateTime, comment="when the encrypted original was erased"),
    sa.Column("mapping_version", sa.Integer, comment="version of its unit's mapping that it was read by"),
    sa.UniqueConstraint("district_code", "dataset", "reporting_quarter", "version"),
    sa.Index(None, "district_code", "dataset", "reporting_quarter"),
)

finding_count = sa.Table(
    "finding_count",
    METADATA,
    sa.Column("submission_id", sa.ForeignKey("submission.submission_id"), primary_key=True),
    sa.Column("rule", sa.String(10), primary_key=True),
    sa.Column("severity", sa.String(6), nullable=False),
    sa.Column("row_count", sa.Integer, nullable=False, comment="how many times the rule fired"),
)

finding = sa.Table(
    "finding",
    METADATA,
    sa.Column("finding_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("submission_id", sa.ForeignKey("submission.submission_id"), nullable=False, index=True),
    sa.Column("rule", sa.String(10), nullable=False),
    sa.Column("severity", sa.String(6), nullable=False),
    sa.Column("source_row_number", sa.Integer),
    sa.Column("column_name", sa.String(60)),
    sa.Column("message", sa.Text, nullable=False),
)

explanation = sa.Table(
    "explanation",
    METADATA,
    sa.Column("submission_id", sa.ForeignKey("submission.submission_id"), primary_key=True),
    sa.Column("rule", sa.String(10), primary_key=True),
    sa.Column("row_key", sa.String(200), primary_key=True, comment="* for a rule about the file"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("explained_at", sa.DateTime, nullable=False, comment="when it was first given"),
    sa.Column("carried_from", sa.String(26), comment="submission from which it was carried; null when given here"),
)

withdrawal = sa.Table(
    "withdrawal",
    METADATA,
    sa.Column("submission_id", sa.ForeignKey("submission.submission_id"), primary_key=True),
    sa.Column("withdrawn_at", sa.DateTime, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)

quarter_lock = sa.Table(
    "quarter_lock",
    METADATA,
    sa.Column("quarter_lock_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("reporting_quarter", sa.String(6), nullable=False, index=True),
    sa.Column("locked_at", sa.DateTime, nullable=False),
    sa.Column("unlocked_at", sa.DateTime, comment="null while it is locked"),
)

closing = sa.Table(
    "closing",
    METADATA,
    sa.Column("closing_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("reporting_quarter", sa.String(6), nullable=False, index=True),
    sa.Column("reason", sa.String(10), nullable=False, comment="why it was asked: complete, due or asked"),
    sa.Column("fingerprint", sa.String(64), nullable=False, comment="of the completeness report that was shown"),
    sa.Column("asked_by", sa.String(250), nullable=False, comment="run or account that asks"),
    sa.Column("asked_at", sa.DateTime, nullable=False),
)

revision = sa.Table(
    "revision",
    METADATA,
    sa.Column("reporting_quarter", sa.String(6), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="counted per quarter, from 1"),
    sa.Column("opened_at", sa.DateTime, nullable=False, comment="when the sealed quarter was first amended"),
    sa.Column("note", sa.Text, comment="what the city says of it to readers"),
    sa.Column("release_id", sa.ForeignKey("release.release_id"), comment="that published it; null while it is open"),
)

lock_exception = sa.Table(
    "lock_exception",
    METADATA,
    sa.Column("lock_exception_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("reporting_quarter", sa.String(6), nullable=False),
    sa.Column("district_code", sa.String(40), nullable=False),
    sa.Column("dataset", sa.String(40), comment="null: every dataset"),
    sa.Column("opened_at", sa.DateTime, nullable=False),
    sa.Column("until_date", sa.Date, comment="last day on which it holds, by the city's date; null: until closed"),
    sa.Column("closed_at", sa.DateTime),
    sa.Column("why", sa.Text, nullable=False),
    sa.Index(None, "reporting_quarter", "district_code"),
)

local_name = sa.Table(
    "local_name",
    METADATA,
    sa.Column("district_code", sa.String(40), primary_key=True, comment="empty: every district"),
    sa.Column("folded_alias", sa.String(200), primary_key=True),
    sa.Column("alias", sa.String(200), nullable=False),
    sa.Column("intervention_code", sa.String(60), nullable=False),
    sa.Column("added_at", sa.DateTime, nullable=False),
)

unit_mapping = sa.Table(
    "unit_mapping",
    METADATA,
    sa.Column("district_code", sa.String(40), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, comment="counts the unit's mappings"),
    sa.Column("valid_from", sa.String(6), nullable=False, comment="first quarter that is read by it"),
    sa.Column("document", sa.Text, nullable=False, comment="YAML; nothing personal"),
    sa.Column("set_at", sa.DateTime, nullable=False),
)

erasure = sa.Table(
    "erasure",
    METADATA,
    sa.Column("erasure_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(10), nullable=False, comment="originals (by age) or person"),
    sa.Column("erased_at", sa.DateTime, nullable=False),
    sa.Column("original_count", sa.Integer, nullable=False, comment="originals erased"),
    sa.Column("row_count", sa.Integer, nullable=False, comment="rows removed, over all versions"),
)

freeze = sa.Table(
    "freeze",
    METADATA,
    sa.Column("freeze_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("through_quarter", sa.String(6), nullable=False, comment="newest quarter whose figures are frozen"),
    sa.Column("erased_quarter", sa.String(6), nullable=False, comment="newest whose rows about persons are erased"),
    sa.Column("frozen_at", sa.DateTime, nullable=False),
)

frozen_figures = sa.Table(
    "frozen_figures",
    METADATA,
    sa.Column("freeze_id", sa.ForeignKey("freeze.freeze_id"), primary_key=True),
    sa.Column("model", sa.String(60), primary_key=True, comment="whose rows of the frozen periods are in the file"),
    sa.Column("path", sa.String(300), nullable=False, comment="under home"),
    sa.Column("file_sha256", sa.String(64), nullable=False),
)

expiry_report = sa.Table(
    "expiry_report",
    METADATA,
    sa.Column("expiry_report_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("expired_at", sa.DateTime, nullable=False),
    sa.Column("content", sa.Text, nullable=False, comment="JSON: how much of what; nothing personal"),
)

build = sa.Table(
    "build",
    METADATA,
    sa.Column("build_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("state", sa.String(8), nullable=False, comment="built or failed"),
    sa.Column("started_at", sa.DateTime, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("detail", sa.Text, comment="names of failed models and tests"),
)

release = sa.Table(
    "release",
    METADATA,
    sa.Column("release_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(10), nullable=False, comment="proposed, released, blocked, replaced or rejected"),
    sa.Column("made_at", sa.DateTime, nullable=False),
    sa.Column("released_at", sa.DateTime, comment="null as long as it has not gone out"),
    sa.Column("until_quarter", sa.String(6), comment="newest quarter that goes out"),
    sa.Column("is_revision", sa.Boolean, nullable=False, comment="changes figures that had gone out"),
    sa.Column("policy", sa.Text, nullable=False, comment="JSON"),
    sa.Column("certificate", sa.Text, comment="JSON; null when none could be made"),
    sa.Column("detail", sa.Text, comment="why it is blocked (tables and codes, no values) or rejected"),
)

extract = sa.Table(
    "extract",
    METADATA,
    sa.Column("extract_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("extracted_at", sa.DateTime, nullable=False),
    sa.Column("district_code", sa.String(40), nullable=False),
    sa.Column("os_user", sa.String(80), nullable=False, comment="account of the process"),
    sa.Column("login_user", sa.String(80), comment="account that logged in, where the system knows it"),
    sa.Column("row_count", sa.Integer, nullable=False, comment="rows of all marts in the file"),
    sa.Column("file_name", sa.String(200), nullable=False, comment="without its folder"),
    sa.Column("file_sha256", sa.String(64), nullable=False),
    sa.Column("is_synthetic", sa.Boolean, nullable=False, comment="all rows in force are synthetic"),
)

act = sa.Table(
    "act",
    METADATA,
    sa.Column("act_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("acted_at", sa.DateTime, nullable=False, comment="by the system's clock, not FOLLOWUP_NOW"),
    sa.Column("actor_kind", sa.String(20), nullable=False, comment="account, dag_run, user or token"),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("action", sa.String(60), nullable=False, comment="such as quarter.locked"),
    sa.Column(
        "subject", sa.String(200), nullable=False, comment="quarter, submission, release, district; nothing personal"
    ),
    sa.Column("why", sa.Text, comment="the reason that was given"),
    sa.Column("previous_hash", sa.String(64), nullable=False, comment="the hash of the act before"),
    sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 of the other columns, hexadecimal"),
)

portal_user = sa.Table(
    "portal_user",
    METADATA,
    sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True, comment="folded"),
    sa.Column("role", sa.String(20), nullable=False, comment="officer, city, reader or administrator"),
    sa.Column("password_hash", sa.String(200), comment="argon2id; null for who signs in elsewhere (OIDC)"),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("disabled_at", sa.DateTime),
)

portal_user_unit = sa.Table(
    "portal_user_unit",
    METADATA,
    sa.Column("user_id", sa.ForeignKey("portal_user.user_id"), primary_key=True),
    sa.Column("district_code", sa.String(40), primary_key=True, comment="a unit that an officer reports for"),
)

portal_session = sa.Table(
    "portal_session",
    METADATA,
    sa.Column("session_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True, comment="SHA-256; the token is not stored"),
    sa.Column("user_id", sa.ForeignKey("portal_user.user_id"), nullable=False, index=True),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("last_seen_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime, nullable=False, comment="however much it is used"),
    sa.Column("revoked_at", sa.DateTime),
    sa.Column("network", sa.String(50), nullable=False, comment="where from: /24 of IPv4, /48 of IPv6"),
    sa.Column("agent", sa.String(200), nullable=False, comment="the browser as it names itself"),
)

login_attempt = sa.Table(
    "login_attempt",
    METADATA,
    sa.Column("kind", sa.String(10), primary_key=True, comment="name, address or device"),
    sa.Column("key_hash", sa.String(64), primary_key=True, comment="what was typed is not stored"),
    sa.Column("user_id", sa.ForeignKey("portal_user.user_id"), index=True, comment="whose device"),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("tried_at", sa.DateTime, nullable=False),
    sa.Column("blocked_until", sa.DateTime),
)

upload = sa.Table(
    "upload",
    METADATA,
    sa.Column("upload_id", sa.String(26), primary_key=True, comment="drawn at random"),
    sa.Column("batch_id", sa.String(26), nullable=False, index=True, comment="files that came in one request"),
    sa.Column("district_code", sa.String(40), nullable=False),
    sa.Column("purpose", sa.String(10), nullable=False, comment="check or submit"),
    sa.Column("file_name", sa.String(200), nullable=False, comment="as it may be shown"),
    sa.Column("dataset", sa.String(40), comment="null until it is known"),
    sa.Column("quarter", sa.String(6), comment="null until it is known"),
    sa.Column("is_named_by_sender", sa.Boolean, nullable=False, comment="dataset and quarter were chosen on the page"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), comment="null until the file is whole"),
    sa.Column("state", sa.String(12), nullable=False, comment="see ingest.ledger.uploads.UploadState"),
    sa.Column("step", sa.String(20), comment="what a worker does with it now, in Swedish"),
    sa.Column("is_accepted", sa.Boolean, comment="by the last check; null before it"),
    sa.Column("replaces", sa.String(26), comment="submission in force that the sender was shown it would replace"),
    sa.Column("is_confirmed", sa.Boolean, nullable=False, comment="the sender agreed to replace it"),
    sa.Column("actor_kind", sa.String(20), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False, comment="by the system's clock; the same for a whole batch"),
    sa.Column("changed_at", sa.DateTime, nullable=False, comment="of its state, by the system's clock"),
    sa.Column("submitted_at", sa.DateTime, comment="when it was handed in, by the installation's clock"),
    sa.Column("submission_id", sa.ForeignKey("submission.submission_id"), comment="what it became, or is a copy of"),
    sa.Column("detail", sa.Text, comment="what the sender is told besides, in Swedish"),
    sa.Column("is_synthetic", sa.Boolean, nullable=False),
    sa.Column("is_settled", sa.Boolean, nullable=False, comment="what follows its last state is done"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="times that a worker has begun"),
    sa.Column("claimed_by", sa.String(120), comment="process that works with it"),
    sa.Column("claim_until", sa.DateTime, comment="until then nobody else takes it"),
    sa.Column("preview_state", sa.String(10), comment="waiting, working, again, done or failed"),
    sa.Index(None, "district_code", "created_at"),
    sa.Index(None, "state", "is_settled"),
)

api_token = sa.Table(
    "api_token",
    METADATA,
    sa.Column("token_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True, comment="SHA-256; the token is not stored"),
    sa.Column("name", sa.String(40), nullable=False, comment="what it is for; nothing personal"),
    sa.Column("district_code", sa.String(40), nullable=False, index=True, comment="the unit that it acts for"),
    sa.Column("scopes", sa.String(60), nullable=False, comment="check, explain, read, submit, with spaces between"),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("created_by", sa.String(220), nullable=False, comment="kind and name of who made it"),
    sa.Column("expires_at", sa.DateTime, nullable=False),
    sa.Column("last_used_on", sa.Date, comment="day, UTC"),
    sa.Column("revoked_at", sa.DateTime),
)

api_request = sa.Table(
    "api_request",
    METADATA,
    sa.Column("token_id", sa.ForeignKey("api_token.token_id"), primary_key=True),
    sa.Column("key_hash", sa.String(64), primary_key=True, comment="SHA-256 of the Idempotency-Key"),
    sa.Column("request_hash", sa.String(64), comment="of method, path and content; null while it is answered"),
    sa.Column("created_at", sa.DateTime, nullable=False, index=True),
    sa.Column("claimed_by", sa.String(120), comment="process that answers it"),
    sa.Column("claim_until", sa.DateTime, comment="until then nobody else answers it"),
    sa.Column("status", sa.Integer, comment="of HTTP; null while it is answered"),
    sa.Column("answer", sa.Text, comment="JSON"),
)

draw = sa.Table(
    "draw",
    METADATA,
    sa.Column("family", sa.String(60), primary_key=True, comment="measures that count the same records"),
    sa.Column("unit", sa.String(40), primary_key=True, comment="district code or stockholm"),
    sa.Column("basis", sa.String(20), primary_key=True, comment="as_submitted or today"),
    sa.Column("period_kind", sa.String(20), primary_key=True, comment="kvartal, rullande_ar or ar"),
    sa.Column("period", sa.String(6), primary_key=True),
    sa.Column("release_id", sa.ForeignKey("release.release_id"), primary_key=True, comment="the first with this salt"),
    sa.Column("salt", sa.String(16), nullable=False, comment="hexadecimal; 0 where nothing is counted"),
    sa.Column("revision", sa.Integer, nullable=False, comment="number of the sealed period's revision; 0: none"),
    sa.Column("sketch", sa.LargeBinary, nullable=False, server_default="", comment="keyed digests of what is counted"),
)

contact = sa.Table(
    "contact",
    METADATA,
    sa.Column("district_code", sa.String(40), primary_key=True),
    sa.Column("address", sa.String(254), primary_key=True, comment="e-mail of whom the unit's reminders are sent to"),
    sa.Column("added_at", sa.DateTime, nullable=False),
)

mail = sa.Table(
    "mail",
    METADATA,
    sa.Column("mail_key", sa.String(120), primary_key=True, comment="such as reminder 2018-10-21 farsta: once only"),
    sa.Column("kind", sa.String(20), nullable=False, comment="reminder, overview or failure"),
    sa.Column("mailed_on", sa.Date, nullable=False, index=True, comment="the city's day that it is about"),
    sa.Column("district_code", sa.String(40), comment="null: for the city's team"),
    sa.Column("recipients", sa.Text, nullable=False, comment="JSON: e-mail addresses"),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="nothing personal; empty once it has ended"),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False, comment="not sent after this day"),
    sa.Column("state", sa.String(10), nullable=False, comment="waiting, claimed, sent, refused, unsure or expired"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claimed_by", sa.String(120), comment="process that sends it"),
    sa.Column("claimed_at", sa.DateTime),
    sa.Column("sent_at", sa.DateTime),
    sa.Column("detail", sa.Text, comment="why it was not sent, or to whom not"),
)

installation = sa.Table(
    "installation",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)

lease = sa.Table(
    "lease",
    METADATA,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("holder", sa.String(120), nullable=False, comment="host, process id and its start"),
    sa.Column("expires_at", sa.DateTime, nullable=False),
)

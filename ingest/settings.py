"""Settings of an installation, read from the environment (prefix FOLLOWUP_), and its clock.

An installation that sets nothing has all its places under `data/`. One that sets its home sets its other places too, or
has them in that home: it never reads or writes at the default place of another installation.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
DECLARED_IN = "FOLLOWUP_DECLARED_IN"
"""Variable by which `followup contract try` gives a process of its own another folder of declared parts."""
DECLARED = Path(os.environ.get(DECLARED_IN) or ROOT)
"""Where the declared parts are (expectations/, dbt_project/): in the checkout, but for a contract that is tried."""

ORGANISATION = "FOLLOWUP_ORGANISATION"
"""Variable that names the folder of the organisation; `ingest.organisation` reads it."""

CITY_TIME = ZoneInfo("Europe/Stockholm")
MEGABYTE = 1_000_000
MOST_DAYS = 36_500
"""A hundred years: beyond, dates can't be counted back."""
_COUNT, _ADDRESS = r"\s*[1-9]\d*\s*", r"[^\s/,]+:[1-9]\d*"
_MASTER = re.compile(
    rf"local(\[(\*|[1-9]\d*)(\s*,{_COUNT})?\])?|local-cluster\[{_COUNT},{_COUNT},{_COUNT}\]"
    rf"|spark://{_ADDRESS}(,{_ADDRESS})*"
)
"""Master URLs of Spark; with several addresses, the masters stand in for each other."""
_NOT_IN_PATHS = ("?", "#", "{{", "{%")
_READ_BY_PROPERTY = (
    "keys", "given_keys", "inbox", "given_inbox", "backup_key", "given_backup_key", "validated", "given_validated",
)  # fmt: skip
_PLACES = (
    "home", "given_keys", "districts", "organisation", "scratch", "parsed", "airflow_home", "postgres_home",
    "published", "publish_logins", "backup_login", "given_backup_key", "validated_login",
)  # fmt: skip
"""Settings that are files or folders."""


class SettingsError(Exception):
    """A setting is missing or can't be read; the message says which and what to do."""


def first_complaint(error: ValidationError) -> tuple[tuple[str, ...], str]:
    """Where the first mistake of a model is, and what it is; never the value, which may be a secret."""
    wrong = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return tuple(map(str, wrong["loc"])), str(wrong["msg"]).removeprefix("Value error, ")


def _not_set(variable: str, place: str) -> SettingsError:
    return SettingsError(f"{variable} is not set: where FOLLOWUP_HOME is, set it too, to {place}")


class Readers(StrEnum):
    """Who may open what is published, of this machine's users."""

    OWNER = "owner"
    GROUP = "group"
    EVERYONE = "everyone"


class EngineName(StrEnum):
    """What the marts are built on."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Settings(BaseSettings):
    """Where state is and how the installation behaves.

    Every setting is `FOLLOWUP_<NAME>` in the environment; empty is as absent. Where `home` is set, `keys` and `inbox`
    have no default: reading one that is not set raises SettingsError.
    """

    model_config = SettingsConfigDict(env_prefix="FOLLOWUP_", env_ignore_empty=True, extra="ignore", frozen=True)

    home: Path = Field(Path("data/home"), description="all state: ledger, validated files, warehouse")
    given_validated: str | None = Field(
        None,
        alias="FOLLOWUP_VALIDATED",
        description="where validated rows are: a folder, or s3://bucket/folder; default validated/ in home",
    )
    validated_login: Path | None = Field(
        None,
        description="JSON file, for its owner alone: access_key, secret_key, endpoint_url, region of that bucket, as "
        "districts.yml has them for a drop location",
    )
    given_inbox: str | None = Field(
        None, alias="FOLLOWUP_INBOX", description="parent of the drop locations that districts.yml names"
    )
    now_text: str | None = Field(None, alias="FOLLOWUP_NOW", description="ISO time, or @FILE holding one")
    given_keys: Path | None = Field(None, alias="FOLLOWUP_KEYS", description="key file; never inside home")
    ledger_url: str | None = Field(None, description="SQLAlchemy URL; default a SQLite file under home")
    districts: Path = Field(ROOT / "ingest" / "districts.yml", description="drop locations")
    organisation: Path | None = Field(
        None, description="folder with the units and their names; default dbt_project/organisation"
    )
    settle_seconds: int = Field(
        60, ge=0, le=3600, description="how long nothing must have been written to a file; a drop location may say else"
    )
    home_is_shared: bool = Field(
        False, description="several machines use this home: the ledger is a PostgreSQL, and each has its own scratch"
    )
    scratch: Path | None = Field(
        None, description="folder of this machine alone, outside a shared home, for what is half-done; default home"
    )
    parsed: Path | None = Field(None, description="where builds keep the parsed dbt project; default under scratch")
    engine: EngineName = Field(
        EngineName.DUCKDB, description="what the marts are built on: duckdb, or spark (its own environment)"
    )
    spark_master: str = Field("local[*]", description="Spark's master URL")
    max_file_megabytes: int = Field(200, ge=1, description="larger files are refused unread")
    airflow_home: Path = Field(ROOT / "data" / "airflow", description="where `make up` keeps Airflow")
    postgres_home: Path = Field(ROOT / "data" / "postgres", description="where `make up` keeps its own PostgreSQL")

    published: Path = Field(
        Path("data/published"), description="the link that readers open; releases are stored in a folder beside"
    )
    published_readers: Readers = Field(
        Readers.GROUP, description="who may open what is published: owner, group (the folder's), everyone"
    )
    publish_postgres: SecretStr | None = Field(
        None, description="libpq URL of a database of its own that BI reads; its user owns it; no password in it"
    )
    publish_logins: Path | None = Field(
        None,
        description="JSON file, for its owner alone, with the passwords of owner, followup_reader, followup_analyst",
    )
    publish_patience_seconds: float = Field(
        90, ge=0, le=86_400, description="how long a release waits for readers' transactions before it gives up"
    )
    publish_analysts: bool = Field(
        False, description="load the unprotected marts for followup_analyst; every load is logged"
    )
    undocumented_text: str | None = Field(
        None,
        alias="FOLLOWUP_UNDOCUMENTED_INTERVENTIONS",
        description="interventions that the board lets be given without documentation: codes with comma between, or "
        "`none`; absent: it has not decided, and nothing is asked",
    )
    catalogue_uri: str | None = Field(
        None, pattern=r"^https?://", description="address under which a release's files lie; absent: relative to them"
    )
    given_publisher: str | None = Field(
        None,
        alias="FOLLOWUP_CATALOGUE_PUBLISHER",
        description="who publishes, as the catalogue names it; default the organisation's name",
    )
    given_contact: str | None = Field(
        None,
        alias="FOLLOWUP_CATALOGUE_CONTACT",
        description="whom readers may ask; default the contact in organisation.toml",
    )
    catalogue_contact_email: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="its address; absent: the catalogue names no contact"
    )
    catalogue_license: str = Field(
        "http://creativecommons.org/publicdomain/zero/1.0/", pattern=r"^https?://", description="licence of the data"
    )

    release_approves_itself: bool | None = Field(
        None, description="let releases go out without the city's approval; absent: as publish/policy.yml says"
    )

    log_format: Literal["text", "json"] = Field(
        "text", description="how the portal and the commands log: text, or json: an object a line"
    )
    originals_kept_days: int = Field(
        365, ge=0, le=MOST_DAYS, description="encrypted originals older than this are for erasing"
    )
    feedback_kept_days: int = Field(730, ge=1, le=MOST_DAYS, description="feedback that is older is erased")
    sessions_kept_days: int = Field(
        30, ge=1, le=MOST_DAYS, description="sessions of the portal that ended longer ago are erased"
    )
    logs_kept_days: int = Field(
        90, ge=1, le=MOST_DAYS, description="logs of Airflow's tasks and of builds that are older are erased"
    )
    rows_kept_quarters: int = Field(
        20,
        ge=8,
        le=400,
        description="a person's rows are erased so many quarters after the newest of them; see ADR 0076",
    )

    backup_url: str | None = Field(
        None, description="where backups are written: a folder, sftp://user@host/folder, or s3://bucket/folder"
    )
    backup_login: Path | None = Field(
        None,
        description="JSON file, for its owner alone: password, key_file, known_hosts, access_key, secret_key, "
        "endpoint_url, region of that place, as districts.yml has them for a drop location",
    )
    given_backup_key: Path | None = Field(
        None, alias="FOLLOWUP_BACKUP_KEY", description="key that backups are encrypted with; never inside home"
    )
    backup_cron: str = Field(
        "0 2 * * *", pattern=r"^(@[a-z]+|\S+( +\S+){4})$", description="when the DAG back_up runs, in the city's time"
    )
    backup_days: int = Field(
        35,
        ge=1,
        le=MOST_DAYS,
        description="each backup removes those that are older; what is erased today is then in none",
    )
    backup_warn_days: int = Field(3, ge=1, le=MOST_DAYS, description="doctor warns when the newest backup is older")

    session_idle_minutes: int = Field(
        30, ge=1, le=720, description="the portal signs a user out who has done nothing for so long"
    )
    session_hours: int = Field(10, ge=1, le=24, description="the portal signs every user out after so long")

    @model_validator(mode="before")
    @classmethod
    def _accept_short_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Let programs say `keys` and `inbox` as they say the other settings."""
        aliases = {name: f"FOLLOWUP_{name.removeprefix('given_').upper()}" for name in _READ_BY_PROPERTY}
        aliases |= {f"catalogue_{name}": f"FOLLOWUP_CATALOGUE_{name.upper()}" for name in ("publisher", "contact")}
        return {aliases.get(name, name): value for name, value in given.items()}

    @field_validator(*_PLACES, mode="before")
    @classmethod
    def _in_a_folder(cls, place: Any) -> Any:
        """Take `file:///srv/followup` for the path it means, and refuse the address of anything but a folder."""
        if not isinstance(place, str) or "://" not in place:
            return place
        parts = urlsplit(place)
        if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
            return unquote(parts.path)
        raise ValueError(
            f"this must be a folder, of a disk or of a shared volume (NFS), not an address of {parts.scheme}://: files "
            "there can't be renamed and locked as is needed. On S3 and SFTP drop locations may lie (districts.yml), on "
            "S3 validated rows too (FOLLOWUP_VALIDATED)"
        )

    @field_validator("given_validated", mode="before")
    @classmethod
    def _folder_or_bucket(cls, place: Any) -> Any:
        """Take a folder, whose path DuckDB can read, or a bucket."""
        if place is None:
            return None
        text = str(place)
        scheme, found, _ = text.partition("://")
        if found and scheme not in ("file", "s3"):
            raise ValueError("this must be a folder, or s3://bucket/folder: rows are in no other places")
        if scheme == "s3" and found:
            parts = urlsplit(text)
            if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
                raise ValueError(
                    "an S3 address reads s3://bucket/folder; how to log in is in the file FOLLOWUP_VALIDATED_LOGIN"
                )
            return text.rstrip("/")
        return str(cls._readable_by_all(Path(cls._in_a_folder(text))))

    @field_validator("spark_master")
    @classmethod
    def _is_master(cls, value: str) -> str:
        if _MASTER.fullmatch(value) is None:
            raise ValueError(
                "local[*] (all cores of this machine) or local[2], local-cluster[executors,cores,MB], or "
                "spark://host:7077 is needed"
            )
        return value

    @field_validator("home", "published")
    @classmethod
    def _readable_by_all(cls, place: Path) -> Path:
        """Refuse a path that DuckDB or dbt take for another: as part of an address, or of a template."""
        whole = str(place.absolute())
        if any(mark in whole for mark in _NOT_IN_PATHS):
            raise ValueError(
                f"DuckDB and dbt can't use a path with {' or '.join(_NOT_IN_PATHS)} ({whole}): choose another"
            )
        return place

    @model_validator(mode="after")
    def _place_in_home(self) -> Self:
        """Where FOLLOWUP_HOME is set, places that are not set are in it."""
        if self.names_its_home:
            for name, place in {
                "published": "published",
                "airflow_home": "airflow",
                "postgres_home": "postgres",
            }.items():
                if name not in self.model_fields_set:
                    self.__dict__[name] = self.home / place
        return self

    @model_validator(mode="after")
    def _fit_to_be_shared(self) -> Self:
        """What several machines can't share is refused before anything is written."""
        if not self.home_is_shared:
            return self
        if not self.ledger.startswith("postgresql"):
            raise ValueError(
                "FOLLOWUP_HOME_IS_SHARED needs a PostgreSQL in FOLLOWUP_LEDGER_URL: machines can't share a ledger in "
                "SQLite, whose locks do not reach from one to another (followup ledger copy moves it)"
            )
        if self.scratch is None or self.scratch.absolute().is_relative_to(self.home.absolute()):
            raise ValueError(
                "FOLLOWUP_HOME_IS_SHARED needs FOLLOWUP_SCRATCH, a folder of each machine's own outside FOLLOWUP_HOME: "
                "two machines must not write one half-done file"
            )
        return self

    @property
    def keys(self) -> Path:
        """The key file.

        Raises:
            SettingsError: FOLLOWUP_HOME is set and FOLLOWUP_KEYS is not: the default belongs to another installation.
        """
        if self.given_keys is None and self.names_its_home:
            raise _not_set("FOLLOWUP_KEYS", "a key file outside that folder")
        return self.given_keys or Path("data/keys.json")

    @property
    def backup_key(self) -> Path:
        """The key that backups are encrypted with.

        Raises:
            SettingsError: FOLLOWUP_HOME is set and FOLLOWUP_BACKUP_KEY is not: the default belongs to another
                installation.
        """
        if self.given_backup_key is None and self.names_its_home:
            raise _not_set("FOLLOWUP_BACKUP_KEY", "a file outside that folder, and apart from the backups")
        return self.given_backup_key or Path("data/backup_key.json")

    @property
    def inbox(self) -> str:
        """The folder or address that `${FOLLOWUP_INBOX}` means in districts.yml.

        Raises:
            SettingsError: FOLLOWUP_HOME is set and FOLLOWUP_INBOX is not: the default belongs to another installation.
        """
        if self.given_inbox is None and self.names_its_home:
            raise _not_set("FOLLOWUP_INBOX", "the folder that holds the drop locations")
        return self.given_inbox or "data/inbox"

    @property
    def catalogue_publisher(self) -> str:
        """Who publishes.

        Raises:
            OrganisationError: it is not set, and the organisation's file can't be read.
        """
        from ingest.organisation import load_organisation  # which reads this module

        return self.given_publisher or load_organisation().name

    @property
    def catalogue_contact(self) -> str:
        """Whom readers may ask.

        Raises:
            OrganisationError: as for the publisher.
        """
        from ingest.organisation import load_organisation

        return self.given_contact or load_organisation().contact

    @property
    def undocumented_interventions(self) -> frozenset[str] | None:
        """Codes of the interventions that the board has excepted from documentation; None where it has not decided."""
        if self.undocumented_text is None:
            return None
        return frozenset(text for part in self.undocumented_text.split(",") if (text := part.strip()) != "none") - {""}

    @classmethod
    def variables(cls) -> frozenset[str]:
        """The environment variables that are settings."""
        return frozenset(field.alias or f"FOLLOWUP_{name.upper()}" for name, field in cls.model_fields.items())

    @property
    def names_its_home(self) -> bool:
        """Whether FOLLOWUP_HOME is set: then nothing is read or written at a default place outside it."""
        return "home" in self.model_fields_set

    @property
    def ledger(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return self.ledger_url or f"sqlite:///{quote(str(self.home.absolute() / 'ledger.sqlite'))}"

    @property
    def landing(self) -> Path:
        """Encrypted originals."""
        return self.home / "landing"

    @property
    def validated_bucket(self) -> str | None:
        """The address of accepted rows where they are in a bucket: s3://bucket/folder."""
        place = self.given_validated
        return place if place is not None and place.startswith("s3://") else None

    @property
    def validated(self) -> Path:
        """The folder of accepted rows: one immutable Parquet file per submission. Of a bucket there is none."""
        if self.validated_bucket is not None:
            raise ValueError("validated rows are in a bucket")
        return self.home / "validated" if self.given_validated is None else Path(self.given_validated)

    @property
    def feedback(self) -> Path:
        """Feedback to the senders."""
        return self.home / "feedback"

    @property
    def half_done(self) -> Path:
        """Where what is half-done is written: the scratch folder, or home where none is set."""
        return self.scratch or self.home

    @property
    def warehouse(self) -> Path:
        """The private warehouse, a DuckDB file."""
        return self.home / "warehouse.duckdb"

    def now(self) -> datetime:
        """The installation's clock, in UTC.

        Raises:
            SettingsError: FOLLOWUP_NOW is set and is neither an ISO time nor a readable @FILE with one.
        """
        text = self.now_text
        if not text:
            return datetime.now(UTC)
        try:
            if text.startswith("@"):
                text = Path(text[1:]).read_text(encoding="utf-8").strip()
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=CITY_TIME)
            if not 2 <= moment.year <= 9998:  # those at the ends have no neighbours to count with
                raise ValueError
            return moment.astimezone(UTC)
        except (OSError, ValueError) as error:
            raise SettingsError(
                "FOLLOWUP_NOW must be an ISO time such as 2018-04-10T08:00:00, or @FILE with one in the file"
            ) from error

    def now_date(self) -> date:
        """Today's date in the city, by the installation's clock."""
        return self.now().astimezone(CITY_TIME).date()

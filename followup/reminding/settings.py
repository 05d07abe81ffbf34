"""Settings of mail, read from the environment (prefix FOLLOWUP_MAIL_), and what an address may be."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest.persons.number_search import reads_as_number
from ingest.portal_login.passwords import PasswordRefused, read_password_file
from ingest.settings import SettingsError, first_complaint

_ADDRESS = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_%+-])?@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_LONGEST_ADDRESS = 254


def checked_address(text: str) -> str:
    """An e-mail address as it is stored: in ASCII, without a name.

    Raises:
        ValueError: it can't be one, or reads as a personal number. The text is not repeated.
    """
    address = text.strip()
    if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address) or ".." in address:
        raise ValueError("that is no e-mail address such as namn@exempel.se (letters a-z; no name, no brackets)")
    if reads_as_number(address):
        raise ValueError("the address reads as a personnummer: use another")
    return address


class Tls(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class MailSettings(BaseSettings):
    """How mail is sent. Every setting is `FOLLOWUP_MAIL_<NAME>`; empty is as absent. Without `host` none is sent."""

    model_config = SettingsConfigDict(
        env_prefix="FOLLOWUP_MAIL_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    host: str | None = Field(None, pattern=r"^[A-Za-z0-9.:-]+$", description="the mail server; absent: no mail")
    port: int = Field(587, ge=1, le=65535, description="its port")
    tls: Tls = Field(Tls.STARTTLS, description="starttls, tls (from the first byte), or none")
    ca_file: Path | None = Field(None, description="certificates that are believed instead of the system's")
    user: str | None = Field(None, description="whom the server knows us as; absent: no login")
    password: SecretStr | None = Field(None, description="its password; better in a file")
    login_file: Path | None = Field(None, description="a file of one line with it, for its owner alone")
    sender: str | None = Field(None, description="the address that mail comes from")
    sender_name: str = Field("Stadens uppföljning", max_length=60, description="the name beside it")
    team: str = Field("", description="addresses of the city's team, with commas between")
    reminder_days: str = Field(
        "-10,-3,1,8,15,22,29,36", description="when units are reminded: days after the deadline, before it with a minus"
    )
    timeout_seconds: float = Field(30, gt=0, le=600, description="how long the server may be silent")
    portal_url: str | None = Field(
        None, alias="FOLLOWUP_PORTAL_URL", pattern=r"^https?://[^/?#@\s]+$", description="the portal, named in letters"
    )

    @classmethod
    def variables(cls) -> frozenset[str]:
        """The environment variables that are settings of mail."""
        return frozenset(field.alias or f"FOLLOWUP_MAIL_{name.upper()}" for name, field in cls.model_fields.items())

    @property
    def is_set_up(self) -> bool:
        """Whether mail is sent at all."""
        return self.host is not None

    @property
    def team_addresses(self) -> tuple[str, ...]:
        """Whom the overview and failures are sent to."""
        return tuple(checked_address(one) for one in self.team.split(",") if one.strip())

    @property
    def days(self) -> tuple[int, ...]:
        """Days after a deadline on which units are reminded, in order."""
        return tuple(sorted({int(one) for one in self.reminder_days.split(",") if one.strip()}))

    def secret(self) -> str | None:
        """The password, from the file where one is named.

        Raises:
            SettingsError: the file can't be read, or is open to others.
        """
        if self.user is None:
            return None
        if self.login_file is None:
            return self.password.get_secret_value() if self.password else None
        try:
            return read_password_file(self.login_file)
        except PasswordRefused as refused:
            raise SettingsError(f"FOLLOWUP_MAIL_LOGIN_FILE: {refused}") from None

    @field_validator("sender")
    @classmethod
    def _sender_is_an_address(cls, text: str | None) -> str | None:
        return None if text is None else checked_address(text)

    @field_validator("ca_file", "login_file")
    @classmethod
    def _whole_path(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("must be a whole path, beginning with /")
        return path

    @field_validator("sender_name", "user")
    @classmethod
    def _of_one_line(cls, text: str | None) -> str | None:
        if text is not None and not text.isprintable():
            raise ValueError("must be one line of text")
        return text

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for read in (lambda: self.team_addresses, lambda: self.days):
            try:
                read()
            except ValueError as error:
                what = "TEAM" if "address" in str(error) or "personnummer" in str(error) else "REMINDER_DAYS"
                said = str(error) if what == "TEAM" else "days as whole numbers with commas between, such as -3,1,8"
                raise ValueError(f"FOLLOWUP_MAIL_{what}: {said}") from None
        if any(not -90 <= one <= 90 for one in self.days):
            raise ValueError("FOLLOWUP_MAIL_REMINDER_DAYS: a day is at most 90 from the deadline")
        if self.host is None:
            return self
        if self.sender is None:
            raise ValueError("FOLLOWUP_MAIL_HOST needs FOLLOWUP_MAIL_SENDER too")
        if self.user is None:
            return self  # a file without a login: what containers mount where none is set
        if self.password is not None and self.login_file is not None:
            raise ValueError("FOLLOWUP_MAIL_PASSWORD and FOLLOWUP_MAIL_LOGIN_FILE are both set: keep the file")
        if self.password is None and self.login_file is None:
            raise ValueError("FOLLOWUP_MAIL_USER and its password are set together, or neither")
        if self.tls is Tls.NONE and not _is_this_machine(self.host):
            raise ValueError("FOLLOWUP_MAIL_TLS: a password is never sent in clear to another machine")
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_mail_settings() -> MailSettings:
    """The settings of mail.

    Raises:
        SettingsError: one of them is wrong; no value is repeated.
    """
    try:
        return MailSettings()
    except ValidationError as error:
        parts, reason = first_complaint(error)
        name = ".".join(parts)
    raise SettingsError(f"FOLLOWUP_MAIL_{name.upper()}: {reason}" if name else reason)

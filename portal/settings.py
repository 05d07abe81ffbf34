"""Settings of the portal, read from the environment (prefix FOLLOWUP_PORTAL_)."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class PortalSettings(BaseSettings):
    """Where the portal answers and how it behaves. Every setting is `FOLLOWUP_PORTAL_<NAME>`; empty is as absent."""

    model_config = SettingsConfigDict(
        env_prefix="FOLLOWUP_PORTAL_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    url: str = Field(
        "http://127.0.0.1:8090", pattern=r"^https?://[^/?#@]+$", description="address that browsers use, without a path"
    )
    host: str = Field("127.0.0.1", description="address on which it listens")
    port: int = Field(8090, ge=0, le=65535, description="port on which it listens; 0: a free one")
    proxies: str = Field(
        "", description="addresses of reverse proxies, with commas between, whose X-Forwarded-For is believed"
    )
    workers: int = Field(2, ge=1, le=16, description="processes that check files")
    figures_are_open: bool = Field(False, description="show released figures to whoever reaches the portal")
    spool_hours: int = Field(24, ge=1, le=168, description="how long a file that was not handed in is kept, encrypted")
    airflow_url: str | None = Field(
        None, pattern=r"^https?://[^?#@]+$", description="Airflow to tell of accepted files; absent: none is told"
    )
    airflow_login: Path | None = Field(None, description="JSON file, for its owner alone: user, password")

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by TLS."""
        return self.url.startswith("https://")

    @property
    def authority(self) -> str:
        """Host and port as browsers name them."""
        return urlsplit(self.url).netloc.lower()

    @property
    def trusted_proxies(self) -> frozenset[str]:
        """Addresses of the reverse proxies."""
        return frozenset(filter(None, (one.strip() for one in self.proxies.split(","))))

    @model_validator(mode="after")
    def _secure_unless_local(self) -> Self:
        """Passwords are never sent in clear between machines."""
        if not self.is_secure and not _is_loopback(urlsplit(self.url).hostname or ""):
            raise ValueError("FOLLOWUP_PORTAL_URL must begin with https:// unless it is an address of this machine")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

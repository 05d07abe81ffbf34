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
    synthetic: bool = Field(False, description="mark all that is handed in here as synthetic: for trials and training")
    metrics_token_file: Path | None = Field(
        None, description="a file for its owner alone: the token for /metrics; absent: only this machine sees them"
    )
    airflow_url: str | None = Field(
        None, pattern=r"^https?://[^?#@]+$", description="Airflow to tell of accepted files; absent: none is told"
    )
    airflow_login: Path | None = Field(None, description="JSON file, for its owner alone: user, password")
    oidc_issuer: str | None = Field(
        None, pattern=r"^https?://[^?#@\s]+$", description="the city's identity provider; absent: local users only"
    )
    oidc_client_id: str | None = Field(None, description="the portal's id at the provider")
    oidc_client_secret_file: Path | None = Field(
        None, description="the portal's secret at the provider: a file for its owner alone; absent: a public client"
    )
    oidc_scopes: str = Field("openid profile", description="what is asked for, with spaces between")
    oidc_name_claim: str = Field("preferred_username", description="claim of the ID token with the account's name")
    oidc_role_claim: str = Field("roles", description="claim by which the mapping gives a role")
    oidc_units_claim: str = Field("units", description="claim by which the mapping gives an officer's units")
    oidc_mapping: Path | None = Field(None, description="YAML or JSON: values of claims → role and units")
    oidc_label: str = Field("stadens inloggning", max_length=60, description="what the button names after “med”")

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
    def _provider_is_whole(self) -> Self:
        """A provider is named with all that is needed, and asked in clear on this machine only."""
        if self.oidc_issuer is None:
            return self
        if self.oidc_client_id is None or self.oidc_mapping is None:
            raise ValueError("FOLLOWUP_PORTAL_OIDC_ISSUER needs FOLLOWUP_PORTAL_OIDC_CLIENT_ID and _OIDC_MAPPING too")
        if not self.oidc_issuer.startswith("https://") and not is_loopback(urlsplit(self.oidc_issuer).hostname or ""):
            raise ValueError("FOLLOWUP_PORTAL_OIDC_ISSUER must begin with https:// unless it is of this machine")
        if self.oidc_name_claim in ("sub", "email"):
            raise ValueError("FOLLOWUP_PORTAL_OIDC_NAME_CLAIM must name an account: sub and email are personal")
        if "openid" not in self.oidc_scopes.split():
            raise ValueError("FOLLOWUP_PORTAL_OIDC_SCOPES must hold openid")
        return self

    @model_validator(mode="after")
    def _secure_unless_local(self) -> Self:
        """Passwords are never sent in clear between machines."""
        if not self.is_secure and not is_loopback(urlsplit(self.url).hostname or ""):
            raise ValueError("FOLLOWUP_PORTAL_URL must begin with https:// unless it is an address of this machine")
        return self


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone: nothing is looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""A bucket of an S3-compatible server for validated rows."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from ingest.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from drop_servers import S3Server

FOLDER = "rader"


@dataclass(frozen=True)
class Bucket:
    """A bucket, and an installation whose rows are in it."""

    server: S3Server
    name: str
    root: Path

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{FOLDER}"

    def login(self, **changes: str) -> Path:
        """A file with how to log in, changed."""
        path = self.root / f"login-{secrets.token_hex(4)}.json"
        known = {
            "endpoint_url": self.server.url, "access_key": self.server.access_key,
            "secret_key": self.server.secret_key, "region": "us-east-1",
        }  # fmt: skip
        path.write_text(json.dumps(known | changes), encoding="utf-8")
        path.chmod(0o600)
        return path

    def settings(self, login: Path | None = None, **changes: object) -> Settings:
        given = {
            "home": self.root / "home", "keys": self.root / "keys.json", "inbox": str(self.root / "inbox"),
            "backup_key": self.root / "backup_key.json", "published": self.root / "published",
            "FOLLOWUP_NOW": "2019-01-10T08:00:00",
            "validated": self.url, "validated_login": login or self.login(),
        }  # fmt: skip
        return Settings.model_validate(given | changes)

    def objects(self) -> dict[str, bytes]:
        """Every object of the bucket, by name as the ledger has it."""
        found = self.server.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {
            str(one["Key"]).replace(f"{FOLDER}/", "validated/", 1): self.server.client.get_object(
                Bucket=self.name, Key=one["Key"]
            )["Body"].read()
            for one in found
        }

    def put(self, name: str, content: bytes) -> None:
        key = name.replace("validated/", f"{FOLDER}/", 1)
        self.server.client.put_object(Bucket=self.name, Key=key, Body=content)


def new_bucket(server: S3Server, root: Path) -> Bucket:
    """An empty bucket of the server, for an installation in a folder."""
    name = f"rader-{secrets.token_hex(4)}"
    server.client.create_bucket(Bucket=name)
    return Bucket(server, name, root)

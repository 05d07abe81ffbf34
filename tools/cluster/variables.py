"""Values for .env of a cluster that is tried: secrets that are drawn, a certificate that it signs itself."""

from __future__ import annotations

import base64
import json
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from composefile import required
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.file_permissions import write_private_file

DATABASE = "postgresql://followup_owner@postgres:5432/followup"


def drawn_variables(folder: Path, portal_port: int) -> dict[str, str]:
    """Draw all that must be set, and write the secrets that are files, into a folder.

    Args:
        folder: the cluster's.
        portal_port: at which browsers reach the portal.
    """
    place = folder / "secrets"
    place.mkdir(parents=True, exist_ok=True)
    found = {name: secrets.token_hex(16) for name in required() if not name.endswith(("_DIR", "_FILE", "_URL"))}
    found["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    found["AIRFLOW_ADMIN_USER"], found["AIRFLOW_ADMIN_EMAIL"] = "chief", "chief@example.org"
    for name in ("KEYS", "INBOX", "PUBLISHED"):
        found[f"FOLLOWUP_{name}_DIR"] = str(folder / "volumes" / name.lower())
    logins = {role: secrets.token_hex(16) for role in ("owner", "followup_reader", "followup_analyst")}
    write_private_file(place / "logins.json", json.dumps(logins))
    write_private_file(place / "portal.json", json.dumps({"user": "portal", "password": secrets.token_hex(16)}))
    certificate, key = self_signed()
    write_private_file(place / "certificate.pem", certificate)
    write_private_file(place / "key.pem", key)
    return found | {
        "FOLLOWUP_PORTAL_URL": f"https://localhost:{portal_port}",
        "FOLLOWUP_PUBLISH_POSTGRES": DATABASE,
        "FOLLOWUP_PUBLISH_LOGINS_FILE": str(place / "logins.json"),
        "FOLLOWUP_PORTAL_AIRFLOW_LOGIN_FILE": str(place / "portal.json"),
        "FOLLOWUP_TLS_CERTIFICATE_FILE": str(place / "certificate.pem"),
        "FOLLOWUP_TLS_KEY_FILE": str(place / "key.pem"),
    }


def self_signed() -> tuple[str, str]:
    """A certificate for localhost that lasts a day, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), private.decode()

"""Backups on real servers, OpenSSH's and an S3-compatible one, as in a folder: written, read back, tidied, restored."""

from __future__ import annotations

import json
import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from followup.backup.backing_up import back_up, verify
from followup.backup.location import BackupLocation, BackupLocationFailed, location_of
from followup.backup.restoring import restore, restored_settings
from followup.backup.sealing import DamagedObject, load_backup_key, make_backup_key
from ingest.ledger import Ledger
from ingest.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from drop_servers import S3Server, s3, sshd  # noqa: F401  (s3 and sshd are fixtures)

pytestmark = pytest.mark.server


@pytest.fixture(params=["folder", "sftp", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An installation with one file and a ledger, whose backups are at a place of each kind."""
    folder, entry = tmp_path / "backups", dict[str, Any]()
    folder.mkdir()
    if request.param == "sftp":
        entry = request.getfixturevalue("sshd").entry(folder)
    elif request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        bucket = f"backups-{secrets.token_hex(4)}"
        server.client.create_bucket(Bucket=bucket)
        entry = {
            "url": f"s3://{bucket}/followup", "endpoint_url": server.url, "access_key": server.access_key,
            "secret_key": server.secret_key, "region": "us-east-1",
        }  # fmt: skip
    login = tmp_path / "login.json"
    login.write_text(json.dumps({name: value for name, value in entry.items() if name != "url"}), encoding="utf-8")
    login.chmod(0o600)
    made = Settings.model_validate(
        {"home": tmp_path / "home", "keys": tmp_path / "keys.json", "backup_key": tmp_path / "backup_key.json"}
        | {"backup_url": entry.get("url", str(folder)), "backup_login": login, "published": tmp_path / "published"}
    )
    make_backup_key(made)
    Ledger(made.ledger).close()
    (made.home / "analysts.jsonl").write_text("{}\n", encoding="utf-8")
    return made


def test_a_backup_is_written_verified_tidied_and_restored_at_every_kind_of_place(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(BackupLocationFailed, match="there are no backups"):
        verify(settings)
    first = back_up(settings)
    assert first.files == 1 and first.sent_objects > 10
    (settings.home / "analysts.jsonl").write_text("{}\n{}\n", encoding="utf-8")
    with closing(Ledger(settings.ledger)) as ledger:
        ledger.claim("a fact", "of the installation")
    second = back_up(settings, is_dropping_older=True)
    assert second.removed == (first.name,) and second.sent_objects == 3  # the file, acts and facts
    found = verify(settings)
    assert found.sets == (second.name,) and not found.damaged
    back = restored_settings(settings, tmp_path / "back")
    assert restore(back).name == second.name
    assert (back.home / "analysts.jsonl").read_text(encoding="utf-8") == "{}\n{}\n"
    with closing(Ledger(back.ledger)) as ledger:
        assert ledger.claim("a fact", "another") == "of the installation"


def test_what_is_missing_or_of_another_name_is_damaged_at_every_kind_of_place(settings: Settings) -> None:
    with BackupLocation(location_of(settings), load_backup_key(settings), make=True) as place:
        place.write("objects", "a", b"content" * 1000)
        assert place.read("objects", "a") == b"content" * 1000
        with pytest.raises(DamagedObject, match="is missing"):
            place.read("objects", "b")
        place.remove("objects", "b")
        place.remove("objects", "a")
        assert set(place.sizes("objects")) == {".followup"}


def test_a_place_that_does_not_let_us_in_is_one_sentence(settings: Settings) -> None:
    if settings.backup_url is None or "://" not in settings.backup_url:
        pytest.skip("of servers")
    assert settings.backup_login is not None
    login = json.loads(settings.backup_login.read_text(encoding="utf-8"))
    if "secret_key" in login:
        login["secret_key"] = "wrong"
    else:
        key = Path(login["key_file"]).with_name("host_key")
        login["key_file"] = str(key)
    settings.backup_login.write_text(json.dumps(login), encoding="utf-8")
    with pytest.raises(BackupLocationFailed, match=r"refuses the (access key|user)") as caught:
        back_up(settings)
    assert "wrong" not in str(caught.value) and "earlier backups are as they were" in str(caught.value)

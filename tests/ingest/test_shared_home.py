"""What several machines may share: refused in a sentence where it can't work, and times and pids of each its own."""

from __future__ import annotations

import errno
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from followup.doctor import run_doctor
from ingest import file_systems
from ingest.failures import in_sentences
from ingest.file_systems import file_system_of, missing_abilities
from ingest.ledger import Ledger, LedgerError, leases
from ingest.ledger.leases import LeaseLost, holder_here, is_dead, machine
from ingest.ledger.tables import lease
from ingest.settings import Settings

PLACES = (
    "home", "keys", "districts", "scratch", "parsed", "airflow_home", "postgres_home", "published", "publish_logins",
)  # fmt: skip
MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:38 / /srv rw,relatime shared:2 - nfs4 storage:/export rw,vers=4.2
41 40 8:2 / /srv/local\040disk rw,relatime - xfs /dev/sdb1 rw
42 22 0:39 / /mnt/bucket rw - fuse.s3fs s3fs rw
"""


def refusal(**given: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(given)
    return " ".join(in_sentences(caught.value))


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("url", ["s3://bucket/home", "sftp://storage/home", "file://storage/home"])
def test_a_place_that_is_no_folder_is_refused_by_the_settings_name(name: str, url: str) -> None:
    said = refusal(**{name: url})
    assert said.startswith("FOLLOWUP_") and "must be a folder" in said and "drop locations may lie" in said


def test_the_address_of_a_folder_is_that_folder(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": f"file://{tmp_path}/med%20mellanslag", "published": "a/b"})
    assert (settings.home, settings.published) == (tmp_path / "med mellanslag", Path("a/b"))


def test_a_shared_home_needs_a_postgresql_and_a_scratch_of_each_machine(tmp_path: Path) -> None:
    shared = {"home_is_shared": True, "home": tmp_path / "home"}
    assert "machines can't share a ledger in SQLite" in refusal(**shared)
    assert "can't share a ledger in SQLite" in refusal(**shared, ledger_url=f"sqlite:///{tmp_path}/ledger.sqlite")
    server = {"ledger_url": "postgresql://followup@db/ledger"}
    assert "FOLLOWUP_SCRATCH" in refusal(**shared, **server)
    assert "FOLLOWUP_SCRATCH" in refusal(**shared, **server, scratch=tmp_path / "home" / "build")
    settings = Settings.model_validate({**shared, **server, "scratch": tmp_path / "scratch"})
    assert settings.half_done == tmp_path / "scratch"


def test_the_kind_of_a_file_system_is_that_of_the_mount_a_path_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS.strip())
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "mountinfo")
    expected = {
        "/": "ext4", "/srv": "nfs4", "/srv/home/ledger.sqlite": "nfs4", "/srvs": "ext4", "/mnt/bucket/a": "fuse.s3fs",
        "/srv/local disk/ledger.sqlite": "xfs",
    }  # fmt: skip
    assert {path: file_system_of(Path(path)) for path in expected} == expected
    with pytest.raises(LedgerError, match=r"volume of the network \(nfs4\).*name a PostgreSQL"):
        Ledger("sqlite:////srv/home/ledger.sqlite")
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "none")
    assert file_system_of(Path("/srv")) == ""


def test_this_machines_own_file_system_is_known_and_can_do_what_a_home_needs(tmp_path: Path) -> None:
    assert file_system_of(Path("/proc/self")) == "proc"
    assert missing_abilities(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_file_system_cannot_do_is_named_by_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FAT or a bucket that is mounted: no second names, no modes."""

    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(Path, "chmod", lambda self, mode: None)
    (tmp_path / "home").mkdir(mode=0o700)
    found = {one.what: one for one in run_doctor(Settings.model_validate({"home": tmp_path / "home"}))}["home"]
    assert not found.is_good
    assert "can't close a file to other users, or give a file a second name: choose another" in found.message
    assert not list((tmp_path / "home").glob(".tried*"))


def test_a_pid_says_nothing_of_another_machine_also_of_one_with_the_same_name() -> None:
    ended = "99999999|1|1"
    assert is_dead(f"{machine()}|{ended}")
    assert not is_dead(holder_here())
    assert not is_dead(f"{socket.gethostname()}@00000000|{ended}")
    assert not is_dead(f"{socket.gethostname()}|{ended}")


def test_who_was_stopped_for_long_puts_nothing_in_place(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    put: list[str] = []
    with ledger.lease("build"):
        with ledger.fenced("build"):
            put.append("in time")
        with ledger.engine.begin() as connection:  # as another machine takes it over
            connection.execute(lease.update().values(holder="worker-2@00000000|1|1|1"))
        with pytest.raises(LeaseLost, match="build was taken over"), ledger.fenced("build"):
            put.append("too late")
    assert put == ["in time"]
    with ledger.reading() as connection:
        assert connection.execute(sa.select(lease.c.holder)).scalar() == "worker-2@00000000|1|1|1", "it is the other's"
    ledger.close()


def test_a_lease_lasts_by_the_clock_of_the_ledger(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with ledger.lease("build"), ledger.reading() as connection:
        left = connection.execute(sa.select(lease.c.expires_at)).scalar_one() - leases.now_by(connection)
        assert timedelta() < left <= leases.LIFETIME
        assert abs(leases.now_by(connection) - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    ledger.close()

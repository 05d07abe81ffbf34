"""An installation of its own for each test, and the servers that drop locations lie on: one of each for a module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from drop_servers import SSHD, FolderPlace, Place, S3Place, S3Server, SftpPlace, Sshd
from files import DISTRICT, Installation

from ingest.persons.keys import make_keys


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    make_keys(made.settings.keys)
    (tmp_path / "inbox" / DISTRICT).mkdir(parents=True)
    return made


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if not Path(SSHD).exists():
        pytest.skip("no OpenSSH server on this machine: apt-get install openssh-server")
    server = Sshd(tmp_path_factory.mktemp("sshd") / "s")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


_bucket = itertools.count(1)


@pytest.fixture(params=["folder", "sftp", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A drop location of each kind."""
    if request.param == "sftp":
        return SftpPlace(request.getfixturevalue("sshd"), tmp_path / "drop")
    if request.param == "s3":
        return S3Place(request.getfixturevalue("s3"), f"stadsdel-{next(_bucket)}")
    return FolderPlace(tmp_path / "drop")

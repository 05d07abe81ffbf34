"""An installation of its own for each test, and the servers that drop locations lie on: one of each for a module."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from drop_servers import FolderPlace, Place, S3Place, SftpPlace, s3, sshd
from files import DISTRICT, Installation

from ingest.persons.keys import make_keys

__all__ = ["installation", "place", "s3", "sshd"]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    make_keys(made.settings.keys)
    (tmp_path / "inbox" / DISTRICT).mkdir(parents=True)
    return made


_bucket = itertools.count(1)


@pytest.fixture(params=["folder", "sftp", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A drop location of each kind."""
    if request.param == "sftp":
        return SftpPlace(request.getfixturevalue("sshd"), tmp_path / "drop")
    if request.param == "s3":
        return S3Place(request.getfixturevalue("s3"), f"stadsdel-{next(_bucket)}")
    return FolderPlace(tmp_path / "drop")

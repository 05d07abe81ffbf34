"""Where validated rows are: one immutable Parquet file per submission, in a folder or in a bucket.

The ledger names each file, `validated/<dataset>/<quarter>/<district>/<submission>.parquet`, and its SHA-256.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from ingest.ledger import Submission
from ingest.settings import Settings
from ingest.storing import remove_unfinished, write_whole

ROWS = "validated"
"""What every name begins with."""


def row_name(dataset: str, quarter: str, district_code: str, file_name: str) -> str:
    """The name of a file of rows."""
    return f"{ROWS}/{dataset}/{quarter}/{district_code}/{file_name}"


def marked_name(found: Submission, mark: str) -> str:
    """The name of another file with a submission's rows: `<submission>.<mark>.parquet`, beside the one it has."""
    return str(PurePosixPath(found.parquet_path or "").with_name(f"{found.submission_id}.{mark}.parquet"))


def is_left_over(name: str, found: Submission) -> bool:
    """Whether a file is a submission's and the ledger does not name it (any more)."""
    return name != found.parquet_path and submission_of(name) == found.submission_id


def submission_of(name: str) -> str:
    """The submission whose rows a file has."""
    return PurePosixPath(name).name.partition(".")[0]


class RowFiles(ABC):
    """The place of all files of rows. A name that is an absolute path is a file of a preview, on this machine.

    Attributes:
        shown: the place in messages: "in FOLLOWUP_HOME".
        at_once: how many are best read at once.
    """

    shown: str
    at_once = 1

    @abstractmethod
    def local(self, name: str) -> Path | None:
        """The file itself where it is on a disk, whether it is there or not; None where it has to be fetched."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError, IsADirectoryError, NotADirectoryError: there is no such file.
            StorageFailure, OSError: the place, the disk or its rights are at fault. (From every method.)
        """

    @abstractmethod
    def is_there(self, name: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def write(self, name: str, content: bytes | pa.Buffer) -> None:
        """Put a file in place whole; an older one is replaced. Killed at any instant, the old or none is there."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""

    @abstractmethod
    def names(self, *below: str) -> list[str]:
        """The names of all files, or of those of a dataset, quarter and district; sorted."""

    @abstractmethod
    def remove_unfinished(self, district_code: str) -> None:
        """Remove what killed writers of a district's rows left."""

    def source(self, name: str) -> Path | pa.BufferReader:
        """What pyarrow reads a file from, not checked against the ledger."""
        return self.local(name) or pa.BufferReader(self.read(name))


@dataclass(frozen=True)
class FolderOfRows(RowFiles):
    """A folder of a disk or a shared volume."""

    folder: Path
    shown: str

    def local(self, name: str) -> Path:
        """As `RowFiles.local`; never None."""
        return self.folder / name.removeprefix(f"{ROWS}/")

    def read(self, name: str) -> bytes:
        """As `RowFiles.read`."""
        return self.local(name).read_bytes()

    def is_there(self, name: str) -> bool:
        """As `RowFiles.is_there`."""
        return self.local(name).is_file()

    def write(self, name: str, content: bytes | pa.Buffer) -> None:
        """As `RowFiles.write`."""
        write_whole(self.local(name), content)

    def remove(self, name: str) -> None:
        """As `RowFiles.remove`."""
        self.local(name).unlink(missing_ok=True)

    def names(self, *below: str) -> list[str]:
        """As `RowFiles.names`."""
        found = self.folder.joinpath(*below).rglob("*.parquet")
        return sorted(f"{ROWS}/{path.relative_to(self.folder).as_posix()}" for path in found)

    def remove_unfinished(self, district_code: str) -> None:
        """As `RowFiles.remove_unfinished`."""
        remove_unfinished(self.folder.glob(f"*/*/{district_code}"))


def row_files(settings: Settings) -> RowFiles:
    """Where an installation's rows are.

    Raises:
        SettingsError: how to log in there can't be read.
    """
    if settings.validated_bucket is not None:
        from ingest.rows_in_bucket import bucket_of_rows  # whose libraries take long to load

        return bucket_of_rows(settings)
    is_in_home = settings.given_validated is None
    return FolderOfRows(settings.validated, "in FOLLOWUP_HOME" if is_in_home else f"in {settings.validated}")

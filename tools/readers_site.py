"""The site for readers without figures, from what is declared: `readers_site.py DBT_MANIFEST FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from publish.catalogue.manifest import distil
from publish.catalogue.unreleased import write_without_figures
from publish.catalogue.write import write_site


def main(dbt_manifest: Path, folder: Path) -> None:
    """Write the pages into a folder, which is made when it is not there."""
    manifest = distil(json.loads(dbt_manifest.read_text(encoding="utf-8")))
    with TemporaryDirectory() as scratch:
        release = Path(scratch) / "release.duckdb"
        write_without_figures(release, manifest)
        write_site(release, manifest, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

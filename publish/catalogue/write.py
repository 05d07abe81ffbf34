"""Writing what is published beside a release's files: dictionary, DCAT-AP-SE, data packages, and tables for others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ingest.settings import Settings
from publish.catalogue.dcat import catalogue
from publish.catalogue.described import describe_release
from publish.catalogue.dictionary import FILE_NAME as DICTIONARY
from publish.catalogue.dictionary import dictionary_page
from publish.catalogue.frictionless import FILE_NAME as PACKAGE
from publish.catalogue.frictionless import plain_package, swedish_package
from publish.catalogue.manifest import Manifest
from publish.exports import write_exports
from publish.serving.csv_files import PLAIN_FOLDER, SWEDISH_FOLDER
from publish.serving.release_file import read_release

CATALOGUE = "catalogue.jsonld"


@dataclass(frozen=True)
class Written:
    """What was written, and what an operator should know of it (English)."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_catalogue(release_file: Path, manifest: Manifest, folder: Path, settings: Settings) -> Written:
    """Write all descriptions of a release, and its exports, into a folder beside the release's own files.

    Args:
        release_file: a finished DuckDB file with the schema `published`.
        manifest: of the warehouse that it was made from.
        folder: made when it is not there. `csv/` and `csv_excel/` in it are those of the release folder.
        settings: publisher, contact, licence and address of the catalogue.

    Raises:
        ServingError: the file can't be read as a release.
        OSError: the folder can't be written.
    """
    described = describe_release(release_file, manifest)
    served = {table.name: table for table in read_release(release_file).tables}
    contents = {
        DICTIONARY: dictionary_page(described),
        CATALOGUE: _json(catalogue(described, settings)),
        f"{PLAIN_FOLDER}/{PACKAGE}": _json(plain_package(described, settings.catalogue_license)),
        f"{SWEDISH_FOLDER}/{PACKAGE}": _json(swedish_package(described, served, settings.catalogue_license)),
    }
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8", newline="\n")
    exports = write_exports(release_file, folder)
    notes = []
    if not settings.catalogue_contact_email:
        notes.append("the catalogue names no contact: set FOLLOWUP_CATALOGUE_CONTACT_EMAIL")
    return Written((*(folder / path for path in contents), *exports), tuple(notes))


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

"""Writing what is published beside a release's files: the readers' site, DCAT-AP-SE, a data package, and exports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.settings import Settings
from publish.catalogue.breaks import breaks
from publish.catalogue.dcat import catalogue
from publish.catalogue.described import describe_release
from publish.catalogue.examples import example
from publish.catalogue.frictionless import FILE_NAME as PACKAGE
from publish.catalogue.frictionless import plain_package
from publish.catalogue.manifest import Manifest
from publish.catalogue.site import Issued, Site, site_pages
from publish.exports import write_exports
from publish.serving.csv_files import PLAIN_FOLDER
from publish.serving.release_file import read_release
from publish.serving.series_breaks import series_breaks
from publish.serving.targets import SITE_FOLDER as SITE
from publish.serving.workbook import file_name, views_in

CATALOGUE = "catalogue.jsonld"


@dataclass(frozen=True)
class Written:
    """What was written, and what an operator should know of it (English)."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_catalogue(
    release_file: Path, manifest: Manifest, folder: Path, settings: Settings, issued: Sequence[Issued] = ()
) -> Written:
    """Write all descriptions of a release, and its exports, into a folder beside the release's own files.

    Args:
        release_file: a finished DuckDB file with the schema `published`.
        manifest: of the warehouse that it was made from.
        folder: made when it is not there. `csv/` in it is that of the release folder.
        settings: publisher, contact, licence and address of the catalogue.
        issued: the releases so far, newest first.

    Raises:
        ServingError: the file can't be read as a release.
        OSError: the folder can't be written.
    """
    described = describe_release(release_file, manifest)
    contents = {
        CATALOGUE: _json(catalogue(described, settings)),
        f"{PLAIN_FOLDER}/{PACKAGE}": _json(plain_package(described, settings.catalogue_license)),
    }
    pages = write_site(release_file, manifest, folder / SITE, issued=issued, has_files=True)
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8", newline="\n")
    exports = write_exports(release_file, folder)
    notes = []
    if not settings.catalogue_contact_email:
        notes.append("the catalogue names no contact: set FOLLOWUP_CATALOGUE_CONTACT_EMAIL")
    return Written((*(folder / path for path in contents), *pages, *exports), tuple(notes))


def write_site(
    release_file: Path, manifest: Manifest, folder: Path, *, issued: Sequence[Issued] = (), has_files: bool = False
) -> tuple[Path, ...]:
    """Write the pages for readers into a folder.

    Args:
        release_file: a finished DuckDB file with the schema `published`.
        manifest: of the warehouse that it was made from.
        folder: made when it is not there.
        issued: the releases so far, newest first.
        has_files: whether the folder above it is the release's, with files to link to.

    Raises:
        ServingError: the file can't be read as a release.
        OSError: the folder can't be written.
    """
    release = read_release(release_file)
    views = views_in(release)
    with release.reading() as connection:
        found = {base: example(connection, release, [view for view in views if view.base == base])
                 for base in dict.fromkeys(view.base for view in views)}  # fmt: skip
        site = Site(
            described=describe_release(release_file, manifest),
            views=views,
            examples={base: one for base, one in found.items() if one is not None},
            breaks=breaks(connection, release),
            series_breaks=series_breaks(connection, release),
            issued=tuple(issued),
            workbook=file_name(release) if views else "",
            has_files=has_files,
        )
    written = []
    for path, content in site_pages(site).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8", newline="\n")
        written.append(folder / path)
    return tuple(written)


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

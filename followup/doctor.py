"""`followup doctor`: is this installation fit to run, and if not, what to do."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from followup import permissions
from followup.backup.contents import RESTORING
from followup.backup.location import BackupLocationFailed
from followup.backup.looking import look_at_backups
from followup.backup.sets import age
from followup.build.engines import engine_of
from followup.build.engines.engine import EngineMissing
from followup.misspelt import unknown_variables
from followup.reminding.settings import load_mail_settings
from ingest.checks.suites import load_rules, require_whole_rules
from ingest.contracts import ContractError, load_contracts
from ingest.districts import load_districts, load_drop_locations
from ingest.file_permissions import make_folder
from ingest.file_systems import NETWORK_FILE_SYSTEMS, file_system_of, missing_abilities
from ingest.ledger import Ledger, LedgerError
from ingest.ledger.acts import system_now
from ingest.ledger.contacts import contacts
from ingest.ledger.decisions import local_names
from ingest.ledger.draws import noise_fingerprint
from ingest.ledger.mappings import mapping_in_use, mappings
from ingest.ledger.opening import shown_location
from ingest.ledger.rotations import PERSONS, rotations_under_way
from ingest.ledger.uploads import find_upload, waiting_since
from ingest.locations.sources import DropLocationUnreachable, Source
from ingest.maintenance.reimporting import unrecorded_originals
from ingest.mappings.documents import mistakes_in
from ingest.noise_secret import noise_secret
from ingest.organisation import load_organisation
from ingest.organisation_tables import check_tables
from ingest.persons.keys import load_keys
from ingest.quarters import Quarter
from ingest.receiving import districts_to_visit
from ingest.recording import require_current_keys, require_own_keys
from ingest.row_files import row_files
from ingest.rows_in_bucket import BucketOfRows, RowsUnreachable, bucket_of_rows
from ingest.settings import EngineName, Settings, SettingsError
from ingest.spooling import Spool
from ingest.storing import not_as_stored
from publish.serving import ServingError, describe_database, has_database
from publish.serving.folder import current_folder, read_identity, releases_folder
from publish.serving.readers import hindrances, readers, wrongly_set
from publish.warehouse import WarehouseFailed, marts_in, open_warehouse

_LEAST_FREE_GIGABYTES = 2
_MOST_MINUTES = 10
"""How long an upload may wait for a worker."""
_HARD_LINKS = Path("/proc/sys/fs/protected_hardlinks")


@dataclass(frozen=True)
class DoctorFinding:
    """The result of one check."""

    what: str
    is_good: bool
    message: str


def run_doctor(settings: Settings) -> list[DoctorFinding]:
    """Run every check. What is wrong never raises. Changes nothing, but makes an empty ledger where there is none."""
    organisation = _organisation(settings)
    if not organisation.is_good:  # without units nothing else can be looked at
        return [organisation]
    found = [*_variables(), _clock(settings), organisation, _keys(settings), _contracts(), *_volumes(settings)]
    try:
        ledger = Ledger(settings.ledger)
    except LedgerError as error:
        return [*found, DoctorFinding("ledger", False, str(error))]
    try:
        try:
            found += [
                _ledger(ledger),
                *_keys_of(settings, ledger),
                *_rotation(ledger),
                *_files(settings, ledger),
                _originals(settings, ledger),
            ]
            found += [*_uploads(settings, ledger), *_mappings(settings, ledger), *_backups(settings, ledger)]
        except LedgerError as error:  # damaged, or gone, since it was opened
            found.append(DoctorFinding("ledger", False, str(error)))
        found += [*_locations(settings), *_hard_links()]
        found += [
            _engine(settings),
            _warehouse(settings),
            *_published(settings),
            _database(settings),
            _permissions(settings),
            _mail(ledger),
            _disk(settings),
        ]
    finally:
        ledger.close()
    return found


def make_local_folders(settings: Settings) -> list[str]:
    """Make the drop locations that are folders of this machine and missing, for the units that report now.

    Returns:
        Codes of the districts whose folder was made.

    Raises:
        SettingsError: districts.yml can't be read.
    """
    registry, quarter = load_districts(), Quarter.of(settings.now_date()).previous()
    made = []
    for code, location in load_drop_locations(settings).items():
        district = registry.get(code)
        folder = Path(location.url.removeprefix("file://"))
        if "://" in str(location.url.removeprefix("file://")) or district is None or not district.is_valid_in(quarter):
            continue
        if not folder.exists():
            make_folder(folder.parent, folder.name)
            made.append(code)
    return made


def _organisation(settings: Settings) -> DoctorFinding:
    try:
        whole = load_organisation()
        check_tables(whole)
        registry, quarter = load_districts(), Quarter.of(settings.now_date()).previous()
    except SettingsError as error:
        return DoctorFinding("organisation", False, str(error))
    report = len(registry.valid_in(quarter))
    return DoctorFinding("organisation", True, f"{whole.name} ({whole.code}): {report} units report {quarter}")


def _clock(settings: Settings) -> DoctorFinding:
    try:
        now = settings.now()
    except SettingsError as error:
        return DoctorFinding("clock", False, str(error))
    rehearsed = " (rehearsed: FOLLOWUP_NOW is set)" if settings.now_text else ""
    return DoctorFinding("clock", True, f"{now:%Y-%m-%d %H:%M} UTC{rehearsed}")


def _keys(settings: Settings) -> DoctorFinding:
    try:
        keys = load_keys(settings.keys)
    except SettingsError as error:
        return DoctorFinding("keys", False, str(error))
    if settings.keys.absolute().is_relative_to(settings.home.absolute()):
        return DoctorFinding("keys", False, f"{settings.keys} is inside FOLLOWUP_HOME: keep keys apart from data")
    if settings.keys.stat().st_mode & 0o077:
        return DoctorFinding("keys", False, f"{settings.keys} can be read by others: chmod 600 {settings.keys}")
    if keys.noise_secret is None:
        return DoctorFinding(
            "keys",
            False,
            f"{settings.keys} has no noise secret: restore its newest copy; if it was made before there "
            "was one, followup keys noise",
        )
    return DoctorFinding("keys", True, f"{settings.keys}, person key version {keys.person_version}")


def _keys_of(settings: Settings, ledger: Ledger) -> list[DoctorFinding]:
    """Keys that are others than this ledger's rows and figures were made with; nothing where they can't be read."""
    try:
        keys = load_keys(settings.keys)
    except SettingsError:
        return []
    try:
        if ledger.is_claimed("person_keys"):
            require_own_keys(settings, keys, ledger)
        if PERSONS not in rotations_under_way(ledger):
            require_current_keys(keys, ledger)
        if noise_fingerprint(ledger) is not None:
            noise_secret(keys, ledger)
    except SettingsError as error:
        return [DoctorFinding("keys of this ledger", False, str(error))]
    return []


def _variables() -> list[DoctorFinding]:
    found = unknown_variables(os.environ)
    return [DoctorFinding("settings", False, "; ".join(found))] if found else []


def _contracts() -> DoctorFinding:
    try:
        require_whole_rules()
        counts = {dataset: len(load_rules(dataset)) for dataset in load_contracts()}
    except (ContractError, OSError, ValueError) as error:
        return DoctorFinding("contracts", False, str(error))
    return DoctorFinding("contracts", True, ", ".join(f"{dataset}: {count} rules" for dataset, count in counts.items()))


def _volumes(settings: Settings) -> list[DoctorFinding]:
    """Whether the file systems of home and scratch can do what is needed of them; small files are tried there."""
    found = []
    rows = settings.validated if settings.given_validated and not settings.validated_bucket else None
    for name, folder in {"home": settings.home, "validated": rows, "scratch": settings.scratch}.items():
        if folder is None or (name == "home" and not folder.exists()):
            continue
        variable, kind = f"FOLLOWUP_{name.upper()}", file_system_of(folder)
        if name == "scratch" and kind in NETWORK_FILE_SYSTEMS:
            message = f"{variable} ({folder}) is on a volume of the network ({kind}): name a folder of a local disk"
            found.append(DoctorFinding(name, False, message))
            continue
        try:
            lacks = missing_abilities(make_folder(folder))
        except OSError as error:
            message = f"nothing can be written to {variable} ({folder}): {error.strerror}"
            found.append(DoctorFinding(name, False, message))
            continue
        if lacks:
            message = f"the file system ({kind}) of {variable} ({folder}) can't {', or '.join(lacks)}: choose another"
            found.append(DoctorFinding(name, False, message))
            continue
        whose = "of several machines" if settings.home_is_shared and name != "scratch" else "of this machine"
        found.append(DoctorFinding(name, True, f"{folder} ({kind}), {whose}"))
    return found


def _ledger(ledger: Ledger) -> DoctorFinding:
    ledger.require_writable()
    return DoctorFinding(
        "ledger", True, f"{shown_location(ledger.engine.url)}, {len(ledger.in_force())} submissions in force"
    )


def _mappings(settings: Settings, ledger: Ledger) -> list[DoctorFinding]:
    """Whether the units' mappings for the last full quarter still agree with the contract."""
    last, names = Quarter.of(settings.now_date()).previous(), local_names(ledger)
    units = dict.fromkeys(one.district_code for one in mappings(ledger))
    in_use = [one for unit in units if (one := mapping_in_use(ledger, unit, last)) is not None]
    wrong = [
        f"{one.district_code}, version {one.version}: {'; '.join(found)}"
        for one in in_use
        if (found := mistakes_in(one, names))
    ]
    if wrong:
        return [DoctorFinding("mappings", False, f"set anew (its files are refused): {' | '.join(wrong)}")]
    return [DoctorFinding("mappings", True, f"{len(in_use)} units' own words")] if in_use else []


def _rotation(ledger: Ledger) -> list[DoctorFinding]:
    if begun := rotations_under_way(ledger):
        message = (
            f"of {' and '.join(sorted(begun))} has begun and not ended: wait for it, or run followup keys rotate again"
        )
        return [DoctorFinding("rotation of keys", False, message)]
    return []


def _files(settings: Settings, ledger: Ledger) -> list[DoctorFinding]:
    """Whether the place of the rows can be used, where it is a bucket, and whether all in force are there."""
    place: list[DoctorFinding] = []
    try:
        if settings.validated_bucket is not None:
            place = [_bucket(bucket_of_rows(settings))]
        wrong = [found.submission_id for found in not_as_stored(row_files(settings), ledger.in_force())]
    except (SettingsError, RowsUnreachable) as error:
        return [*place, DoctorFinding("validated rows", False, str(error))]
    if wrong:
        message = f"{len(wrong)} missing or changed: followup restore-rows {' '.join(wrong[:1])}"
        return [*place, DoctorFinding("files in force", False, message)]
    return [*place, DoctorFinding("files in force", True, "all there, checksums right")]


def _bucket(files: BucketOfRows) -> DoctorFinding:
    """Whether a bucket of rows can be used, and whether rows that are erased are gone from it."""
    versioning = files.versioning()
    if versioning == "kept":
        message = (
            f"the bucket {files.shown} keeps old versions of objects: rows that are erased, or were under an old key, "
            "live on there. Turn versioning off, and remove the old versions"
        )
        return DoctorFinding("validated rows", False, message)
    said = {
        "none": "it keeps no old versions",
        "suspended": "it keeps no new versions; see that none from before is left",
        "unknown": "this key may not ask whether it keeps old versions: see that it keeps none",
    }
    return DoctorFinding("validated rows", True, f"{files.shown} can be read and written; {said[versioning]}")


def _originals(settings: Settings, ledger: Ledger) -> DoctorFinding:
    if found := unrecorded_originals(settings, ledger):
        message = f"{len(found)} in landing/ belong to no submission in the ledger: followup receive --from-landing"
        days = settings.originals_kept_days
        limit = settings.now().timestamp() - days * 86400
        if old := sum(path.stat().st_mtime <= limit for path in found):
            message += f"; {old} of them are older than {days} days: followup erase --originals"
        return DoctorFinding("originals", False, message)
    return DoctorFinding("originals", True, "each belongs to a submission")


def _uploads(settings: Settings, ledger: Ledger) -> list[DoctorFinding]:
    """Whether files that were handed over in the portal are taken up; nothing where none ever was."""
    spool = Spool(settings)
    ids = spool.ids()
    if not ids:
        return []
    since = waiting_since(ledger)
    minutes = 0 if since is None else (system_now() - since).total_seconds() / 60
    if minutes > _MOST_MINUTES:
        message = f"files in spool/ have waited {minutes:.0f} minutes for a worker: does python -m portal run?"
        return [DoctorFinding("uploads", False, message)]
    unknown = sum(not upload_id.isalnum() or find_upload(ledger, upload_id) is None for upload_id in ids)
    if unknown:
        message = f"{unknown} in spool/ belong to no upload in the ledger: the portal removes them after an hour"
        return [DoctorFinding("uploads", True, message)]
    return [DoctorFinding("uploads", True, f"{len(ids)} in spool/, encrypted, until they are handed in or expire")]


def _backups(settings: Settings, ledger: Ledger) -> list[DoctorFinding]:
    """Whether there is a backup that is new enough, and a restore that did not end."""
    found = []
    if (settings.home / RESTORING).exists():
        message = "it was interrupted: run the same followup restore again"
        found.append(DoctorFinding("restore", False, message))
    if settings.backup_url is None:
        held = ledger.in_force()
        is_real = any(not one.is_synthetic for one in held)
        message = "none is made: see FOLLOWUP_BACKUP_URL in docs/runbook.md" if is_real else "none, of synthetic data"
        if not held:
            message = "none yet: set FOLLOWUP_BACKUP_URL before the first file is received, see docs/runbook.md"
        return [*found, DoctorFinding("backups", not is_real, message)]
    try:
        seen = look_at_backups(settings, ledger)
    except (SettingsError, BackupLocationFailed) as error:
        return [*found, DoctorFinding("backups", False, str(error))]
    if not seen.sets:
        return [*found, DoctorFinding("backups", False, f"none at {seen.shown} has ended: followup backup")]
    newest, days = seen.sets[-1].taken_at, settings.backup_warn_days
    message = f"{len(seen.sets)} at {seen.shown}, the newest {age(newest, system_now())} old"
    if seen.outdated:
        message += (
            f"; {len(seen.outdated)} from before the last erasing or rotation of keys: each goes when it is "
            f"{settings.backup_days} days old, or all with followup backup --drop-older"
        )
    is_new = system_now() - newest <= timedelta(days=days)
    return [*found, DoctorFinding("backups", is_new, message if is_new else f"{message}: followup backup")]


def _locations(settings: Settings) -> list[DoctorFinding]:
    try:
        locations = load_drop_locations(settings)
        visited = districts_to_visit(settings)
    except SettingsError as error:
        return [DoctorFinding("drop locations", False, str(error))]
    wrong, kinds = [], Counter[str]()
    for code in visited:
        try:
            with Source(code, locations[code]) as source:
                source.listed()
                is_changeable = source.is_changeable()
        except DropLocationUnreachable as error:
            wrong.append(
                DoctorFinding(f"drop location {code}", False, f"out of reach: {error.reason}; see {settings.districts}")
            )
            continue
        if not is_changeable:
            message = (
                f"{locations[code].url} can be read and not written to: taken files would stay there; look at its "
                "owner, its mode (`ls -ld`) and its disk"
            )
            wrong.append(DoctorFinding(f"drop location {code}", False, message))
        kinds[locations[code].kind] += 1
        if source.never_read:
            message = (
                f"nobody reads what is no file, a link, or an upload that broke off: {', '.join(source.never_read)}"
            )
            wrong.append(DoctorFinding(f"drop location {code}", False, message))
    readable = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return [
        *wrong,
        DoctorFinding(
            "drop locations",
            bool(kinds) or not wrong,
            f"{kinds.total()} can be read{f' ({readable})' if kinds else ''}",
        ),
    ]


def _hard_links() -> list[DoctorFinding]:
    """Whether a district could link other users' files into its drop location; only Linux says."""
    try:
        setting = _HARD_LINKS.read_text(encoding="ascii").strip()
    except OSError:
        return []
    if setting != "0":
        return []
    message = (
        "warning: users may link files of others (fs.protected_hardlinks is 0): sysctl -w fs.protected_hardlinks=1"
    )
    return [DoctorFinding("hard links", True, message)]


def _engine(settings: Settings) -> DoctorFinding:
    where = f" at {settings.spark_master}" if settings.engine is EngineName.SPARK else ""
    try:
        engine_of(settings).require()
    except EngineMissing as missing:
        return DoctorFinding("engine", False, str(missing))
    return DoctorFinding("engine", True, f"marts are built on {settings.engine}{where}")


def _warehouse(settings: Settings) -> DoctorFinding:
    if not settings.warehouse.exists():
        return DoctorFinding("warehouse", True, "not built yet")
    try:
        with open_warehouse(settings.warehouse) as connection:
            marts = len(marts_in(connection))
    except WarehouseFailed as failed:
        return DoctorFinding("warehouse", False, str(failed))
    return DoctorFinding("warehouse", True, f"{settings.warehouse}, {marts} marts")


def _published(settings: Settings) -> list[DoctorFinding]:
    """What readers open: which release, who may read it, what an earlier version left elsewhere."""
    link = settings.published
    try:
        if link.is_dir() and not link.is_symlink():
            message = f"{link} is a folder: let FOLLOWUP_PUBLISHED name the link that is made in it, {link / 'current'}"
            return [DoctorFinding("published", False, message)]
        if link.is_symlink() and not link.exists():
            message = f"{link} leads to nothing: followup release serve, or mount the disk that it leads to"
            return [DoctorFinding("published", False, message)]
        release = current_folder(settings)
    except OSError as error:
        return [
            DoctorFinding("published", False, f"{link} can't be reached ({error.strerror}): see FOLLOWUP_PUBLISHED")
        ]
    if wrong := wrongly_set(releases_folder(settings), settings):
        message = f"{_named(wrong)} not of the mode that readers need: {permissions.FIX_COMMAND}"
        found = [DoctorFinding("published", False, message)]
    else:
        known = read_identity(release) if release else None
        what = f"{link}, release {known.release_id}" if known else "nothing yet"
        message = "; ".join((f"{what}, for {readers(settings)}", *hindrances(settings)))
        found = [DoctorFinding("published", True, message)]
    left = permissions.left_by_earlier_versions(settings)
    if left and release is None:
        message = f"{left[0]} is where an earlier version published; `followup release serve` publishes at {link}"
        found.append(DoctorFinding("published before", True, message))
    elif left:
        message = f"readers open {link} now; remove what an earlier version published: rm -r {' '.join(map(str, left))}"
        found.append(DoctorFinding("published before", False, message))
    return found


def _permissions(settings: Settings) -> DoctorFinding:
    """Nobody but this service's user may open anything else."""
    if wrong := permissions.open_paths(settings):
        return DoctorFinding("permissions", False, f"{_named(wrong)} open to other users: {permissions.FIX_COMMAND}")
    return DoctorFinding("permissions", True, "only this service's user can open what is not published")


def _named(paths: list[Path]) -> str:
    return f"{paths[0]} is" if len(paths) == 1 else f"{len(paths)} files and folders, {paths[0]} among them, are"


def _database(settings: Settings) -> DoctorFinding:
    if not has_database(settings):
        return DoctorFinding("database for BI", True, "none: releases go to files")
    try:
        return DoctorFinding("database for BI", True, describe_database(settings))
    except ServingError as error:
        return DoctorFinding("database for BI", False, str(error))


def _mail(ledger: Ledger) -> DoctorFinding:
    try:
        mail = load_mail_settings()
    except SettingsError as error:
        return DoctorFinding("mail", False, str(error))
    if not mail.is_set_up:
        return DoctorFinding("mail", True, "none is set up: nobody is reminded")
    units = len(contacts(ledger))
    team = f"{len(mail.team_addresses)} of the team"
    return DoctorFinding("mail", True, f"{mail.host}:{mail.port} ({mail.tls}), {units} units have contacts, {team}")


def _disk(settings: Settings) -> DoctorFinding:
    free = shutil.disk_usage(settings.home if settings.home.exists() else ".").free / 1e9
    return DoctorFinding("disk", free >= _LEAST_FREE_GIGABYTES, f"{free:.0f} GB free")

"""Validated rows in a bucket of an S3-compatible server: the same as in a folder, and nothing of them left behind."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bucket_of_rows import Bucket, new_bucket
from city import marts
from free_ports import free_port
from frozen_city import NOW, figures, fill, write_frozen_project
from pydantic import ValidationError
from small_project import use_project

from followup.backup.backing_up import back_up
from followup.backup.restoring import RestoreRefused, restore, restored_settings
from followup.backup.sealing import make_backup_key
from followup.build.building import build
from followup.build.freezing import freeze_and_erase
from followup.doctor import run_doctor
from ingest.failures import StorageFailure, in_sentences
from ingest.ledger import Ledger, LedgerError, Submission
from ingest.ledger.rotations import PERSONS
from ingest.maintenance.erasing import erase_person
from ingest.maintenance.restoring_rows import restore_rows
from ingest.maintenance.rotating import prune, rotate
from ingest.persons.keys import load_keys, make_keys
from ingest.persons.wrapping import unwrapped
from ingest.receiving import receive_district
from ingest.recording import open_intake
from ingest.row_files import row_files
from ingest.rows_in_bucket import RowsUnreachable
from ingest.settings import Settings
from ingest.storing import DamagedRows

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from drop_servers import S3Server, s3  # noqa: F401  (s3 is a fixture)
from files import DISTRICT, base_row, csv_bytes

pytestmark = pytest.mark.server

OTHER = "20120607-9822"


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> Bucket:  # noqa: F811
    return new_bucket(s3, tmp_path)


@pytest.fixture
def settings(bucket: Bucket) -> Settings:
    """An installation that has received a file of two children for each of two quarters."""
    made = bucket.settings()
    make_keys(made.keys)
    for quarter, rows in {
        "2018Q3": [base_row("arenden"), other_child()],
        "2018Q4": [base_row("arenden"), other_child()],
    }.items():
        assert send(made, quarter, rows) == "accepted"
    return made


def other_child() -> dict[str, str]:
    return base_row("arenden", arende_id="B-2", personnummer=OTHER, fodelsear="2012", kon="pojke")


def send(settings: Settings, quarter: str, rows: list[dict[str, str]]) -> str:
    folder = Path(settings.inbox) / DISTRICT
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{DISTRICT}_arenden_{quarter}.csv").write_bytes(csv_bytes("arenden", rows, quarter=quarter))
    (receipt,) = receive_district(settings, DISTRICT).files
    return receipt.state


def submissions(settings: Settings) -> list[Submission]:
    with closing(Ledger(settings.ledger)) as ledger:
        return ledger.submissions()


def in_ledger(settings: Settings) -> set[str]:
    return {one.parquet_path for one in submissions(settings) if one.parquet_path}


def on_disk(settings: Settings) -> list[str]:
    """Names of the files under home that hold rows about persons."""
    found = []
    for path in settings.home.rglob("*.parquet"):
        with suppress(pa.ArrowInvalid):
            if pq.read_metadata(path).num_rows and "person_key" in pq.read_schema(path).names:
                found.append(path.name)
    return found


def test_rows_in_a_bucket_give_the_same_figures_as_in_a_folder(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once the oldest are erased: what is left in the bucket is what the ledger names."""
    use_project(monkeypatch, write_frozen_project(tmp_path / "project"), tmp_path / "parsed")
    in_folder = fill(tmp_path / "folder")
    shutil.copytree(in_folder.keys.parent, tmp_path / "bucket", ignore=shutil.ignore_patterns("home"))
    in_bucket = fill(tmp_path / "bucket", given_validated=bucket.url, validated_login=bucket.login())
    assert not (in_bucket.home / "validated").exists()
    for one in (in_folder, in_bucket):
        build(one)
    rows = marts(in_folder.warehouse, "core")["fct_case"]
    assert len(rows) == 27 and marts(in_bucket.warehouse, "core")["fct_case"] == rows
    assert figures(in_bucket) == figures(in_folder)
    fetched = in_bucket.half_done / "build" / "rows"
    assert on_disk(in_bucket) == [] and not fetched.exists()
    fetched.mkdir()
    (fetched / "0.parquet").write_bytes(next(iter(bucket.objects().values())))  # as a killed build leaves them
    assert build(in_bucket).status == "unchanged" and on_disk(in_bucket) == []
    before = set(bucket.objects())
    with open_intake(in_bucket) as intake:
        done = freeze_and_erase(intake, NOW)
    assert done is not None and done.rows == 8
    assert figures(in_bucket) == figures(in_folder)
    assert set(bucket.objects()) == in_ledger(in_bucket) != before


def test_each_accepted_file_is_an_object_and_nothing_of_it_is_on_this_machine(
    bucket: Bucket, settings: Settings
) -> None:
    assert len(bucket.objects()) == 2 and set(bucket.objects()) == in_ledger(settings) and on_disk(settings) == []
    assert row_files(settings).names("arenden", "2018Q4") == [
        one.parquet_path for one in submissions(settings) if one.reporting_quarter == "2018Q4"
    ]
    before = {one.submission_id for one in submissions(settings)}
    assert send(settings, "2018Q4", [base_row("arenden")]) == "accepted"
    (new,) = [one for one in submissions(settings) if one.submission_id not in before]
    told = (settings.feedback / DISTRICT / f"{new.submission_id}.txt").read_text(encoding="utf-8")
    assert "1 rad" in told and len(bucket.objects()) == 3, "it is compared with the rows of the version before"


def test_erasing_a_person_and_rotating_the_key_leave_no_old_object(bucket: Bucket, settings: Settings) -> None:
    old = load_keys(settings.keys).person_keys[1]
    with open_intake(settings) as intake:
        assert erase_person(intake, OTHER, datetime(2018, 11, 1)).rows == 2
    tables = [pq.read_table(pa.BufferReader(content)) for content in bucket.objects().values()]
    assert [table.num_rows for table in tables] == [1, 1] and set(bucket.objects()) == in_ledger(settings)
    with open_intake(settings, is_rotating=True) as intake:
        assert rotate(intake, [PERSONS]).files == {PERSONS: 2}
    assert set(bucket.objects()) == in_ledger(settings)
    assert all(name.endswith(".k2.parquet") for name in bucket.objects())
    with open_intake(settings) as intake:
        assert prune(intake)[PERSONS] == (1,), "no object is under the old key"
    for content in bucket.objects().values():
        keys = pq.read_table(pa.BufferReader(content))["person_key"].combine_chunks().cast(pa.string())
        assert not unwrapped(old, keys)[1].any()


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_an_object_that_is_missing_or_damaged_is_named_and_stored_again(
    how: str, bucket: Bucket, settings: Settings
) -> None:
    found = submissions(settings)[0]
    name, before = found.parquet_path or "", bucket.objects()
    if how == "missing":
        row_files(settings).remove(name)
    else:
        bucket.put(name, before[name][:-1] + b"x")
    said = f"rows of submission {found.submission_id} .* are {how}: {name} at {bucket.url} .*followup restore-rows"
    with pytest.raises(DamagedRows, match=said):
        build(settings)
    assert on_disk(settings) == []
    (doctor,) = [one for one in run_doctor(settings) if one.what == "files in force"]
    assert not doctor.is_good and found.submission_id in doctor.message
    with open_intake(settings) as intake:
        assert restore_rows(intake, found).is_same
    assert bucket.objects() == before


def out_of_reach(bucket: Bucket, kind: str) -> tuple[Path, str]:
    """A login with which the bucket can't be written to, and what is said."""
    if kind == "server down":
        return bucket.login(endpoint_url=f"http://127.0.0.1:{free_port()}"), "nobody answers at that address"
    if kind == "wrong key":
        return bucket.login(secret_key="not-this-one"), "the server refuses the access key or secret key"
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket.name}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    bucket.server.client.put_bucket_policy(Bucket=bucket.name, Policy=policy)
    return bucket.login(), "access is denied"


@pytest.mark.parametrize("kind", ["server down", "wrong key", "may not write"])
def test_a_bucket_out_of_reach_loses_nothing_and_the_file_waits(kind: str, bucket: Bucket, settings: Settings) -> None:
    before, known = bucket.objects(), submissions(settings)
    login, words = out_of_reach(bucket, kind)
    broken = bucket.settings(login)
    waiting = Path(settings.inbox) / DISTRICT / f"{DISTRICT}_arenden_2018Q4.csv"
    with pytest.raises(StorageFailure) as caught:
        send(broken, "2018Q4", [base_row("arenden")])
    said = str(caught.value)
    assert f"the validated rows at {bucket.url}: {words}" in said and "run this again" in said
    assert bucket.server.secret_key not in said and json.loads(login.read_text())["secret_key"] not in said
    assert waiting.exists() and submissions(settings) == known and bucket.objects() == before
    (doctor,) = [one for one in run_doctor(broken) if one.what == "validated rows"]
    assert not doctor.is_good and words in doctor.message
    bucket.server.client.delete_bucket_policy(Bucket=bucket.name)
    assert receive_district(settings, DISTRICT).files[0].state == "accepted" and not waiting.exists()


def test_a_build_without_its_bucket_says_so(bucket: Bucket, settings: Settings) -> None:
    login, words = out_of_reach(bucket, "server down")
    with pytest.raises(RowsUnreachable, match=words):
        build(bucket.settings(login))


def test_rows_whose_submission_was_not_recorded_do_not_count_and_are_overwritten(
    bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(bucket.objects())

    def ends_here(*_: object) -> None:
        raise LedgerError("the process was killed here")

    with monkeypatch.context() as killed, pytest.raises(LedgerError):
        killed.setattr(Ledger, "record", ends_here)
        send(settings, "2018Q4", [base_row("arenden")])
    (left,) = set(bucket.objects()) - before
    assert in_ledger(settings) == before
    (receipt,) = receive_district(settings, DISTRICT).files
    assert receipt.state == "accepted" and in_ledger(settings) == before | {left} == set(bucket.objects())


@pytest.fixture
def backed_up(settings: Settings, tmp_path: Path) -> Settings:
    made = settings.model_copy(update={"backup_url": str(tmp_path / "backups")})
    make_backup_key(made)
    (tmp_path / "backups").mkdir()
    assert not back_up(made).left_out
    return made


@pytest.mark.parametrize("where", ["a folder", "another bucket"])
def test_a_backup_has_the_rows_and_brings_them_back(where: str, bucket: Bucket, backed_up: Settings) -> None:
    back = restored_settings(backed_up, bucket.root / "back")
    if where == "a folder":
        assert not back.validated_bucket
        restore(back)
        files = row_files(back)
        found = {name: files.read(name) for name in files.names()}
    else:
        other = Bucket(bucket.server, f"{bucket.name}-2", bucket.root)
        bucket.server.client.create_bucket(Bucket=other.name)
        restore(back.model_copy(update={"given_validated": other.url}))
        found = other.objects()
        assert not (back.home / "validated").exists()
    assert found == bucket.objects() and len(found) == 2


def test_a_bucket_that_holds_rows_is_not_restored_into(bucket: Bucket, backed_up: Settings) -> None:
    back = restored_settings(backed_up, bucket.root / "back").model_copy(update={"given_validated": bucket.url})
    before = bucket.objects()
    with pytest.raises(RestoreRefused, match="name an empty place in FOLLOWUP_VALIDATED"):
        restore(back)
    assert bucket.objects() == before


def test_doctor_says_whether_a_bucket_keeps_what_is_erased(bucket: Bucket, settings: Settings) -> None:
    def said() -> tuple[bool, str]:
        (found,) = [one for one in run_doctor(settings) if one.what == "validated rows"]
        return found.is_good, found.message

    before = bucket.objects()
    assert said() == (True, f"at {bucket.url} (FOLLOWUP_VALIDATED) can be read and written; it keeps no old versions")
    for status, is_good in (("Enabled", False), ("Suspended", True)):
        wanted = {"Status": status}
        bucket.server.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=wanted)
        assert (said()[0] is is_good and "old versions" in said()[1]) or "none from before" in said()[1]
    assert bucket.objects() == before, "what it tried is gone"


@pytest.mark.parametrize(
    "place",
    ["sftp://user@storage/rows", "http://storage/rows", "s3://", "s3://key:geheim@bucket/rows", "s3://b/r?k=geheim"],
)
def test_another_address_is_refused(place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"validated": place})
    (said,) = in_sentences(caught.value)
    assert said.startswith("FOLLOWUP_VALIDATED: ") and "s3://bucket/folder" in said and "geheim" not in said


def test_rows_may_be_in_another_folder(tmp_path: Path) -> None:
    made = Settings.model_validate(
        {"home": tmp_path / "home", "keys": tmp_path / "keys.json", "inbox": str(tmp_path / "inbox")}
        | {"validated": f"file://{tmp_path}/rows", "FOLLOWUP_NOW": "2018-10-10T08:00:00"}
    )
    make_keys(made.keys)
    assert send(made, "2018Q3", [base_row("arenden")]) == "accepted"
    (name,) = in_ledger(made)
    assert (tmp_path / "rows" / name.removeprefix("validated/")).is_file() and not (made.home / "validated").exists()

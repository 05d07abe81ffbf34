"""Servers that are not who they should be, don't let us in, or don't answer: named, in time, without secrets."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from drop_servers import SSHD, S3Place, S3Server, SftpPlace, Sshd
from files import DISTRICT, Installation, base_row, csv_bytes
from free_ports import free_port

from followup.doctor import run_doctor
from ingest.districts import DropLocation, load_drop_locations
from ingest.locations.sources import DropLocationUnreachable, Source
from ingest.persons.keys import load_keys
from ingest.receiving import receive, receive_district
from ingest.settings import Settings, SettingsError

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])
SECRET = "hemligt-losenord-71"


@pytest.fixture
def sftp(sshd: Sshd, tmp_path: Path) -> SftpPlace:
    return SftpPlace(sshd, tmp_path / "drop")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


def why(settings: Settings) -> str:
    """Why the location can't be reached. Nothing that a log would show of the error holds the secret."""
    with pytest.raises(DropLocationUnreachable) as caught:
        receive_district(settings, DISTRICT)
    error = caught.value
    whole = "".join(traceback.format_exception(error))
    assert SECRET not in whole and "paramiko" not in whole and "botocore" not in whole
    assert error.district_code == DISTRICT and DISTRICT in str(error)
    return error.reason


@pytest.mark.server
def test_young_file_on_a_server_waits_and_settle_0_takes_it(sftp: SftpPlace, installation: Installation) -> None:
    settings = sftp.settings(installation.settings, DISTRICT)
    sftp.put(NAME, GOOD, seconds_ago=5)
    (left,) = receive_district(settings, DISTRICT).files
    assert left.state == "waiting" and list(sftp.files()) == [NAME]
    (taken,) = receive_district(sftp.settings(installation.settings, DISTRICT, settle_seconds=0), DISTRICT).files
    assert taken.state == "accepted"


@pytest.mark.server
def test_upload_in_progress_is_left_until_it_is_whole(sftp: SftpPlace, installation: Installation) -> None:
    settings = sftp.settings(installation.settings, DISTRICT)
    client = paramiko.SSHClient()
    client.load_host_keys(str(sftp.server.known_hosts))
    url = str(sftp.entry["url"])
    client.connect("127.0.0.1", sftp.server.port, url[7:].split("@")[0], key_filename=str(sftp.server.client_key))
    with client.open_sftp() as session:
        with session.open(str(sftp.folder / NAME), "wb") as handle:
            handle.write(GOOD[:200])
            handle.flush()
            assert [f.state for f in receive_district(settings, DISTRICT).files] == ["waiting"]
            handle.write(GOOD[200:])
        session.utime(str(sftp.folder / NAME), (time.time() - 90, time.time() - 90))
    client.close()
    assert [f.state for f in receive_district(settings, DISTRICT).files] == ["accepted"]
    assert installation.ledger().in_force()[0].size_bytes == len(GOOD)


@pytest.mark.server
def test_unknown_host_key_is_refused_and_the_message_says_how_to_add_it(
    sftp: SftpPlace, installation: Installation, tmp_path: Path
) -> None:
    known = tmp_path / "nobody_known"
    settings = sftp.settings(installation.settings, DISTRICT, known_hosts=str(known))
    sftp.put(NAME, GOOD)
    reported = why(settings)
    fingerprint = paramiko.Ed25519Key(filename=str(sftp.server.folder / "host_key")).fingerprint
    assert fingerprint in reported and f"ssh-keyscan -p {sftp.server.port} 127.0.0.1 >> {known}" in reported
    assert not known.exists() and list(sftp.files()) == [NAME]
    assert why(settings) == reported


@pytest.mark.server
def test_another_host_key_than_the_known_one_is_refused(
    sftp: SftpPlace, installation: Installation, tmp_path: Path
) -> None:
    """As when somebody stands in between: the same kind of key, but not the same."""
    Sshd._keygen(tmp_path / "other")
    kind, key, *_ = (tmp_path / "other.pub").read_text().split()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{sftp.server.port} {kind} {key}\n")
    reported = why(sftp.settings(installation.settings, DISTRICT, known_hosts=str(tmp_path / "known")))
    assert "another than the one in" in reported and str(tmp_path / "known") in reported


@pytest.mark.server
def test_wrong_password_or_key_is_reported_without_it(
    sftp: SftpPlace, installation: Installation, tmp_path: Path
) -> None:
    settings = sftp.settings(installation.settings, DISTRICT, key_file=None, password=SECRET)
    assert why(settings) == "the server refuses the user, password or key"
    Sshd._keygen(tmp_path / "stranger")
    settings = sftp.settings(installation.settings, DISTRICT, key_file=str(tmp_path / "stranger"))
    assert why(settings) == "the server refuses the user, password or key"


@pytest.mark.server
def test_key_file_that_is_missing_or_open_to_others_is_reported(
    sftp: SftpPlace, installation: Installation, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    settings = sftp.settings(installation.settings, DISTRICT, key_file=str(key))
    assert why(settings) == f"key_file {key} can't be read"
    key.write_bytes(b"no key")
    key.chmod(0o644)
    assert why(settings) == f"key_file {key} can be read by others: chmod 600 {key}"


@pytest.mark.server
def test_connection_is_closed_when_a_district_is_done(sftp: SftpPlace, installation: Installation) -> None:
    sftp.put(NAME, GOOD)
    receive_district(sftp.settings(installation.settings, DISTRICT), DISTRICT)
    assert open_connections(sftp.server.port) == 0


def open_connections(port: int) -> int:
    """Connections of this process to a port of this machine."""
    inodes = set()
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    held = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held += str(descriptor.readlink()) in inodes
        except OSError:
            continue
    return held


@pytest.mark.server
@pytest.mark.parametrize("changed", ["access_key", "secret_key"])
def test_wrong_s3_key_is_reported_without_it(s3: S3Server, installation: Installation, changed: str) -> None:
    place = S3Place(s3, f"fel-{changed.replace('_', '-')}")
    settings = place.settings(installation.settings, DISTRICT, **{changed: SECRET})
    assert why(settings) == "the server refuses the access key or secret key"


@pytest.mark.server
def test_s3_connection_is_closed_when_a_district_is_done(s3: S3Server, installation: Installation) -> None:
    place = S3Place(s3, "stangd")
    place.put(NAME, GOOD)
    receive_district(place.settings(installation.settings, DISTRICT), DISTRICT)
    assert open_connections(s3.port) == 0


@pytest.mark.server
def test_another_run_sees_what_came_since(s3: S3Server, installation: Installation) -> None:
    """No listing is stored from one run to the next, nor within one."""
    place = S3Place(s3, "farsk")
    settings = place.settings(installation.settings, DISTRICT)
    with Source(DISTRICT, load_drop_locations(settings)[DISTRICT]) as source:
        assert source.waiting() == []
        place.put(NAME, GOOD)
        assert [file.name for file in source.waiting()] == [NAME]


def test_server_that_never_answers_is_given_up_in_time(silent_port: int, installation: Installation) -> None:
    entries = {
        "sftp": {"url": f"sftp://u@127.0.0.1:{silent_port}/x", "password": SECRET, "timeout_seconds": 1},
        "s3": {
            "url": "s3://b/x", "endpoint_url": f"http://127.0.0.1:{silent_port}", "timeout_seconds": 3,
            "access_key": "A", "secret_key": SECRET, "region": "us-east-1",
        },
    }  # fmt: skip
    for entry in entries.values():
        settings = districts(installation, entry)
        done = threading.Event()
        reported: list[str] = []

        def ask(settings: Settings = settings, reported: list[str] = reported, done: threading.Event = done) -> None:
            try:
                reported.append(why(settings))
            finally:
                done.set()

        threading.Thread(target=ask, daemon=True).start()
        assert done.wait(60), "still waiting for a server that never answers"
        assert reported == [f"no answer within {entry['timeout_seconds']} s"]


@pytest.mark.server
def test_server_that_falls_silent_while_a_file_is_read_is_given_up(tmp_path: Path, installation: Installation) -> None:
    """sshd's process for this connection is stopped (SIGSTOP) between the listing and the reading."""
    if not Path(SSHD).exists():
        pytest.skip("no OpenSSH server on this machine: apt-get install openssh-server")
    import signal
    import subprocess

    server = Sshd(tmp_path / "s")
    place = SftpPlace(server, tmp_path / "drop")
    place.put(NAME, GOOD * 3000)
    settings = place.settings(installation.settings, DISTRICT, timeout_seconds=1)
    before = server.process.pid
    with Source(DISTRICT, load_drop_locations(settings)[DISTRICT]) as source:
        (file,) = source.waiting()
        found = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in found.splitlines())}
        children = [pid for pid in parents if _descends(pid, before, parents)]
        assert children
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(DropLocationUnreachable, match="no answer within 1 s"):
                source.read(file, 200_000_000)
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            server.stop()


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    parent = parents.get(pid, 0)
    return parent == ancestor or (parent > 1 and _descends(parent, ancestor, parents))


def test_nobody_there_is_reported_for_each_district_and_the_others_are_taken_in(installation: Installation) -> None:
    port = free_port()
    installation.drop("farsta_arenden_2018Q3.csv", GOOD, "farsta")
    entry = {"url": f"sftp://u@127.0.0.1:{port}/x", "password": SECRET}
    settings = districts(installation, entry, {"farsta": {"url": str(installation.root / "inbox" / "farsta")}})
    receipt = receive(settings)
    assert [d.district_code for d in receipt.districts] == ["farsta"]
    assert (receipt.unreachable, receipt.reasons) == ((DISTRICT,), ("nobody answers at that address",))


def test_password_of_the_settings_is_what_the_server_is_given(installation: Installation, tmp_path: Path) -> None:
    given: list[tuple[str, str]] = []

    class Listening(paramiko.ServerInterface):
        def check_auth_password(self, username: str, password: str) -> int:
            given.append((username, password))
            return paramiko.AUTH_FAILED

        def get_allowed_auths(self, username: str) -> str:
            return "password"

    Sshd._keygen(tmp_path / "host")
    host = paramiko.Ed25519Key(filename=str(tmp_path / "host"))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {host.get_name()} {host.get_base64()}\n")

        def serve() -> None:
            transport = paramiko.Transport(server.accept()[0])
            transport.add_server_key(host)
            transport.start_server(server=Listening())

        threading.Thread(target=serve, daemon=True).start()
        entry = {
            "url": f"sftp://stad%40bromma@127.0.0.1:{port}/x",
            "password": "${DROP_TEST_PASSWORD}",
            "known_hosts": str(tmp_path / "known"),
        }
        os.environ["DROP_TEST_PASSWORD"] = f"{SECRET}#: '\"/"
        try:
            why(districts(installation, entry))
        finally:
            del os.environ["DROP_TEST_PASSWORD"]
    assert given == [("stad@bromma", f"{SECRET}#: '\"/")]


def districts(
    installation: Installation, entry: dict[str, object], others: dict[str, dict[str, object]] | None = None
) -> Settings:
    import yaml

    path = installation.root / "districts.yml"
    path.write_text(yaml.safe_dump({"districts": {DISTRICT: entry, **(others or {})}}))
    return installation.settings.model_copy(update={"districts": path})


SFTP = {"url": "sftp://u@server/x", "password": SECRET}
S3 = {"url": "s3://bucket/x", "access_key": "A", "secret_key": SECRET}


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (b"\xff\xfe\x00", "is no YAML"),
        (b"\xe5", "is no YAML"),
        (b"districts:\n  bromma: {url: 2018-13-45}", "is no YAML"),
        (b"districts:\n  bromma: {url: /a}\n  bromma: {url: /b}", "a name is given twice, line 3"),
        (b"districts:\n  bromma: {url: /a, url: /b}", "a name is given twice, line 2"),
        (b"", "holds no `districts:`"),
        (b"districts:\n  ? [a]\n  : {url: /a}", "is no YAML"),
    ],
)
def test_districts_yml_that_is_none_is_said_with_its_place(
    content: bytes, reported: str, installation: Installation
) -> None:
    settings = districts(installation, {})
    settings.districts.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_drop_locations(settings)
    assert str(caught.value).startswith(f"{settings.districts}: {reported}")


def test_files_of_settings_that_can_t_be_opened_say_why(installation: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SettingsError, match=r"can't be read \(Is a directory\): .*FOLLOWUP_DISTRICTS"):
        load_drop_locations(installation.settings.model_copy(update={"districts": folder}))
    with pytest.raises(SettingsError, match=r"can't be read \(Is a directory\): .*FOLLOWUP_KEYS"):
        load_keys(folder)
    for inbox in (tmp_path / "nowhere", installation.settings.keys):
        with pytest.raises(SettingsError, match=f"--inbox: {inbox} can't be listed"):
            receive(installation.settings, inbox=str(inbox))


@pytest.mark.parametrize("text", ["igår", "9999-12-31T23:59:59", "0001-01-01T00:00:00", "2018-04-10T08:00+99:00"])
def test_a_clock_that_is_no_time_is_refused(text: str, installation: Installation) -> None:
    with pytest.raises(SettingsError, match="FOLLOWUP_NOW must be an ISO time"):
        installation.settings.model_copy(update={"now_text": text}).now_date()


@pytest.mark.parametrize(
    ("entry", "reported"),
    [
        ({"url": f"sftp://u:{SECRET}@server/x"}, "holds a password"),
        ({"url": f"sftp://u:{SECRET}/a@server/x", "password": SECRET}, "can't be read"),
        ({"url": f"ftp://u:{SECRET}@server/x"}, "must be a folder, or begin with sftp:// or s3://"),
        ({**SFTP, "url": "sftp://server/x"}, "reads sftp://user@host/folder"),
        ({**SFTP, "url": "sftp://u@server"}, "reads sftp://user@host/folder"),
        ({"url": "sftp://u@server/x"}, "needs password or key_file"),
        ({**SFTP, "key_file": "keys/id"}, "key_file must be a whole path"),
        ({**SFTP, "access_key": SECRET}, "access_key is no option"),
        ({**SFTP, "passwrd": SECRET}, "passwrd"),
        ({**SFTP, "timeout_seconds": SECRET}, "timeout_seconds"),
        ({**SFTP, "settle_seconds": -1}, "settle_seconds"),
        ({"url": "/inbox", "password": SECRET}, "password is no option"),
        ({**S3, "secret_key": None}, "set together"),
        ({**S3, "url": f"s3://A:{SECRET}@bucket/x"}, "holds a password"),
        ({**S3, "endpoint_url": "http://objekt.example.se"}, "must begin with https://"),
        ({**S3, "endpoint_url": f"https://A:{SECRET}@objekt.example.se"}, "no user or password"),
        ({**S3, "password": SECRET}, "password is no option"),
    ],
)
def test_wrong_entry_of_districts_yml_is_reported_without_its_values(
    installation: Installation, entry: dict[str, object], reported: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_drop_locations(districts(installation, entry))
    whole = "".join(traceback.format_exception(caught.value))
    assert reported in str(caught.value) and f"districts.{DISTRICT}" in str(caught.value)
    assert SECRET not in whole and caught.value.__cause__ is None and caught.value.__context__ is None


def test_secrets_are_masked_wherever_a_location_is_shown() -> None:
    shown = f"{DropLocation.model_validate(SFTP)!r} {DropLocation.model_validate(S3)} "
    assert SECRET not in shown and "**" in shown
    assert SECRET not in DropLocation.model_validate(SFTP).model_dump_json()


def test_broken_yaml_is_reported_by_line_without_what_it_holds(installation: Installation) -> None:
    settings = districts(installation, {})
    settings.districts.write_text(f"districts:\n  bromma:\n    password: '{SECRET}\n")
    with pytest.raises(SettingsError, match="is no YAML, line") as caught:
        load_drop_locations(settings)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_unset_variable_is_named(installation: Installation) -> None:
    with pytest.raises(SettingsError, match="the variable DROP_NOWHERE is not set"):
        load_drop_locations(districts(installation, {**SFTP, "password": "${DROP_NOWHERE}"}))


def test_inbox_that_needs_secrets_is_refused(installation: Installation) -> None:
    with pytest.raises(SettingsError, match="--inbox: an SFTP location needs password or key_file"):
        load_drop_locations(installation.settings, "sftp://u@server/inlamning")


@pytest.mark.server
def test_doctor_names_each_location_and_why(sftp: SftpPlace, s3: S3Server, installation: Installation) -> None:
    good = S3Place(s3, "halsosam")
    sftp.put("bokslut.csv", GOOD)
    (sftp.folder / "gammalt").mkdir()
    entries = {
        "farsta": good.entry,
        "kungsholmen": sftp.entry,
        "norrmalm": {**sftp.entry, "key_file": None, "password": SECRET},
    }
    settings = districts(installation, {**good.entry, "secret_key": SECRET}, entries)
    found = {one.what: one for one in run_doctor(settings) if one.what.startswith("drop location")}
    refused = "out of reach: the server refuses the"
    assert found[f"drop location {DISTRICT}"].message.startswith(f"{refused} access key or secret key; see ")
    assert found["drop location norrmalm"].message.startswith(f"{refused} user, password or key; see ")
    assert "gammalt" in found["drop location kungsholmen"].message
    assert found["drop locations"].message == "2 can be read (1 s3, 1 sftp)"
    assert [what for what, one in found.items() if one.is_good] == ["drop locations"]
    assert sorted(sftp.files()) == ["bokslut.csv"], "looking changes nothing"

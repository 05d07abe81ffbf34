"""Drop locations on real servers: a folder, OpenSSH's sshd, and an S3-compatible server, each a private process."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import boto3
import paramiko
import pytest
import requests
import yaml
from botocore.exceptions import ClientError
from free_ports import free_port

from ingest.settings import Settings

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
HOUR = 3600


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")


class Place(ABC):
    """A drop location as its sender sees it. `entry` is what districts.yml says of it."""

    entry: dict[str, object]

    @abstractmethod
    def put(self, name: str, content: bytes, seconds_ago: float = HOUR) -> None:
        """Leave a file, last written so long ago."""

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """All that lies there, by name below the location."""

    def settings(self, settings: Settings, district: str, **changes: object) -> Settings:
        """Settings whose only drop location is this one."""
        path = settings.home.parent / "districts.yml"
        path.write_text(yaml.safe_dump({"districts": {district: {**self.entry, **changes}}}))
        return settings.model_copy(update={"districts": path})


class FolderPlace(Place):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.entry = {"url": str(folder)}

    def put(self, name: str, content: bytes, seconds_ago: float = HOUR) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        written = time.time() - seconds_ago
        os.utime(path, (written, written))

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.folder.glob("**/*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}


class Sshd:
    """OpenSSH's server with a host key of its own, letting this user in by one key, for SFTP only."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.port = folder, free_port()
        self.client_key, self.known_hosts = folder / "client_key", folder / "known_hosts"
        for name in ("host_key", "client_key"):
            self._keygen(folder / name)
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
        self.believe(folder / "host_key.pub")
        if os.geteuid() == 0:  # where sshd, as root, keeps the process that talks to strangers
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            f"PasswordAuthentication yes\nKbdInteractiveAuthentication no\nAllowUsers {getpass.getuser()}\n"
            "Subsystem sftp internal-sftp\nForceCommand internal-sftp\nMaxStartups 100\nPerSourcePenalties no\n"
        )
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        arguments = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        known = subprocess.run([*arguments, "-t"], capture_output=True, text=True, check=False)
        if "PerSourcePenalties" in known.stderr:  # only newer ones know it
            config = self.folder / "sshd_config"
            config.write_text(config.read_text().replace("PerSourcePenalties no\n", ""))
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
        wait_for(self.port, process)
        return process

    @staticmethod
    def _keygen(path: Path) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)

    def believe(self, public_key: Path) -> None:
        kind, key, *_ = public_key.read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def entry(self, folder: Path) -> dict[str, object]:
        return {
            "url": f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{folder}",
            "key_file": str(self.client_key),
            "known_hosts": str(self.known_hosts),
        }

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class SftpPlace(FolderPlace):
    def __init__(self, server: Sshd, folder: Path) -> None:
        super().__init__(folder)
        self.server = server
        self.entry = server.entry(folder)

    def put(self, name: str, content: bytes, seconds_ago: float = HOUR) -> None:
        """As a sender does: uploaded, then given the time it had at home."""
        client = paramiko.SSHClient()
        client.load_host_keys(str(self.server.known_hosts))
        client.connect(
            "127.0.0.1", self.server.port, getpass.getuser(), key_filename=str(self.server.client_key),
            look_for_keys=False, allow_agent=False,
        )  # fmt: skip
        try:
            sftp = client.open_sftp()
            with sftp.open(str(self.folder / name), "wb") as handle:
                handle.write(content)
            written = time.time() - seconds_ago
            sftp.utime(str(self.folder / name), (written, written))
        finally:
            client.close()


class S3Server:
    """moto's server, made to check signatures."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "false"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.port, self.process)
        keys = {"aws_access_key_id": "setup", "aws_secret_access_key": "setup", "region_name": "us-east-1"}
        iam = boto3.client("iam", endpoint_url=self.url, **keys)
        iam.create_user(UserName="warehouse")
        policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
        iam.put_user_policy(UserName="warehouse", PolicyName="all", PolicyDocument=policy)
        made = iam.create_access_key(UserName="warehouse")["AccessKey"]
        self.access_key, self.secret_key = made["AccessKeyId"], made["SecretAccessKey"]
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class S3Place(Place):
    def __init__(self, server: S3Server, bucket: str) -> None:
        self.server, self.bucket = server, bucket
        try:
            server.client.create_bucket(Bucket=bucket)
        except ClientError as error:
            raise AssertionError(error) from error
        self.entry = {
            "url": f"s3://{bucket}/inlamning",
            "endpoint_url": server.url,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region": "us-east-1",
        }

    def put(self, name: str, content: bytes, seconds_ago: float = HOUR) -> None:
        self.server.client.put_object(Bucket=self.bucket, Key=f"inlamning/{name}", Body=content)

    def files(self) -> dict[str, bytes]:
        found = self.server.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        keys = [str(entry["Key"]) for entry in found]
        return {
            key.removeprefix("inlamning/"): self.server.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            for key in keys
        }


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if not Path(SSHD).exists():
        pytest.skip("no OpenSSH server on this machine: apt-get install openssh-server")
    server = Sshd(tmp_path_factory.mktemp("sshd") / "s")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()

"""What the project is made of: locked Python packages and browser files, Debian packages and images that files name."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_IMAGE = re.compile(r"^(?:FROM|\s+image:)\s+([a-z0-9./-]+):([A-Za-z0-9._-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Component:
    """One thing that the project is made of.

    Attributes:
        kind: `pypi`, `npm`, `deb` or `docker`.
        version: empty where no file of ours names one.
        hashes: of its files, (algorithm as CycloneDX names it, hexadecimal).
        wanted_by: names of the components of its kind that want it; `` for the project itself.
        named_in: the file of ours that names it.
    """

    kind: str
    name: str
    version: str
    hashes: tuple[tuple[str, str], ...]
    wanted_by: tuple[str, ...]
    named_in: str

    @property
    def purl(self) -> str:
        """Its package URL, https://github.com/package-url/purl-spec."""
        space = "debian/" if self.kind == "deb" else ""
        name = self.name.replace("@", "%40")
        return f"pkg:{self.kind}/{space}{name}" + (f"@{self.version.replace('+', '%2B')}" if self.version else "")


def canonical(name: str) -> str:
    """A Python package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def all_components(root: Path = ROOT) -> list[Component]:
    """Everything, by kind and name."""
    found = [*python_packages(root), *browser_files(root), *debian_packages(root), *images(root)]
    return sorted(found, key=lambda one: (one.kind, one.name))


def python_packages(root: Path = ROOT) -> Iterator[Component]:
    """The packages of requirements.txt; the lock says below each what wants it."""
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    starts = list(_PIN.finditer(text))
    for start, end in zip(starts, [*(one.start() for one in starts[1:]), len(text)], strict=True):
        entry = text[start.start() : end]
        via = re.findall(r"^    #(?: via)?\s+([A-Za-z0-9._-]+|-r requirements\.in)\s*$", entry, re.MULTILINE)
        wanted_by = tuple("" if one.startswith("-r") else canonical(one) for one in via if one != "via")
        hashes = tuple(("SHA-256", one) for one in _HASH.findall(entry))
        yield Component("pypi", canonical(start[1]), start[2], hashes, wanted_by, "requirements.txt")


def browser_files(root: Path = ROOT) -> Iterator[Component]:
    """The packages of the portal's npm lock."""
    where = "portal/assets/package-lock.json"
    for path, entry in _npm_lock(root).items():
        algorithm, _, digest = entry["integrity"].partition("-")
        hashes = ((algorithm.upper().replace("SHA", "SHA-"), base64.b64decode(digest).hex()),)
        yield Component("npm", path.rpartition("node_modules/")[2], entry["version"], hashes, ("",), where)


def _npm_lock(root: Path) -> dict[str, dict[str, str]]:
    lock = json.loads((root / "portal/assets/package-lock.json").read_text(encoding="utf-8"))
    return {path: entry for path, entry in lock["packages"].items() if path}


def npm_licences(root: Path = ROOT) -> dict[str, str]:
    """The licence that each package of the npm lock states."""
    return {path.rpartition("node_modules/")[2]: entry["license"] for path, entry in _npm_lock(root).items()}


def debian_packages(root: Path = ROOT) -> Iterator[Component]:
    """The packages that our scripts install with apt, with the version that this machine has."""
    for where in ("tools/setup.sh", ".ci/run"):
        text = (root / where).read_text(encoding="utf-8")
        named = re.findall(r"apt_install ([a-z][a-z0-9 .+-]*)|missing\+=\(([a-z0-9-]+)\)", text)
        names = {name for pair in named for group in pair for name in group.split()}
        names |= set(re.findall(r"apt-get install -y -qq --no-install-recommends ([a-z][a-z0-9-]*)", text))
        for name in sorted(names):
            yield Component("deb", name, _installed(name), (), ("",), where)


def _installed(name: str) -> str:
    """The version of a Debian package on this machine; empty where it has none, or no Debian."""
    try:
        done = subprocess.run(
            ["dpkg-query", "--showformat", "${db:Status-Status} ${Version}", "--show", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return ""
    status, _, version = done.stdout.partition(" ")
    return version if status == "installed" else ""


def images(root: Path = ROOT) -> Iterator[Component]:
    """The base image of ours, and the images that run beside it."""
    seen = set()
    for where in ("Dockerfile", "docker-compose.yml"):
        for name, version in _IMAGE.findall((root / where).read_text(encoding="utf-8")):
            if name != "followup-warehouse" and (name, version) not in seen:
                seen.add((name, version))
                yield Component("docker", name, version, (), ("",), where)


def metadata_of(name: str) -> importlib.metadata.PackageMetadata | None:
    """What an installed Python package says of itself; None where the lock has it for other Pythons only."""
    try:
        return importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def declared_licences() -> dict[str, dict[str, str]]:
    """The page of licences: what is allowed and why, and what packages that say nothing clear are under."""
    path = Path(__file__).with_name("licences.yml")
    declared: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return declared

"""Ask which locked packages have known vulnerabilities, by pip-audit; runs in .venv-audit.

pip-audit passes over a package that its service does not know, and calls that no vulnerability. So a package is first
asked about that the service knows where it is reached, and any that is passed over is named.

Exit codes: 0 nothing known; 1 vulnerabilities, or packages that could not be looked at; 3 the service is not reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

KNOWN = "pip==21.0"
"""A release with known vulnerabilities: a service that finds none in it does not answer as it should."""
NOT_REACHED = 3
_SECONDS = 900


def audited(requirements: Path, service: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package of a file of requirements; None where it got no answer.

    Args:
        requirements: names and versions; nothing is resolved or installed.
        service: `pypi` or `osv`.
    """
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip",
        "--vulnerability-service", service, "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return None
    return found


def is_reached(folder: Path, service: str) -> bool:
    """Whether the service answers, and knows what everybody knows."""
    probe = folder / "probe.txt"
    probe.write_text(f"{KNOWN}\n", encoding="utf-8")
    found = audited(probe, service)
    return bool(found) and all(one.get("vulns") for one in found or [])


def report(found: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Lines that say what is wrong, and the exit code."""
    lines = []
    for one in found:
        if one.get("skip_reason"):
            lines.append(f"{one['name']}: not looked at: the service does not know it")
        for vulnerability in one.get("vulns", []):
            fixed = ", ".join(vulnerability["fix_versions"]) or "no release yet"
            lines.append(f"{one['name']} {one['version']}: {vulnerability['id']}, mended in {fixed}")
    lines.append(f"{len(found)} packages, {len(lines)} to look at")
    return lines, 1 if len(lines) > 1 else 0


def main(arguments: list[str]) -> int:
    """Audit the lock that the first argument names; the second is the service, the third a folder to write in."""
    lock, service, folder = Path(arguments[0]), arguments[1], Path(arguments[2])
    if not is_reached(folder, service):
        print(
            f"pip-audit: its service ({service}) is not reached from this machine, or is a mirror without "
            "vulnerabilities: nothing was looked at. Run `make audit-packages` on a machine that reaches it, or with "
            "SERVICE=osv; build/sbom.cdx.json (`make sbom`) can be looked at elsewhere too.",
            file=sys.stderr,
        )
        return NOT_REACHED
    found = audited(lock, service)
    if found is None:
        print("pip-audit: no answer: run it again, or with SERVICE=osv", file=sys.stderr)
        return NOT_REACHED
    lines, code = report(found)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

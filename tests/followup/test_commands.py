"""The command line as its users meet it: verdicts, exit codes, help, clear errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from city import Place, drawn_files, settle


@pytest.fixture(scope="module")
def files() -> Path:
    return drawn_files()


@pytest.fixture
def place(tmp_path: Path, files: Path) -> Place:
    return settle(tmp_path / "p", files)


def test_refused_file_then_corrected_one(place: Place) -> None:
    name = "norrmalm_arenden_2018Q1.csv"
    path = place.inbox / "norrmalm" / name
    good = path.read_bytes()
    path.write_bytes(good.replace(b"Orsak", b"Skal", 1).replace(b"orsak", b"skal", 1))
    printed = place.followup("receive", "--inbox", str(place.inbox), expect=1)
    assert "17 accepted, 1 refused" in printed and "FIL-010" in printed
    status = json.loads(place.followup("status", "--format", "json"))
    (refusal,) = status["refusals"]
    assert refusal["file"] == name and {"FIL-010"} <= {r["rule"] for r in refusal["reasons"]}
    assert refusal["findings"][0]["message"].startswith("Kolumnen Orsak saknas")
    states = {line["dataset"]: line["state"] for line in status["lines"] if line["district_code"] == "norrmalm"}
    assert (states["arenden"], states["oppenvard"], states["serviceinsatser"]) == ("awaited", "in_force", "in_force")
    assert "FIL-010" in place.followup("status")
    path.write_bytes(good)
    assert "1 accepted" in place.followup("receive", "--inbox", str(place.inbox))
    status = json.loads(place.followup("status", "--format", "json"))
    assert status["refusals"] == []


def test_check_stores_nothing_and_answers_by_exit_code(tmp_path: Path, files: Path) -> None:
    place = Place(tmp_path / "nowhere")
    good = files / "alvsjo" / "alvsjo_arenden_2018Q1.csv"
    bad = tmp_path / "alvsjo_oppenvard_2018Q1.csv"
    bad.write_bytes(b"")
    assert "TAS IN:" in place.followup("check", str(good))
    answer = json.loads(place.followup("check", "--format", "json", str(good), str(bad), expect=1))
    assert [a["accepted"] for a in answer] == [True, False]
    assert answer[0]["file"] == str(good) and answer[0]["dataset"] == "arenden" and answer[0]["quarter"] == "2018Q1"
    assert set(answer[0]["skipped"]) == {"ARE-082", "ARE-083", "ARE-087", "FIL-086"}
    assert answer[1]["findings"] == [
        {
            "rule": "FIL-004",
            "severity": "error",
            "row": None,
            "column": None,
            "message": answer[1]["findings"][0]["message"],
        }
    ]
    assert not place.root.exists()


@pytest.mark.parametrize(
    "command",
    [["check"], ["check", "finns-ej.csv"], ["receive", "--quarter", "2018K1"], ["publicera"], ["run"]],
)
def test_wrong_usage_ends_with_two(tmp_path: Path, command: list[str]) -> None:
    Place(tmp_path).followup(*command, expect=2)


def test_without_keys_the_error_says_how_to_make_them(tmp_path: Path, files: Path) -> None:
    place = settle(tmp_path / "p", files)
    (place.root / "keys.json").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "followup.cli.main", "receive", "--inbox", str(place.inbox)],
        env={**os.environ, **place.environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "followup doctor --make-keys" in done.stderr and "Traceback" not in done.stderr


def test_wrong_setting_is_named_without_traceback(place: Place) -> None:
    for name, value in (("FOLLOWUP_NOW", "i morgon"), ("FOLLOWUP_MAX_FILE_MEGABYTES", "många")):
        done = subprocess.run(
            [sys.executable, "-m", "followup.cli.main", "status"],
            env={**os.environ, **place.environment, name: value}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 3
        assert name in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["demo-data", "check", "receive", "build", "publish", "status", "run", "doctor"])
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    assert "Usage" in Place(tmp_path).followup(command, "--help")


def test_doctor_makes_keys_once_and_sees_what_is_wrong(tmp_path: Path) -> None:
    place = Place(tmp_path)
    printed = place.followup("doctor", "--make-keys", expect=3)
    assert "out of reach" in printed and "none yet: set FOLLOWUP_BACKUP_URL" in printed
    keys = (tmp_path / "keys.json").read_bytes()
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    place.followup("doctor", "--make-keys", expect=3)
    assert (tmp_path / "keys.json").read_bytes() == keys
    printed = place.followup("doctor", "--make-folders")
    assert "15 drop folders made" in printed and "look" not in printed
    assert "all were there" in place.followup("doctor", "--make-folders")


def test_demo_data_says_that_it_is_synthetic(tmp_path: Path) -> None:
    place = Place(tmp_path)
    printed = place.followup("demo-data", "--out", str(tmp_path / "out"), "--to", "2018Q1", "--scale", "0.05")
    assert "yntetisk" in printed
    assert len(list((tmp_path / "out").glob("*/*_*"))) == 126

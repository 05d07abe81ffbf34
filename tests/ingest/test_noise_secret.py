"""The noise secret: made with the other keys, never rotated with them, and drawn anew only where that is asked for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from files import Installation
from typer.testing import CliRunner

from followup.cli.main import app
from followup.doctor import run_doctor
from ingest.ledger.draws import noise_fingerprint
from ingest.ledger.rotations import ORIGINALS, PERSONS
from ingest.maintenance.rotating import prune, rotate
from ingest.noise_secret import draw_noise_secret, noise_secret
from ingest.persons.keys import load_keys, replace_keys
from ingest.recording import open_intake
from ingest.settings import SettingsError


def in_use(installation: Installation) -> bytes:
    with open_intake(installation.settings) as intake:
        return noise_secret(intake.keys, intake.ledger)


def test_secret_is_made_with_the_other_keys_and_stays_when_they_are_rotated(installation: Installation) -> None:
    before = in_use(installation)
    assert len(before) == 32 and before == load_keys(installation.settings.keys).noise_secret
    with open_intake(installation.settings, is_rotating=True) as intake:
        rotate(intake, (PERSONS, ORIGINALS))
    with open_intake(installation.settings) as intake:
        prune(intake)
    keys = load_keys(installation.settings.keys)
    assert (keys.original_version, set(keys.original_keys)) == (2, {2})
    assert in_use(installation) == before
    assert repr(before) not in repr(keys)


def test_key_file_from_before_there_was_one_is_read_and_gets_it_once(installation: Installation) -> None:
    replace_keys(installation.settings.keys, replace(load_keys(installation.settings.keys), noise_secret=None))
    assert "noise_secret" not in json.loads(installation.settings.keys.read_text(encoding="utf-8"))
    with pytest.raises(SettingsError, match=r"followup keys noise`$"):
        in_use(installation)
    assert [found.is_good for found in run_doctor(installation.settings) if found.what == "keys"] == [False]
    with open_intake(installation.settings) as intake:
        draw_noise_secret(intake)
    assert len(in_use(installation)) == 32
    with open_intake(installation.settings) as intake, pytest.raises(SettingsError, match="never rotated"):
        draw_noise_secret(intake)


@pytest.mark.parametrize("is_gone", [True, False])
def test_lost_secret_is_refused_and_drawn_anew_only_when_asked(installation: Installation, is_gone: bool) -> None:
    path = installation.settings.keys
    before, remembered = in_use(installation), noise_fingerprint(installation.ledger())
    other = replace(load_keys(path), noise_secret=None if is_gone else bytes(32))
    replace_keys(path, other)
    with pytest.raises(SettingsError, match=r"restore its newest copy.*--draw-anew") as refused:
        in_use(installation)
    assert before.hex() not in str(refused.value)
    with open_intake(installation.settings) as intake, pytest.raises(SettingsError, match="--draw-anew"):
        draw_noise_secret(intake)
    assert load_keys(path) == other and noise_fingerprint(installation.ledger()) == remembered
    with open_intake(installation.settings) as intake:
        draw_noise_secret(intake, anew=True)
    assert in_use(installation) not in (before, bytes(32))
    assert noise_fingerprint(installation.ledger()) != remembered


def test_killed_between_key_file_and_ledger_it_is_run_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_use(installation)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, open_intake(installation.settings) as intake:
        patched.setattr("ingest.noise_secret.remember_noise", killed)
        with pytest.raises(KeyboardInterrupt):
            draw_noise_secret(intake, anew=True)
    with pytest.raises(SettingsError, match="another noise secret"):
        in_use(installation)
    with open_intake(installation.settings) as intake:
        draw_noise_secret(intake, anew=True)
    assert len(in_use(installation)) == 32


def test_damaged_secret_is_no_key_file(installation: Installation) -> None:
    path = installation.settings.keys
    content = json.loads(path.read_text(encoding="utf-8"))
    for wrong in ("AAAA", 7, None):
        path.write_text(json.dumps({**content, "noise_secret": wrong}), encoding="utf-8")
        with pytest.raises(SettingsError, match="is no key file"):
            load_keys(path)


def test_command_asks_before_everything_is_drawn_anew(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("home", "keys", "ledger"):
        value = getattr(installation.settings, name)
        monkeypatch.setenv({"ledger": "FOLLOWUP_LEDGER_URL"}.get(name, f"FOLLOWUP_{name.upper()}"), str(value))
    before = in_use(installation)
    assert CliRunner().invoke(app, ["keys", "noise"]).exit_code != 0
    answered = CliRunner().invoke(app, ["keys", "noise", "--draw-anew"], input="n\n")
    assert "drawn once more" in answered.output and in_use(installation) == before
    assert CliRunner().invoke(app, ["keys", "noise", "--draw-anew", "--yes"]).exit_code == 0
    assert in_use(installation) != before

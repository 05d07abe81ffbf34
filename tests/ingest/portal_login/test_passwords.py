"""Passwords: which are refused, how they are hashed, drawn, and read from a file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.portal_login import passwords
from ingest.portal_login.passwords import (
    LONGEST,
    RFC_9106_SECOND,
    SHORTEST,
    Cost,
    PasswordRefused,
    Passwords,
    check_new_password,
    draw_password,
    read_password_file,
    write_drawn_password,
)

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)


@pytest.mark.parametrize(
    "password",
    [
        "", "kort fras", "x" * 14, "x" * 15, "x" * 200, "Lösenordlösenord1!", "L0senord-2026-2026", "losenord12345678",
        "password1234567", "P@ssw0rdP@ssw0rd", "qwertyuiopasdfgh", "123456789012345", "abcabcabcabcabc",
        "ababababababababab",
        "1qaz2wsx3edc4rfv", "SommarStockholm2026!", "StadsdelFarsta2026", "hagersten-liljeholmen",
        "anna.berganna.berg!!",
        "BergAnna20260302", "               ", "fyra gröna\nhästar", "fyra gröna\0hästar simmar",
        "fyra gröna\u202ehästar simmar",
    ],
)  # fmt: skip
def test_new_password_is_refused_that_is_short_or_easy_to_guess(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_new_password(password, "anna.berg")
    assert not password.strip() or password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    ["fyra gröna hästar simmar", "kaffe i tältet vid midnatt", "correct horse battery staple",
     "x9!kQ2#vB7$mZ4%", "пятьзелёныхлошадей"],
)  # fmt: skip
def test_new_password_is_taken_without_asking_for_kinds_of_characters(password: str) -> None:
    check_new_password(password, "anna.berg")


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_is_taken_or_refused_and_what_is_taken_is_long_enough(password: str, name: str) -> None:
    try:
        check_new_password(password, name)
    except PasswordRefused:
        return
    assert len(password) <= LONGEST and password.isprintable()
    assert Passwords(CHEAP).verify(Passwords(CHEAP).hash(password), password)


def test_drawn_passwords_differ_and_pass_the_check() -> None:
    drawn = {draw_password() for _ in range(200)}
    assert len(drawn) == 200
    for one in drawn:
        check_new_password(one, "anna")
        assert len(one.replace("-", "")) == 24


def test_in_operation_hashes_are_argon2id_with_the_parameters_of_rfc_9106() -> None:
    hashed = Passwords().hash("fyra gröna hästar simmar")
    assert Cost(passes=3, memory_kib=65536, lanes=4) == RFC_9106_SECOND
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords().verify(hashed, "fyra gröna hästar simmar")


def test_same_password_has_another_hash_each_time_and_verifies_by_its_own_parameters() -> None:
    cheap, dearer = Passwords(CHEAP), Passwords(Cost(passes=2, memory_kib=16, lanes=2))
    first, second = cheap.hash("a" * SHORTEST), cheap.hash("a" * SHORTEST)
    assert first != second
    assert dearer.verify(first, "a" * SHORTEST) and not dearer.verify(first, "b" * SHORTEST)
    assert cheap.renewed(first, "a" * SHORTEST) is None
    renewed = dearer.renewed(first, "a" * SHORTEST)
    assert renewed is not None and dearer.verify(renewed, "a" * SHORTEST)
    assert not cheap.verify("no hash", "a") and not cheap.verify(None, "a")


def test_no_more_than_two_hashes_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = Passwords(CHEAP)
    stored = hasher.hash("a" * SHORTEST)
    inside, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(2)

    def slow(_: str, __: bytes) -> bool:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        together.wait(timeout=30)  # goes on when two are here: with one at once this would break
        with lock:
            inside -= 1
        return True

    monkeypatch.setattr(hasher, "_hasher", SimpleNamespace(verify=slow))
    threads = [threading.Thread(target=hasher.verify, args=(stored, "a" * SHORTEST)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def secret_file(folder: Path, content: bytes = b"fyra gr\xc3\xb6na h\xc3\xa4star\n", mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_password_file_is_one_line(tmp_path: Path, end: str) -> None:
    assert read_password_file(secret_file(tmp_path, f"fyra gröna hästar {end}".encode())) == "fyra gröna hästar "


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", b"x" * 5000])
def test_password_file_of_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PasswordRefused):
        read_password_file(secret_file(tmp_path, content))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_password_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(PasswordRefused, match="chmod 600"):
        read_password_file(secret_file(tmp_path, mode=mode))


def test_password_file_that_is_none_is_refused_and_a_pipe_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(secret_file(tmp_path))
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "link", tmp_path / "pipe", tmp_path, tmp_path / "missing"):
        with pytest.raises(PasswordRefused):
            read_password_file(path)


def test_password_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = secret_file(tmp_path)
    monkeypatch.setattr(passwords.os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(PasswordRefused, match="yours"):
        read_password_file(path)


def test_drawn_password_is_written_for_its_owner_alone_and_never_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "drawn"
    before = os.umask(0)
    try:
        drawn = write_drawn_password(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and read_password_file(path) == drawn
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (path, tmp_path / "link", tmp_path / "no folder" / "x"):
        with pytest.raises(PasswordRefused):
            write_drawn_password(taken)
    assert read_password_file(path) == drawn and not (tmp_path / "elsewhere").exists()

"""Who may open what is published: modes by setting, on every release and on what exists; what keeps readers out."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import duckdb
import pytest
from releases_drawn import draw_release

from followup.doctor import DoctorFinding, run_doctor
from followup.permissions import fix_modes
from ingest.file_permissions import find_open_to_others
from ingest.settings import Readers, Settings
from publish.serving import ServingError, serve
from publish.serving.folder import releases_folder
from publish.serving.readers import hindrances, wrongly_set


def installation(root: Path, readers: str = "group", **more: object) -> Settings:
    given = {"home": root / "home", "keys": root / "keys.json", "inbox": str(root / "inbox")}
    given |= {"published": root / "shown" / "published", "published_readers": readers}
    return Settings.model_validate({**given, "FOLLOWUP_NOW": "2019-01-02T08:00:00", **more})


def modes(folder: Path) -> set[tuple[str, str]]:
    """What folders and files have, setgid seen apart: it is the system's to give."""
    found = set()
    for path in (folder, *folder.rglob("*")):
        kind = "folder" if path.is_dir() else "file"
        found.add((kind, oct(stat.S_IMODE(path.stat().st_mode) & 0o777)))
    return found


def said(settings: Settings, what: str) -> DoctorFinding:
    return next(found for found in run_doctor(settings) if found.what == what)


@pytest.mark.parametrize(
    ("readers", "folder", "file"),
    [("owner", "0o700", "0o400"), ("group", "0o750", "0o440"), ("everyone", "0o755", "0o444")],
)
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_release_has_the_modes_of_its_readers_whatever_the_umask(
    readers: str, folder: str, file: str, umask: int, tmp_path: Path
) -> None:
    settings = installation(tmp_path, readers)
    beside = tmp_path / "beside"
    (beside / "catalogue").mkdir(parents=True, mode=0o700)
    (beside / "catalogue" / "dcat.ttl").write_text("x")
    os.umask(umask)
    served = serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), settings, beside=beside)
    assert modes(releases_folder(settings)) == {("folder", folder), ("file", file)}
    assert served.folder.resolve().parent == tmp_path / "shown" / "published.releases"
    assert served.folder.readlink() == Path("published.releases", served.folder.resolve().name)
    with duckdb.connect(str(served.duckdb_file), read_only=True) as reader:
        assert reader.execute("select min(release_id) from published.mart_00").fetchone() == ("release-1",)


def test_a_release_belongs_to_the_group_of_the_folder_it_is_in(tmp_path: Path) -> None:
    others = next((group for group in (12345, *os.getgroups()) if group != os.getegid()), None)
    if os.getuid() != 0 and others not in os.getgroups():
        pytest.skip("this user is in one group only")
    (tmp_path / "shown").mkdir()
    os.chown(tmp_path / "shown", -1, others)
    (tmp_path / "shown").chmod(0o2750)
    settings = installation(tmp_path)
    serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), settings)
    paths = [releases_folder(settings), *releases_folder(settings).rglob("*")]
    assert {path.stat().st_gid for path in paths} == {others}
    assert all(path.stat().st_mode & stat.S_ISGID for path in paths if path.is_dir())
    assert not any("group" in hindrance for hindrance in hindrances(settings))
    os.chown(settings.published.resolve(), -1, os.getegid())
    assert hindrances(settings)[0].startswith(f"releases do not belong to the group of {tmp_path / 'shown'}: ")


def test_another_setting_changes_what_exists(tmp_path: Path) -> None:
    first, second = (draw_release(tmp_path / f"{number}.duckdb", number, tables=1) for number in (1, 2))
    serve(first, installation(tmp_path, "everyone"))
    serve(second, installation(tmp_path, "everyone"))
    closed = installation(tmp_path, "owner")
    assert len(wrongly_set(releases_folder(closed), closed)) > 10
    found = said(closed, "published")
    assert not found.is_good and found.message.endswith("followup doctor --fix-modes")
    serve(second, closed)  # served already: nothing is written
    assert modes(releases_folder(closed)) == {("folder", "0o700"), ("file", "0o400")}
    opened = installation(tmp_path, "everyone")
    assert fix_modes(opened) == []
    assert modes(releases_folder(opened)) == {("folder", "0o755"), ("file", "0o444")}
    assert said(opened, "published").is_good


def test_in_home_a_release_is_for_the_service_alone_and_that_is_said(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / "home", "published_readers": "everyone"})
    (note,) = serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), settings).notes
    assert note == (
        f"only this service's user can open {tmp_path}/home/published, for it is in FOLLOWUP_HOME: "
        "set FOLLOWUP_PUBLISHED to a path outside it"
    )
    assert modes(tmp_path / "home" / "releases") == {("folder", "0o700"), ("file", "0o400")}
    assert note in said(settings, "published").message


def test_a_folder_on_the_way_that_readers_can_t_pass_is_named(tmp_path: Path) -> None:
    settings = installation(tmp_path, "everyone")
    served = serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), settings)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            assert any(str(folder) in note for note in served.notes) or served.notes
    (tmp_path / "shown").chmod(0o700)
    outermost = next(f for f in reversed((tmp_path / "shown" / "x").parents) if not f.stat().st_mode & stat.S_IXOTH)
    reported = f"readers can't pass {outermost}: chmod o+x {outermost}, or set FOLLOWUP_PUBLISHED to a path elsewhere"
    assert hindrances(settings) == (reported,)
    assert reported in said(settings, "published").message


def test_a_published_that_is_a_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    settings.published.mkdir(parents=True)
    with pytest.raises(
        ServingError, match=f"let FOLLOWUP_PUBLISHED name what is made in it, {settings.published}/current"
    ):
        serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), settings)
    assert [path.name for path in (tmp_path / "shown").iterdir()] == ["published"]


def test_a_link_on_the_way_leads_to_the_release(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "shown").symlink_to(tmp_path / "deep" / "down")
    served = serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), installation(tmp_path))
    assert served.duckdb_file.is_file()


def test_what_an_earlier_version_published_stays_until_the_new_place_has_a_release(tmp_path: Path) -> None:
    release = draw_release(tmp_path / "r.duckdb", 1, tables=1)
    before = Settings.model_validate({"home": tmp_path / "home", "FOLLOWUP_NOW": "2019-01-02T08:00:00"})
    serve(release, before)
    settings = installation(tmp_path)
    found = said(settings, "published before")
    assert found.is_good and f"`followup release serve` publishes at {settings.published}" in found.message
    serve(release, settings)
    assert (tmp_path / "home" / "published" / "followup.duckdb").is_file(), "readers of the old place are not cut off"
    found = said(settings, "published before")
    remove = f"rm -r {tmp_path}/home/published {tmp_path}/home/releases"
    assert not found.is_good and found.message.endswith(remove)
    (tmp_path / "home" / "published").unlink()
    shutil.rmtree(tmp_path / "home" / "releases")
    assert all(found.what != "published before" for found in run_doctor(settings))


def test_nothing_of_home_is_open_when_a_release_is(tmp_path: Path) -> None:
    settings = installation(tmp_path, "everyone")
    os.umask(0o077)
    serve(draw_release(tmp_path / "r.duckdb", 1, tables=1), settings)
    run_doctor(settings)
    assert list(find_open_to_others([settings.home])) == []
    assert settings.published_readers is Readers.EVERYONE

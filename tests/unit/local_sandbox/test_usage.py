"""What a sandbox's folders hold is measured a little at a time, and whole in the end."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from vibekit_jupyter.local_sandbox.supervisor.tree import KEPT
from vibekit_jupyter.local_sandbox.supervisor.usage import MOST_TORN, DiskUsage

MIB = 2**20


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Two folders of twenty files each."""
    for folder in ("home", "root"):
        for number in range(20):
            file = tmp_path / folder / str(number % 4) / f"{number}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x" * 10_000)
    return [str(tmp_path / "home"), str(tmp_path / "root")]


def usage_of(folders: list[str], foreign: list[str], files: int = 1000) -> DiskUsage:
    return DiskUsage(folders, foreign, most_files=files, most_bytes=64 * MIB)


def test_many_small_measures_find_what_one_finds(folders: list[str]) -> None:
    at_once, in_slices = usage_of(folders, []), usage_of(folders, [])
    at_once.measure()
    slices = 0
    while not slices or in_slices.measuring:
        in_slices.measure(0)
        slices += 1
    assert slices > 20
    assert in_slices.files == at_once.files == 2 * (20 + 4 + 1)
    assert in_slices.bytes == at_once.bytes > 40 * 10_000


def test_what_is_empty_takes_space_too(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).touch()
    usage = usage_of([str(tmp_path)], [])
    usage.measure()
    assert usage.bytes >= 100 * 4096


def test_what_is_foreign_does_not_count(folders: list[str]) -> None:
    usage = usage_of(folders, [f"{folders[0]}/1"])
    usage.measure()
    assert usage.files == 2 * (20 + 4 + 1) - 6


def test_who_has_too_many_files_is_found_out_before_the_last(folders: list[str]) -> None:
    usage = usage_of(folders, [], files=30)
    usage.measure()
    assert usage.is_full
    assert usage.files == 31


def test_a_folder_that_its_owner_shut_is_measured_and_left_shut(folders: list[str]) -> None:
    folder = Path(folders[0])
    folder.chmod(0)
    usage = usage_of(folders, [])
    usage.measure()
    assert usage.files == 2 * (20 + 4 + 1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0
    folder.chmod(0o700)


def test_a_folder_that_is_gone_holds_nothing(folders: list[str], tmp_path: Path) -> None:
    usage = usage_of([*folders, str(tmp_path / "nothing")], [])
    usage.measure()
    assert usage.files == 2 * (20 + 4 + 1)


def test_who_moves_folders_about_without_end_is_found_out(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("home", *["d"] * KEPT)
    here, there = deep / "a" / "moving", deep / "b" / "moving"
    here.mkdir(parents=True)
    there.parent.mkdir()
    for number in range(20):
        (here / str(number)).touch()
    usage = usage_of([str(tmp_path / "home")], [])
    usage.measure()
    found = usage.files
    for _measure in range(MOST_TORN + 1):
        assert not usage.keeps_moving
        for _step in range(KEPT + 15):
            usage.measure(0)
        here.rename(there)  # while the walk is in it
        usage.measure()
        here, there = there, here
    assert usage.keeps_moving
    assert usage.is_full
    assert usage.files == found

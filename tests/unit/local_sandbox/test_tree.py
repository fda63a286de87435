"""A tree is walked to its end whatever its owner made of it, and never left."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vibekit_jupyter.local_sandbox.supervisor import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEP = 100_000


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder, in memory where that is possible: a disk takes minutes for deep trees."""
    found = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    yield found
    above = tree.open_folder(str(found.parent))
    tree.remove(above, found.name)
    os.close(above)


@pytest.fixture
def top(place: Path) -> Iterator[int]:
    """The descriptor of an empty folder."""
    (place / "top").mkdir()
    folder = tree.open_folder(str(place / "top"))
    yield folder
    os.close(folder)


def dig(top: int, name: str, depth: int) -> None:
    """Make a folder that is so deep."""
    here = os.dup(top)
    for _level in range(depth):
        os.mkdir(name, dir_fd=here)
        inside = os.open(name, tree.FOLDER, dir_fd=here)
        os.close(here)
        here = inside
    os.close(here)


def test_depth_is_no_obstacle(top: int) -> None:
    dig(top, "d", DEEP)
    assert tree.measure(top, "d").entries == DEEP
    tree.remove(top, "d")
    assert os.listdir(top) == []


def test_a_path_that_is_too_long_is_no_obstacle(top: int) -> None:
    dig(top, "n" * 255, 100)
    assert tree.measure(top, "n" * 255).entries == 100
    tree.remove(top, "n" * 255)
    assert os.listdir(top) == []


def test_what_is_gone_is_neither_measured_nor_removed(top: int) -> None:
    assert tree.measure(top, "nothing") == (0, 0)
    tree.remove(top, "nothing")


def test_a_link_is_removed_and_not_what_it_leads_to(top: int, place: Path) -> None:
    bait = place / "bait"
    bait.mkdir()
    (bait / "file").write_text("BAIT")
    (place / "top" / "d").mkdir()
    (place / "top" / "d" / "out").symlink_to(bait)
    (place / "top" / "out").symlink_to(bait)
    assert tree.measure(top, "d").entries == 2
    for name in ("d", "out"):
        tree.remove(top, name)
    assert (bait / "file").read_text() == "BAIT"


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600])
def test_what_its_owner_locked_is_counted_and_left_locked(top: int, place: Path, mode: int) -> None:
    locked = place / "top" / "d" / "locked"
    (locked / "below").mkdir(parents=True)
    (locked / "file").write_text("x")
    for folder in (locked / "below", locked):
        folder.chmod(mode)
    assert tree.measure(top, "d").entries == 4
    assert stat.S_IMODE(locked.stat().st_mode) == mode
    tree.remove(top, "d")
    assert os.listdir(top) == []


def test_a_file_with_two_names_is_counted_once(top: int, place: Path) -> None:
    folder = place / "top" / "d"
    folder.mkdir()
    (folder / "one").write_bytes(b"x" * 100_000)
    size = tree.measure(top, "d").bytes
    (folder / "two").hardlink_to(folder / "one")
    assert tree.measure(top, "d") == (size, 2)


def test_a_foreign_folder_is_not_entered(top: int, place: Path) -> None:
    foreign = place / "top" / "d" / "foreign"
    (foreign / "below").mkdir(parents=True)
    found = foreign.stat()
    assert tree.measure(top, "d", {(found.st_dev, found.st_ino)}).entries == 1


def test_a_folder_that_is_swapped_for_a_link_is_not_followed(top: int, place: Path) -> None:
    bait = place / "bait"
    (bait / "below").mkdir(parents=True)
    folder = place / "top" / "d"
    (folder / "inside").mkdir(parents=True)
    seen = []
    for what, _folder, name, _found in tree.walk(top, "d"):
        seen.append((what, name))
        if (what, name) == (tree.BEGIN, "d"):
            (folder / "inside").rename(place / "top" / "away")
            (folder / "inside").symlink_to(bait)
    assert seen == [(tree.BEGIN, "d"), (tree.ENTRY, "inside"), (tree.END, "d")]


def move_away_within(top: int, place: Path, *, depth: int) -> Iterator[tree.Step]:
    """Begin to walk folders that are so deep; move the innermost away once the walk is there."""
    dig(top, "d", depth)
    walk = tree.walk(top, "d")
    for _level in range(depth):
        assert next(walk)[0] is tree.BEGIN
    (place / "elsewhere").mkdir()
    place.joinpath("top", *["d"] * depth).rename(place / "elsewhere" / "d")
    return walk


def test_the_way_up_leads_nowhere_else(top: int, place: Path) -> None:
    walk = move_away_within(top, place, depth=tree.KEPT + 2)
    with pytest.raises(OSError, match="moved about"):
        next(walk)


def test_a_folder_that_is_moved_away_does_not_end_a_walk_that_is_not_deep(
    top: int, place: Path
) -> None:
    walk = move_away_within(top, place, depth=tree.KEPT)
    assert [what for what, *_rest in walk] == [tree.END] * tree.KEPT


def test_a_path_is_made_through_no_link(top: int, place: Path) -> None:
    bait = place / "bait"
    bait.mkdir()
    (place / "top" / "work").symlink_to(bait)
    tree.make_path(top, "work/venv/lib")
    assert (place / "top" / "work" / "venv" / "lib").is_dir()
    assert not (place / "top" / "work").is_symlink()
    assert list(bait.iterdir()) == []


NAMES = st.binary(min_size=1, max_size=20).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."}
)
TREES = st.recursive(
    st.sampled_from([0o000, 0o644]),
    lambda below: st.dictionaries(NAMES, below, max_size=4),
    max_leaves=20,
)


def build(folder: int, name: bytes, shape: Any) -> int:
    """Make a tree, and return how many entries it has."""
    if not isinstance(shape, dict):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, shape, dir_fd=folder))
        return 1
    os.mkdir(name, dir_fd=folder)
    inside = os.open(name, os.O_RDONLY, dir_fd=folder)
    made = sum(build(inside, below, of) for below, of in shape.items())
    os.close(inside)
    return 1 + made


@given(TREES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_is_counted_and_removed(top: int, shape: object) -> None:
    made = build(top, b"t", shape)
    assert tree.measure(top, "t").entries == made
    tree.remove(top, "t")
    assert os.listdir(top) == []

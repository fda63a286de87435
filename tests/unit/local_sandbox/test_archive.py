"""What is packed comes out the same, and a stream makes nothing outside of its folder."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.local_sandbox.test_tree import TREES, build, dig, place
from vibekit_jupyter.local_sandbox.supervisor import tree
from vibekit_jupyter.local_sandbox.supervisor.archive import (
    HEADER,
    MAGIC,
    ArchiveError,
    pack,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = 2**30
__all__ = ["place"]


@pytest.fixture
def source(place: Path) -> Path:
    (place / "source").mkdir()
    return place / "source"


@pytest.fixture
def folder(place: Path) -> Iterator[int]:
    found = tree.open_folder(str(place))
    yield found
    os.close(found)


def packed(folder: int, name: str = "source", most: int = MOST) -> io.BytesIO:
    stream = io.BytesIO()
    pack(folder, name, stream, most=most)
    stream.seek(0)
    return stream


def test_a_tree_comes_out_as_it_went_in(folder: int, source: Path, place: Path) -> None:
    (source / "text").write_text("text")
    (source / "large").write_bytes(os.urandom(300_000))
    (source / "empty").touch()
    (source / "below").mkdir()
    (source / "below" / "link").symlink_to("../text")
    (source / "dangling").symlink_to("/nowhere")
    os.mkfifo(source / "pipe", 0o640)
    (source / "secret").write_text("secret")
    (source / "secret").chmod(0o400)
    (source / "below").chmod(0o750)
    for name in ("text", "below"):
        os.utime(source / name, ns=(1, 1_234_567_890_123_456_789))
    unpack(packed(folder), folder, "copy")
    copy = place / "copy"
    assert sorted(os.listdir(copy)) == sorted(os.listdir(source))
    for name in ("text", "large", "empty", "secret", "below/link"):
        assert (copy / name).read_bytes() == (source / name).read_bytes()
    assert os.readlink(copy / "below" / "link") == "../text"
    assert os.readlink(copy / "dangling") == "/nowhere"
    for name in ("text", "below", "secret", "pipe", "large"):
        ours, theirs = (copy / name).lstat(), (source / name).lstat()
        assert (ours.st_mode, ours.st_mtime_ns) == (theirs.st_mode, theirs.st_mtime_ns)


def test_holes_stay_holes(folder: int, source: Path, place: Path) -> None:
    with (source / "sparse").open("wb") as file:
        file.seek(2**30)
        file.write(b"middle")
        file.truncate(2**31)
    stream = packed(folder)
    assert stream.getbuffer().nbytes < 100_000
    unpack(stream, folder, "copy")
    found = (place / "copy" / "sparse").stat()
    assert found.st_size == 2**31
    assert found.st_blocks * 512 < 100_000
    with (place / "copy" / "sparse").open("rb") as file:
        file.seek(2**30)
        assert file.read(6) == b"middle"


def test_names_of_one_file_stay_names_of_one_file(folder: int, source: Path, place: Path) -> None:
    (source / "below").mkdir()
    (source / "one").write_text("x")
    (source / "below" / "two").hardlink_to(source / "one")
    (source / "three").hardlink_to(source / "one")
    unpack(packed(folder), folder, "copy")
    names = [place / "copy" / name for name in ("one", "below/two", "three")]
    assert len({name.stat().st_ino for name in names}) == 1
    assert names[0].stat().st_nlink == 3
    assert sorted(os.listdir(place)) == ["copy", "source"]


def test_attributes_stay_and_lent_rights_do_not(folder: int, source: Path, place: Path) -> None:
    file = source / "file"
    file.write_text("x")
    os.setxattr(file, "user.e2b.colour", b"blue")
    file.chmod(0o6444)
    unpack(packed(folder), folder, "copy")
    copy = place / "copy" / "file"
    assert os.getxattr(copy, "user.e2b.colour") == b"blue"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o444


def test_what_its_owner_locked_is_copied_and_left_locked(
    folder: int, source: Path, place: Path
) -> None:
    (source / "locked").mkdir()
    (source / "locked" / "file").write_text("x")
    for path in (source / "locked" / "file", source / "locked"):
        path.chmod(0)
    unpack(packed(folder), folder, "copy")
    for path in (source, place / "copy"):
        assert stat.S_IMODE((path / "locked").stat().st_mode) == 0
        (path / "locked").chmod(0o700)
        assert stat.S_IMODE((path / "locked" / "file").stat().st_mode) == 0
    (place / "copy" / "locked" / "file").chmod(0o600)
    assert (place / "copy" / "locked" / "file").read_text() == "x"


def test_depth_is_no_obstacle(folder: int) -> None:
    dig(folder, "source", 20_000)
    unpack(packed(folder), folder, "copy")
    assert tree.measure(folder, "copy").entries == 20_000


def test_a_time_that_no_clock_tells_is_no_obstacle(folder: int, source: Path) -> None:
    os.utime(source, (2**40, 2**40))
    unpack(packed(folder), folder, "copy")


def test_sockets_are_left_out(folder: int, source: Path, place: Path) -> None:
    os.mknod(source / "socket", stat.S_IFSOCK | 0o600)
    unpack(packed(folder), folder, "copy")
    assert list((place / "copy").iterdir()) == []


def test_a_tree_over_its_bound_is_not_packed(folder: int, source: Path) -> None:
    (source / "file").write_bytes(b"x" * 10_000)
    with pytest.raises(ArchiveError, match="more than"):
        packed(folder, most=5_000)


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"/etc", b"\0"])
def test_a_name_that_leads_elsewhere_is_refused(folder: int, place: Path, name: bytes) -> None:
    def header(kind: bytes, name: bytes) -> bytes:
        return HEADER.pack(kind, 0o755, 0, 0, 0, len(name), 0) + name

    for kind in (b"D", b"F", b"L", b"P"):
        stream = io.BytesIO(MAGIC + header(b"D", b"top") + header(kind, name))
        with pytest.raises(ArchiveError, match="damaged"):
            unpack(stream, folder, "copy")
        assert os.listdir(place) == ["copy"]


@given(cut=st.integers(0, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stream_that_is_cut_is_refused(folder: int, source: Path, cut: int) -> None:
    (source / "below").mkdir(exist_ok=True)
    (source / "below" / "file").write_text("x" * 400)
    whole = packed(folder).getvalue()
    with pytest.raises(ArchiveError):
        unpack(io.BytesIO(whole[:cut]), folder, "copy")
    tree.remove(folder, "copy")


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_make_nothing_outside(folder: int, place: Path, data: bytes) -> None:
    with contextlib.suppress(ArchiveError, OSError):
        unpack(io.BytesIO(MAGIC + data), folder, "copy")
    assert {name for name in os.listdir(place) if not name.startswith(".links-")} <= {"copy"}
    tree.remove(folder, "copy")


def told(folder: int, name: str) -> list[tuple[str, str, int]]:
    """Return what is in a tree, apart from its own name."""
    steps = tree.walk(folder, name)
    return sorted(
        (what, below.removeprefix(name), found.st_mode) for what, _, below, found in steps
    )


@given(TREES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_comes_out_as_it_went_in(folder: int, shape: object) -> None:
    build(folder, b"source", shape)
    unpack(packed(folder), folder, "copy")
    try:
        assert told(folder, "copy") == told(folder, "source")
    finally:
        for name in ("source", "copy"):
            tree.remove(folder, name)

"""A sandbox whose lists, names and archives an attacker chose: nothing is written outside."""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import signal
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.workbench.files import in_sandbox
from vibekit_jupyter.workbench.files.names import wanted
from vibekit_jupyter.workbench.files.tar import BadArchiveError, Reader
from vibekit_jupyter.workbench.files.target import Target

if TYPE_CHECKING:
    from pathlib import Path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 3) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info.tobuf(tarfile.GNU_FORMAT) + b"abc".ljust(512, b"\0")


def sparse() -> bytes:
    data = bytearray(member("0", tarfile.GNUTYPE_SPARSE))
    return bytes(data)


ARCHIVES = {
    "parent": member("../0"),
    "absolute": member("/0"),
    "path": member("a/0"),
    "long name": member("x" * 300),
    "link": member("0", tarfile.SYMTYPE, "/etc/passwd", 0),
    "hard link": member("0", tarfile.LNKTYPE, "/etc/passwd", 0),
    "device": member("0", tarfile.CHRTYPE, size=0),
    "pipe": member("0", tarfile.FIFOTYPE, size=0),
    "folder": member("0", tarfile.DIRTYPE, size=0),
    "sparse": sparse(),
    "another number": member("7"),
    "negative": member("-1"),
    "too large": member("0", size=4),
    "huge": member("0", size=8**11 - 1),
    "binary size": member("0")[:124] + b"\xff" * 12 + member("0")[136:],
    "one twice": member("0") + member("0"),
    "backwards": member("1") + member("0"),
    "pax": tarfile.TarInfo("0").tobuf(tarfile.PAX_FORMAT)
    and tarfile.TarInfo("é" * 200).tobuf(tarfile.PAX_FORMAT),
    "no checksum": member("0")[:148] + b"0" * 8 + member("0")[156:],
    "more after its end": bytes(1024) + b"x" * 4096,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_anything_else_is_refused(name: str) -> None:
    taken: list[int] = []
    reader = Reader([3, 3], lambda number, _: taken.append(number))

    def read() -> None:
        reader.feed(ARCHIVES[name] + bytes(1024))
        reader.close()

    with pytest.raises(BadArchiveError):
        read()
    assert len(taken) <= 1


def answer(*rows: object, **more: Any) -> dict[str, Any]:
    packed = base64.b64encode(zlib.compress(json.dumps(rows).encode())).decode()
    return {"found": packed, "more": False, "nameless": 0, **more}


@pytest.mark.parametrize(
    "row",
    [
        [0, False, "secret.txt", "file", 1, 0, ""],
        [0, False, "../a.csv", "file", 1, 0, ""],
        [0, True, "a.csv", "file", 1, 0, ""],
        [1, False, "a.csv", "file", 1, 0, ""],
        [0, False, "a.csv", "socket", 1, 0, ""],
        [0, False, "a.csv", "file", -1, 0, ""],
        [0, False, "a.csv", "file", 2**80, 0, ""],
        [0, False, "a.csv", "file", 1.5, 0, ""],
        [0, False, "a.csv", "file", 1, "now", ""],
        [0, False, "a.csv", "file", 1, 0, "<b>"],
        [0, False, ["a.csv"], "file", 1, 0, ""],
        [0, False, "a.csv"],
        "row",
    ],
    ids=str,
)
def test_a_list_of_what_nobody_asked_for_is_refused(row: object) -> None:
    words = [wanted("*.csv")]
    assert in_sandbox._read(answer([0, False, "a.csv", "file", 1, 0, "+"]), words, 10).found
    with pytest.raises((LookupError, TypeError, ValueError)):
        in_sandbox._read(answer(row), words, 10)


def test_a_list_that_is_small_only_on_its_way_is_refused() -> None:
    bomb = base64.b64encode(zlib.compress(b" " * 200_000_000, 9)).decode()
    with pytest.raises(ValueError, match="more than"):
        in_sandbox._read({"found": bomb, "more": False, "nameless": 0}, [wanted("*")], 10)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    folder.mkdir()
    (outside / "kept").write_text("kept")
    (folder / "to-folder").symlink_to(outside)
    (folder / "to-file").symlink_to(outside / "kept")
    (folder / "dangling").symlink_to(outside / "new")
    with Target(folder) as target:
        for parts in (("to-folder", "x"), ("to-folder", "deep", "x")):
            with pytest.raises(FilesError, match="Links are not followed"):
                target.write(parts, b"bad", 0)
            with pytest.raises(FilesError, match="Links are not followed"):
                target.make_folder(parts)
            with pytest.raises(FilesError, match="Links are not followed"):
                target.part(parts, "k", "v", keep=True)
        for name in ("to-file", "dangling", "to-folder"):
            with pytest.raises(FilesError, match="was not written"):
                target.state((name,))
        target.write(("to-file",), b"mine", 0)  # as by one who is faster than the look
        assert not (folder / "to-file").is_symlink()
    assert sorted(each.name for each in outside.iterdir()) == ["kept"]
    assert (outside / "kept").read_text() == "kept"


def test_a_part_that_is_a_link_is_not_gone_on_with(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / ".vibekit-k-v.part").symlink_to(outside)
    with Target(folder) as target, pytest.raises(FilesError):
        target.part(("x",), "k", "v", keep=True)
    (folder / ".vibekit-k-v.part").unlink()
    os.link(outside, folder / ".vibekit-k-v.part")
    with Target(folder) as target:
        part = target.part(("x",), "k", "v", keep=True)
        part.take(b"new")
        part.finish(0)
        part.close()
    assert outside.read_text() == "kept"
    assert (folder / "x").read_text() == "new"


def test_a_disk_that_takes_no_more_keeps_no_half_file(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Target(tmp_path) as target:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(FilesError, match="x could not be written here"):
                target.write(("x",), bytes(5000), 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_made_by_the_script_is_taken(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("0")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    taken: list[bytes] = []
    reader = Reader([3], lambda _, data: taken.append(data))
    reader.feed(made.getvalue()[: 3 * 512])
    reader.close()
    assert taken == [b"abc"]

"""Runs inside a sandbox, in its home: leaves something there that is hard to get rid of.

``python leftovers.py KIND``. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

Leftover = Callable[[], object]
KINDS: dict[str, Leftover] = {}
DEEP = 1_200
VERY_DEEP = 100_000


def leftover(function: Leftover) -> Leftover:
    KINDS[function.__name__] = function
    return function


def dig(depth: int, name: str = "d") -> None:
    """Go so deep."""
    for _level in range(depth):
        os.mkdir(name)
        os.chdir(name)


@leftover
def a_deep_folder() -> None:
    dig(DEEP)
    Path("file").write_text("deep")


@leftover
def a_very_deep_folder() -> None:
    dig(VERY_DEEP)


@leftover
def a_path_that_is_too_long() -> None:
    dig(50, "n" * 255)


@leftover
def a_wide_folder() -> None:
    for number in range(30_000):
        os.close(os.open(f"f{number}", os.O_CREAT | os.O_WRONLY))


@leftover
def many_folders() -> None:
    for number in range(3_000):
        os.mkdir(f"f{number}")


@leftover
def names_of_one_file() -> None:
    Path("first").write_text("x")
    for number in range(1_000):
        os.link("first", f"f{number}")


@leftover
def a_home_that_is_locked() -> None:
    Path().chmod(0)


@leftover
def folders_that_are_locked() -> None:
    for mode in range(0o10):
        Path(f"f{mode}", "below").mkdir(parents=True)
        Path(f"f{mode}", "file").write_text("x")
        Path(f"f{mode}").chmod(mode << 6)


@leftover
def a_temporary_folder_that_is_locked() -> None:
    Path(os.environ.get("TMPDIR", "/tmp")).chmod(0)


@leftover
def deep_folders_that_are_locked() -> None:
    dig(300)
    for _level in range(300):
        os.chdir("..")
        Path("d").chmod(0)


@leftover
def files_that_are_locked() -> None:
    Path("f").write_text("x")
    Path("f").chmod(0)


@leftover
def a_named_pipe() -> None:
    os.mkfifo("pipe")


@leftover
def a_socket() -> None:
    with contextlib.suppress(OSError):
        socket.socket(socket.AF_UNIX).bind("socket")


@leftover
def files_with_holes() -> None:
    for number in range(100):
        with open(f"f{number}", "wb") as file:
            file.truncate(2**31 - 1)


@leftover
def a_link_to_everything() -> None:
    os.symlink("/", "root")
    os.symlink("../../../../../../../..", "up")


@leftover
def links_in_a_circle() -> None:
    os.symlink("b", "a")
    os.symlink("a", "b")
    os.symlink(".", "self")


@leftover
def a_chain_of_links() -> None:
    for number in range(3_000):
        os.symlink(f"l{number + 1}", f"l{number}")


@leftover
def names_that_are_no_text() -> None:
    for name in (b"\xff\xfe", b"\xed\xa0\x80", b"a\nb", b"\x1b[2J", b" ", b"-rf"):
        os.mkdir(name)


@leftover
def names_of_the_servers_own() -> None:
    for name in ("record.json", "boot_id", "files", "home", "trash", ".lock", ".links-0"):
        os.mkdir(name)


@leftover
def a_forged_record() -> None:
    Path("record.json").write_text('{"id": "..", "state": "running"}')


@leftover
def attributes() -> None:
    Path("f").write_text("x")
    for number in range(10):
        with contextlib.suppress(OSError):
            os.setxattr("f", f"user.e2b.x{number}", b"\xff" * 100)


@leftover
def times_without_a_date() -> None:
    for number, moment in enumerate((-(2**40), 2**40, 2**33)):
        Path(f"f{number}").write_text("x")
        with contextlib.suppress(OSError, OverflowError):
            os.utime(f"f{number}", (moment, moment))


@leftover
def odd_permission_bits() -> None:
    for bits in (0o4755, 0o2755, 0o1777, 0o7777):
        os.mkdir(f"f{bits:o}")
        with contextlib.suppress(OSError):
            Path(f"f{bits:o}").chmod(bits)


@leftover
def a_file_that_is_open_and_removed() -> None:
    if os.fork() == 0:
        os.setsid()
        file = os.open("f", os.O_CREAT | os.O_RDWR)
        os.unlink("f")
        os.write(file, b"x" * 1_000_000)
        detach()
        ctypes.CDLL(None).pause()


@leftover
def somebody_who_goes_on_writing() -> None:
    if os.fork() == 0:
        os.setsid()
        detach()
        for number in range(10**9):
            with contextlib.suppress(OSError):
                os.makedirs(f"busy/{number % 100}/{number % 7}")


@leftover
def somebody_who_moves_folders_about() -> None:
    if os.fork() == 0:
        os.setsid()
        detach()
        os.makedirs("a/b/c/d")
        os.makedirs("x")
        while True:
            os.rename("a/b", "x/b")
            os.rename("x/b", "a/b")


@leftover
def somebody_who_locks_folders() -> None:
    if os.fork() == 0:
        os.setsid()
        detach()
        os.makedirs("a/b/c")
        while True:
            for mode in (0, 0o700):
                Path("a").chmod(mode)


@leftover
def a_link_where_something_is_mounted() -> None:
    for top in ("/tmp", "/root", "/home/user"):
        for name in os.listdir(top):
            with contextlib.suppress(OSError):
                os.rename(f"{top}/{name}", f"{top}/{name}.away")
                os.symlink("/etc", f"{top}/{name}")


@leftover
def a_full_folder_of_temporary_files() -> None:
    folder = os.environ.get("TMPDIR", "/tmp")
    for number in range(5_000):
        os.close(os.open(f"{folder}/f{number}", os.O_CREAT | os.O_WRONLY))


@leftover
def names_as_long_as_can_be() -> None:
    for number in range(100):
        Path(f"{number:03}" + "n" * 252).write_text("x")


def detach() -> None:
    """Let go of the command's streams."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)


if __name__ == "__main__":
    KINDS[sys.argv[1]]()

"""Runs inside a sandbox: holds more than it may, in one of many ways. Standard library only.

``python hogs.py HOG WAY MARK`` holds what HOG names as WAY says, until it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

MIB = 1024 * 1024
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.shmat.restype = ctypes.c_void_p
# A hog takes the part of all that its one process of many is to hold.
Hog = Callable[[float], object]
HOGS: dict[str, Hog] = {}
COUNTED: set[str] = set()


def hog(function: Hog) -> Hog:
    HOGS[function.__name__] = function
    return function


def counted(function: Hog) -> Hog:
    """Mark a hog whose kind the kernel counts, so that nobody has to be killed for it."""
    COUNTED.add(function.__name__)
    return hog(function)


def touch(memory: mmap.mmap) -> mmap.mmap:
    for offset in range(0, len(memory), 4096):
        memory[offset] = 1
    return memory


# -- memory, 512 MiB -----------------------------------------------------------------------


@hog
def own_memory(part: float) -> object:
    return b"x" * int(512 * MIB * part)


@hog
def anonymous_shared_memory(part: float) -> object:
    return touch(mmap.mmap(-1, int(512 * MIB * part)))


@hog
def unmapped_memfd(part: float) -> object:
    descriptor = os.memfd_create("hog")
    os.posix_fallocate(descriptor, 0, int(512 * MIB * part))
    return descriptor


@hog
def memory_behind_a_first_thread_that_ended(part: float) -> object:
    def hold() -> None:
        held = b"x" * int(512 * MIB * part)
        while held:
            time.sleep(1)

    threading.Thread(target=hold).start()
    libc.pthread_exit(None)
    return None


@hog
def pipes(part: float) -> object:
    for _process in range(4 if part == 1 else 0):
        if os.fork() == 0:
            hold("pipes", 1 / 4)
    held = []
    for _pipe in range(int(6000 * part) if part < 1 else 0):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(65_536))
        held.append((reader, writer))
    return held


@hog
def socket_buffers(part: float) -> object:
    held = []
    for _pair in range(int(1500 * part)):
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(65_536))
        held.append((ours, theirs))
    return held


@hog
def page_tables(part: float) -> object:
    # One page read of each 2 MiB: nothing is resident but the tables.
    length = int(150_000 * part) * 2 * MIB
    address = libc.mmap(None, ctypes.c_size_t(length), 1, 0x4022, -1, ctypes.c_long(0))
    libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(length), 15)  # no huge pages
    for offset in range(0, length, 2 * MIB):
        ctypes.string_at(address + offset, 1)
    return address


@hog
def memory_of_system_v(part: float) -> object:
    size = ctypes.c_size_t(int(512 * MIB * part))
    identity = libc.shmget(0, size, 0o1600)
    if identity == -1:
        raise OSError(ctypes.get_errno(), "shmget")
    address = libc.shmat(identity, None, 0)
    ctypes.memset(address, 1, size.value)
    libc.shmdt(ctypes.c_void_p(address))
    return identity


@hog
def semaphores_of_system_v(part: float) -> object:
    for _set in range(int(200 * part)):
        libc.semget(0, 32_000, 0o1600)
    return None


# -- disk, 128 MiB -------------------------------------------------------------------------


def write(path: str | Path, size: float) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.posix_fallocate(descriptor, 0, int(size))
    return descriptor


@hog
def large_files(part: float) -> object:
    write(Path(tempfile.mkdtemp(dir=Path.home()), "large"), 128 * MIB * part)
    return None


@hog
def deleted_files_held_open(part: float) -> object:
    descriptor = write("held", 128 * MIB * part)
    os.unlink("held")
    return descriptor


@hog
def deleted_files_held_by_a_mapping(part: float) -> object:
    descriptor = write("held", 128 * MIB * part)
    os.unlink("held")
    held = mmap.mmap(descriptor, int(128 * MIB * part))
    os.close(descriptor)
    return held


@hog
def files_in_a_folder_that_cannot_be_read(part: float) -> object:
    folder = Path(tempfile.mkdtemp(dir=Path.home()))
    write(folder / "large", 128 * MIB * part)
    folder.chmod(0o300)
    return None


@hog
def files_below_the_longest_path(part: float) -> object:
    for _folder in range(40):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    write("large", 128 * MIB * part)
    return None


@hog
def empty_files(part: float) -> object:
    for number in range(int(30_000 * part)):
        os.close(os.open(f"{number}", os.O_CREAT, 0o600))
    return None


# -- what the kernel has few of ------------------------------------------------------------


@counted
def processes(part: float) -> object:
    for _process in range(int(2000 * part)):
        with contextlib.suppress(BlockingIOError):
            if os.fork() == 0:
                while True:
                    time.sleep(10)
    return None


@counted
def threads(part: float) -> object:
    threading.stack_size(65_536)
    with contextlib.suppress(RuntimeError):
        for _thread in range(int(2000 * part)):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return None


@hog
def files_sent_and_not_received(part: float) -> object:
    ours, theirs = socket.socketpair()
    for _file in range(int(400 * part)):
        descriptor = os.memfd_create("sent")
        socket.send_fds(ours, [b"x"], [descriptor])
        os.close(descriptor)
    return ours, theirs


@hog
def files_waited_for(part: float) -> object:
    held = [os.pipe()[0] for _pipe in range(1000)]
    import select

    polls = [select.epoll() for _poll in range(int(1000 * part))]
    for poll in polls:
        for descriptor in held:
            poll.register(descriptor)
    return held, polls


# -- ways to do it -------------------------------------------------------------------------


def hold(name: str, part: float = 1.0) -> None:
    # So that 50 can work in one folder.
    os.chdir(tempfile.mkdtemp(dir=Path.home()))
    held = HOGS[name](part)
    Path.home().joinpath("held").touch()
    while True:
        time.sleep(10)
        assert held is not libc


def in_front(name: str) -> None:
    hold(name)


def as_a_daemon(name: str) -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            hold(name)
        os._exit(0)


def after_its_command(name: str) -> None:
    command = os.getpid()
    if os.fork() == 0:
        os.setsid()
        while os.getppid() == command:
            time.sleep(0.01)
        hold(name)


def in_fifty(name: str) -> None:
    for _process in range(50):
        if os.fork() == 0:
            os.setsid()
            hold(name, 1 / 50)


WAYS = {
    function.__name__: function for function in (in_front, as_a_daemon, after_its_command, in_fifty)
}


def main() -> None:
    # Whoever started it need not wait for an end of its output.
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    WAYS[sys.argv[2]](sys.argv[1])


if __name__ == "__main__":
    assert struct.calcsize("P") == 8
    main()

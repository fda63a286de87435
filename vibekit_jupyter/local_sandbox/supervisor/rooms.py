"""The ways into a sandbox's confinement, one per level.

All but the first two run in a fresh fork of the zygote, before the supervisor's loop begins, and
do not come back from an error: a sandbox that cannot be confined as asked does not start.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import subprocess
import sys
from io import FileIO
from typing import Any

__all__ = [
    "adopt_orphans",
    "become_nobody",
    "drop_privileges",
    "join_namespaces",
    "kernel_call",
    "read_child_pid",
    "start_keeper",
]

NS_GET_USERNS = 0xB701
CLONE_NEWUSER = 0x10000000
INSIDE_UID = 1000
MOST_INSTANCES, MOST_WATCHES = 32, 16_384
NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 24, 38
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def kernel_call(name: str, *arguments: Any) -> int:
    """Call libc's ``name``.

    Raises
    ------
    OSError
        It returned -1.
    """
    result = getattr(_libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return int(result)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    if sys.platform == "linux":
        kernel_call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start_keeper(
    argv: list[str], allowed: bytes
) -> tuple[subprocess.Popen[bytes], FileIO, int, int]:
    """Start bubblewrap, which makes the namespaces and keeps them.

    Parameters
    ----------
    allowed
        The seccomp filter of process 1: without Landlock, a program inside may write to its memory.

    Returns
    -------
    tuple
        Its process; where it tells the pid of the first process inside (see
        :func:`read_child_pid`); and the descriptors on which that one says that all is ready, and
        bubblewrap complains.
    """
    with contextlib.ExitStack() as ends:
        said, said_writer = _pipe(ends)
        complaint, complaint_writer = _pipe(ends)
        information, information_writer = _pipe(ends)
        # Through a pipe: what is on a command line can be read inside the sandbox.
        arguments = _pipe_of(ends, b"\0".join(map(os.fsencode, argv[1:])) + b"\0")
        filtering = _pipe_of(ends, allowed)
        keeper = subprocess.Popen(
            [
                *(argv[0], "--args", str(arguments), "--seccomp", str(filtering)),
                *("--info-fd", str(information_writer.fileno())),
                # Whoever is process 1 cannot be killed from inside, by kill(-1) either.
                *("--as-pid-1", "/bin/sh", "-c", "echo ready && exec sleep infinity >/dev/null"),
            ],
            pass_fds=(arguments, filtering, information_writer.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=said_writer,
            stderr=complaint_writer,
            env={"PATH": os.defpath},
        )
        kept = [os.dup(end.fileno()) for end in (information, said, complaint)]
    return keeper, FileIO(kept[0]), kept[1], kept[2]


def _pipe(ends: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """Make a pipe whose ends are closed with all others."""
    reader, writer = os.pipe()
    return ends.enter_context(FileIO(reader)), ends.enter_context(FileIO(writer, "w"))


def _pipe_of(ends: contextlib.ExitStack, data: bytes) -> int:
    """Make a pipe that holds some bytes, and no more; return its descriptor."""
    reader, writer = _pipe(ends)
    writer.write(data)
    writer.close()
    return reader.fileno()


def read_child_pid(information: FileIO) -> int:
    """Read the pid that bubblewrap reports; 0 where it failed before it could."""
    text = b""
    while b"}" not in text and (more := information.read(4096)):
        text += more
    return int(json.loads(text)["child-pid"]) if text else 0


def join_namespaces(pid: int) -> None:
    """Enter the namespaces in which process ``pid`` lives; the next fork is inside for good.

    For an ordinary user, bubblewrap nests two user namespaces: an outer one that owns the
    others, and an inner one in which the sandbox's user is not root. Both are entered, in this
    order. For root there is neither (see :func:`become_nobody`).

    Raises
    ------
    OSError
        Whoever enters does not get the root that ``pid`` has.
    """
    doors = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in NAMESPACES]
    inner = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    outer = fcntl.ioctl(doors[0], NS_GET_USERNS)
    root = os.stat(f"/proc/{pid}/root")
    here = os.stat("/proc/self/ns/user").st_ino
    between, within = os.fstat(outer).st_ino, os.fstat(inner).st_ino
    if between != here:
        kernel_call("setns", outer, 0)
        _bound_watches()
    for door in doors:
        kernel_call("setns", door, 0)
    if not os.path.samestat(root, os.stat("/")):
        # bubblewrap has another root, and the namespace's is still the one outside of a chroot.
        raise OSError("this is a chroot, and what is outside of it could be seen")
    if within != between:
        kernel_call("setns", inner, 0)
    for door in (*doors, inner, outer):
        os.close(door)


def become_nobody(uid: int) -> None:
    """Stop being the machine's root: be ``uid``, which owns nothing but the sandbox's folders.

    A user namespace of its own makes it 1000 inside, and makes the kernel count the sandbox's
    processes apart from others of the same ``uid``. Without this step a process without any
    capability would still own all that root owns, ``/proc/sys`` included.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    kernel_call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # else its own /proc entries are root's
    kernel_call("unshare", CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", uid_map(uid)), ("gid_map", uid_map(uid))):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    _bound_watches()


def _bound_watches() -> None:
    """Leave the user's other programs some of the 128 inotify instances that each user has.

    The bound is the user namespace's, for whoever is in it or below.
    """
    for name, most in (("instances", MOST_INSTANCES), ("watches", MOST_WATCHES)):
        path = f"/proc/sys/user/max_inotify_{name}"
        with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
            file.write(str(most))


def uid_map(uid: int) -> str:
    """Return the line that maps ``uid`` to the sandbox's user."""
    return f"{INSIDE_UID} {uid} 1"


def drop_privileges() -> None:
    """Give up every capability and the way to new ones (setuid programs gain nothing)."""
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == -1:
            break  # not permitted, or past the last one: the sets below are what counts
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    kernel_call("capset", header, (ctypes.c_uint32 * 6)())
    kernel_call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    kernel_call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)

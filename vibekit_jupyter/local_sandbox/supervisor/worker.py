"""A worker: a fork of the zygote that does one job on the files of sandboxes, and ends.

It can reach the one folder that it is given and nothing else: it is held there by Landlock, where
the kernel has it, and everywhere by walking as :mod:`.tree` does. (Where it only measures, by the
latter alone: Landlock takes time for each folder above, and deep ones would take minutes.) As root
it keeps the rights over other users' files, and no other.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from vibekit_jupyter.local_sandbox.supervisor import tree
from vibekit_jupyter.local_sandbox.supervisor.archive import ArchiveError, pack, unpack
from vibekit_jupyter.local_sandbox.supervisor.frames import Channel
from vibekit_jupyter.local_sandbox.supervisor.landlock import restrict
from vibekit_jupyter.local_sandbox.supervisor.limits import go_first
from vibekit_jupyter.local_sandbox.supervisor.rooms import (
    CAPABILITY_VERSION_3,
    PR_SET_NO_NEW_PRIVS,
    kernel_call,
)

if TYPE_CHECKING:
    from vibekit_jupyter.local_sandbox.supervisor.frames import Message

__all__ = ["become_worker"]

# To own, read and write what is another user's.
CAPABILITIES = sum(1 << number for number in (0, 1, 2, 3))
BUFFER = 1024 * 1024
PATIENT = 10


def become_worker(job: Message) -> None:
    """Turn this fork into a worker, and do its job; never returns.

    Parameters
    ----------
    job
        ``job``: pack, unpack, measure or remove; ``names`` of trees in a folder; the descriptors
        of the way to the server, of the folder, and of the archive where there is one.
    """
    line, folder, *archive = job["fds"]
    channel = Channel(socket.socket(fileno=line))
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        go_first()
        _give_up_rights()
        if job["job"] != "measure":
            _hold_to(folder)
        answer = {"event": "done", "result": _do(job, folder, archive)}
    except BrokenPipeError:  # whoever unpacks has said why
        answer = {"event": "failed", "code": "canceled", "message": "nobody reads it"}
    except OSError as error:
        answer = {"event": "failed", "code": _code(error), "message": error.strerror or str(error)}
    except ArchiveError as error:
        answer = {"event": "failed", "code": "resource_exhausted", "message": str(error)}
    except BaseException as error:  # noqa: BLE001  whatever it is, the server must hear it
        answer = {"event": "failed", "code": "internal", "message": type(error).__name__}
    with contextlib.suppress(OSError):
        channel.send(answer)
    os._exit(0)


def _code(error: OSError) -> str:
    return "not_enough_space" if error.errno in {28, 122} else "internal"


def _do(job: Message, folder: int, archive: list[int]) -> Any:
    names: list[str] = job["names"]
    match job["job"]:
        case "pack":
            with os.fdopen(archive[0], "wb", BUFFER) as stream:
                for name in names:
                    pack(folder, name, stream, most=job["most"])
        case "unpack":
            with os.fdopen(archive[0], "rb", BUFFER) as source:
                _unpack_all(source, folder, names, job["owner"])
        case "measure":
            os.nice(PATIENT)
            return [tree.measure(folder, name) for name in names]
        case "remove":
            os.nice(PATIENT)
            return [name for name in names if not _removed(folder, name)]
    return None


def _unpack_all(source: BinaryIO, folder: int, names: list[str], owner: int | None) -> None:
    for name in names:
        unpack(source, folder, name, owner)


def _removed(folder: int, name: str) -> bool:
    try:
        tree.remove(folder, name)
    except OSError:
        return False
    return True


def _hold_to(folder: int) -> None:
    with contextlib.suppress(OSError):  # there is no Landlock here
        restrict({"write": [f"/proc/self/fd/{folder}"]}, [])


def _give_up_rights() -> None:
    if sys.platform != "linux":
        return
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and their upper halves
    kernel_call("capget", header, held)
    kept = held[1] & CAPABILITIES
    kernel_call("capset", header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))
    kernel_call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

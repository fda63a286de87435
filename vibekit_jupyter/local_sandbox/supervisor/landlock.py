"""Landlock, for machines without namespaces: what may be reached is listed, all else refused.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from vibekit_jupyter.local_sandbox.supervisor.rooms import kernel_call

__all__ = ["landlock_abi", "restrict", "spare_first_thread"]

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH, RULE_NET_PORT = 1, 2
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_SYM = 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
CONNECT_TCP = 1 << 1
SCOPE_SIGNALS = 2
SCOPE_ALL = 3  # abstract unix sockets, too
RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
READ = READ_FILE | READ_DIR
RIGHTS = {
    "run": EXECUTE | READ,
    "read": READ,
    "write": EXECUTE | READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG
    | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER | TRUNCATE,
    "device": READ_FILE | WRITE_FILE,
}  # fmt: skip


def landlock_abi() -> int:
    """Return the kernel's Landlock ABI.

    Raises
    ------
    OSError
        There is none: the kernel is too old, or it is switched off.
    """
    return kernel_call("syscall", CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)


def restrict(paths: dict[str, list[str]], ports: list[int]) -> int:
    """Restrict this process, and all it starts, to ``paths``; return the ABI.

    Parameters
    ----------
    paths
        Paths by what may be done with them: ``run``, ``read``, ``write``, ``device``.
    ports
        TCP ports that may be connected to.
    """
    abi = landlock_abi()
    handled = (1 << RIGHTS_BY_ABI.get(abi, 16)) - 1
    network = 3 if abi >= 4 else 0
    attributes = struct.pack("=QQQ", handled, network, SCOPE_ALL if abi >= 6 else 0)
    attributes = attributes[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = kernel_call(
        "syscall", CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0
    )
    try:
        for what, listed in paths.items():
            for path in listed:
                _allow(ruleset, path, RIGHTS[what] & handled)
        for port in ports if abi >= 4 else ():
            rule = struct.pack("=QQ", CONNECT_TCP, port)
            kernel_call("syscall", ADD_RULE, ruleset, RULE_NET_PORT, rule, 0)
        kernel_call("syscall", RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def spare_first_thread(*, shut_proc: bool) -> None:
    """Let this thread, and all that it starts, signal nothing but each other.

    The kernel asks for the domain of a process's first thread. A process whose first thread does
    not call this is out of reach for what this thread starts, and goes on reaching it.

    Parameters
    ----------
    shut_proc
        Let it write nothing below ``/proc`` either, where a program could ask for more of the
        processor, or to be spared when memory ends. For who sees a file system of its own.

    Raises
    ------
    OSError
        There is no Landlock that holds back signals.
    """
    # Every layer takes the right to move files between folders, unless it gives it back.
    handled = REFER | WRITE_FILE if shut_proc else REFER
    attributes = struct.pack("=QQQ", handled, 0, SCOPE_SIGNALS)
    ruleset = kernel_call("syscall", CREATE_RULESET, attributes, ctypes.c_size_t(24), 0)
    try:
        _allow(ruleset, "/", REFER)
        for name in set(os.listdir("/")) - {"proc"} if shut_proc else ():
            _allow(ruleset, f"/{name}", WRITE_FILE)
        kernel_call("syscall", RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this machine
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= ON_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        kernel_call("syscall", ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)

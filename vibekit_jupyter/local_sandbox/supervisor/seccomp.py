"""The system calls that no sandbox needs, refused by the kernel (seccomp, classic BPF).

Namespaces and Landlock say what may be reached; this says by which doors one may not try.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from dataclasses import dataclass

from vibekit_jupyter.local_sandbox.supervisor.rooms import kernel_call

__all__ = ["Sockets", "build_filter", "install_filter", "this_machine"]

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, AND, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
NUMBER_OFFSET, ARCH_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
INSTRUCTION = struct.Struct("HBBI")
X32_BIT = 0x40000000
NEW_NAMESPACE = 0x7E020080  # every CLONE_NEW*
MSG_FASTOPEN = 0x20000000
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_STREAM, SOCK_SEQPACKET, SOCK_TYPE_MASK, IPPROTO_TCP = 1, 5, 0xF, 6
CLONE_FILES, CLONE_THREAD = 0x400, 0x10000
PR_SET_DUMPABLE = 4
TIOCSTI, TIOCLINUX = 0x5412, 0x541C

# By name: the number on x86_64, and on aarch64.
ALWAYS_REFUSED = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "quotactl_fd": (443, 443),
    "open_tree_attr": (467, 467),
    # A page in a pipe holds all of the huge page that it is a part of, and no measure sees it.
    "vmsplice": (278, 75),
    # Memory that is told nowhere.
    "memfd_secret": (447, 447),
    # What they hold is told nowhere, either.
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
X86_ONLY_REFUSED = {"iopl": 172, "ioperm": 173, "modify_ldt": 154}
# Namespaces make these harmless; Landlock does not cover them.
REFUSED_WITHOUT_NAMESPACES = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    # The user has few of these (128), and they tell the names in folders of theirs.
    "inotify_init1": (294, 26),
}
X86_INOTIFY_INIT = (253, 253)
# These act on another process of the same user by its number; 0 is the caller itself.
BY_PID = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
}
# These take a kind, and then a number of that kind: 0 may mean all processes of the user.
BY_KIND = {
    "setpriority": ((141, 140), (0, 1)),  # of a process, of a group of processes
    "ioprio_set": ((251, 30), (1, 2)),
}
CLONE3 = (435, 435)
CLONE = (56, 220)
SOCKET = (41, 198)
IOCTL = (16, 29)
SOCKETPAIR = (53, 199)
PRCTL = (157, 167)
IO_SETUP = (206, 0)
CLOSE_RANGE = (436, 436)
CLOSE_RANGE_UNSHARE = 2
SENDTO, SENDMSG, SENDMMSG = (44, 206), (46, 211), (307, 269)
LISTEN = (50, 201)
SETS_MODE = {
    "fchmod": ((91, 52), 1),
    "fchmodat": ((268, 53), 2),
    "fchmodat2": ((452, 452), 2),
    "mknodat": ((259, 33), 2),
}
X86_CHMOD = (90, 90)
SETUID_SETGID = 0o6000
KILL = (62, 129)
TRUNCATE = (76, 45)
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


@dataclass(frozen=True)
class Sockets:
    """Which sockets may be made.

    Attributes
    ----------
    unix
        Unix sockets that may be bound and connected; pairs are always to be had.
    internet
        ``all`` in a network namespace; ``connect`` where only TCP connections out are meant
        (Landlock says to which port); ``none``.
    """

    unix: bool
    internet: str


def build_filter(
    machine: str, *, namespaces: bool, sockets: Sockets, landlock_abi: int = 99
) -> bytes:
    """Return the filter program.

    Parameters
    ----------
    machine
        As ``platform.machine()`` names it.
    namespaces
        Whether the sandbox has namespaces of its own.
    landlock_abi
        What Landlock of an older ABI does not hold back is refused here.

    Raises
    ------
    OSError
        ``ENOTSUP``: there is no table for this machine.
    """
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOTSUP, f"no system call table for {machine}")
    column, architecture = ARCHITECTURES[machine]
    program = _Program(column)
    program.only_architecture(architecture)
    for numbers in ALWAYS_REFUSED.values():
        program.refuse(numbers)
    if column == 0:
        for number in X86_ONLY_REFUSED.values():
            program.refuse((number, number))
    program.refuse(CLONE3, errno.ENOSYS)  # its flags are out of a filter's sight: use clone
    program.refuse_bits(CLONE, 0, NEW_NAMESPACE)
    # The supervisor measures what a process holds open: once for all threads, and never blindly.
    program.only_threads_with_common_files()
    program.refuse_bits(CLOSE_RANGE, 2, CLOSE_RANGE_UNSHARE)
    program.refuse_hiding()
    program.refuse(IO_SETUP, errno.ENOSYS)  # the whole machine has few of these: 65,536
    program.refuse_values(IOCTL, 1, (TIOCSTI, TIOCLINUX))
    # Where its user is root, or shares files with others, a program could leave a setuid one.
    for numbers, argument in SETS_MODE.values():
        program.refuse_bits(numbers, argument, SETUID_SETGID)
    if column == 0:
        program.refuse_bits(X86_CHMOD, 1, SETUID_SETGID)
    families = [AF_NETLINK] if namespaces else []
    families += [AF_UNIX] if sockets.unix else []
    families += [] if sockets.internet == "none" else [AF_INET, AF_INET6]
    program.allow_only(SOCKET, 0, families)
    if namespaces:
        program.only_netlink_route()
    else:
        _stand_in_for_namespaces(program, column, sockets, landlock_abi)
    return program.finish()


def _stand_in_for_namespaces(
    program: _Program, column: int, sockets: Sockets, landlock_abi: int
) -> None:
    """Refuse what Landlock lets through, and namespaces make harmless."""
    for numbers in REFUSED_WITHOUT_NAMESPACES.values():
        program.refuse(numbers)
    if column == 0:
        program.refuse(X86_INOTIFY_INIT)
    for numbers in BY_PID.values():
        program.allow_only(numbers, 0, [0])
    for numbers, kinds in BY_KIND.values():
        program.allow_only(numbers, 0, list(kinds))
        program.allow_only(numbers, 1, [0])
    program.only_connected_pairs()
    # TCP Fast Open connects without connect(2), which is all that Landlock looks at.
    program.refuse_bits(SENDTO, 3, MSG_FASTOPEN)
    program.refuse_bits(SENDMSG, 2, MSG_FASTOPEN)
    program.refuse_bits(SENDMMSG, 3, MSG_FASTOPEN)
    if sockets.internet == "connect":
        program.only_tcp()
        program.refuse(LISTEN)
    if landlock_abi < 6:
        program.refuse_values(KILL, 0, (0xFFFFFFFF,))
    if landlock_abi < 3:
        program.refuse(TRUNCATE)


def install_filter(program: bytes) -> None:
    """Put a filter on this process and all it starts; it cannot be taken off again."""
    count = len(program) // INSTRUCTION.size
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    structure = Program(count, ctypes.addressof(code))
    kernel_call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(structure), 0, 0)


def this_machine() -> str:
    """Return the machine's name, in one spelling."""
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())


class _Program:
    """A filter in the making; the system call's number is loaded between the rules."""

    def __init__(self, column: int) -> None:
        self._column = column
        self._code: list[bytes] = []

    def _add(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self._code.append(_test(code, value, if_true, if_false))

    def only_architecture(self, architecture: int) -> None:
        """Kill whoever speaks another architecture's calls; refuse x32's."""
        self._add(LOAD, ARCH_OFFSET)
        self._add(EQUAL, architecture, 1, 0)
        self._add(RETURN, RET_KILL)
        self._add(LOAD, NUMBER_OFFSET)
        if self._column == 0:
            self._add(AT_LEAST, X32_BIT, 0, 1)
            self._add(RETURN, RET_ERRNO | errno.ENOSYS)

    def refuse(self, numbers: tuple[int, int], error: int = errno.EPERM) -> None:
        """Refuse a call."""
        self._add(EQUAL, numbers[self._column], 0, 1)
        self._add(RETURN, RET_ERRNO | error)

    def refuse_bits(self, numbers: tuple[int, int], argument: int, bits: int) -> None:
        """Refuse a call with any of ``bits`` in an argument."""
        self._refuse_if(numbers, [_load(argument), _test(ANY_BIT, bits, 0, 1)])

    def refuse_values(
        self, numbers: tuple[int, int], argument: int, values: tuple[int, ...]
    ) -> None:
        """Refuse a call with one of ``values`` as an argument."""
        for value in values:
            self._refuse_if(numbers, [_load(argument), _test(EQUAL, value, 0, 1)])

    def allow_only(self, numbers: tuple[int, int], argument: int, values: list[int]) -> None:
        """Refuse a call whose argument is none of ``values``."""
        tests = [_test(EQUAL, value, len(values) - i, 0) for i, value in enumerate(values)]
        self._refuse_if(numbers, [_load(argument), *tests])

    def only_threads_with_common_files(self) -> None:
        """Refuse a thread whose open files would be its own."""
        has_own = [_load(0), _test(AND, CLONE_FILES | CLONE_THREAD)]
        self._refuse_if(CLONE, [*has_own, _test(EQUAL, CLONE_THREAD, 0, 1)])

    def refuse_hiding(self) -> None:
        """Refuse to close a process to the eyes of others of the same user."""
        is_dumpable = [_load(0), _test(EQUAL, PR_SET_DUMPABLE, 0, 3)]
        self._refuse_if(PRCTL, [*is_dumpable, _load(1), _test(EQUAL, 0, 0, 1)])

    def only_connected_pairs(self) -> None:
        """Of socket pairs, allow those that stay with each other.

        One of datagrams can send to any unix socket of the machine, and be sent to.
        """
        kind = [_load(1), _test(AND, SOCK_TYPE_MASK)]
        self._refuse_if(
            SOCKETPAIR, [*kind, _test(EQUAL, SOCK_STREAM, 2, 0), _test(EQUAL, SOCK_SEQPACKET, 1, 0)]
        )

    def only_netlink_route(self) -> None:
        """Of netlink, allow only the questions about addresses and routes."""
        is_netlink = [_load(0), _test(EQUAL, AF_NETLINK, 0, 3)]
        self._refuse_if(SOCKET, [*is_netlink, _load(2), _test(EQUAL, 0, 1, 0)])

    def only_tcp(self) -> None:
        """Of internet sockets, allow plain TCP: no UDP, no MPTCP, nothing raw."""
        for family in (AF_INET, AF_INET6):
            is_family = [_load(0), _test(EQUAL, family, 0, 7)]
            is_stream = [_load(1), _test(AND, SOCK_TYPE_MASK), _test(EQUAL, SOCK_STREAM, 0, 3)]
            is_tcp = [_load(2), _test(EQUAL, 0, 2, 0), _test(EQUAL, IPPROTO_TCP, 1, 0)]
            self._refuse_if(SOCKET, [*is_family, *is_stream, *is_tcp])

    def _refuse_if(self, numbers: tuple[int, int], tests: list[bytes]) -> None:
        """Refuse a call whose tests end at their own end, not one instruction beyond it."""
        body = [*tests, _test(RETURN, RET_ERRNO | errno.EPERM), _test(LOAD, NUMBER_OFFSET)]
        self._add(EQUAL, numbers[self._column], 0, len(body))
        self._code += body

    def finish(self) -> bytes:
        """Return the program; what was not refused is allowed."""
        self._add(RETURN, RET_ALLOW)
        return b"".join(self._code)


def _test(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return INSTRUCTION.pack(code, if_true, if_false, value)


def _load(argument: int) -> bytes:
    # The low half: flags, families and commands are ints.
    return _test(LOAD, ARGUMENTS_OFFSET + 8 * argument)

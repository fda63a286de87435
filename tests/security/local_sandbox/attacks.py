"""Runs inside a sandbox: tries to get out of it. Standard library only.

``python attacks.py NAME`` with what is worth attacking as JSON on stdin. Prints ``succeeded`` or
``denied: REASON``. A function returns something true only where the attack worked.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import mmap
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

Bait = dict[str, Any]
Attack = Callable[[Bait], object]
ATTACKS: dict[str, Attack] = {}
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"


def attack(function: Attack) -> Attack:
    ATTACKS[function.__name__] = function
    return function


def call(*arguments: Any) -> int:
    """Make a system call; raise where it fails."""
    result = libc.syscall(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


# -- reading what is not one's own -------------------------------------------------------


@attack
def read_keys_of_the_home(bait: Bait) -> object:
    return [path for path in bait["secrets"] if Path(path).read_text()]


@attack
def read_one_key(bait: Bait) -> object:
    return any(_readable(path) for path in bait["secrets"])


@attack
def list_the_home(bait: Bait) -> object:
    return os.listdir(bait["home"])


@attack
def read_through_a_symlink(bait: Bait) -> object:
    Path("link").symlink_to(bait["secrets"][0])
    return Path("link").read_text()


@attack
def read_through_a_hardlink(bait: Bait) -> object:
    os.link(bait["secrets"][0], "hard")
    return Path("hard").read_text()


@attack
def read_through_proc_self_root(bait: Bait) -> object:
    return Path("/proc/self/root" + bait["secrets"][0]).read_text()


@attack
def read_through_the_root_of_a_process(bait: Bait) -> object:
    return Path(f"/proc/{bait['victim']}/root{bait['secrets'][0]}").read_text()


@attack
def read_through_any_process(bait: Bait) -> object:
    for entry in Path("/proc").iterdir():
        for way in ("root", "cwd"):
            if entry.name.isdigit() and _readable(f"{entry}/{way}{bait['secrets'][0]}"):
                return True
    return False


@attack
def read_another_sandbox(bait: Bait) -> object:
    return Path(bait["other_sandbox"]).read_text()


@attack
def read_the_servers_state(bait: Bait) -> object:
    return _readable(bait["state_file"]) or _readable(f"{bait['root']}/.lock")


@attack
def read_the_shadow_file(_bait: Bait) -> object:
    return "root:" in Path("/etc/shadow").read_text()


@attack
def read_secrets_of_the_python_prefix(bait: Bait) -> object:
    return any(_readable(path) for path in bait["prefix_secrets"])


@attack
def find_a_key_in_any_environment(bait: Bait) -> object:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if bait["key"].encode() in (entry / "environ").read_bytes():
                return True
    return False


@attack
def find_the_key_in_any_command_line(bait: Bait) -> object:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if bait["key"].encode() in (entry / "cmdline").read_bytes():
                return True
    return False


# -- writing what is not one's own -------------------------------------------------------


@attack
def write_into_the_home(bait: Bait) -> object:
    Path(bait["home"], "planted").write_text("x")
    return True


@attack
def write_a_startup_file(bait: Bait) -> object:
    for name in (".bashrc", ".zshrc", ".profile", ".gitconfig", ".mcp.json", ".vscode/tasks.json"):
        with contextlib.suppress(OSError):
            Path(bait["home"], name).write_text("planted")
    return False  # the test looks for what was planted


@attack
def write_upwards(bait: Bait) -> object:
    for depth in range(1, 12):
        with contextlib.suppress(OSError):
            Path("../" * depth + bait["home"].lstrip("/"), "planted").write_text("x")
    return False


@attack
def write_into_the_machines_tmp(bait: Bait) -> object:
    Path(bait["tmp"], "planted").write_text("x")
    return True


@attack
def write_into_the_python_prefix(bait: Bait) -> object:
    Path(bait["prefix"], "planted").write_text("x")
    return True


@attack
def write_into_site_packages(bait: Bait) -> object:
    Path(bait["site_packages"], "planted.pth").write_text("import os")
    return True


@attack
def truncate_a_foreign_file(bait: Bait) -> object:
    os.truncate(bait["secrets"][0], 0)
    return True


@attack
def remove_a_foreign_file(bait: Bait) -> object:
    Path(bait["secrets"][0]).unlink()
    return True


@attack
def rename_a_folder_out(bait: Bait) -> object:
    os.rename(bait["home"], bait["home"] + "-moved")
    return True


@attack
def write_through_a_swapped_symlink(bait: Bait) -> object:
    os.mkdir("swap")
    os.rmdir("swap")
    os.symlink(bait["home"], "swap")
    Path("swap/planted").write_text("x")
    return True


@attack
def write_into_usr(_bait: Bait) -> object:
    Path("/usr/bin/planted").write_text("x")
    return True


# -- other processes ---------------------------------------------------------------------


@attack
def kill_a_foreign_process(bait: Bait) -> object:
    os.kill(bait["victim"], signal.SIGCONT)
    return True


@attack
def kill_by_pidfd(bait: Bait) -> object:
    signal.pidfd_send_signal(os.pidfd_open(bait["victim"]), signal.SIGCONT)
    return True


@attack
def read_memory_of_a_foreign_process(bait: Bait) -> object:
    return Path(f"/proc/{bait['victim']}/maps").read_text()


@attack
def read_environment_of_a_foreign_process(bait: Bait) -> object:
    return b"BAIT" in Path(f"/proc/{bait['victim']}/environ").read_bytes()


@attack
def trace_a_process(bait: Bait) -> object:
    call(101 if X86 else 117, 16, bait["victim"], 0, 0)
    return True


@attack
def read_with_process_vm_readv(bait: Bait) -> object:
    call(310 if X86 else 270, bait["victim"], 0, 0, 0, 0, 0)
    return True


@attack
def change_limits_of_a_foreign_process(bait: Bait) -> object:
    import resource

    resource.prlimit(bait["victim"], resource.RLIMIT_CPU, (1, 1))
    return True


@attack
def renice_a_foreign_process(bait: Bait) -> object:
    os.setpriority(os.PRIO_PROCESS, bait["victim"], 19)
    return True


@attack
def renice_all_processes_of_the_user(bait: Bait) -> object:
    try:
        os.setpriority(os.PRIO_USER, 0, 0)  # what is at 0 anyway stays there
    except PermissionError as error:
        if error.errno != errno.EACCES:  # the kernel's word once it looked at each of them
            raise
    return os.getpriority(os.PRIO_PROCESS, bait["victim"]) == 0


@attack
def pin_a_foreign_process(bait: Bait) -> object:
    os.sched_setaffinity(bait["victim"], os.sched_getaffinity(bait["victim"]))
    return True


@attack
def schedule_a_foreign_process(bait: Bait) -> object:
    os.sched_setscheduler(bait["victim"], os.SCHED_OTHER, os.sched_param(0))
    return True


@attack
def change_the_disk_priority_of_a_foreign_process(bait: Bait) -> object:
    return call(251 if X86 else 30, 1, bait["victim"], 0x4004) == 0


@attack
def hide_what_it_holds(_bait: Bait) -> object:
    return libc.prctl(4, 0, 0, 0, 0) == 0


@attack
def be_spared_when_memory_ends(_bait: Bait) -> object:
    score = Path("/proc/self/oom_score_adj")
    score.write_text("0")
    return int(score.read_text()) < 900


@attack
def take_more_of_the_processor(_bait: Bait) -> object:
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("0")
        return True
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    return True


@attack
def use_up_the_users_inotify_instances(_bait: Bait) -> object:
    held = 0
    while libc.inotify_init1(0) >= 0:
        held += 1
    return held > 32


@attack
def use_up_the_users_inotify_watches(_bait: Bait) -> object:
    instance, held = libc.inotify_init1(0), 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for number in range(20_000):
            file = f"{folder}/{number}".encode()
            os.close(os.open(file, os.O_CREAT))
            held += libc.inotify_add_watch(instance, file, 2) >= 0
    return held > 16_384


@attack
def lock_much_memory(_bait: Bait) -> object:
    held = []
    for _mebibyte in range(64):
        held.append(mmap.mmap(-1, 2**20))
        address = ctypes.addressof(ctypes.c_char.from_buffer(held[-1]))
        if libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(2**20)) == -1:
            break
    return len(held) - 1 > 8


@attack
def have_a_message_queue(_bait: Bait) -> object:
    return libc.mq_open(b"/planted", os.O_CREAT | os.O_RDWR, 0o600, None) != -1


@attack
def have_memory_that_is_told_nowhere(_bait: Bait) -> object:
    return call(447, 0) >= 0  # memfd_secret


@attack
def hold_much_in_shared_memory(_bait: Bait) -> object:
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        os.posix_fallocate(file.fileno(), 0, 257 * 2**20)
    return True


@attack
def fill_the_folder_of_devices(_bait: Bait) -> object:
    return Path("/dev/large").write_bytes(bytes(1000))


@attack
def fill_a_folder_that_stands_for_another(bait: Bait) -> object:
    for secret in bait["prefix_secrets"]:
        with contextlib.suppress(OSError):
            return Path(secret).parent.joinpath("large").write_bytes(bytes(1000))
    return False


@attack
def read_environment_of_the_supervisor(_bait: Bait) -> object:
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in _supervisors()]


@attack
def read_memory_of_the_supervisor(_bait: Bait) -> object:
    return [Path(f"/proc/{pid}/maps").read_text() for pid in _supervisors()]


def _supervisors() -> list[str]:
    """Return the pids of the supervisor, the zygote and the server, as far as they are seen."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and b"local_sandbox" in (entry / "cmdline").read_bytes():
                found.append(entry.name)
    return found


# -- becoming more -----------------------------------------------------------------------


@attack
def have_capabilities(_bait: Bait) -> object:
    status = Path("/proc/self/status").read_text()
    held = ("CapInh", "CapPrm", "CapEff", "CapAmb")  # the bounding set gives nothing by itself
    masks = [line.split()[1] for line in status.splitlines() if line.startswith(held)]
    return any(int(mask, 16) for mask in masks)


@attack
def lack_no_new_privs(_bait: Bait) -> object:
    return "NoNewPrivs:\t1" not in Path("/proc/self/status").read_text()


@attack
def gain_by_a_setuid_copy(_bait: Bait) -> object:
    shutil.copy("/usr/bin/id", "id")
    os.chmod("id", 0o6755)
    shown = subprocess.run(["./id", "-u"], capture_output=True, text=True, check=True)
    return shown.stdout.strip() != str(os.getuid())


@attack
def leave_a_setuid_program(_bait: Bait) -> object:
    shutil.copy("/usr/bin/id", "id")
    os.chmod("id", 0o4755)
    return os.stat("id").st_mode & 0o4000


@attack
def become_root_by_su(_bait: Bait) -> object:
    shown = subprocess.run(
        ["su", "-c", "id -u"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return shown.stdout.strip() == "0"


@attack
def set_uid_zero(_bait: Bait) -> object:
    os.setuid(0)
    os.setgroups([0])
    return True


@attack
def make_a_device(_bait: Bait) -> object:
    os.mknod("disk", 0o60666, os.makedev(254, 0))
    return True


@attack
def make_a_user_namespace(_bait: Bait) -> object:
    call(272 if X86 else 97, 0x10000000)
    return True


@attack
def clone_into_a_user_namespace(_bait: Bait) -> object:
    pid = call(56 if X86 else 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return True


@attack
def mount_something(_bait: Bait) -> object:
    call(165 if X86 else 40, b"none", b"/tmp", b"tmpfs", 0, None)
    return True


@attack
def change_root(_bait: Bait) -> object:
    os.chroot("/")
    return True


@attack
def use_io_uring(_bait: Bait) -> object:
    call(425, 8, ctypes.create_string_buffer(120))
    return True


@attack
def use_userfaultfd(_bait: Bait) -> object:
    call(323 if X86 else 282, 0)
    return True


@attack
def use_bpf(_bait: Bait) -> object:
    call(321 if X86 else 280, 0, ctypes.create_string_buffer(64), 64)
    return True


@attack
def use_the_keyring(_bait: Bait) -> object:
    call(250 if X86 else 219, 0, -3, 0)
    return True


@attack
def open_by_handle(_bait: Bait) -> object:
    call(304 if X86 else 265, -100, ctypes.create_string_buffer(16), 0)
    return True


@attack
def type_into_the_terminal(_bait: Bait) -> object:
    import fcntl

    _ours, theirs = os.openpty()
    fcntl.ioctl(theirs, 0x5412, b"x")
    return True


@attack
def write_to_kernel_settings(_bait: Bait) -> object:
    setting = Path("/proc/sys/kernel/core_pattern")
    setting.write_text(setting.read_text())  # harmless where it works
    return True


@attack
def read_the_kernel_log(_bait: Bait) -> object:
    return call(103 if X86 else 116, 3, ctypes.create_string_buffer(64), 64)


# -- the network -------------------------------------------------------------------------


def _connect(host: str, port: int, family: socket.AddressFamily = socket.AF_INET) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(2)
        attempt.connect((host, port))
    return True


@attack
def connect_to_the_machines_loopback(bait: Bait) -> object:
    return _connect("127.0.0.1", bait["port"])


@attack
def connect_to_the_machines_loopback_v6(bait: Bait) -> object:
    return _connect("::1", bait["port"], socket.AF_INET6)


@attack
def connect_to_the_control_plane(bait: Bait) -> object:
    return _connect("127.0.0.1", bait["server_port"])


@attack
def connect_to_own_address(bait: Bait) -> object:
    return any(_connect(address, bait["port"]) for address in bait["own_addresses"])


@attack
def connect_by_mptcp(bait: Bait) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as attempt:
        attempt.settimeout(2)
        attempt.connect(("127.0.0.1", bait["port"]))
    return True


@attack
def connect_by_fast_open(bait: Bait) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(2)
        return attempt.sendto(b"x", 0x20000000, ("127.0.0.1", bait["port"]))


@attack
def send_udp_to_the_machine(bait: Bait) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        attempt.settimeout(2)
        attempt.connect(("127.0.0.1", bait["udp_port"]))
        attempt.send(b"ping")
        return attempt.recv(16)


@attack
def connect_to_metadata(_bait: Bait) -> object:
    return _connect("169.254.169.254", 80)


@attack
def fetch_from_the_internet(_bait: Bait) -> object:
    return urllib.request.urlopen("http://example.com/", timeout=2).read()


@attack
def use_bash_dev_tcp(bait: Bait) -> object:
    command = f"exec 3<>/dev/tcp/127.0.0.1/{bait['port']}"
    return subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 0


@attack
def connect_to_an_abstract_socket(bait: Bait) -> object:
    with socket.socket(socket.AF_UNIX) as attempt:
        attempt.connect("\0" + bait["abstract"])
    return True


@attack
def connect_to_a_socket_file(bait: Bait) -> object:
    with socket.socket(socket.AF_UNIX) as attempt:
        attempt.connect(bait["socket_file"])
    return True


@attack
def send_a_datagram_to_a_socket_file(bait: Bait) -> object:
    return _send_from_a_pair(bait["datagram_file"])


@attack
def send_a_datagram_to_an_abstract_socket(bait: Bait) -> object:
    return _send_from_a_pair("\0" + bait["datagram_abstract"])


def _send_from_a_pair(address: str) -> int:
    # "Raw" ones are made datagram sockets by the kernel.
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        with contextlib.suppress(OSError):
            return socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b"planted", address)
    return 0


@attack
def open_a_raw_socket(_bait: Bait) -> object:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    return True


@attack
def open_a_packet_socket(_bait: Bait) -> object:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    return True


@attack
def open_a_vsock(_bait: Bait) -> object:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    return True


@attack
def attach_shared_memory_of_the_machine(bait: Bait) -> object:
    if libc.shmget(bait["shm_key"], 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "shmget")
    return True


# -- what Landlock concedes --------------------------------------------------------------


@attack
def see_that_a_file_exists(bait: Bait) -> object:
    return os.stat(bait["secrets"][0])


@attack
def change_permissions_of_a_foreign_file(bait: Bait) -> object:
    os.chmod(bait["victim_file"], 0o600)
    return True


@attack
def list_foreign_processes(bait: Bait) -> object:
    return str(bait["victim"]) in os.listdir("/proc")


@attack
def read_a_foreign_file_in_shared_memory(bait: Bait) -> object:
    return Path(bait["shm_file"]).read_text() == "BAIT"


@attack
def overwrite_a_foreign_file_in_shared_memory(bait: Bait) -> object:
    with open(bait["shm_file"], "r+") as file:
        return file.write("BAIT")  # harmless where it works


@attack
def watch_the_home(bait: Bait) -> object:
    descriptor = libc.inotify_init1(0)
    if libc.inotify_add_watch(descriptor, bait["home"].encode(), 0x100) == -1:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
    return True


def _readable(path: str) -> bool:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return bool(file.read(1))
    return False


def main() -> None:
    bait = json.load(sys.stdin)
    os.chdir(tempfile.mkdtemp(dir=os.environ["HOME"]))
    try:
        outcome = "succeeded" if ATTACKS[sys.argv[1]](bait) else "denied: nothing came of it"
    except Exception as error:
        outcome = f"denied: {type(error).__name__}: {error}"
    sys.stdout.write(f"{outcome}\n")


if __name__ == "__main__":
    main()

"""Every attack, at every level that confines; and what must still work there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.security.local_sandbox.attacks import ATTACKS

if TYPE_CHECKING:
    from tests.security.local_sandbox.conftest import Machine

pytestmark = pytest.mark.attack

SOURCE = Path(__file__).with_name("attacks.py")
# SECURITY.md says why, and what it means.
CONCEDED_TO_LANDLOCK = {
    "see_that_a_file_exists",
    "change_permissions_of_a_foreign_file",
    "list_foreign_processes",
}


@pytest.mark.parametrize("machine", ["bubblewrap"], indirect=True)
@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_an_attack_on_namespaces_is_denied(machine: Machine, name: str) -> None:
    attack(machine, name)


@pytest.mark.parametrize("machine", ["landlock"], indirect=True)
@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - CONCEDED_TO_LANDLOCK))
def test_an_attack_on_landlock_is_denied(machine: Machine, name: str) -> None:
    attack(machine, name)


def attack(machine: Machine, name: str) -> None:
    """Let the sandbox attack; nothing may come of it."""
    machine.sandbox.files.write("attacks.py", SOURCE.read_text())
    machine.sandbox.files.write("bait.json", json.dumps(machine.bait))
    shown = machine.sandbox.commands.run(
        f"python3 ~/attacks.py {name} < ~/bait.json", timeout=30
    ).stdout
    assert shown.startswith("denied"), shown
    assert "BAIT" not in shown
    home = Path(machine.bait["home"])
    assert not list(home.rglob("planted*"))
    assert all("planted" not in path.read_text() for path in home.glob(".*") if path.is_file())
    assert all(Path(path).read_text() == "BAIT" for path in machine.bait["secrets"])


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/shadow",
        "/etc/shadow",
        "~root/.ssh/id_rsa",
        "~/../../etc/shadow",
    ],
)
def test_the_file_api_reads_nothing_of_the_machine(machine: Machine, path: str) -> None:
    from e2b import SandboxException

    with pytest.raises(SandboxException):
        machine.sandbox.files.read(path)


def test_the_file_api_follows_no_link_out_of_the_sandbox(machine: Machine) -> None:
    from e2b import SandboxException

    secret = machine.bait["secrets"][0]
    machine.sandbox.commands.run(f"ln -sfn {Path(secret).parent} ~/out && ln -sf {secret} ~/key")
    for way in ("/home/user/key", f"/home/user/out/{Path(secret).name}"):
        with pytest.raises(SandboxException):
            machine.sandbox.files.read(way)
        with pytest.raises(SandboxException):
            machine.sandbox.files.write(way, "overwritten")
    assert Path(secret).read_text() == "BAIT"


CONTROLS = {
    "numpy": "python3 -c 'import numpy; print(numpy.arange(3).sum())'",
    "git": "git init -q g && cd g"
    " && git -c user.name=a -c user.email=b@c commit -q --allow-empty -m x",
    "pip, offline": "python3 -m pip --version",
    "threads": "python3 -c 'from threading import Thread; t = Thread(target=print); t.start();"
    " t.join()'",
    "processes": "python3 -c 'import subprocess; subprocess.run([\"true\"], check=True)'",
    "a pair of sockets": 'python3 -c \'import socket; a, b = socket.socketpair(); a.send(b"x");'
    " b.recv(1)'",
    "an output of one's own": "(echo hello > /dev/stdout && echo hello > /dev/stderr) 2>&1 | cat",
    "a thread's own processor": "taskset -c 0 true",
    "the user database": "python3 -c 'import os, pwd; print(pwd.getpwuid(os.getuid()))'",
    "a named pipe": "rm -f f && mkfifo f && (echo hello > f & cat f)",
    "process substitution": "cat <(echo hello)",
    "sqlite": 'python3 -c \'import sqlite3; sqlite3.connect("x.db").execute("create table t(a)")\'',
    "a temporary file": "python3 -c 'import tempfile; tempfile.NamedTemporaryFile().write(b\"x\")'",
    "a link in another folder": "mkdir a b && echo 1 > a/x && ln a/x b/y && mv a/x b/z"
    " && [ $(stat -c %h b/z) = 2 ]",
    "tar": "tar cf x.tar --files-from /dev/null && tar tf x.tar",
}
NEEDS_NAMESPACES = {
    "processes that share a lock": "python3 -c 'from multiprocessing import get_context as g;"
    ' p = g("fork").Pool(2);'
    " print(p.map(abs, [-1, 2])); p.close(); p.join()'",
    "shared memory": "python3 -c 'from multiprocessing.shared_memory import SharedMemory as S;"
    " s = S(create=True, size=9); s.close(); s.unlink()'",
    "a watched folder": "python3 -c 'import ctypes; l = ctypes.CDLL(None);"
    ' assert l.inotify_add_watch(l.inotify_init1(0), b".", 256) > 0\'',
    "a server of one's own": "python3 -m http.server 8123 >/dev/null 2>&1 & for i in $(seq 50); do"
    " curl -s -o /dev/null http://localhost:8123 && break; sleep 0.1; done; kill %1",
    "processes by a fork server": "python3 -c 'from multiprocessing import get_context as g;"
    ' p = g("forkserver").Pool(1); print(p.map(abs, [-1])); p.close(); p.join()\'',
}


@pytest.mark.parametrize("name", sorted(CONTROLS))
def test_honest_work_is_not_disturbed(machine: Machine, name: str) -> None:
    assert machine.sandbox.commands.run(f"cd $(mktemp -d -p ~) && {CONTROLS[name]}").exit_code == 0


# Landlock gives no network, no shared memory and no semaphores of one's own.
@pytest.mark.parametrize("machine", ["bubblewrap"], indirect=True)
@pytest.mark.parametrize("name", sorted(NEEDS_NAMESPACES))
def test_a_sandbox_with_namespaces_has_all_of_its_own(machine: Machine, name: str) -> None:
    assert machine.sandbox.commands.run(NEEDS_NAMESPACES[name]).exit_code == 0


REFUSED = {
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "a pair for datagrams": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "a pair that becomes one for datagrams": "socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)",
    "a unix socket": "socket.socket(socket.AF_UNIX)",
    "a file in shared memory": "open('/dev/shm/planted', 'w')",
    "a list of shared memory": "os.listdir('/dev/shm')",
}


@pytest.mark.parametrize("machine", ["landlock"], indirect=True)
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_landlock_does_not_cover_is_refused(machine: Machine, name: str) -> None:
    command = f'python3 -c "import os, socket; {REFUSED[name]}" 2>&1 | tail -n 1'
    assert machine.sandbox.commands.run(command).stdout.startswith("PermissionError")


@pytest.mark.parametrize("machine", ["bubblewrap"], indirect=True)
def test_every_process_in_the_namespaces_has_the_filter(machine: Machine) -> None:
    # One of before may end while it is looked at, which grep counts as a failure.
    shown = machine.sandbox.commands.run("grep -hs ^Seccomp: /proc/[0-9]*/status || true").stdout
    assert set(shown.splitlines()) == {"Seccomp:\t2"}


@pytest.mark.parametrize("machine", ["bubblewrap"], indirect=True)
def test_nothing_but_the_folders_and_bounded_memory_can_be_written(machine: Machine) -> None:
    shown = machine.sandbox.commands.run("grep ' rw[, ]' /proc/self/mounts | cut -d ' ' -f 2")
    own = {"/home/user", "/root", "/tmp", "/dev/shm", "/dev/pts", "/proc"}
    devices = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
    assert set(shown.stdout.split()) <= own | devices | {"/dev/console"}


def test_programs_stand_back_behind_those_outside(machine: Machine) -> None:
    assert int(machine.sandbox.commands.run("nice").stdout) >= 10

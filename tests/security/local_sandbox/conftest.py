"""A machine worth attacking: bait in a home, a victim process, sockets, and confined sandboxes."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sandbox_server import SandboxServer, sandbox_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2b import Sandbox

CONFINED = ("bubblewrap", "landlock")
SECRETS = (".ssh/id_rsa", ".aws/credentials", ".netrc", ".codex/auth.json", ".claude/token")


@dataclass
class Machine:
    """A server at one level, a sandbox in it, and what is around it."""

    level: str
    server: SandboxServer
    sandbox: Sandbox
    bait: dict[str, Any]

    def create(self, **options: Any) -> Sandbox:
        """Make another sandbox."""
        from e2b import Sandbox

        return Sandbox.create(**{**options, **self.server.where})


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What an attacker would like to reach."""
    folder = tmp_path_factory.mktemp("host")
    home = folder / "home"
    for name in SECRETS:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("BAIT")
    (home / "mine.txt").write_text("mine")
    with contextlib.ExitStack() as stack, tempfile_socket(folder) as (path_socket, path):
        path_socket.listen()
        listener = stack.enter_context(socket.create_server(("", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        abstract = f"vibekit-bait-{secrets.token_hex(4)}"
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        named.bind("\0" + abstract)
        named.listen()
        datagrams = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))]
        datagrams.append(stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
        datagrams[0].bind(f"{folder}/d")
        datagrams[1].bind(f"\0{abstract}-d")
        libc = ctypes.CDLL(None)
        shm_key = 0x56424B00 + secrets.randbelow(200)
        shm = libc.shmget(shm_key, 4096, 0o1666)
        shm_file = Path("/dev/shm", f"vibekit-bait-{secrets.token_hex(4)}")
        shm_file.write_text("BAIT")
        victim = subprocess.Popen(["sleep", "600"], env={"SECRET": "BAIT"})
        try:
            yield {
                "home": str(home),
                "secrets": [str(home / name) for name in SECRETS],
                "victim": victim.pid,
                "victim_file": str(home / "mine.txt"),
                "port": listener.getsockname()[1],
                "udp_port": udp.getsockname()[1],
                "abstract": abstract,
                "socket_file": path,
                "datagram_file": f"{folder}/d",
                "datagram_abstract": f"{abstract}-d",
                "shm_key": shm_key,
                "shm_file": str(shm_file),
                "tmp": str(folder),
                "prefix": sys.prefix,
                "site_packages": sysconfig.get_path("purelib"),
                "prefix_secrets": prefix_secrets(),
                "own_addresses": own_addresses(),
            }
        finally:
            victim.kill()
            victim.wait()
            shm_file.unlink()
            libc.shmctl(shm, 0, None)


@contextlib.contextmanager
def tempfile_socket(folder: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX) as found:
        previous = Path.cwd()
        os.chdir(folder)  # a socket's path is short
        try:
            found.bind("s")
        finally:
            os.chdir(previous)
        yield found, str(folder / "s")


def prefix_secrets() -> list[str]:
    names = ("etc/jupyter/jupyter_config.json", "pip.conf", ".condarc")
    return [f"{sys.prefix}/{name}" for name in names]


def own_addresses() -> list[str]:
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect(("192.0.2.1", 9))  # chooses a source address; nothing is sent
        return [probe.getsockname()[0]]
    return []


@pytest.fixture(scope="session", params=CONFINED)
def machine(
    request: pytest.FixtureRequest,
    host: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    """A sandbox of each level that confines; never an unconfined one."""
    from e2b import Sandbox

    level = request.param
    folder = tmp_path_factory.mktemp(f"server-{level}")
    os.environ["HOME"], earlier = host["home"], os.environ["HOME"]
    try:
        with sandbox_server(folder, "--confine", level) as server:
            sandbox = Sandbox.create(timeout=3600, **server.where)
            other = Sandbox.create(timeout=3600, **server.where)
            other.files.write("/home/user/secret.txt", "BAIT")
            root = folder / "root"
            bait = {
                **host,
                "key": server.key,
                "server_port": int(server.url.rpartition(":")[2]),
                "root": str(root),
                "state_file": str(folder / "server.json"),
                "other_sandbox": str(root / "sandboxes" / other.sandbox_id / "home" / "secret.txt"),
            }
            assert json.loads((folder / "server.json").read_text())["key"] == server.key
            yield Machine(level, server, sandbox, bait)
    finally:
        os.environ["HOME"] = earlier

"""The JupyterHub of ``examples/``, with users who log in and run cells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, ClientTimeout

from tests.support.local_server import stop_local_server
from tests.support.surroundings import REPOSITORY, clean_environment
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Hub", "User", "hub"]

NO_FRONTEND = {"jupyterlab": False, "jupyter_lsp": False, "notebook_shim": False}
CONFIG = REPOSITORY / "examples" / "jupyterhub" / "jupyterhub_config.py"
PASSWORD = "correct horse"
PORTS = 3
USERS = ("ada", "ben")


@dataclass(frozen=True)
class Hub:
    """Where it is, and its state."""

    url: str
    state: Path

    @contextlib.asynccontextmanager
    async def user(self, name: str) -> AsyncIterator[User]:
        """Log a user in."""
        async with ClientSession(timeout=ClientTimeout(total=60)) as session:
            body = {"auth": {"username": name, "password": PASSWORD}}
            asked = session.post(f"{self.url}/hub/api/users/{name}/tokens", json=body)
            async with asked as answer:
                told = await answer.json()
                assert answer.status == 201, told
            session.headers["Authorization"] = f"token {told['token']}"
            yield User(self, name, session)

    def give(self, user: str, **variables: str) -> None:
        """Write down what the spawner hands to a user's servers from their next start on."""
        keys = self.state / "keys"
        keys.mkdir(exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in variables.items()]
        (keys / f"{user}.env").write_text("".join(lines))

    def home(self, user: str) -> Path:
        """Return a user's ``VIBEKIT_HOME``."""
        return self.state / "home" / user / ".local" / "share" / "vibekit"


@dataclass(frozen=True)
class User:
    """Somebody who is logged in."""

    hub: Hub
    name: str
    session: ClientSession

    async def start_server(self, server: str = "") -> None:
        """Start a server, the named one or the only one, and wait until it is there."""
        path = f"servers/{server}" if server else "server"
        url = f"{self.hub.url}/hub/api/users/{self.name}/{path}"
        async with self.session.post(url) as answer:
            assert answer.status in (201, 202), await answer.text()
        while True:  # a proxy cuts the stream where the start takes long
            async with self.session.get(f"{url}/progress") as progress:
                async for line in progress.content:
                    told = json.loads(line[5:]) if line.startswith(b"data:") else {}
                    assert not told.get("failed"), told
                    if told.get("ready"):
                        return

    def _url(self, server: str) -> str:
        return f"{self.hub.url}/user/{self.name}{f'/{server}' if server else ''}/api/kernels"

    async def wait_until_culled(self) -> None:
        """Wait until there is no kernel; the server may have ended with it."""
        left = True
        while left:
            await asyncio.sleep(0.2)
            async with self.session.get(self._url("")) as answer:
                left = bool(answer.status == 200 and await answer.json())

    @contextlib.asynccontextmanager
    async def kernel(self, server: str = "") -> AsyncIterator[RemoteKernel]:
        """Start a kernel, and stay connected to it in here; it is not ended."""
        async with self.session.post(self._url(server), json={}) as answer:
            kernel = await answer.json()
            assert answer.status == 201, kernel
        channels = f"{self._url(server)}/{kernel['id']}/channels"
        async with self.session.ws_connect(channels, max_msg_size=2**26) as connection:
            yield RemoteKernel(connection)


@dataclass(frozen=True)
class RemoteKernel:
    """A kernel at the other end of a WebSocket."""

    connection: Any

    async def run(self, code: str) -> str:
        """Run a cell to its end, and return what it showed."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "session": number}
        content = {"code": code, "silent": False, "allow_stdin": False}
        await self.connection.send_json(
            {
                "header": {**header, "username": "", "version": "5.3", "date": ""},
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
                "buffers": [],
            }
        )
        shown = ""
        async for frame in self.connection:
            message = json.loads(frame.data)
            if message["parent_header"].get("msg_id") != number:
                continue
            told = message["content"]
            assert message["msg_type"] != "error", told
            shown += told.get("text", "") or str(told.get("data", {}).get("text/plain", ""))
            if message["msg_type"] == "status" and told["execution_state"] == "idle":
                return shown
        raise AssertionError("the kernel hung up")


@contextlib.contextmanager
def hub(folder: Path, *, idle: int) -> Iterator[Hub]:
    """Run the example; its users' sandbox servers end with it."""
    port = _free_ports()
    for user in USERS:
        # Nobody looks at the servers, and half of their start would be a frontend's.
        settings = folder / "state" / "home" / user / ".jupyter" / "jupyter_server_config.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"ServerApp": {"jpserver_extensions": NO_FRONTEND}}))
    environment = {
        **clean_environment(),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HUB_STATE": str(folder / "state"),
        "HUB_PORT": str(port),
        "HUB_PASSWORD": PASSWORD,
        "HUB_IDLE": str(idle),
    }
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    running = Hub(f"http://127.0.0.1:{port}", folder / "state")
    try:
        wait_for(lambda: "JupyterHub is now running" in log.read_text(), 60, log.read_text)
        yield running
    finally:
        process.terminate()
        process.wait(60)
        for user in USERS:
            stop_local_server(running.home(user))


def _free_ports() -> int:
    """Return the first of a few ports that are free."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for more in range(1, PORTS):
                stack.enter_context(socket.create_server(("127.0.0.1", first + more)))
            return int(first)

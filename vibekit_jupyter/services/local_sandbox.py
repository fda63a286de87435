"""Find this user's local sandbox server, or start it.

``VIBEKIT_HOME/server-<host>.json`` says where it is. The file is believed only after an
authenticated request was answered by the very instance that it names.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from vibekit_jupyter.errors import SandboxError, SandboxUnreachableError
from vibekit_jupyter.services.http import request_json
from vibekit_jupyter.services.process import is_running
from vibekit_jupyter.settings.config import Service, local_service_id
from vibekit_jupyter.settings.home import (
    claim_local_root,
    host_name,
    open_home,
    vibekit_home,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PROTOCOL", "find_or_start", "is_current", "log_file", "state_file"]

# The version of what this module and the server say to each other.
PROTOCOL = 1
SCHEMA = 1
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class ServerRecord:
    """What the server wrote down about itself."""

    schema: int
    version: str
    protocol: int
    instance: str
    pid: int
    pid_started: str
    boot_id: str
    url: str
    key: str = field(repr=False)


def state_file() -> Path:
    """Return where the server of this machine writes down where it is."""
    return vibekit_home() / f"server-{host_name()}.json"


def log_file() -> Path:
    """Return where the server of this machine logs."""
    return vibekit_home() / f"server-{host_name()}.log"


def find_or_start() -> Service:
    """Return the local sandbox server, started if need be. Blocks; call it in a thread.

    Raises
    ------
    SandboxError
        It cannot be started here, or another version of it is busy.
    SandboxUnreachableError
        It was started and did not answer.
    """
    if service := _running():
        return service
    open_home()
    with _start_lock():
        return _running() or _start()


def is_current(service: Service) -> bool:
    """Whether a local server found before is still the one that runs. Sends no request."""
    record = _read_record()
    return (
        record is not None
        and (record.url, record.key) == (service.api_url, service.api_key)
        and is_running(record.pid, record.pid_started, record.boot_id)
    )


def _running() -> Service | None:
    """Return the server that the record names, if it is there and speaks our protocol."""
    record = _read_record()
    if record is None or not is_running(record.pid, record.pid_started, record.boot_id):
        return None
    status = _status(record)
    if status is None:
        return None
    if record.protocol != PROTOCOL:
        _make_way(record, status)
        return None
    return Service(
        id=local_service_id(),
        title="local sandbox",
        api_key=record.key,
        api_url=record.url,
        sandbox_url=record.url,
        domain=record.url.removeprefix("http://").replace("127.0.0.1", "localhost"),
        source="as no E2B key is set",
        confinement=str(status["level"]),
        confinement_reason=str(status["reason"]),
    )


def _read_record() -> ServerRecord | None:
    try:
        data = json.loads(state_file().read_text(encoding="utf-8"))
        record = ServerRecord(**data)
    except (OSError, ValueError, TypeError):
        return None  # not there, cut short, or of another schema: not to be believed
    # A record that leads off this machine would be handed the key.
    return (
        record if record.schema == SCHEMA and record.url.startswith("http://127.0.0.1:") else None
    )


def _status(record: ServerRecord) -> dict[str, Any] | None:
    """Ask the server who it is; None when the answer is not the recorded instance's."""
    try:
        status = request_json(f"{record.url}/vibekit/server", key=record.key)
    except OSError:
        return None
    return status if status.get("instance") == record.instance else None


def _make_way(record: ServerRecord, status: dict[str, Any]) -> None:
    """Stop an idle server that speaks another protocol; a busy one is the person's to stop."""
    if status.get("busy"):
        stop = shlex.join([sys.executable, "-m", "vibekit_jupyter.local_sandbox", "stop"])
        raise SandboxError(
            f"The local sandbox server that is running (version {record.version}) does not fit "
            "this version, and it is busy.",
            hint=f"When its work is done, stop it: {stop}",
        )
    with contextlib.suppress(OSError):  # it may end before it answers
        request_json(f"{record.url}/vibekit/server/stop", key=record.key, method="POST")
    deadline = time.monotonic() + STOP_TIMEOUT
    while is_running(record.pid, record.pid_started, record.boot_id):
        if time.monotonic() > deadline:
            os.kill(record.pid, signal.SIGTERM)
            break
        time.sleep(0.05)


@contextlib.contextmanager
def _start_lock() -> Iterator[None]:
    """Let one process of this user and machine start the server, the others wait for it."""
    path = vibekit_home() / f"server-{host_name()}.lock"
    with path.open("w", encoding="ascii") as file:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start() -> Service:
    """Start the server as a process of its own and wait until it says that it listens."""
    root = claim_local_root()
    ready_read, ready_write = os.pipe()
    command = [sys.executable, "-P", "-m", "vibekit_jupyter.local_sandbox", "serve"]
    command += ["--root", str(root), "--host", "127.0.0.1", "--port", "0"]
    command += ["--state-file", str(state_file()), "--ready-fd", str(ready_write)]
    command += ["--log-file", str(log_file())]
    # What is in an environment or an argument list stays readable there.
    command += ["--api-key-file", "/dev/stdin"]
    key_read = _pipe_holding(f"e2b_{secrets.token_hex(20)}")
    with _private_log() as log, os.fdopen(ready_read, encoding="utf-8") as ready:
        try:
            process = subprocess.Popen(
                command,
                cwd=root,
                env=_server_environment(),
                stdin=key_read,
                stdout=log,
                stderr=log,
                pass_fds=[ready_write],
                start_new_session=True,
            )
        finally:
            os.close(ready_write)
            os.close(key_read)
        process.returncode = 0  # it outlives this process, which is not to wait for it
        said = _first_line(ready)
    if "error" in said:
        raise SandboxError(
            f"The local sandbox server did not start: {said['error']}",
            hint=f"Its log is {log_file()}.",
        )
    service = _running()
    if service is None:
        raise SandboxUnreachableError(
            "The local sandbox server started and then did not answer.",
            hint=f"Its log is {log_file()}.",
        )
    return service


def _pipe_holding(text: str) -> int:
    """Return the end to read of a pipe that holds ``text``, and then ends."""
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as file:
        file.write(text)
    return read


def _first_line(ready: IO[str]) -> dict[str, Any]:
    import select

    if not select.select([ready], [], [], START_TIMEOUT)[0]:
        return {"error": f"it was not ready after {START_TIMEOUT:.0f} s."}
    line = ready.readline()
    if not line:
        return {"error": "it ended at once."}
    said: dict[str, Any] = json.loads(line)
    return said


def _private_log() -> IO[bytes]:
    descriptor = os.open(log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def _server_environment() -> dict[str, str]:
    """Only what a Python process needs, so that no key of the kernel's reaches the server."""
    kept = (
        *("PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME", "USER", "LOGNAME", "VIBEKIT_HOME"),
        *("LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"),
    )
    return {name: os.environ[name] for name in kept if name in os.environ}

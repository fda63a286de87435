"""This user's own local sandbox server, as the package finds or starts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import wait_for
from vibekit_jupyter.services.local_sandbox import find_or_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.settings.config import Service

__all__ = ["is_running", "local_service", "stop_local_server"]


@contextlib.contextmanager
def local_service(home: Path) -> Iterator[Service]:
    """Run the local sandbox server of a home."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VIBEKIT_HOME", str(home))
        service = find_or_start()
    try:
        yield service
    finally:
        stop_local_server(home)


def stop_local_server(home: Path) -> None:
    """End the local sandbox server of a home, and wait until it has ended."""
    for record in home.glob("server-*.json"):
        pid = json.loads(record.read_text())["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda pid=pid: not is_running(pid), 30)  # type: ignore[misc]  # bound now


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"

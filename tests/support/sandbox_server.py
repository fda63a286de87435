"""Another E2B-compatible service for tests: a server of ours with another key and root."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.surroundings import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["SandboxServer", "sandbox_server"]


@dataclass(frozen=True)
class SandboxServer:
    """A running server: where it is, its key, and its process."""

    url: str
    key: str
    process: subprocess.Popen[bytes]

    @property
    def where(self) -> dict[str, Any]:
        """What leads a call of the E2B SDK to it."""
        return {"api_key": self.key, "api_url": self.url, "sandbox_url": self.url}

    @property
    def environment(self) -> dict[str, str]:
        """What leads the E2B SDKs to it, and so ours."""
        return {
            "E2B_API_KEY": self.key,
            "E2B_API_URL": self.url,
            "E2B_SANDBOX_URL": self.url,
        }


@contextlib.contextmanager
def sandbox_server(
    folder: Path, *options: str, launcher: Sequence[str] = ()
) -> Iterator[SandboxServer]:
    """Run a server in ``folder`` that is nobody's default: another E2B-compatible service.

    ``launcher`` is a program that becomes the server, with its first arguments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = f"e2b_{secrets.token_hex(20)}"
    ready_read, ready_write = os.pipe()
    command = [*launcher, sys.executable, "-m", "vibekit_jupyter.local_sandbox", "serve"]
    command += ["--root", str(folder / "root"), "--port", "0"]
    command += ["--state-file", str(folder / "server.json"), "--ready-fd", str(ready_write)]
    with (folder / "server.log").open("wb") as log, os.fdopen(ready_read) as ready:
        process = subprocess.Popen(
            [*command, *options],
            env={**clean_environment(), "VIBEKIT_SANDBOX_API_KEY": key},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[ready_write],
        )
        os.close(ready_write)
        said = json.loads(ready.readline())
    try:
        yield SandboxServer(said["url"], key, process)
    finally:
        process.terminate()
        process.wait(30)

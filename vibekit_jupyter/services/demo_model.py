"""The demo model: one a process, with a random key, ended with the process that uses it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass

from vibekit_jupyter.errors import ModelUnavailableError
from vibekit_jupyter.settings.config import Model, VendorName
from vibekit_jupyter.settings.vendors import DEMO_MODEL

__all__ = ["DemoModel"]


@dataclass
class _Running:
    process: subprocess.Popen[str]
    url: str
    key: str


class DemoModel:
    """The demo model server of this process, started when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def model(self, agent: VendorName) -> Model:
        """Return the demo model as the model of an agent. Blocks; call it in a thread.

        Raises
        ------
        ModelUnavailableError
            It did not start.
        """
        with self._lock:
            if self._running is None or self._running.process.poll() is not None:
                self._running = _start()
            url = self._running.url + ("/v1" if agent == "codex" else "")
            return Model(
                agent=agent,
                name=DEMO_MODEL,
                base_url=url,
                api_key=self._running.key,
                source="as no model is configured",
                demo=True,
            )

    def close(self) -> None:
        """End the server: it goes when its standard input closes."""
        with self._lock:
            if self._running is not None:
                process = self._running.process
                self._running = None
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()
                try:
                    process.wait(2)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _start() -> _Running:
    key = secrets.token_hex(20)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "vibekit_jupyter.demo_model"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C in a terminal is for the run, not for the model
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
    try:
        process.stdin.write(f"{key}\n")
        process.stdin.flush()
        url = json.loads(process.stdout.readline())["url"]
    except (OSError, ValueError, KeyError) as error:
        process.kill()
        process.wait()
        raise ModelUnavailableError(
            "The demo model did not start.",
            hint="Run `python -m vibekit_jupyter.demo_model` in a terminal to see why.",
        ) from error
    return _Running(process, url, key)

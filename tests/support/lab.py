"""A real JupyterLab server, and a page of it in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from tests.support.local_server import stop_local_server
from tests.support.surroundings import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The kernel indicator is idle before the session is connected; a cell run then is lost.
PANEL = "[...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext)"
READY = f"""() => {{
    const panel = window.jupyterapp?.shell && {PANEL};
    const kernel = panel?.sessionContext.session?.kernel;
    return panel?.context.isReady && panel.sessionContext.isReady
        && kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}}"""
# A kernel that is at work does not say what it is: JupyterLab waits for that, cells can be seen.
CONNECTED = f"""() => {{
    const panel = window.jupyterapp?.shell && {PANEL};
    const kernel = panel?.sessionContext.session?.kernel;
    return panel?.context.isReady && kernel?.connectionStatus === 'connected';
}}"""
KERNEL_INFO = f"() => {PANEL}.sessionContext.session.kernel.info"


def browser_path() -> str | None:
    """Return the browser to drive: ``CHROMIUM``, or one of the well-known names."""
    chosen = os.environ.get("CHROMIUM")
    return chosen or next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser, without a screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=[*BROWSER_ARGUMENTS]
        )
        yield browser
        browser.close()


class Lab:
    """A JupyterLab server on loopback, with configuration, data and sessions of its own.

    Parameters
    ----------
    root
        An empty folder; the notebooks are in its ``notebooks``.
    environment
        What is set for the server and its kernels beyond the caller's environment, whose
        settings do not reach them.
    """

    def __init__(self, root: Path, environment: dict[str, str] | None = None) -> None:
        self.notebooks = root / "notebooks"
        self.notebooks.mkdir(parents=True)
        config = root / "config"
        (config / "labconfig").mkdir(parents=True)
        (config / "labconfig" / "page_config.json").write_text(
            json.dumps(
                {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
            )
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._token = secrets.token_hex(16)
        self._home = root / "vibekit"
        self._log = (root / "lab.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"),
                *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
                f"--ServerApp.root_dir={self.notebooks}",
                "--LabApp.expose_app_in_browser=True",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env={
                **clean_environment(),
                "JUPYTER_TOKEN": self._token,
                "JUPYTER_CONFIG_DIR": str(config),
                "JUPYTER_DATA_DIR": str(root / "data"),
                "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
                "IPYTHONDIR": str(root / "ipython"),
                "VIBEKIT_HOME": str(self._home),
                **(environment or {}),
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_up(root / "lab.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_kernels()
        self._process.terminate()
        self._process.wait(20)
        self._log.close()
        stop_local_server(self._home)

    def end_kernels(self) -> None:
        """End all sessions: a kernel outlives its page."""
        for session in json.loads(self._request("GET", "/api/sessions")):
            self._request("DELETE", f"/api/sessions/{session['id']}")

    def write(
        self, name: str, cells: Sequence[str], outputs: Sequence[Mapping[str, Any]] = ()
    ) -> Path:
        """Write a notebook of code cells, the last with these outputs, and return its path."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [*outputs] if number == len(cells) - 1 else [],
                    "source": source,
                }
                for number, source in enumerate(cells)
            ],
            # Without it JupyterLab asks which kernel to take.
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = self.notebooks / name
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    def open(self, context: BrowserContext, path: Path) -> NotebookPage:
        """Open a notebook in a page of its own, its kernel ready."""
        page = context.new_page()
        opened = NotebookPage(page, self.url, path)
        name = quote(str(path.relative_to(self.notebooks)))
        page.goto(f"{self.url}/doc/tree/{name}?token={self._token}&reset")
        opened.ready()
        return opened

    def _wait_until_up(self, log: Path) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._request("GET", "/api/status")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return
        self._process.kill()
        raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")

    def _request(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(  # noqa: S310  # loopback, our own server
            self.url + path, method=method, headers={"Authorization": f"token {self._token}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as response:
            body: bytes = response.read()
        return body


@dataclass
class NotebookPage:
    """A notebook open in JupyterLab.

    Attributes
    ----------
    strangers
        The URLs that the page asked for and that are not JupyterLab's.
    errors
        What went wrong in the page, and the dialogs that it opened.
    """

    page: Page
    url: str
    path: Path
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._refuse)

    def ready(self) -> None:
        """Wait until cells can be run."""
        self.page.wait_for_function(READY, timeout=60_000)
        self.page.evaluate(KERNEL_INFO)

    def reload(self, *, busy: bool = False) -> None:
        """Load the page anew, as it was saved. The kernel lives on, and may be ``busy``."""
        self.page.reload()
        if busy:
            self.page.wait_for_function(CONNECTED, timeout=60_000)
        else:
            self.ready()

    def restart_kernel(self) -> None:
        """Restart the kernel, and wait until cells can be run."""
        self.page.evaluate(f"() => {PANEL}.sessionContext.restartKernel()")
        self.ready()

    def run_all(self) -> None:
        """Begin to run all cells."""
        self.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def cell(self, index: int) -> Locator:
        """Return a code cell."""
        return self.page.locator(".jp-NotebookPanel .jp-CodeCell").nth(index)

    def output(self, index: int) -> Locator:
        """Return all that a cell puts out."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def outputs(self, index: int) -> Locator:
        """Return the single outputs that a cell shows."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def wait_for_cells(self, count: int) -> None:
        """Wait until the notebook has so many cells; JupyterLab draws a new one when it is idle."""
        self.page.wait_for_function(
            f"count => {PANEL}.content.model.cells.length === count", arg=count
        )

    def start(self, index: int) -> None:
        """Begin to run a cell."""
        self.page.evaluate(
            f"""index => {{
                const panel = {PANEL};
                window.jupyterapp.shell.activateById(panel.id);
                panel.content.activeCellIndex = index;
                void window.jupyterapp.commands.execute('notebook:run-cell');
            }}""",
            index,
        )

    def wait(self, index: int, timeout: float = 30) -> None:
        """Wait until a cell has run; its prompt is a number then."""
        self.page.wait_for_function(
            """index => {
                const cell = document.querySelectorAll('.jp-NotebookPanel .jp-CodeCell')[index];
                return /\\[\\d+\\]/.test(cell?.querySelector('.jp-InputPrompt')?.textContent);
            }""",
            arg=index,
            timeout=timeout * 1000,
        )

    def run(self, index: int, timeout: float = 30) -> None:
        """Run a cell to its end."""
        self.start(index)
        self.wait(index, timeout)

    def save(self) -> list[dict[str, Any]]:
        """Save the notebook, and return the cells of its file."""
        self.page.evaluate(f"() => {PANEL}.context.save()")
        cells: list[dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        return cells

    def as_it_stands(self) -> str:
        """Return what a person reads in the notebook, and what went wrong in its page."""
        try:
            text = self.page.locator(".jp-NotebookPanel").inner_text(timeout=5000)
        except Exception as error:  # noqa: BLE001  # whatever the browser died of
            text = f"(not to be read: {error})"
        return "\n".join([text, *self.errors])

    def interrupt(self) -> None:
        """Press the stop button."""
        self.page.click('[data-command="notebook:interrupt-kernel"]')

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Run a function in the page."""
        return self.page.evaluate(script, argument)

    def theme(self, name: str) -> None:
        """Choose ``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        light = str("Light" in name).lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")

    def _note(self, url: str) -> None:
        if not re.match(rf"({re.escape(self.url)}/|data:|blob:|about:)", url):
            self.strangers.append(url)

    def _refuse(self, dialog: Any) -> None:
        if dialog.type == "beforeunload":
            dialog.accept()
            return
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

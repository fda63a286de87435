"""The cells of each page run as a newcomer's: an empty home, no keys, the demo model.

Their local sandboxes are real. What a page has started is ended with it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SETTINGS = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_GEMINI_", "E2B_", "VIBEKIT_")


def setup(app: Sphinx) -> dict[str, Any]:
    """Prepare the environment that the kernels have from this process, or from its workers."""
    for name in list(os.environ):
        if name.startswith(SETTINGS):
            del os.environ[name]
    homes = Path(tempfile.mkdtemp(prefix="vibekit-docs-"))
    os.environ["IPYTHONDIR"] = str(homes / "ipython")

    def enter(_app: Sphinx, page: str, _source: list[str]) -> None:
        os.environ["VIBEKIT_HOME"] = str(homes / page.replace("/", "-"))

    def leave(*_: object) -> None:
        _stop(Path(os.environ["VIBEKIT_HOME"]))

    def end() -> None:
        for home in homes.iterdir():
            _stop(home)
        shutil.rmtree(homes)

    app.connect("source-read", enter)
    app.connect("doctree-read", leave)
    atexit.register(end)  # a page whose cell failed was not left
    return {"parallel_read_safe": True}


def _stop(home: Path) -> None:
    if any(home.glob("server-*.json")):
        # The Python of a page's cells of code waits for more of them.
        command = [sys.executable, "-m", "vibekit_jupyter.local_sandbox", "stop", "--force"]
        environment = {**os.environ, "VIBEKIT_HOME": str(home)}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

"""A service whose sandboxes have few programs: neither python3 nor node, npm or pip."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter.local_sandbox.bubblewrap_binary import find_bubblewrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox_server import SandboxServer

__all__ = ["thin_server"]

# All that there is, beside what the server itself runs.
PROGRAMS = (
    *("bash", "cat", "chmod", "cp", "env", "grep", "head", "ls", "mkdir", "mv", "rm", "sed", "sh"),
    *("sleep", "sort", "stat", "tail", "touch", "tr", "true", "uname", "wc"),
)


@contextlib.contextmanager
def thin_server(folder: Path, *more: str, without: str = "") -> Iterator[SandboxServer]:
    """Run a server whose sandboxes have few programs, and ``more`` of the machine's.

    The server's own Python, of a virtual environment, is there by a name that nobody looks for.
    """
    own, python = Path(sys.executable), Path(sys.executable).resolve()
    assert own.parent != python.parent
    thin, servers = folder / "bin", folder / "servers"
    thin.mkdir(parents=True)
    servers.mkdir()
    for name in (*PROGRAMS, *more):
        if name != without and (found := shutil.which(name)):
            shutil.copy(found, thin / Path(name).name)
    shutil.copy(python, servers / "python-of-the-server")
    hidden = {*os.defpath.split(":"), "/usr/local/bin", str(python.parent)}
    launcher = [find_bubblewrap(), "--die-with-parent", "--dev-bind", "/", "/"]
    for path in sorted({str(Path(each).resolve()) for each in hidden if Path(each).is_dir()}):
        launcher += ["--ro-bind", str(thin), path]
    launcher += ["--ro-bind", str(servers), str(own.parent)]
    # In the place of the usual name, which comes next.
    start = ["sh", "-c", 'shift; exec "$0" "$@"', str(own.parent / "python-of-the-server")]
    with sandbox_server(folder / "server", launcher=[*launcher, "--", *start]) as server:
        yield server

"""The surroundings in which the example notebooks are run, and stored."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.local_server import stop_local_server
from tests.support.sandbox_server import sandbox_server
from tests.support.surroundings import take_settings_away
from vibekit_jupyter.services.local_sandbox import state_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["as_a_newcomer"]


@contextlib.contextmanager
def as_a_newcomer(level: str = "auto") -> Iterator[None]:
    """Give the processes started meanwhile an empty home and no settings.

    The local sandbox server that they start is ended. It confines as well as it can, unless
    ``level`` names another level: then it is there before them.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as environment,
        contextlib.ExitStack() as server,
    ):
        take_settings_away(environment)
        home = Path(folder, "home")
        environment.setenv("VIBEKIT_HOME", str(home))
        environment.setenv("IPYTHONDIR", str(Path(folder, "ipython")))
        if level != "auto":
            options = ["--confine", level, "--state-file", str(state_file())]
            server.enter_context(sandbox_server(home, *options))
        try:
            yield
        finally:
            stop_local_server(home)

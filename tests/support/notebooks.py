"""The surroundings in which the example notebooks are run, and stored."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.local_server import stop_local_server
from tests.support.surroundings import take_settings_away

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["as_a_newcomer"]


@contextlib.contextmanager
def as_a_newcomer() -> Iterator[None]:
    """Give the processes started meanwhile an empty home, plain output and no settings.

    The local sandbox server that they started is ended.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        take_settings_away(environment)
        home = Path(folder, "home")
        environment.setenv("VIBEKIT_HOME", str(home))
        environment.setenv("IPYTHONDIR", str(Path(folder, "ipython")))
        environment.setenv("VIBEKIT_DISPLAY", "plain")
        try:
            yield
        finally:
            stop_local_server(home)

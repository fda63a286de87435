"""The surroundings in which the example notebooks are run, and stored."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import is_setting
from tests.support.kernel import stop_local_server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["as_a_newcomer"]


@contextlib.contextmanager
def as_a_newcomer() -> Iterator[None]:
    """Give the processes started meanwhile an empty home, plain output and no settings.

    The local sandbox server that they started is ended.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        for name in filter(is_setting, list(os.environ)):
            environment.delenv(name)
        home = Path(folder, "home")
        environment.setenv("VIBEKIT_HOME", str(home))
        environment.setenv("IPYTHONDIR", str(Path(folder, "ipython")))
        environment.setenv("VIBEKIT_DISPLAY", "plain")
        try:
            yield
        finally:
            stop_local_server(home)

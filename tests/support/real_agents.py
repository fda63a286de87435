"""People's own agents, as their makers publish them: which are tested, and where they are.

They are installed at first, which takes the network; ``AGENTS_HOME`` names a folder that keeps
them, ``AGENTS_TESTED`` those that are tested, and ``AGENTS_MOMENTS`` how often each is disturbed.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.local_server import stop_local_server
from vibekit_jupyter.services.agent_install import install_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOMENTS", "TESTED", "home_with_agents"]

TESTED = os.environ.get("AGENTS_TESTED", "codex-cli goose").split()
MOMENTS = int(os.environ.get("AGENTS_MOMENTS", "5"))


@contextmanager
def home_with_agents(otherwise: Path) -> Iterator[Path]:
    """Use a home with the agents, and its local sandbox server."""
    kept = os.environ.get("AGENTS_HOME")
    home = Path(kept) if kept else otherwise
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIBEKIT_HOME", str(home))
        for name in TESTED:
            install_agent(name)
    yield home
    stop_local_server(home)

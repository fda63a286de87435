"""A process that writes to the registry for ever, and says on stdout what was confirmed."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service, local_service_id

if TYPE_CHECKING:
    from typing import NoReturn

SERVICE = Service(id=local_service_id(), title="local sandbox", api_key="e2b_1")


def write_for_ever(writer: str) -> NoReturn:
    """Add sessions with a turn each; print ``session ID`` or ``turn ID`` after each write."""
    registry = Registry()
    for number in itertools.count():
        session_id = f"{writer}x{number}"
        registry.add(Session(session_id, session_id, SERVICE.title, user="ada"), SERVICE)
        print("session", session_id, flush=True)  # noqa: T201 - what the test reads
        turn = registry.begin_turn(
            SERVICE.id, session_id, prompt=session_id, agent="codex", model="m", mode="code"
        )
        registry.update_turn(turn, [{"type": "notice", "text": session_id}], status="done")
        print("turn", session_id, flush=True)  # noqa: T201
    raise AssertionError


if __name__ == "__main__":
    write_for_ever(sys.argv[1])

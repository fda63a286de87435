"""What an agent has said in a turn whose kernel is gone, as its spool in the sandbox keeps it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.acp.fields import mapping_in, text_in
from vibekit_jupyter.agents.acp.lines import Lines, TooMuchError
from vibekit_jupyter.agents.acp.spool import spool_of
from vibekit_jupyter.agents.acp.translator import Translator
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.errors import SandboxError, SessionNotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import FileChange
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["LeftBehind", "left_behind", "told_in"]

# Bytes of a spool that are read.
MOST: Final = 32 * 1024**2


@dataclass(frozen=True)
class LeftBehind:
    """What is known of a turn from the agent's own words.

    Attributes
    ----------
    events
        What happened in it.
    files
        What the agent says that it did to files.
    came_to_end
        Whether it has said that the turn is done.
    """

    events: Sequence[Event] = ()
    files: Sequence[FileChange] = ()
    came_to_end: bool = False


@contextlib.asynccontextmanager
async def left_behind(sandbox: Sandbox, run: int) -> AsyncIterator[LeftBehind]:
    """Give what the agent of a run has left behind in a sandbox; afterwards it is removed there."""
    folder = spool_of(run)
    try:
        output = await sandbox.read_file(f"{folder}/out", most=MOST)
    except (OSError, SandboxError, SessionNotFoundError):
        yield LeftBehind()
        return
    yield told_in(output.decode(errors="replace"))
    await sandbox.discard(folder)


def told_in(output: str) -> LeftBehind:
    """Return what an agent's output tells of the turn in it.

    What comes before the last answer that is none to the prompt belongs to the beginning: a session
    that is loaded tells all that was said before.
    """
    changes = Changes()
    translator = Translator(changes)
    events: list[Event] = []
    reason = ""
    with contextlib.suppress(TooMuchError):
        for message in Lines().feed(output):
            if message.get("method") == "session/update":
                events += translator.events(mapping_in(message, "params", "update"))
            elif "method" in message or "result" not in message:
                continue
            elif reason := text_in(message, "result", "stopReason"):
                break
            else:
                events, changes = [], Changes()
                translator = Translator(changes)
    events += translator.end()
    return LeftBehind(events, changes.files, reason == "end_turn")

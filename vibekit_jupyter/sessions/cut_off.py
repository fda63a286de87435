"""What a kernel that was killed left running is ended, and of runs it is said."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.events import RunFinished, StepFinished, event_from_dict
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.registry import Registry

__all__ = ["CUT_OFF", "end_cut_off"]

CUT_OFF: Final = "The kernel ended while the run went on."


async def end_cut_off(sandbox: Sandbox, registry: Registry) -> None:
    """End what kernels that are no more left running in a sandbox, and close their runs' turns.

    What the turns hold stays, and is a part of the conversation.
    """
    service_id = sandbox.service.id
    for owner, run in registry.commanders(service_id, sandbox.id):
        if not registry.is_there(owner):
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                await sandbox.end_run(run)
                registry.drop_commander(run)
    for turn, owner, run in registry.running_turns(service_id, sandbox.id):
        if registry.is_there(owner):
            continue
        if run:
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                await sandbox.end_run(run)
        events = [event_from_dict(dict(event)) for event in registry.events(turn)]
        steps = [event for event in events if isinstance(event, StepFinished)]
        usage = sum((step.usage for step in steps), Usage())
        ended = RunFinished("interrupted", sandbox.id, len(steps), usage, 0.0, CUT_OFF)
        registry.update_turn(
            turn, [ended.to_dict()], first=len(events), status="interrupted", error=CUT_OFF
        )

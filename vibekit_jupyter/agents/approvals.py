"""What a person is asked before a tool changes something, and what the model is told of it.

The sandbox is the boundary. An approval is for a person who wants to see what happens.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Final, Protocol

from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.agents.file_tools import proposed
from vibekit_jupyter.agents.places import absolute
from vibekit_jupyter.agents.risks import command_risks, path_risks
from vibekit_jupyter.agents.tool_specs import MCP, READING, WRITING, checked_arguments
from vibekit_jupyter.agents.wire_text import json_object
from vibekit_jupyter.errors import RunInterruptedError
from vibekit_jupyter.events import ApprovalAsked

if TYPE_CHECKING:
    from vibekit_jupyter.agents.conversation import ToolCall
    from vibekit_jupyter.agents.tools import Toolbox
    from vibekit_jupyter.events import ApprovalAnswered
    from vibekit_jupyter.settings.vendors import Approve

__all__ = [
    "Approver",
    "Gate",
    "kinds_of",
    "needs_asking",
    "risks_of",
    "stopped",
    "whole_difference",
]

# What other agents call tools that change nothing, beside our own names.
LOOKING: Final = (*READING, "read", "search", "think")
ELSEWHERE: Final = "act outside the sandbox"
MOST_REASON: Final = 500
REFUSED: Final = (
    "Not done: the person refused this call. Do not reach the same by another way: go on without "
    "it, or say what you would need it for."
)
UNASKED: Final = "Not done: {note} Go on without it, and say at the end what was not done."


class Approver(Protocol):
    """Who is asked."""

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        """Return the answer. It may take long, and is cancelled with the run that waits."""
        ...


def risks_of(asked: ApprovalAsked) -> frozenset[str]:
    """Return what may be risky about a call, as ends of "commands that …"."""
    if asked.tool.startswith(MCP):
        return frozenset({ELSEWHERE})
    # What goes into a file is no command.
    runs = asked.command if asked.tool == "run_command" or not asked.path else ""
    found = command_risks(runs) if runs else frozenset[str]()
    return found | path_risks(asked.path) if asked.path else found


def needs_asking(asked: ApprovalAsked, approve: Approve) -> bool:
    """Return whether a person is to be asked. Never for what only looks."""
    if approve == "never" or asked.tool in LOOKING:
        return False
    return approve == "always" or bool(risks_of(asked))


def kinds_of(asked: ApprovalAsked) -> frozenset[str]:
    """Return of which kinds a call is, in words; allowed for a session is what is of these.

    A plain command is of one kind. One that may be risky is of further ones, and is allowed by an
    answer to a plain one only together with answers to those.
    """
    if asked.tool.startswith(MCP):
        return frozenset({f"the tool {asked.tool}"})
    if asked.command and asked.tool == "run_command":
        what = "commands"
    elif asked.path:
        what = "changes of files"
    else:
        return frozenset({f"the tool {asked.tool}"})
    return frozenset({what, *(f"{what} that {risk}" for risk in risks_of(asked))})


def stopped() -> RunInterruptedError:
    """Return what ends a run whose person chose to stop it."""
    return RunInterruptedError(
        "Interrupted.", hint="What was done is kept, and the session can go on."
    )


def whole_difference(path: str, before: bytes | None, after: bytes) -> str:
    """Return all that would change: where a diff has not all of it, the whole new content."""
    change = file_change(path, before, after)
    lines = sum(line.startswith(("+", "-")) for line in change.diff.split("\n"))
    if (change.diff or before == after) and lines == change.added + change.removed:
        return change.diff
    return "".join(f"+{line}\n" for line in after.decode(errors="replace").split("\n"))


def _difference(path: str, before: bytes | None, after: bytes) -> str:
    if before == after:
        raise ValueError("nothing would change")
    return whole_difference(path, before, after)


class Gate:
    """Where the calls of one answer wait until they are allowed.

    Parameters
    ----------
    approver
        Who is asked.
    approve
        Of what.
    reason
        What the model said with the calls.
    """

    def __init__(self, approver: Approver, approve: Approve, reason: str) -> None:
        self._approver = approver
        self._approve = approve
        self._reason = reason.strip()[-MOST_REASON:]

    async def refusal(self, call: ToolCall, toolbox: Toolbox) -> str:
        """Return what the model is told of a call that is not to be; empty where it may run.

        Raises
        ------
        RunInterruptedError
            The person stopped the run.
        """
        if self._approve == "never" or call.name in LOOKING:
            return ""
        try:
            asked = await self._question(call, toolbox)
        except (OSError, ValueError):
            return ""  # it would change nothing, and the tool says why
        if not needs_asking(asked, self._approve):
            return ""
        answered = await self._approver.ask(asked)
        if answered.answer == "stopped":
            raise stopped()
        if answered.answer != "refused":
            return ""
        return REFUSED if answered.by == "you" else UNASKED.format(note=answered.note)

    async def _question(self, call: ToolCall, toolbox: Toolbox) -> ApprovalAsked:
        command = path = diff = ""
        if title := toolbox.title(call):
            arguments = json.dumps(json_object(call.arguments), ensure_ascii=False, indent=1)
            return self._asked(call, f"Use {title}?", command=arguments)
        given = checked_arguments(call, toolbox.specs)
        if call.name in WRITING:
            path = absolute(str(given["path"]))
            before, after = await proposed(toolbox.sandbox, call.name, **given)
            title = f"Change {path}?" if before is not None else f"Create {path}?"
            diff = await asyncio.to_thread(_difference, path, before, after)
        else:
            title, command = "Run this command?", str(given["command"])
        return self._asked(call, title, command=command, path=path, diff=diff)

    def _asked(self, call: ToolCall, title: str, **what: str) -> ApprovalAsked:
        number = uuid.uuid4().hex
        return ApprovalAsked(number, call.call_id, call.name, title, **what, reason=self._reason)

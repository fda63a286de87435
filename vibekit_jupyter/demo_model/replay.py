"""Scripts as generators, and how a server without memory goes on with one.

A script yields the tool calls it wants to make, is sent what each came to, and returns its
last words. The vendors' clients send the whole conversation every time, so a script is run
from its start with the outcomes already there, and the first call without one is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Outcome", "Plan", "Step", "Turn", "replay", "say"]

# How a command ended is a line of its own, the first or the last of what the model is told.
_ENDING = re.compile(
    r"\W*(?:the )?(?:command |process )?(?:"
    r"exit(?:ed)?(?: with)?(?: code| status)?[:=]? *(?P<code>-?\d+)"
    r"|(?:ran out of time|timed out|was ended by|was killed|was interrupted)\b.*)\W*",
    re.IGNORECASE,
)
# The Responses protocol has no mark for a failed tool: its words must do.
_FAILURE = re.compile(
    r"\W*(?:error|failed|cannot|can't|could not|no such|there is no|not found)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Step:
    """A tool call that a script wants to make, and what it says before."""

    tool: str
    arguments: dict[str, Any]
    words: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a step came to.

    Attributes
    ----------
    ok
        It did what was asked; for a command: it exited with 0.
    text
        What the tool gave back, without the line that tells how a command ended.
    ending
        That line, empty where there is none.
    """

    ok: bool
    text: str
    ending: str = ""

    @classmethod
    def of(cls, tool: str, result: ToolResult) -> Outcome:
        """Read the result of a tool's call."""
        if tool != "run_command":
            return cls(not result.is_error and not _FAILURE.match(result.text), result.text)
        lines = result.text.splitlines(keepends=True)
        for index in (0, len(lines) - 1) if lines else ():
            if ending := _ENDING.fullmatch(lines[index]):
                output = "".join(lines[:index] + lines[index + 1 :])
                return cls(ending["code"] == "0", output, ending[0].strip())
        return cls(not result.is_error, result.text)


Plan = Generator[Step, Outcome, str]


@dataclass(frozen=True)
class Turn:
    """The user's last prompt, and what has happened since.

    Attributes
    ----------
    prompt
        Byte for byte.
    outcomes
        Of the steps made for this prompt, in order.
    earlier
        The prompts before, oldest first.
    calls
        All tool calls of the conversation, oldest first.
    tools
        The names of the tools offered.
    """

    prompt: str
    outcomes: tuple[Outcome, ...]
    earlier: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    tools: frozenset[str]

    @classmethod
    def of(cls, request: Request) -> Turn:
        """Find the last turn of a conversation."""
        messages = request.messages
        spoken = [
            index
            for index, message in enumerate(messages)
            if message.role == "user" and message.texts
        ]
        last = spoken[-1] if spoken else -1
        calls = {call.id: call for message in messages for call in message.tool_calls}
        return cls(
            prompt=request.prompt,
            outcomes=tuple(
                Outcome.of(calls[result.call_id].name, result)
                for message in messages[last + 1 :]
                for result in message.tool_results
                if result.call_id in calls
            ),
            earlier=tuple(messages[index].texts[-1] for index in spoken[:-1]),
            calls=tuple(calls.values()),
            tools=frozenset(request.tools),
        )

    def written_files(self) -> Iterator[str]:
        """Yield the paths written or edited so far, the newest first."""
        for call in reversed(self.calls):
            if call.name in ("write_file", "edit_file"):
                yield str(call.arguments_object.get("path", ""))


def say(words: str) -> str:
    """Make the demo model say something: whatever it says, it says who speaks."""
    return f"Demo model: {words}"


def replay(plan: Plan, turn: Turn) -> Answer:
    """Return the answer that a script has for a turn."""
    try:
        step = _advance(plan, turn.outcomes)
    except StopIteration as end:
        return Answer(say(end.value))
    if step.tool not in turn.tools:
        return Answer(
            say(
                f"I would use the tool `{step.tool}` now, but it is not offered in this mode, so "
                "I change and run nothing. Ask again with `--mode code`."
            )
        )
    call = ToolCall(step.tool, step.arguments)
    return Answer(say(step.words) if step.words else "", tool_calls=(call,))


def _advance(plan: Plan, outcomes: Iterable[Outcome]) -> Step:
    step = next(plan)
    for outcome in outcomes:
        step = plan.send(outcome)
    return step

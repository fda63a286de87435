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

# What the agents' tools say: the Responses protocol has no mark for a failure, only words.
_ENDING = re.compile(r"\[(?P<how>exit code -?\d+|ended: [^\n]*)\]\s*\Z")
_ERROR = re.compile(r"Error: (?P<what>[^\n]+)")
_NOTHING = ("(no output)", "(empty)")
_MISSING = re.compile(r"no such file|not found|does not exist|there is no", re.IGNORECASE)


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
        What the tool gave back; empty for a command without output and for an empty file.
    ending
        How a command that failed ended, for instance ``exit code 1``.
    """

    ok: bool
    text: str
    ending: str = ""

    @property
    def missing(self) -> bool:
        """Whether it failed as there is no such file, and for no other reason."""
        return not self.ok and bool(_MISSING.search(self.text))

    @classmethod
    def of(cls, result: ToolResult) -> Outcome:
        """Read a tool's result."""
        if error := _ERROR.fullmatch(result.text):
            return cls(ok=False, text=error["what"])
        ending = _ENDING.search(result.text)
        text = result.text[: ending.start()] if ending else result.text
        return cls(
            ok=not (result.is_error or ending),
            text="" if text.strip() in _NOTHING else text,
            ending=ending["how"] if ending else "",
        )


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
    told
        What came with the prompts, such as words on variables, the newest first.
    told_now
        What came with this one.
    """

    prompt: str
    outcomes: tuple[Outcome, ...]
    earlier: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    tools: frozenset[str]
    told: tuple[str, ...]
    told_now: tuple[str, ...]

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
        return cls(
            prompt=request.prompt,
            outcomes=tuple(
                Outcome.of(result)
                for message in messages[last + 1 :]
                for result in message.tool_results
            ),
            earlier=tuple(messages[index].texts[-1] for index in spoken[:-1]),
            calls=tuple(call for message in messages for call in message.tool_calls),
            tools=frozenset(request.tools),
            told=tuple(text for index in reversed(spoken) for text in messages[index].texts[:-1]),
            told_now=messages[last].texts[:-1] if spoken else (),
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

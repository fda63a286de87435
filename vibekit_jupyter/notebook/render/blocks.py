"""The parts of a run that a reader sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from vibekit_jupyter.events import (
        ApprovalAnswered,
        ApprovalAsked,
        FileShown,
        StepFinished,
        ToolCallFinished,
        ToolCallStarted,
    )
    from vibekit_jupyter.results import FileChange

__all__ = [
    "Approval",
    "Artifact",
    "Block",
    "Changed",
    "CountedText",
    "Plan",
    "Step",
    "Text",
    "Thinking",
    "ToolCall",
    "Warned",
]


@dataclass
class Block:
    """A part of the run, in the order of its beginning; a closed one never changes again."""

    number: int
    closed: bool = False


@dataclass
class Text(Block):
    """Words of the model."""

    text: BoundedText = field(kw_only=True)


@dataclass
class Thinking(Block):
    """Thoughts of the model."""

    text: BoundedText = field(kw_only=True)


class CountedText(BoundedText):
    """Bounded text that knows how many lines it had.

    Attributes
    ----------
    newlines
        How many were appended.
    """

    __slots__ = ("newlines",)

    def __init__(self, head: int, tail: int) -> None:
        super().__init__(head, tail)
        self.newlines = 0

    def append(self, text: str) -> None:
        """Add some text at the end."""
        self.newlines += text.count("\n")
        super().append(text)


@dataclass
class ToolCall(Block):
    """A tool at work; ``finished`` stays None when the run ended before it did."""

    started: ToolCallStarted = field(kw_only=True)
    stdout: CountedText = field(kw_only=True)
    stderr: CountedText = field(kw_only=True)
    finished: ToolCallFinished | None = None
    approval: ApprovalAnswered | None = None

    @property
    def fine(self) -> bool:
        """It ended and did what was asked."""
        return self.finished is not None and self.finished.ok

    @property
    def is_denied(self) -> bool:
        """It was decided, and not to be done; what its agent says of that adds nothing."""
        if self.approval is None or self.approval.answer not in ("refused", "stopped"):
            return False
        return self.finished is None or not (self.finished.ok or self.finished.command)

    @property
    def change(self) -> FileChange | None:
        """What it made of a file."""
        return self.finished.change if self.finished else None

    @property
    def label(self) -> str:
        """What it does, in one phrase: the command, ``read sales.csv``, ``search nan in src``."""
        arguments = self.started.arguments
        if self.started.title:
            return self.started.title.strip()
        if self.started.tool == "run_command":
            return str(arguments.get("command", "")).strip()
        verb = self.started.tool
        for what in ("_file", "_files", "_image"):
            verb = verb.removesuffix(what)
        where = [str(arguments[name]) for name in ("pattern", "path") if arguments.get(name)]
        return " ".join([verb, " in ".join(where)]).strip()


@dataclass
class Approval(Block):
    """A question to the person; what was allowed is told by the call itself, when it runs.

    Some agents tell of a call before they ask (``has_call``): it is shown once.
    """

    asked: ApprovalAsked = field(kw_only=True)
    answered: ApprovalAnswered | None = None
    has_call: bool = False

    @property
    def label(self) -> str:
        """What the question is about, in one phrase."""
        return (self.asked.path or self.asked.command or self.asked.title).strip()

    @property
    def is_denied(self) -> bool:
        """It was decided, and not to be done."""
        return self.answered is not None and self.answered.answer in ("refused", "stopped")


@dataclass
class Plan(Block):
    """What the agent means to do; of all plans the last one holds."""

    entries: list[dict[str, str]] = field(kw_only=True)


@dataclass
class Warned(Block):
    """A sentence for the person."""

    text: str = field(kw_only=True)


@dataclass
class Artifact(Block):
    """A file shown in the cell."""

    shown: FileShown = field(kw_only=True)


@dataclass
class Changed(Block):
    """A file that commands changed; drawn where its difference is known, else only named."""

    change: FileChange = field(kw_only=True)


@dataclass
class Step(Block):
    """The seam between two answers of the model; nothing is drawn for it."""

    finished: StepFinished = field(kw_only=True)

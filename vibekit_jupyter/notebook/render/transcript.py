"""A run as blocks: what a reader sees, folded from events one at a time.

The model of the drawing, without a drop of drawing in it. An event costs constant time, and
the memory is bounded whatever an agent or a command pours out: long texts keep head and tail,
and of very many blocks the middle is dropped and counted.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    CommandOutput,
    Event,
    FileChanged,
    FileShown,
    Notice,
    PlanUpdated,
    RunFinished,
    RunStarted,
    SessionReady,
    StepFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.notebook.render.blocks import (
    Approval,
    Artifact,
    Block,
    Changed,
    CountedText,
    Plan,
    Step,
    Text,
    Thinking,
    ToolCall,
    Warned,
)
from vibekit_jupyter.results import FileChange, Usage
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vibekit_jupyter.results import Status

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
    "Transcript",
    "Warned",
]

B = TypeVar("B", bound=Block)

KEPT_FIRST, KEPT_LAST = 100, 400
ARGUMENT_LIMIT = 2_000
DIFF_LIMIT = 16_000


@dataclass(frozen=True)
class Limits:
    """How many characters of head and tail a text keeps."""

    text: tuple[int, int] = (48_000, 16_000)
    output: tuple[int, int] = (4_000, 12_000)


BRIEF = Limits()
FULL = Limits(text=(1_000_000, 1_000_000), output=(200_000, 200_000))


class Transcript:
    """A run as it is known so far.

    Parameters
    ----------
    full
        Keep twenty times more of long texts (``%vibekit last --full``).

    Attributes
    ----------
    blocks
        What happened, oldest first.
    omitted
        How many blocks were dropped from the middle.
    started, ready, session_id, session_name
        Who answers, and where, as far as it is known.
    steps, usage
        The model's answers so far, and their tokens.
    finished
        How it ended; None while it runs.
    """

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.blocks: list[Block] = []
        self.omitted = 0
        self.started: RunStarted | None = None
        self.ready: SessionReady | None = None
        self.session_id: str | None = None
        self.session_name: str | None = None
        self.steps = 0
        self.usage = Usage()
        self.finished: RunFinished | None = None
        self._limits = FULL if full else BRIEF
        self._count = 0
        self._last: Block | None = None
        self._calls: dict[str, ToolCall] = {}
        self._asked: dict[str, Approval] = {}
        self._decided: dict[str, ApprovalAnswered] = {}

    @classmethod
    def of(cls, events: Iterable[Event], *, full: bool = False) -> Transcript:
        """Return the transcript of a recorded run."""
        transcript = cls(full=full)
        for event in events:
            transcript.add(event)
        return transcript

    @property
    def status(self) -> Status | None:
        """How the run ended; None while it runs."""
        return self.finished.status if self.finished else None

    def since(self, number: int) -> list[Block]:
        """Return the blocks with this number and above."""
        return self.blocks[bisect_left(self.blocks, number, key=attrgetter("number")) :]

    def files(self) -> Iterator[str]:
        """Yield the paths of the files that the run changed or showed, each once."""
        seen: set[str] = set()
        for block in self.blocks:
            path = None
            if isinstance(block, Artifact):
                path = block.shown.path
            elif isinstance(block, ToolCall | Changed) and block.change:
                path = block.change.path
            if path and path not in seen:
                seen.add(path)
                yield path

    def add(self, event: Event) -> None:
        """Fold an event in. A kind that is not known changes nothing."""
        match event:
            case TextDelta():
                last = self._last
                if not isinstance(last, Text):
                    last = self._append(Text(self._count, text=BoundedText(*self._limits.text)))
                last.text.append(event.text)
            case ThinkingDelta():
                last = self._last
                if not isinstance(last, Thinking):
                    kept = BoundedText(*self._limits.output)
                    last = self._append(Thinking(self._count, text=kept))
                last.text.append(event.text)
            case CommandOutput():
                if call := self._calls.get(event.call_id):
                    (call.stderr if event.stream == "stderr" else call.stdout).append(event.text)
            case ToolCallStarted():
                self._start_call(event)
            case ToolCallFinished():
                self._finish_call(event)
            case ApprovalAsked() | ApprovalAnswered() | PlanUpdated():
                self._agree(event)
            case FileChanged() | FileShown() | Notice():
                self._append(self._told(event))
            case RunStarted() | SessionReady() | StepFinished() | RunFinished():
                self._frame(event)

    def _frame(self, event: RunStarted | SessionReady | StepFinished | RunFinished) -> None:
        match event:
            case RunStarted():
                self.started = event
                self.session_id, self.session_name = event.session_id, event.session_name
            case SessionReady():
                self.ready = event
                self.session_id, self.session_name = event.session_id, event.session_name
            case StepFinished():
                self.steps = event.step
                self.usage += event.usage
                self._append(Step(self._count, closed=True, finished=event))
            case RunFinished():
                self.finished = event
                self.steps, self.usage = event.steps, event.usage
                self.session_id = event.session_id or self.session_id
                for block in self.blocks:
                    block.closed = True

    def _agree(self, event: ApprovalAsked | ApprovalAnswered | PlanUpdated) -> None:
        if isinstance(event, PlanUpdated):
            self._plan(event)
        elif isinstance(event, ApprovalAsked):
            kept = {"command": event.command[:DIFF_LIMIT], "diff": event.diff[:DIFF_LIMIT]}
            asked = dataclasses.replace(event, **kept)
            self._asked[event.request_id] = self._append(Approval(self._count, asked=asked))
        elif question := self._asked.pop(event.request_id, None):
            question.answered = event
            question.closed = True
            call_id = question.asked.call_id
            if call := self._calls.get(call_id):
                call.approval, question.has_call = event, True
            else:
                self._decided[call_id] = event

    def _plan(self, event: PlanUpdated) -> None:
        if isinstance(self._last, Plan) and not self._last.closed:
            self._last.entries = event.entries
        else:
            self._append(Plan(self._count, entries=event.entries))

    def _told(self, event: FileChanged | FileShown | Notice) -> Block:
        if isinstance(event, Notice):
            return Warned(self._count, closed=True, text=event.text)
        if isinstance(event, FileShown):
            return Artifact(self._count, closed=True, shown=event)
        return Changed(self._count, closed=True, change=_bounded(event.change))

    def _start_call(self, event: ToolCallStarted) -> None:
        arguments = {key: _shortened(value) for key, value in event.arguments.items()}
        call = ToolCall(
            self._count,
            started=dataclasses.replace(event, arguments=arguments),
            stdout=CountedText(*self._limits.output),
            stderr=CountedText(*self._limits.output),
            approval=self._decided.pop(event.call_id, None),
        )
        self._append(call)
        self._calls[event.call_id] = call

    def _finish_call(self, event: ToolCallFinished) -> None:
        call = self._calls.pop(event.call_id, None)
        if call is None:
            return
        command, change = event.command, event.change
        if command and not (call.stdout or call.stderr):
            call.stdout.append(command.stdout)
            call.stderr.append(command.stderr)
        elif command is None and change is None:
            call.stdout.append(event.output)
        # The texts stand in the block, once.
        call.finished = dataclasses.replace(
            event,
            output="",
            command=command and dataclasses.replace(command, stdout="", stderr=""),
            change=change and _bounded(change),
        )
        call.closed = True

    def _append(self, block: B) -> B:
        """Add a block; the words before it are complete now."""
        if self._last is not None and not isinstance(self._last, ToolCall | Approval):
            self._last.closed = True
        self._last = block
        self._count += 1
        self.blocks.append(block)
        if len(self.blocks) > KEPT_FIRST + KEPT_LAST:
            del self.blocks[KEPT_FIRST]
            self.omitted += 1
        return block


def _bounded(change: FileChange) -> FileChange:
    return dataclasses.replace(change, diff=change.diff[:DIFF_LIMIT])


def _shortened(value: Any) -> Any:
    """Return an argument for its label: a whole file's content is not needed for that."""
    if isinstance(value, bool | float) or value is None:
        return value
    return str(value)[:ARGUMENT_LIMIT]

"""A run as data: its versioned record in an output's metadata."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    FileChanged,
    Notice,
    PlanUpdated,
    TextDelta,
    ThinkingDelta,
    event_from_dict,
)
from vibekit_jupyter.notebook.render.transcript import (
    Approval,
    Artifact,
    Block,
    Changed,
    Plan,
    Step,
    Text,
    Thinking,
    ToolCall,
    Transcript,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RECORD_LIMIT", "VERSION", "events_of_record", "output_record"]

VERSION: Final = 1
RECORD_LIMIT: Final = 64_000
SHORTEST: Final = 60


def output_record(transcript: Transcript, *, private: bool = False) -> dict[str, Any]:
    """Return the run's events as JSON-safe data of at most 64 kB.

    Deltas are merged. Where the events do not fit, their long texts lose the middle, and in
    the end the run does.

    Parameters
    ----------
    transcript
        The run.
    private
        Leave the prompt out.

    Returns
    -------
    dict
        ``version``, and ``events``, readable again with :func:`events_of_record`.
    """
    try:
        return _record([event.to_dict() for event in _events(transcript, private=private)])
    except (RecursionError, TypeError, ValueError):
        return {"version": VERSION, "events": []}  # of a registry that holds what nobody told


def _record(events: list[dict[str, Any]]) -> dict[str, Any]:
    limit = RECORD_LIMIT // 4
    while True:
        record = {"version": VERSION, "events": [_shortened(event, limit) for event in events]}
        if len(json.dumps(record, ensure_ascii=False, allow_nan=False).encode()) <= RECORD_LIMIT:
            return record
        if limit > SHORTEST:
            limit //= 2
        elif ends := len(events) // 3:
            events = events[:ends] + events[-ends:]
        else:
            events = []


def events_of_record(record: dict[str, Any]) -> list[Event]:
    """Return the events of a record, also of one that a newer version wrote."""
    return [event_from_dict(entry) for entry in record.get("events", [])]


def _events(transcript: Transcript, *, private: bool) -> Iterator[Event]:
    if transcript.started:
        prompt = "" if private else transcript.started.prompt
        yield dataclasses.replace(transcript.started, prompt=prompt)
    if transcript.ready:
        yield transcript.ready
    for block in transcript.blocks:
        yield from _of_block(block)
    if transcript.finished:
        yield transcript.finished


def _of_block(block: Block) -> Iterator[Event]:
    match block:
        case Text():
            yield TextDelta(str(block.text))
        case Thinking():
            yield ThinkingDelta(str(block.text))
        case ToolCall():
            call_id = block.started.call_id
            yield block.started
            if block.stdout:
                yield CommandOutput(call_id, "stdout", str(block.stdout))
            if block.stderr:
                yield CommandOutput(call_id, "stderr", str(block.stderr))
            if block.finished:
                yield block.finished
        case Approval() | Plan():
            yield from _agreed(block)
        case Warned():
            yield Notice(block.text)
        case Changed():
            yield FileChanged(block.change)
        case Artifact():
            yield dataclasses.replace(block.shown, data="")
        case Step():
            yield block.finished


def _agreed(block: Approval | Plan) -> Iterator[Event]:
    if isinstance(block, Plan):
        yield PlanUpdated(block.entries)
        return
    yield block.asked
    if block.answered:
        yield block.answered


def _shortened(value: Any, limit: int) -> Any:
    """Return JSON-like data whose texts have at most about ``limit`` characters."""
    if isinstance(value, dict):
        few = itertools.islice(value.items(), limit)
        return {_shortened(key, limit): _shortened(item, limit) for key, item in few}
    if isinstance(value, (list, tuple)):
        return [_shortened(item, limit) for item in value[:limit]]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    if isinstance(value, str):
        if len(value) > limit:
            value = f"{value[: limit // 3]} … {value[-(limit - limit // 3) :]}"
        # Half a surrogate pair cannot be sent to a front end.
        return value.encode("utf-8", "replace").decode()
    return value

"""What a cell tells while it runs, checked: all of it comes from a sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from vibekit_jupyter.agents.wire_text import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Begun", "Cleared", "Ended", "Fault", "Notice", "Output", "Printed", "Shown", "read"]

MOST_TEXT: Final = 100_000  # characters of a traceback
MOST_TYPES: Final = 20
MOST_BUNDLE: Final = 16_000_000
_MIME: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class Printed:
    """A piece of what it printed."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True)
class Shown:
    """A result.

    Attributes
    ----------
    data
        Its forms as texts, by their MIME types; pictures are base64.
    left
        The forms that were too large to be sent, with their sizes.
    display_id
        What it is called, where it may be shown anew.
    update
        It takes the place of what is called so.
    is_value
        It is the value of the cell's last line.
    """

    data: Mapping[str, str]
    left: Mapping[str, int]
    display_id: str = ""
    update: bool = False
    is_value: bool = False


@dataclass(frozen=True)
class Cleared:
    """What was shown so far goes; with ``wait``, when the next thing comes."""

    wait: bool


@dataclass(frozen=True)
class Notice:
    """A sentence of ours; one that is expected tells of no trouble."""

    text: str
    expected: bool = False


@dataclass(frozen=True)
class Fault:
    """An error of the sandbox's: its class, its words, its traceback."""

    name: str
    value: str
    traceback: str


@dataclass(frozen=True)
class Begun:
    """A request is being worked on."""

    request: str


@dataclass(frozen=True)
class Ended:
    """A request is done; its answer may be anything."""

    request: str
    fault: Fault | None
    answer: Any = None


Output: TypeAlias = Printed | Shown | Cleared | Notice

ODD: Final = Notice("The sandbox sent something that cannot be read.")


def read(frame: Mapping[str, Any]) -> Output | Begun | Ended:
    """Return what a frame tells; of one that tells nothing, a sentence."""
    match frame:
        case {"begin": str(request)}:
            return Begun(request[:100])
        case {"end": str(request)}:
            return Ended(request[:100], _fault(frame.get("error")), frame.get("answer"))
        case {"stderr": str(text)}:
            return Printed("stderr", well_formed(text))
        case {"show": dict(data)}:
            return _shown(frame, data)
        case {"clear": bool(wait)}:
            return Cleared(wait)
    return ODD


def _fault(error: object) -> Fault | None:
    if error is None:
        return None
    told = error if isinstance(error, dict) else {}
    name, value, traceback = (
        well_formed(text)[:MOST_TEXT] if isinstance(text := told.get(key), str) else ""
        for key in ("name", "value", "traceback")
    )
    return Fault(name[:200] or "Error", value[:2_000], traceback)


def _shown(frame: Mapping[str, Any], data: dict[Any, Any]) -> Output:
    forms: dict[str, str] = {}
    room = MOST_BUNDLE
    for mime, text in list(data.items())[:MOST_TYPES]:
        if _MIME.fullmatch(mime) and isinstance(text, str) and len(text) <= room:
            forms[mime] = well_formed(text)
            room -= len(text)
    left = frame.get("left")
    sizes = {
        mime: size
        for mime, size in list(left.items() if isinstance(left, dict) else ())[:MOST_TYPES]
        if _MIME.fullmatch(mime) and type(size) is int and 0 <= size < 2**63
    }
    if not forms and not sizes:
        return ODD
    display_id = frame.get("id")
    return Shown(
        forms,
        sizes,
        display_id[:100] if isinstance(display_id, str) else "",
        frame.get("update") is True,
        frame.get("result") is True,
    )

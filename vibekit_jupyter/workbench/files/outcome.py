"""What came of bringing files in or out, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LeftOut", "Progress", "Tell", "Transfer"]


@dataclass(frozen=True)
class LeftOut:
    """Something that was not brought along; ``reason`` is the end of a sentence about it."""

    path: str
    reason: str


@dataclass(frozen=True)
class Transfer:
    """Files that were brought here, or there.

    Attributes
    ----------
    paths
        Where they are now, those included that were there already.
    to
        The folder.
    size
        How many bytes were sent.
    unchanged
        How many of them were there already, as they are.
    left_out
        What was asked for and is not there, and why.
    duration
        Seconds.
    """

    paths: Sequence[str]
    to: str
    size: int = 0
    unchanged: int = 0
    left_out: Sequence[LeftOut] = ()
    duration: float = 0.0


@dataclass(frozen=True)
class Progress:
    """How far it is: files and bytes, of how many."""

    verb: str
    files: int = 0
    of_files: int = 0
    size: int = 0
    of_size: int = 0


Tell = Callable[[Progress], None]

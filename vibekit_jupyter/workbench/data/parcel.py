"""A value that is ready to be sent, and what is known of the sandbox that it goes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["MOST_HASHED", "PIECE", "Parcel", "SandboxHas", "whole"]

MOST_HASHED: Final = 64_000_000
"""Bytes up to which all of a variable is looked at for whether it is as it was."""
PIECE: Final = 4 * 1024**2


@dataclass(frozen=True)
class SandboxHas:
    """What a sandbox has, as it said itself.

    Attributes
    ----------
    packages
        Names and versions; empty where there is no Python.
    python
        Its version, empty where there is none.
    file_limit
        The most bytes that a file may have; None where there is no limit, or nobody knows.
    free
        The bytes that are free; None where nobody knows.
    near
        It is on this machine: what goes there is not compressed.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    file_limit: int | None = None
    free: int | None = None
    near: bool = True

    def __contains__(self, package: object) -> bool:
        return package in self.packages

    @property
    def reads_arrow(self) -> bool:
        """Something there reads Arrow's files."""
        return "pyarrow" in self.packages or "polars" in self.packages


@dataclass(frozen=True)
class Parcel:
    """A value as a file.

    Attributes
    ----------
    name
        The variable.
    file
        The file's name.
    kind
        What it is: ``pandas.DataFrame``.
    extent
        How large it is, in its own terms: ``3,000,000 × 19``.
    size
        Bytes, about.
    parts
        Yields the bytes of the file, each time it is called.
    reading
        How a program in the sandbox reads it.
    columns
        What is told of its columns, a line each; with ``True`` their values, too.
    note
        Said to the person where it does not come back as it went.
    helper
        What reads it is put beside it: ``npz_frames``.
    """

    name: str
    file: str
    kind: str
    extent: str
    size: int
    parts: Callable[[], Iterator[bytes]]
    reading: str = ""
    columns: Callable[[bool], list[str]] = lambda _: []
    note: str = ""
    helper: bool = False


def whole(name: str, file: str, kind: str, extent: str, data: bytes, **more: Any) -> Parcel:
    """Return a parcel of bytes that are there as they go."""

    def parts() -> Iterator[bytes]:
        for first in range(0, len(data), PIECE):
            yield data[first : first + PIECE]

    return Parcel(name, file, kind, extent, len(data), parts, **more)

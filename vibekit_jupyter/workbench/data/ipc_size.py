"""How much memory an Arrow IPC file unpacks to, by its footer alone: nothing is unpacked.

12 kB of zstd may hold 400 MB of zeros. pyarrow has no way to ask, so the few tables of the footer
that say it are read here (the format: Arrow's ``File.fbs`` and ``Message.fbs``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAGIC", "unpacked_size"]

MAGIC: Final = b"ARROW1"
TAIL: Final = 10  # the footer's length, and the magic word again
BLOCK: Final = struct.Struct("<qi4xq")  # offset, length of the metadata, length of the body
PAIR: Final = struct.Struct("<qq")
DICTIONARY: Final = 2
MOST_BLOCKS: Final = 1_000_000


def unpacked_size(file: Any) -> tuple[int, int]:
    """Return how many bytes the buffers of a file have, and how many rows there are.

    Parameters
    ----------
    file
        Its bytes, or a map of them.

    Raises
    ------
    ValueError
        It is no such file.
    """
    try:
        return _unpacked_size(file)
    except (IndexError, struct.error) as error:
        raise ValueError("not an Arrow IPC file") from error


def _unpacked_size(file: Any) -> tuple[int, int]:
    if len(file) < 2 * TAIL or file[:6] != MAGIC or file[len(file) - 6 :] != MAGIC:
        raise ValueError("not an Arrow IPC file")
    end = len(file) - TAIL
    (length,) = struct.unpack("<i", file[end : end + 4])
    if not 0 < length <= end:
        raise ValueError("not an Arrow IPC file")
    footer = _Table.root(file[end - length : end])
    size = rows = 0
    for slot, counts_rows in ((2, False), (3, True)):
        for offset, metadata, body in footer.structs(slot, BLOCK):
            if min(offset, metadata, body) < 0 or offset + metadata + body > len(file):
                raise ValueError("not an Arrow IPC file")
            buffers, length = _batch(file, offset, metadata)
            size += buffers
            rows += length if counts_rows else 0
    return size, rows


def _batch(file: Any, offset: int, metadata: int) -> tuple[int, int]:
    """Return how many bytes a batch unpacks to, and how many rows it has."""
    head = file[offset : offset + metadata]
    message = _Table.root(head[8 if head[:4] == b"\xff\xff\xff\xff" else 4 :])
    batch = message.table(2)
    if message.number(1, "<B") == DICTIONARY:
        batch = batch.table(1)
    is_packed = batch.has(3)
    size = 0
    for start, length in batch.structs(2, PAIR):
        size += length
        if is_packed and length >= 8:
            at = offset + metadata + start
            (unpacked,) = struct.unpack("<q", file[at : at + 8])
            size += max(unpacked, 0)
        if length < 0 or start < 0:
            raise ValueError("not an Arrow IPC file")
    rows = batch.number(0, "<q")
    if rows < 0:
        raise ValueError("not an Arrow IPC file")
    return size, rows


class _Table:
    """A table of a flatbuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        (back,) = struct.unpack_from("<i", data, self._checked(at))
        self._fields = self._checked(at - back)
        (self._size,) = struct.unpack_from("<H", data, self._fields)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def _checked(self, at: int) -> int:
        if not 0 <= at < len(self._data):
            raise IndexError(at)
        return at

    def has(self, slot: int) -> bool:
        return self._place(slot) is not None

    def _place(self, slot: int) -> int | None:
        entry = 4 + 2 * slot
        if entry + 2 > self._size:
            return None
        (offset,) = struct.unpack_from("<H", self._data, self._fields + entry)
        return self._checked(self._at + offset) if offset else None

    def number(self, slot: int, form: str) -> int:
        place = self._place(slot)
        return 0 if place is None else int(struct.unpack_from(form, self._data, place)[0])

    def _follow(self, slot: int) -> int:
        place = self._place(slot)
        if place is None:
            raise IndexError(slot)
        return self._checked(place + int(struct.unpack_from("<I", self._data, place)[0]))

    def table(self, slot: int) -> _Table:
        return _Table(self._data, self._follow(slot))

    def structs(self, slot: int, form: struct.Struct) -> Iterator[tuple[int, ...]]:
        if not self.has(slot):
            return
        start = self._follow(slot)
        (count,) = struct.unpack_from("<I", self._data, start)
        if count > MOST_BLOCKS:
            raise IndexError(count)
        for at in range(count):
            yield form.unpack_from(self._data, start + 4 + at * form.size)

"""Archives on their way: read from a stranger, written for a sandbox, both as a stream.

What is read is one kind of archive alone, that of ``sandbox_script``: files, named by numbers. All
else that an archive can hold (links, devices, paths, sparse files) is an error before anything of
it is written.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["BadArchiveError", "Reader", "packed"]

BLOCK: Final = 512
PIECE: Final = 4 * 1024**2
END: Final = bytes(2 * BLOCK)
REGULAR: Final = (b"0", b"\0")


class BadArchiveError(ValueError):
    """It is not the archive that was asked for; the message is the end of a sentence."""


class Reader:
    """Takes an archive in pieces, and hands each file on when it is whole.

    Parameters
    ----------
    sizes
        How many bytes each file has at most, by its number.
    take
        Called with a file's number and what is in it.
    """

    def __init__(self, sizes: Sequence[int], take: Callable[[int, bytes], None]) -> None:
        self._sizes = sizes
        self._take = take
        self._rest = bytearray()
        self._next = 0
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take the next piece.

        Raises
        ------
        BadArchiveError
            It is something else.
        """
        self._rest += data
        at = 0
        while not self._ended and len(self._rest) - at >= BLOCK:
            header = bytes(self._rest[at : at + BLOCK])
            if not header.strip(b"\0"):
                self._ended = True
                break
            number, size = self._member(header)
            end = at + BLOCK + size
            whole = end + -size % BLOCK
            if len(self._rest) < whole:
                break
            self._next = number + 1
            self._take(number, bytes(self._rest[at + BLOCK : end]))
            at = whole
        del self._rest[:at]
        if self._ended and len(self._rest) > len(END):
            raise BadArchiveError("it goes on after its end")

    def close(self) -> None:
        """Say that there is no more.

        Raises
        ------
        BadArchiveError
            It broke off.
        """
        if not self._ended:
            raise BadArchiveError("it broke off")

    def _member(self, header: bytes) -> tuple[int, int]:
        """Return the number and the size that a header tells; both were known before."""
        try:
            told = int(header[148:156].strip(b" \0"), 8)
            number = int(header[:100].rstrip(b"\0").decode("ascii"))
            size = int(header[124:136].strip(b" \0"), 8)
        except ValueError:
            raise BadArchiveError("it holds something else than was asked for") from None
        if told != sum(header[:148]) + 8 * ord(" ") + sum(header[156:]):
            raise BadArchiveError("it is damaged")
        if header[156:157] not in REGULAR or not self._next <= number < len(self._sizes):
            raise BadArchiveError("it holds something else than was asked for")
        if not 0 <= size <= self._sizes[number]:
            raise BadArchiveError("it holds more than was asked for")
        return number, size


def packed(members: Iterable[tuple[str, bytes | None]]) -> Iterator[bytes]:
    """Yield an archive in large pieces: names with what is in them, None for a folder."""
    piece = bytearray()
    for name, data in members:
        info = tarfile.TarInfo(name)
        if data is None:
            info.type, info.mode = tarfile.DIRTYPE, 0o755
        else:
            info.size = len(data)
        piece += info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
        piece += data or b""
        piece += bytes(-info.size % BLOCK)
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + END)

"""Large files of a sandbox: sent and read in pieces, none of which is held for long."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.sandbox.failures import file_errors, sandbox_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from datetime import datetime

    import e2b

    from vibekit_jupyter.settings.config import Service

__all__ = ["FileStreams", "Stamp"]


@dataclass(frozen=True)
class Stamp:
    """A file as it is in the sandbox now: two of the same are the same file, unchanged."""

    name: str
    path: str
    size: int
    modified: datetime
    is_file: bool = True


class FileStreams:
    """What a connected sandbox does with large files."""

    service: Service
    id: str
    _sdk: e2b.AsyncSandbox

    async def send_file(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Write a file, with the folders above it, from pieces as they are made."""
        with file_errors(path), sandbox_errors(self.service, self.id):
            if _takes_pieces():
                data: Any = pieces
                await self._sdk.files.write(path, data)
                return
            with tempfile.TemporaryFile() as file:  # an older SDK sends open files alone
                async for piece in pieces:
                    file.write(piece)
                file.seek(0)
                await self._sdk.files.write(path, file)

    async def stream_file(self, path: str) -> AsyncGenerator[bytes, None]:
        """Yield a file's bytes as they come.

        Raises
        ------
        FileNotFoundError, OSError
            There is no such file; it is not a file.
        """
        with file_errors(path), sandbox_errors(self.service, self.id):
            reading = self._sdk.files.read(
                path, format="stream", stream_idle_timeout=self.service.request_timeout
            )
            async with await reading as chunks:
                async for chunk in chunks:
                    yield chunk

    async def move_file(self, source: str, target: str) -> Stamp:
        """Give a file another name in the place of what has it, and return what it is now."""
        with file_errors(source), sandbox_errors(self.service, self.id):
            return _stamp(await self._sdk.files.rename(source, target))

    async def remove_file(self, path: str) -> None:
        """Remove a file."""
        with file_errors(path), sandbox_errors(self.service, self.id):
            await self._sdk.files.remove(path)

    async def stamps(self, folder: str) -> Sequence[Stamp]:
        """Return what is in a folder; nothing where there is none."""
        try:
            with file_errors(folder), sandbox_errors(self.service, self.id):
                return [_stamp(entry) for entry in await self._sdk.files.list(folder)]
        except OSError:
            return []


def _stamp(entry: e2b.EntryInfo) -> Stamp:
    is_file = entry.symlink_target is None and (entry.type is None or entry.type.value == "file")
    return Stamp(entry.name, entry.path, entry.size, entry.modified_time, is_file=is_file)


@functools.cache
def _takes_pieces() -> bool:
    """Tell whether this SDK sends pieces as they are made."""
    from e2b.sandbox.filesystem import filesystem

    return hasattr(filesystem, "_is_async_chunk_iterable")

"""Files of any size up and down, piece by piece: nothing is held whole, here or in the SDK."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.sandbox.clean_shell import clean_shell
from vibekit_jupyter.sandbox.failures import file_errors, sandbox_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    import e2b
    import httpx

    from vibekit_jupyter.results import CommandResult
    from vibekit_jupyter.settings.config import Service

__all__ = ["Stamp", "Transfers", "in_thread"]

T = TypeVar("T")

# Bytes that are worth the way to a thread.
BLOCK: Final = 1024**2
CONNECTING: Final = 10.0
SHELL_TIMEOUT: Final = 120.0
PARTIAL_CONTENT: Final = 206

# Where a sandbox has no file system of its own, its folders stand for others in a command.
THERE: Final = """
there() {
  case $1 in
    /home/user|/home/user/*) there=$HOME${1#/home/user} ;;
    /tmp|/tmp/*) there=${TMPDIR:-/tmp}${1#/tmp} ;;
    *) there=$1 ;;
  esac
}
"""
TAIL: Final = f"""{THERE}
there "$VIBEKIT_FROM"; from=$there
there "$VIBEKIT_TO"
exec tail -c "+$VIBEKIT_START" -- "$from" > "$there"
"""
APPEND: Final = f"""{THERE}
there "$VIBEKIT_FROM"; from=$there
there "$VIBEKIT_TO"
cat -- "$from" >> "$there" && rm -f -- "$from"
"""


@dataclass(frozen=True)
class Stamp:
    """A file as it is in the sandbox now: two of the same are the same file, unchanged."""

    name: str
    path: str
    size: int
    modified: datetime
    is_file: bool = True


class Transfers:
    """What a connected sandbox does with files that may be large."""

    service: Service
    id: str
    _sdk: e2b.AsyncSandbox

    if TYPE_CHECKING:

        async def run(
            self, command: str, *, timeout: float, envs: Mapping[str, str], keep: int
        ) -> CommandResult:
            """Run bash source; see :class:`.Sandbox`."""

    async def download(
        self, path: str, take: Callable[[bytes], object], *, start: int = 0, most: int
    ) -> int:
        """Hand a file's bytes on, block by block; return how many there were.

        Parameters
        ----------
        take
            Called in a thread, with one block after the other. What it raises ends the transfer.
        start
            How many bytes at the beginning are left out.
        most
            How many are read at most.

        Raises
        ------
        FileNotFoundError, OSError
            There is no such file; it is not a file.
        """
        if start == 0:
            return await self._read(path, take, most)
        taken = await self._read_from(path, take, start, most)
        if taken is not None:
            return taken
        rest = f"/tmp/vibekit-{uuid.uuid4().hex}"  # noqa: S108  (the sandbox's)
        try:
            await self._shell(TAIL, path, rest, {"VIBEKIT_START": str(start + 1)})
            return await self._read(rest, take, most)
        finally:
            await asyncio.shield(self.discard(rest))

    async def _read(self, path: str, take: Callable[[bytes], object], most: int) -> int:
        sink = _Sink(take, most)
        with file_errors(path), sandbox_errors(self.service, self.id):
            reading = self._sdk.files.read(
                path, format="stream", stream_idle_timeout=self.service.request_timeout
            )
            async with await reading as chunks:
                await sink.drain(chunks)
        return sink.taken()

    async def _read_from(
        self, path: str, take: Callable[[bytes], object], start: int, most: int
    ) -> int | None:
        """Read a part of a file by HTTP's own means; None where the service knows none."""
        import httpx

        timeout = httpx.Timeout(self.service.request_timeout, connect=CONNECTING)
        sink = _Sink(take, most)
        with sandbox_errors(self.service, self.id):
            url = self._sdk.download_url(path)
            async with httpx.AsyncClient(timeout=timeout) as client:
                head = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
                async with client.stream("GET", url, headers=head) as response:
                    if not _is_part(response, start):
                        return None
                    await sink.drain(response.aiter_raw(BLOCK))
        return sink.taken()

    async def upload(self, path: str, blocks: Iterator[bytes]) -> None:
        """Write a file, with the folders above it; the blocks are made in a thread.

        What is there is written over, and half of the new one is there if this does not come to
        its end: so a new name is written, and renamed.
        """
        from e2b.sandbox.filesystem import filesystem

        source = _Source(blocks)
        # Older SDKs (2.45) take no async iterable.
        streams = hasattr(filesystem, "AsyncWriteData")
        data: Any = source.stream() if streams else source
        try:
            with file_errors(path), sandbox_errors(self.service, self.id):
                await self._sdk.files.write(path, data)
        except Exception:
            if source.failure is not None:
                raise source.failure from None
            raise
        finally:
            await source.rest()

    async def append(self, path: str, piece: str) -> None:
        """Put a file's bytes at the end of another one, and remove it.

        Raises
        ------
        OSError
            The sandbox could not.
        """
        await self._shell(APPEND, piece, path, {})

    async def _shell(self, source: str, origin: str, target: str, more: Mapping[str, str]) -> None:
        variables = {"VIBEKIT_FROM": origin, "VIBEKIT_TO": target, **more}
        command, envs = clean_shell(source, variables)
        done = await self.run(command, envs=envs, timeout=SHELL_TIMEOUT, keep=2_000)
        if done.exit_code != 0:
            reason = f"it said {done.stderr.strip()[:200]!r}"
            if "No space left" in done.stderr or "quota" in done.stderr:
                reason = "its disk is full"
            elif "File too large" in done.stderr:
                reason = "a file may hold no more"
            raise OSError(f"{target}: the sandbox could not put it together: {reason}")

    async def size(self, path: str) -> int | None:
        """Return a file's size; None where there is no such file."""
        try:
            with file_errors(path), sandbox_errors(self.service, self.id):
                return int((await self._sdk.files.get_info(path)).size)
        except FileNotFoundError:
            return None

    async def stamps(self, folder: str) -> Sequence[Stamp]:
        """Return what is in a folder; nothing where there is none."""
        try:
            with file_errors(folder), sandbox_errors(self.service, self.id):
                return [_stamp(entry) for entry in await self._sdk.files.list(folder)]
        except OSError:
            return []

    async def rename(self, old: str, new: str) -> Stamp:
        """Give a file another name, in the place of what has it; return what it is now."""
        with file_errors(new), sandbox_errors(self.service, self.id):
            return _stamp(await self._sdk.files.rename(old, new))

    async def make_folder(self, path: str) -> None:
        """Make a folder, and those above it; one that is there is no error."""
        with file_errors(path), sandbox_errors(self.service, self.id):
            await self._sdk.files.make_dir(path)

    async def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        with file_errors(path), sandbox_errors(self.service, self.id):
            await self._sdk.files.remove(path)

    async def discard(self, path: str) -> None:
        """Remove a file of our own, if that can be done now."""
        with contextlib.suppress(SandboxError, SessionNotFoundError, OSError):
            await self.remove(path)

    def host(self, port: int) -> str:
        """Return the host name under which a port of the sandbox is served."""
        return self._sdk.get_host(port)

    @property
    def traffic_token(self) -> str | None:
        """What opens the sandbox's ports, where they are not open to everybody."""
        token = self._sdk.traffic_access_token
        return token if isinstance(token, str) else None


def _stamp(entry: e2b.EntryInfo) -> Stamp:
    is_file = entry.symlink_target is None and (entry.type is None or entry.type.value == "file")
    return Stamp(entry.name, entry.path, entry.size, entry.modified_time, is_file=is_file)


def _is_part(response: httpx.Response, start: int) -> bool:
    asked = response.headers.get("content-range", "").startswith(f"bytes {start}-")
    plain = response.headers.get("content-encoding", "identity") == "identity"
    return response.status_code == PARTIAL_CONTENT and asked and plain


class _Sink:
    """Gathers what comes into blocks, and hands them on in a thread, up to a bound."""

    def __init__(self, take: Callable[[bytes], object], most: int) -> None:
        self._take = take
        self._left = most
        self._count = 0
        self._failure: Exception | None = None

    async def drain(self, chunks: AsyncIterator[bytes]) -> None:
        block = bytearray()
        async for chunk in chunks:
            block += chunk[: self._left - len(block)]
            if len(block) >= min(BLOCK, self._left):
                if not await self._hand_on(bytes(block)) or self._left == 0:
                    return
                block.clear()
        if block:
            await self._hand_on(bytes(block))

    async def _hand_on(self, block: bytes) -> bool:
        try:
            await in_thread(self._take, block)
        except Exception as error:  # noqa: BLE001  (ours, and not the service's: see taken)
            self._failure = error
            return False
        self._left -= len(block)
        self._count += len(block)
        return True

    def taken(self) -> int:
        """Return how many bytes were taken, or raise what the taker raised."""
        if self._failure is not None:
            raise self._failure
        return self._count


class _Source:
    """Blocks that are made in a thread, as a stream, and as a file for older SDKs."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._ready = b""
        self._making: asyncio.Future[bytes] | None = None
        self.failure: Exception | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        while block := await self._next():
            yield block

    async def _next(self) -> bytes:
        # The next one is made while this one is sent.
        if self._making is None:
            self._making = self._begin()
        block = await asyncio.shield(self._making)
        self._making = self._begin() if block else None
        return block

    def _begin(self) -> asyncio.Future[bytes]:
        return asyncio.ensure_future(asyncio.to_thread(self._make))

    def _make(self) -> bytes:
        try:
            return next(self._blocks, b"")
        except Exception as error:
            self.failure = error
            raise

    def read(self, size: int = -1) -> bytes:
        """Return some of the bytes, as a file does."""
        if not self._ready:
            self._ready = self._make()
        size = len(self._ready) if size < 0 else size
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    async def rest(self) -> None:
        """Wait for the thread, and close what the blocks are made from."""
        if self._making is not None:
            await asyncio.wait([self._making])
            if not self._making.cancelled():
                self._making.exception()
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Do blocking work in a thread; whoever is cancelled waits for it, and leaves no half of it."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise

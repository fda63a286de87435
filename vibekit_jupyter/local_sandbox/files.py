"""``/files``: whole files up and down, by token or by signed URL.

Paths are opened by the supervisor inside the sandbox; here there are only descriptors.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import sys
import time
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import MultipartReader, web

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.rpc import answer, in_time, known_user, user_of
from vibekit_jupyter.local_sandbox.shapes import number, same_secret, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from vibekit_jupyter.local_sandbox.sandbox import Sandbox

__all__ = ["download", "find_signed", "upload"]

Result = TypeVar("Result")
CHUNK = 256 * 1024
BLOCK = 1024 * 1024
METADATA_HEADER = "X-Metadata-"
XATTR = "user.e2b."
GZIP = 16 + zlib.MAX_WBITS
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
DISPOSITION_NAME = re.compile(r'filename="((?:[^"\\]|\\.)*)"')


def signature(path: str, operation: str, user: str, token: str, expires: str | None) -> str:
    """Return the signature of a URL, as the SDK makes it."""
    raw = ":".join([path, operation, user, token, *([expires] if expires else [])])
    digest = base64.b64encode(hashlib.sha256(raw.encode("utf-8", "surrogatepass")).digest())
    return "v1_" + digest.rstrip(b"=").decode()


def find_signed(request: web.Request, sandboxes: Iterable[Sandbox]) -> Sandbox:
    """Return the sandbox whose token signed the URL.

    Raises
    ------
    ProtocolError
        ``unauthenticated``: none, or the time is over.
    """
    query = request.query
    given = query.get("signature", "")
    expires = query.get("signature_expiration")
    operation = "read" if request.method == "GET" else "write"
    for sandbox in sandboxes:
        expected = signature(
            query.get("path", ""),
            operation,
            query.get("username", ""),
            sandbox.record.token,
            expires,
        )
        if same_secret(given, expected):
            if expires and number(expires, "signature_expiration", 0) < time.time():
                raise ProtocolError("unauthenticated", "signature is already expired")
            return sandbox
    raise ProtocolError("unauthenticated", "invalid signature")


def _user(request: web.Request) -> str:
    return (
        known_user(request.query["username"]) if "username" in request.query else user_of(request)
    )


async def download(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    """Send a file, compressed where exactly that is asked for."""
    path = text(request.query.get("path"), "path")
    async with sandbox.opened(path, _user(request), "read") as (
        file,
        entry,
    ):
        response = web.StreamResponse()
        response.content_type = "application/octet-stream"
        response.headers["Content-Disposition"] = _disposition(entry["name"])
        response.headers["X-Content-Type-Options"] = "nosniff"
        size = os.fstat(file).st_size
        if size:
            response.headers["Accept-Ranges"] = "bytes"
            part = _part(request, response, size)
            if part is not None:
                await _in_thread(os.lseek, file, part.start, os.SEEK_SET)
                size = len(part)
                if not size:
                    return response
        await _check_readable(file)
        if response.status == 200 and request.headers.get("Accept-Encoding", "").strip() == "gzip":
            response.headers["Content-Encoding"] = "gzip"
            await response.prepare(request)
            compressor = zlib.compressobj(wbits=GZIP, level=1)
            while data := await _read(file, CHUNK):
                await response.write(compressor.compress(data))
            await response.write(compressor.flush())
        elif size:
            response.content_length = size
            await response.prepare(request)
            while size > 0 and (data := await _read(file, min(CHUNK, size))):
                size -= len(data)
                await response.write(data)
        else:  # files of /proc have no size until they are read
            await response.prepare(request)
            while data := await _read(file, CHUNK):
                await response.write(data)
        await response.write_eof()
        return response


def _part(request: web.Request, response: web.StreamResponse, size: int) -> range | None:
    """Return which part of a file is asked for, and say so in the answer's head."""
    try:
        wanted = request.http_range
    except ValueError:  # several parts, or nonsense: the whole file answers both
        return None
    # There is no mark by which a client could tell that the file is still the one it knows.
    if (wanted.start is None and wanted.stop is None) or "If-Range" in request.headers:
        return None
    start, stop, _step = wanted.indices(size)
    if start >= size:
        response.set_status(416)
        response.headers["Content-Range"] = f"bytes */{size}"
    else:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return range(start, stop)


async def _check_readable(file: int) -> None:
    """Refuse what opens and cannot be read: once the answer has begun, it could only break off."""
    try:
        await _in_thread(os.pread, file, 1, os.lseek(file, 0, os.SEEK_CUR))
    except OSError as error:
        raise ProtocolError("invalid_argument", f"it cannot be read: {error.strerror}") from error


async def _read(file: int, size: int) -> bytes:
    return await _in_thread(os.read, file, size)


async def _in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    """Do blocking work on a descriptor; even a cancelled caller keeps it open to the end."""
    task = asyncio.create_task(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _disposition(name: str) -> str:
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    return f'inline; filename="{plain}"'


async def upload(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    """Write one file, or each part of a multipart body, from its start."""
    user = _user(request)
    metadata = _metadata(request)
    path = request.query.get("path")
    kind = request.content_type
    entries = []
    if kind == "multipart/form-data":
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, MultipartReader):
                raise ProtocolError("invalid_argument", "nested multipart bodies are not supported")
            name = path or _part_name(part.headers.get("Content-Disposition", "")) or part.filename
            if part.name != "file" or not name:
                continue
            entries.append(await _write(sandbox, name, user, _chunks(part), metadata))
    elif path:
        entries.append(await _write(sandbox, path, user, request.content.iter_any(), metadata))
    else:
        raise ProtocolError("invalid_argument", "the path of the file is missing")
    if not entries:
        raise ProtocolError("invalid_argument", "the request holds no file")
    return answer(entries)


def _part_name(disposition: str) -> str | None:
    # aiohttp reduces a part's file name to its last component; E2B's clients send whole paths.
    found = DISPOSITION_NAME.search(disposition)
    return re.sub(r"\\(.)", r"\1", found.group(1)) if found else None


async def _chunks(part: Any) -> AsyncIterator[bytes]:
    while data := await part.read_chunk(CHUNK):
        yield part.decode(data)


async def _write(
    sandbox: Sandbox,
    path: str,
    user: str,
    chunks: AsyncIterator[bytes],
    metadata: dict[str, str],
) -> dict[str, Any]:
    async with sandbox.opened(path, user, "write") as (file, entry):
        try:
            await _store(file, chunks, sandbox.confinement.limits.file_mib)
            _set_metadata(file, metadata)
        except OSError as error:
            raise ProtocolError(
                "not_enough_space" if error.errno in {28, 122, 27} else "internal",
                f"cannot write {path}: {error.strerror}",
            ) from error
    return {
        "path": entry["path"],
        "name": entry["name"],
        "type": "file",
        **({"metadata": metadata} if metadata else {}),
    }


async def _store(file: int, chunks: AsyncIterator[bytes], limit_mib: int) -> None:
    """Write what arrives: a thread writes one block while the next one is gathered."""
    written = 0
    writing: asyncio.Future[None] | None = None
    try:
        async for block in _blocks(chunks):
            written += sum(map(len, block))
            if written > limit_mib * 2**20:
                raise ProtocolError(
                    "not_enough_space", f"a file may hold {limit_mib} MiB, the sandbox's limit"
                )
            if writing is not None:
                await asyncio.shield(writing)
            writing = asyncio.get_running_loop().run_in_executor(None, _write_all, file, block)
    finally:
        if writing is not None:  # however this ends, nobody closes the file under the thread
            await asyncio.wait([writing])
    if writing is not None:
        writing.result()


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Gather what arrives into blocks that are worth the way to a thread."""
    block: list[bytes] = []
    size = 0
    while True:
        async with in_time():
            data = await anext(chunks, None)
        if data is None:
            break
        block.append(data)
        size += len(data)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _write_all(file: int, block: list[bytes]) -> None:
    view = memoryview(b"".join(block))
    while view:
        view = view[os.write(file, view) :]


def _metadata(request: web.Request) -> dict[str, str]:
    found = {}
    for name, value in request.headers.items():
        if name.lower().startswith(METADATA_HEADER.lower()):
            key = name[len(METADATA_HEADER) :].lower()
            if not TOKEN.match(key) or not value.isascii() or not value.isprintable():
                raise ProtocolError("invalid_argument", f"invalid metadata {key!r}")
            found[key] = value
    return found


def _set_metadata(file: int, metadata: dict[str, str]) -> None:
    if sys.platform != "linux":
        return
    try:
        stale = [name for name in os.listxattr(file) if name.startswith(XATTR)]
        for name in stale:
            os.removexattr(file, name)
        for key, value in metadata.items():
            os.setxattr(file, XATTR + key, value.encode())
    except OSError as error:
        if metadata:
            raise ProtocolError(
                "internal", f"this file system keeps no metadata: {error.strerror}"
            ) from error

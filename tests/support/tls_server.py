"""A server whose certificate nobody trusts, unless its file is named; and ways through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

__all__ = ["HOST", "TlsServer", "connect_proxy", "tls_front", "tls_server"]

# No name of loopback that is gone around: what is asked for there is asked for as far away.
HOST = "127.0.0.2"
ANSWER = (
    b"HTTP/1.1 401 X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b'Content-Length: 29\r\n\r\n{"code":401,"message":"No."} '
)


@dataclass(frozen=True)
class TlsServer:
    """Where it is, and the file with which it is trusted."""

    url: str
    authority: Path


def openssl(*arguments: str | Path) -> None:
    """Run the system's program for certificates."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certified(folder: Path, names: str, days: int) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context with a certificate of an authority of its own, and that one."""
    authority, key = folder / "authority.pem", folder / "key.pem"
    request, certificate = folder / "request.pem", folder / "certificate.pem"
    (folder / "names").write_text(f"subjectAltName={names}\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=a",
            "-keyout", key, "-out", authority)  # fmt: skip
    openssl("req", "-new", "-key", key, "-subj", "/CN=s", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", key, "-set_serial", "2",
            "-days", str(days), "-extfile", folder / "names", "-out", certificate)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, authority


@contextlib.contextmanager
def tls_server(folder: Path, names: str = f"IP:{HOST}", days: int = 2) -> Iterator[TlsServer]:
    """Run one in a thread of its own, that refuses every key.

    Parameters
    ----------
    names
        Of which hosts its certificate is.
    days
        How long it is valid; less than none is in the past.
    """
    context, authority = certified(folder, names, days)
    listening = socket.create_server((HOST, 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.settimeout(10)
                # A client that does not trust it hangs up in the middle of the greeting.
                with connection, contextlib.suppress(OSError):
                    secured = context.wrap_socket(connection, server_side=True)
                    with secured:
                        secured.recv(65536)
                        secured.sendall(ANSWER)
                        secured.shutdown(socket.SHUT_WR)
                        while secured.recv(65536):  # whoever hangs up on the rest takes it all back
                            pass

    thread = threading.Thread(target=answer, name="tls-server")
    thread.start()
    try:
        yield TlsServer(f"https://{HOST}:{listening.getsockname()[1]}", authority)
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)


@contextlib.contextmanager
def tls_front(folder: Path, target: int, host: str = HOST) -> Iterator[TlsServer]:
    """Run a server that passes what it is sent on to a port of 127.0.0.1, without the TLS."""
    context, authority = certified(folder, f"IP:{host}", 2)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _join(reader, writer, *await asyncio.open_connection("127.0.0.1", target))

    with _serving(pass_on, host, context) as port:
        yield TlsServer(f"https://{host}:{port}", authority)


@contextlib.contextmanager
def connect_proxy() -> Iterator[tuple[str, list[str]]]:
    """Run a proxy for HTTPS; yield its URL, and where it was asked to connect to."""
    asked: list[str] = []

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, where, _ = head.split(" ", 2)
        assert method == "CONNECT"
        asked.append(where)
        host, _, port = where.rpartition(":")
        streams = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _join(reader, writer, *streams)

    with _serving(connect, "127.0.0.1") as port:
        yield f"http://127.0.0.1:{port}", asked


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    other_reader: asyncio.StreamReader,
    other_writer: asyncio.StreamWriter,
) -> None:
    """Pass on what comes on either of two connections, until one of them ends."""

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

    pipes = [
        asyncio.ensure_future(pipe(reader, other_writer)),
        asyncio.ensure_future(pipe(other_reader, writer)),
    ]
    try:
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in pipes:
            one.cancel()
        writer.close()
        other_writer.close()
        with contextlib.suppress(OSError):
            await other_writer.wait_closed()


@contextlib.contextmanager
def _serving(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    host: str,
    context: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Run a server in a thread of its own; yield its port."""
    ended = asyncio.Event()
    started = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, int]] = []
    open_ones: set[asyncio.StreamWriter] = set()
    handlers: set[asyncio.Task[None]] = set()

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        open_ones.add(writer)
        # Whoever does not trust the server hangs up in the middle.
        with contextlib.suppress(OSError, EOFError):
            await handle(reader, writer)
        open_ones.discard(writer)
        handlers.discard(task)

    async def serve() -> None:
        server = await asyncio.start_server(handled, host, 0, ssl=context)
        running.append((asyncio.get_running_loop(), server.sockets[0].getsockname()[1]))
        started.set()
        await ended.wait()
        server.close()
        for writer in open_ones:
            if not writer.is_closing():  # what was closed twice can be aborted no more
                writer.transport.abort()
        await asyncio.gather(*handlers)

    thread = threading.Thread(target=asyncio.run, args=[serve()], name="serving")
    thread.start()
    assert started.wait(10)
    loop, port = running[0]
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)

"""The only way out of a sandbox with internet: an HTTP proxy outside of it, on the server's side.

It resolves names itself and connects to the very address it has checked. Loopback, private,
link-local, metadata and multicast addresses, and every address of this machine, are never
reached, whatever a name says.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vibekit_jupyter.local_sandbox.addresses import IPAddress, is_public, own_addresses

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PROXY_PORT", "Egress", "Policy", "proxy_environment"]

PROXY_PORT = 3128
PORTS = frozenset({80, 443})
EVERYTHING = "0.0.0.0/0"  # E2B's word for it, and it knows no IPv6
LARGEST_HEAD = 65_536
LONGEST_NAME = 253  # of a host, in DNS
HEAD_SECONDS = 15.0
LOOKUP_SECONDS = 15.0
CONNECT_SECONDS = 15.0
SILENT_SECONDS = 900.0
CHUNK = 65_536
# Of one sandbox at a time; the next ones wait, inside, until one of these is through.
MOST_CLIENTS = 64
MOST_LOOKUPS = 4
MOST_LINES_PER_MINUTE = 20
# A name server may keep a thread waiting for long: these wait for nothing else.
_lookups = ThreadPoolExecutor(max_workers=16, thread_name_prefix="lookup")
log = logging.getLogger("vibekit.local_sandbox")


class RefusedError(Exception):
    """A destination that no sandbox may reach; the message says why."""


@dataclass(frozen=True)
class Policy:
    """What one sandbox may reach of what is public.

    Attributes
    ----------
    allow, deny
        Host names (``*.`` stands for any below), addresses or networks. What is allowed is
        allowed even where it is denied; what neither names is allowed.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def of(cls, network: dict[str, Any]) -> Policy:
        """Return the policy that a sandbox's network settings tell."""
        allow, deny = (tuple(map(str, network.get(key) or ())) for key in ("allowOut", "denyOut"))
        off = network.get("allow_internet_access") is False
        return cls(allow, (*deny, EVERYTHING) if off else deny)

    def permits(self, host: str, address: IPAddress) -> bool:
        """Return whether ``host``, at ``address``, may be reached."""
        return _named(self.allow, host, address) or not _named(self.deny, host, address)


def _named(entries: tuple[str, ...], host: str, address: IPAddress) -> bool:
    for entry in entries:
        with contextlib.suppress(ValueError):
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        name = entry.lower().rstrip(".")
        if name in {host, "*", EVERYTHING} or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def proxy_environment(port: int) -> dict[str, str]:
    """Return the variables that lead programs of a sandbox to its proxy."""
    url = f"http://127.0.0.1:{port}"
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
    return {
        **dict.fromkeys(names, url),
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
        "NODE_USE_ENV_PROXY": "1",
    }


class Egress:
    """The proxy of one sandbox, on a socket that listens; it serves until it is closed.

    Parameters
    ----------
    listener
        The socket; the proxy owns it.
    policy
        Asked for each request: it may change while the sandbox runs.

    Attributes
    ----------
    port
        Where it listens.
    """

    def __init__(self, listener: socket.socket, policy: Callable[[], Policy]) -> None:
        listener.settimeout(0)
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._policy = policy
        self._room = asyncio.Semaphore(MOST_CLIENTS)
        self._lookups = asyncio.Semaphore(MOST_LOOKUPS)
        self._clients: set[asyncio.Task[None]] = set()
        self._minute = 0.0
        self._lines = 0
        self._accepting = asyncio.create_task(self._accept(), name="egress")

    def close(self) -> None:
        """Serve nobody any more; what is under way is cut."""
        for task in (self._accepting, *self._clients):
            task.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with self._listener:
            while True:
                await self._room.acquire()
                try:
                    client, _address = await loop.sock_accept(self._listener)
                except OSError as error:  # the machine is out of descriptors, for the moment
                    self._say("egress cannot accept: %s", error)
                    self._room.release()
                    await asyncio.sleep(1)
                    continue
                task = loop.create_task(self._serve(client))
                self._clients.add(task)
                task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        self._room.release()

    async def _serve(self, client: socket.socket) -> None:
        client.settimeout(0)
        reader, writer = await asyncio.open_connection(sock=client, limit=LARGEST_HEAD)
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # either side went away: nothing is left to say
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, host, port, first = _destination(head)
            address = await self._resolve(host, port)
            async with asyncio.timeout(CONNECT_SECONDS):
                far_reader, far_writer = await asyncio.open_connection(str(address), port)
        except RefusedError as error:
            self._say("egress refused: %s", error)
            await _answer(writer, "403 Forbidden", f"The sandbox's proxy refuses: {error}.")
            return
        except asyncio.LimitOverrunError:
            await _answer(
                writer, "431 Request Header Fields Too Large", "The request head is too long."
            )
            return
        except TimeoutError:
            await _answer(writer, "504 Gateway Timeout", "Nothing came in time.")
            return
        except OSError as error:
            await _answer(writer, "502 Bad Gateway", f"The destination cannot be reached: {error}.")
            return
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(first)
            async with asyncio.timeout(SILENT_SECONDS) as limit:
                await asyncio.gather(
                    _relay(reader, far_writer, limit), _relay(far_reader, writer, limit)
                )
        finally:
            far_writer.close()

    async def _resolve(self, host: str, port: int) -> IPAddress:
        """Return the address to connect to; every one that the name has must be public."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                await self._lookups.acquire()
                looking = loop.run_in_executor(_lookups, _look_up, host, port)
                # Whoever waits may give up; the thread is taken until it is done.
                looking.add_done_callback(self._looked_up)
                addresses, own = await asyncio.shield(looking)
        except TimeoutError as error:
            raise RefusedError(f"{host} was not found in time") from error
        except (OSError, UnicodeError) as error:
            raise RefusedError(f"{host} has no address") from error
        policy = self._policy()
        for address in addresses:
            if not is_public(address, own):
                raise RefusedError(f"{host} is at {address}, which is not public")
            if not policy.permits(host, address):
                raise RefusedError(f"{host} is not among what this sandbox may reach")
        return addresses[0]

    def _looked_up(self, looking: asyncio.Future[Any]) -> None:
        self._lookups.release()
        if not looking.cancelled():
            looking.exception()  # whoever waits for it has it; nobody may be there any more

    def _say(self, message: str, error: Exception) -> None:
        """Log a line, unless this sandbox has filled its minute."""
        now = time.monotonic()
        if now - self._minute > 60:
            self._minute, self._lines = now, 0
        self._lines += 1
        if self._lines < MOST_LINES_PER_MINUTE:
            log.info(message, error)
        elif self._lines == MOST_LINES_PER_MINUTE:
            log.info("egress: one sandbox has so many refusals that the next ones are not told")


def _look_up(host: str, port: int) -> tuple[list[IPAddress], set[IPAddress]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    return addresses, own_addresses()


def _destination(head: bytes) -> tuple[str, str, int, bytes]:
    """Return method, host, port, and what is sent first to a plain HTTP server."""
    try:
        line, _newline, rest = head.partition(b"\r\n")
        method, target, version = line.decode("ascii").split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            port = parts.port or 443
        else:
            parts = urlsplit(target)
            port = parts.port or 80
        host = (parts.hostname or "").rstrip(".").lower()
    except (UnicodeDecodeError, ValueError) as error:
        raise RefusedError("the request is malformed") from error
    if not host or "\0" in host or (method != "CONNECT" and parts.scheme != "http"):
        raise RefusedError("the request names no destination")
    if len(host) > LONGEST_NAME:
        raise RefusedError(f"the name of the destination has more than {LONGEST_NAME} characters")
    if port not in PORTS:
        raise RefusedError(f"port {port} is not among {sorted(PORTS)}")
    path = parts.path or "/"
    origin = f"{method} {path}{'?' + parts.query if parts.query else ''} {version}".encode()
    kept = [
        header
        for header in rest.split(b"\r\n")
        if header and not header.lower().startswith((b"proxy-", b"connection:"))
    ]
    return method, host, port, b"\r\n".join([origin, *kept, b"Connection: close", b"", b""])


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: asyncio.Timeout
) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(CHUNK):
            limit.reschedule(loop.time() + SILENT_SECONDS)
            writer.write(data)
            await writer.drain()
    finally:
        with contextlib.suppress(OSError):
            if writer.can_write_eof():
                writer.write_eof()


async def _answer(writer: asyncio.StreamWriter, status: str, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PROXY_PORT", "Policy", "is_public", "proxy_environment", "serve_egress"]

PROXY_PORT = 3128
PORTS = frozenset({80, 443})
EVERYTHING = "0.0.0.0/0"  # E2B's word for it, and it knows no IPv6
LARGEST_HEAD = 65_536
HEAD_SECONDS = 30.0
CONNECT_SECONDS = 15.0
CHUNK = 65_536
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# Some clouds answer for their metadata on addresses that count as public.
METADATA = frozenset(
    {ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("100.100.100.200")}
)
log = logging.getLogger("vibekit.local_sandbox")


class RefusedError(Exception):
    """A destination that no sandbox may reach; the message says why."""


def is_public(address: IPAddress, own: Iterable[IPAddress] = ()) -> bool:
    """Return whether a sandbox may reach an address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return False
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF), own)
    refused = address.is_multicast or address.is_reserved or address in METADATA
    return address.is_global and not refused and address not in set(own)


def own_addresses() -> set[IPAddress]:
    """Return every address of this machine's interfaces."""
    found: set[IPAddress] = set()
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/fib_trie").read_text().splitlines():
            word = line.split()[-1:] or [""]
            with contextlib.suppress(ValueError):
                found.add(ipaddress.IPv4Address(word[0]))
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            found.add(ipaddress.IPv6Address(bytes.fromhex(line.split()[0])))
    with contextlib.suppress(OSError):
        for info in socket.getaddrinfo(socket.gethostname(), None):
            found.add(ipaddress.ip_address(str(info[4][0]).partition("%")[0]))
    return found


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


async def serve_egress(listener: socket.socket, policy: Callable[[], Policy]) -> asyncio.Server:
    """Serve the proxy on a listening socket, until the server returned is closed.

    ``policy`` is asked for each request: it may change while the sandbox runs.
    """
    listener.settimeout(0)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve_client(reader, writer, policy())
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # either side went away: nothing is left to say
        finally:
            writer.close()

    return await asyncio.start_server(client, sock=listener, limit=LARGEST_HEAD)


async def _serve_client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, policy: Policy
) -> None:
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        method, host, port, first = _destination(head)
        address = await _resolve(host, port, policy)
        async with asyncio.timeout(CONNECT_SECONDS):
            far_reader, far_writer = await asyncio.open_connection(str(address), port)
    except RefusedError as error:
        log.info("egress refused: %s", error)
        await _answer(writer, "403 Forbidden", f"The sandbox's proxy refuses: {error}.")
        return
    except asyncio.LimitOverrunError:
        await _answer(
            writer, "431 Request Header Fields Too Large", "The request head is too long."
        )
        return
    except OSError as error:
        await _answer(writer, "502 Bad Gateway", f"The destination cannot be reached: {error}.")
        return
    try:
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(first)
        await asyncio.gather(_relay(reader, far_writer), _relay(far_reader, writer))
    finally:
        far_writer.close()


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


async def _resolve(host: str, port: int, policy: Policy) -> IPAddress:
    """Return the address to connect to; every one that the name has must be public."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedError(f"{host} has no address") from error
    own = await asyncio.to_thread(own_addresses)
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    for address in addresses:
        if not is_public(address, own):
            raise RefusedError(f"{host} is at {address}, which is not public")
        if not policy.permits(host, address):
            raise RefusedError(f"{host} is not among what this sandbox may reach")
    return addresses[0]


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
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

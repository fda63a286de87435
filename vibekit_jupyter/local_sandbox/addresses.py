"""Which addresses are the public internet: what no registry of special purposes names.

Python's own ``is_global`` says something else in every version.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["IPAddress", "is_public", "own_addresses"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries, whole: a row within another one is left out, and so is the
# difference between those that can be reached worldwide (anycast of relays, name servers for
# private zones) and those that cannot. No web site is in any of them. Beside them: multicast,
# and where some clouds answer for their metadata on an address that counts as public.
SPECIAL_IPV4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
    )
)
# The only IPv6 addresses that were ever given out: what is outside needs no row of its own.
UNICAST_IPV6 = ipaddress.IPv6Network("2000::/3")
SPECIAL_IPV6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# An IPv4 address, behind the network's own translator.
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: IPAddress, own: Iterable[IPAddress] = ()) -> bool:
    """Return whether a sandbox may reach an address."""
    if address in set(own):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in SPECIAL_IPV4)
    if address in TRANSLATED:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF), own)
    return address in UNICAST_IPV6 and not any(address in block for block in SPECIAL_IPV6)


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

"""What can be said of a sandbox's network here; what cannot be done is refused, and not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.shapes import mapping
from vibekit_jupyter.local_sandbox.store import NETWORK

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["network_of", "nothing_else"]

*LISTS, SWITCH = NETWORK
MOST_ENTRIES = 1000


def network_of(value: Any) -> dict[str, Any]:
    """Return the settings that a request gives, as far as there are any here.

    Raises
    ------
    ProtocolError
        ``invalid_argument``: it asks for something else, or has another shape.
    """
    given = mapping(value, "network")
    nothing_else(given, NETWORK, "network.")
    found: dict[str, Any] = {}
    for name in LISTS:
        entries = given.get(name)
        if entries is None:
            continue
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise ProtocolError("invalid_argument", f"network.{name} must be a list of texts")
        if len(entries) > MOST_ENTRIES:
            raise ProtocolError(
                "invalid_argument", f"network.{name} may have {MOST_ENTRIES} entries"
            )
        found[name] = entries
    if isinstance(given.get(SWITCH), bool):
        found[SWITCH] = given[SWITCH]
    return found


def nothing_else(given: dict[str, Any], known: Collection[str], within: str = "") -> None:
    """Refuse a request that asks for what this server does not do.

    Raises
    ------
    ProtocolError
        ``invalid_argument``; it names what was asked for, and no value.
    """
    for name, value in given.items():
        if name not in known and value not in (None, False, {}, [], ""):
            raise ProtocolError(
                "invalid_argument",
                f"This server does not implement {within}{name[:60]}: leave it out, or use E2B.",
            )

"""What stands in an agent's messages: a stranger's word, which may be anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST_TEXT", "arguments_in", "items_in", "mapping_in", "number_in", "text_in"]

# Characters of what is not words or output.
MOST_TEXT: Final = 2_000
MOST_COMMAND: Final = 100_000
MOST_ITEMS: Final = 1_000


def text_in(value: object, *names: str, most: int = MOST_TEXT) -> str:
    """Return a text some levels down in a value; empty where there is none."""
    for name in names:
        value = mapping_in(value).get(name)
    return well_formed(value[:most]) if isinstance(value, str) else ""


def number_in(value: object, *names: str) -> int | None:
    """Return a whole number some levels down in a value; None where there is none."""
    for name in names:
        value = mapping_in(value).get(name)
    return value if type(value) is int and abs(value) < 2**31 else None


def mapping_in(value: object, *names: str) -> dict[str, Any]:
    """Return an object some levels down in a value; empty where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items_in(value: object, *names: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list some levels down in a value."""
    *above, last = names
    found = mapping_in(value, *above).get(last)
    for item in found[:MOST_ITEMS] if isinstance(found, list) else ():
        if isinstance(item, dict):
            yield item


def arguments_in(value: object) -> dict[str, Any]:
    """Return what a tool is called with such that it can be shown and written down."""
    given = mapping_in(value)
    return {well_formed(str(name)[:100]): _plain(given[name]) for name in list(given)[:50]}


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value if value == value and abs(value or 0) < 2**53 else str(value)  # noqa: PLR0124
    if isinstance(value, str):
        return well_formed(value[:MOST_COMMAND])
    return well_formed(json.dumps(value, ensure_ascii=False)[:MOST_TEXT])

"""Text, bytes and plain Python values on their way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.workbench.data.charts import chart_kind
from vibekit_jupyter.workbench.data.json_values import TAG, UnfitValueError, to_json
from vibekit_jupyter.workbench.data.parcel import whole
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from vibekit_jupyter.workbench.data.parcel import Parcel

__all__ = ["pack_bytes", "pack_json", "pack_text"]


def pack_text(name: str, text: str) -> Parcel:
    """Make a text ready."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise cannot_send(
            name, f"it is no Unicode (half a surrogate pair): send {name}.encode(errors='replace')"
        ) from None
    return whole(name, f"{name}.txt", "text", f"{len(text):,} characters", data)


def pack_bytes(name: str, data: bytes) -> Parcel:
    """Make bytes ready."""
    return whole(name, f"{name}.bin", "bytes", f"{len(data):,} bytes", data)


def _as_json(value: Any, name: str) -> Any:
    told = to_json(value, name)
    if not chart_kind(told):
        return told
    # A dictionary that looks like a chart would come back as one.
    return {TAG: "dict", "value": [[key, item] for key, item in told.items()]}


def pack_json(name: str, value: Any) -> Parcel:
    """Make a plain Python value ready."""
    try:
        told = json.dumps(_as_json(value, name), allow_nan=False).encode()
    except UnfitValueError as error:
        raise cannot_send(
            name, f"{error}, for which there is no file format: send it by itself, or as text"
        ) from None
    except RecursionError:
        raise cannot_send(name, "it is nested too deeply: send its parts") from None
    many = isinstance(value, dict | list | tuple | set | frozenset)
    extent = f"{len(value):,} items" if many else "one value"
    kind = type(value).__name__ if many else f"{type(value).__name__} value"
    note = "what JSON has no word for stands in it as {'$type': …}" if b'"$type"' in told else ""
    return whole(name, f"{name}.json", f"{kind} as JSON", extent, told, reading="json.load",
                  columns=lambda _: [note] if note else [])  # fmt: skip

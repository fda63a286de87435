"""Text, bytes, plain Python values and pictures on their way."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.json_values import UnfitValueError, to_json
from vibekit_jupyter.workbench.data.parcel import Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pack_bytes", "pack_figure", "pack_json", "pack_picture", "pack_text"]

PNG_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
PIECE: Final = 4 * 1024**2


def _whole(name: str, file: str, kind: str, extent: str, data: bytes, **more: Any) -> Parcel:
    def parts() -> Iterator[bytes]:
        for first in range(0, len(data), PIECE):
            yield data[first : first + PIECE]

    return Parcel(name, file, kind, extent, len(data), parts, **more)


def pack_text(name: str, text: str) -> Parcel:
    """Make a text ready."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise cannot_send(
            name, f"it is no Unicode (half a surrogate pair): send {name}.encode(errors='replace')"
        ) from None
    return _whole(name, f"{name}.txt", "text", f"{len(text):,} characters", data)


def pack_bytes(name: str, data: bytes) -> Parcel:
    """Make bytes ready."""
    return _whole(name, f"{name}.bin", "bytes", f"{len(data):,} bytes", data)


def pack_json(name: str, value: Any) -> Parcel:
    """Make a plain Python value ready."""
    try:
        told = json.dumps(to_json(value, name), allow_nan=False).encode()
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
    return _whole(name, f"{name}.json", f"{kind} as JSON", extent, told, reading="json.load",
                  columns=lambda _: [note] if note else [])  # fmt: skip


def pack_picture(name: str, picture: Any) -> Parcel:
    """Make a picture of Pillow's ready."""
    from PIL import Image

    if picture.mode not in PNG_MODES:
        raise cannot_send(
            name, f"PNG has no pictures of mode {picture.mode[:8]}: send numpy.asarray({name})"
        )
    file = io.BytesIO()
    picture.save(file, format="PNG")
    with Image.open(io.BytesIO(file.getvalue()), formats=["PNG"]) as back:
        same = (back.mode, back.size) == (picture.mode, picture.size)
        if not same or back.tobytes() != picture.tobytes():
            raise cannot_send(name, f"PNG would change it: send numpy.asarray({name})")
    extent = f"{picture.width:,} × {picture.height:,} pixels"
    return _whole(name, f"{name}.png", f"picture, {picture.mode}", extent, file.getvalue())


def pack_figure(name: str, figure: Any) -> Parcel:
    """Make a figure of Matplotlib's ready: as a picture, and said so."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return _whole(
        name,
        f"{name}.png",
        "picture of a Matplotlib figure",
        "a figure",
        file.getvalue(),
        note="a figure goes as a picture, and would come back as one",
    )

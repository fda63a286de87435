"""Pictures of Pillow as PNG, as TIFF where PNG has no such pixels; figures of Matplotlib as PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.parcel import whole
from vibekit_jupyter.workbench.data.refusals import cannot_read, cannot_send

if TYPE_CHECKING:
    from pathlib import Path

    from vibekit_jupyter.workbench.data.parcel import Parcel

__all__ = ["PICTURES", "pack_figure", "pack_picture", "picture_of"]

PICTURES: Final = ("png", "jpg", "jpeg", "tif", "tiff")
PNG: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
TIFF: Final = ("I", "F", "CMYK", "LAB", "YCbCr")
FORMATS: Final = ("PNG", "JPEG", "TIFF")
PIXEL: Final = 4  # bytes, at most
# What stands in a file beside its pixels; transparency belongs to them.
KEPT: Final = "transparency"
PIXELS_ALONE: Final = "its pixels go; what else its file says (exif, dpi) stays behind"


def pack_picture(name: str, picture: Any) -> Parcel:
    """Make a picture of Pillow's ready."""
    array = f"send numpy.asarray({name})"
    if getattr(picture, "n_frames", 1) > 1:
        raise cannot_send(name, f"it has {picture.n_frames:,} frames: send one, by {name}.copy()")
    if picture.mode not in (*PNG, *TIFF):
        raise cannot_send(name, f"PNG has no pictures of mode {picture.mode[:8]}: {array}")
    kind = "PNG" if picture.mode in PNG else "TIFF"
    file = io.BytesIO()
    try:
        plain = picture.copy()
        plain.info = {KEPT: picture.info[KEPT]} if KEPT in picture.info else {}
        plain.save(file, format=kind)
        same = _same(plain, _opened(io.BytesIO(file.getvalue()), name))
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        same = False
    if not same:
        raise cannot_send(name, f"{kind} would change it: {array}")
    more = set(picture.info) - {KEPT} or type(picture) is not type(plain)
    extent = f"{picture.width:,} × {picture.height:,} pixels"
    return whole(
        name,
        f"{name}.{kind.lower()}",
        f"picture, {picture.mode}",
        extent,
        file.getvalue(),
        note=PIXELS_ALONE if more else "",
    )


def _same(left: Any, right: Any) -> bool:
    return (
        (left.mode, left.size, _palette(left)) == (right.mode, right.size, _palette(right))
        and left.info.get(KEPT) == right.info.get(KEPT)
        and left.tobytes() == right.tobytes()
    )


def _palette(picture: Any) -> list[int]:
    """Return the colours of a palette, without the black ones that it ends with."""
    colours = picture.getpalette() or []
    while colours and not colours[-1]:
        colours.pop()
    return colours


def _opened(file: Any, shown: str) -> Any:
    from PIL import Image

    with Image.open(file, formats=FORMATS) as opened:
        check_room(shown, PIXEL * opened.width * opened.height)
        # What unpacks TIFF is a large library in C, and a stranger's file is no food for it.
        if opened.format == "TIFF" and opened.info.get("compression") != "raw":
            raise cannot_read(shown, "a picture", "it is a compressed TIFF: have it saved as PNG")
        opened.load()
        return opened.copy()


def picture_of(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load a picture."""
    picture = _opened(path, shown)
    return picture, f"picture, {picture.width:,} × {picture.height:,}", ""


def pack_figure(name: str, figure: Any) -> Parcel:
    """Make a figure of Matplotlib's ready: as a picture, and said so."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return whole(
        name,
        f"{name}.png",
        "picture of a Matplotlib figure",
        "a figure",
        file.getvalue(),
        note="a figure goes as a picture, and would come back as one",
    )

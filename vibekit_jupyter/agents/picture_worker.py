"""Draws one picture for a model: bytes on standard input, a PNG or a JPEG on standard output.

It is started by ``picture``, with the file's suffix, and says on standard error what is wrong.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

# What the vendors look at: larger ones they scale down themselves, or refuse.
MOST_PIXELS_WIDE: Final = 1568
MOST_SHOWN: Final = 1_000_000  # bytes
# Of what is read: pixels, and bytes of memory (a pixel has four, twice).
MOST_PIXELS: Final = 50_000_000
MOST_MEMORY: Final = 1 << 30
SECONDS: Final = 15
FORMATS: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}
# What a drawing may refer to is in itself: never a file of this machine.
OWN: Final = ("#", "data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp")


def main(suffix: str) -> None:
    """Draw what comes in."""
    _bounded()
    data = sys.stdin.buffer.read()
    try:
        if suffix == ".svg":
            data, suffix = drawn(data), ".png"
        sys.stdout.buffer.write(shown(data, suffix))
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes do to a library
        sys.exit(f"{type(error).__name__}: {error}"[:300])


def _bounded() -> None:
    try:
        import resource
    except ImportError:  # Windows: the caller's bound of time has to do
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def drawn(svg: bytes) -> bytes:
    """Return an SVG as a PNG, on white."""
    import resvg_py

    text = _with_own_parts(svg)
    return bytes(resvg_py.svg_to_bytes(svg_string=text, background="#ffffff", width=_width(text)))


def _width(text: str) -> int | None:
    """Return the width to draw in, None where it is the drawing's own."""
    from defusedxml import ElementTree

    width = ElementTree.fromstring(text).get("width", "").removesuffix("px").removesuffix("pt")
    try:
        wide = float(width)
    except ValueError:
        return MOST_PIXELS_WIDE
    return None if 1 <= wide <= MOST_PIXELS_WIDE else MOST_PIXELS_WIDE


def _with_own_parts(svg: bytes) -> str:
    """Return a drawing without what refers to files and places elsewhere."""
    from defusedxml import ElementTree

    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for name in [name for name in element.attrib if name.rpartition("}")[2] == "href"]:
            if not element.attrib[name].strip().startswith(OWN):
                del element.attrib[name]
    return str(ElementTree.tostring(root, encoding="unicode"))


def shown(data: bytes, suffix: str) -> bytes:
    """Return a picture as it can be sent: as it is, or scaled down."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=[FORMATS[suffix]]) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"it has {image.width} x {image.height} pixels")
        fits = max(image.size) <= MOST_PIXELS_WIDE and len(data) <= MOST_SHOWN
        image.load()
        if fits and suffix in (".png", ".jpg", ".jpeg"):
            return data
        image.thumbnail((MOST_PIXELS_WIDE, MOST_PIXELS_WIDE))
        colors = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGBA")
        if suffix not in (".jpg", ".jpeg"):
            as_png = _saved(colors, "PNG", optimize=True)
            if len(as_png) <= MOST_SHOWN:
                return as_png
        return _saved(_on_white(colors), "JPEG", quality=85)


def _on_white(image: Image) -> Image:
    from PIL import Image as PIL_Image

    if image.mode != "RGBA":
        return image
    white = PIL_Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _saved(image: Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


if __name__ == "__main__":
    main(sys.argv[1])

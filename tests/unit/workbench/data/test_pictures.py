"""Pictures come back pixel by pixel, or are refused; what stays behind of their files is said."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.data_trips import ALL, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path


def drawn(mode: str) -> Any:
    picture = Image.new(mode, (3, 2))
    bands = len(picture.getbands())
    one: Any = {"F": 1.5}.get(mode, 1)
    picture.putpixel((1, 1), tuple(range(1, bands + 1)) if bands > 1 else one)
    if mode == "P":
        picture.putpalette([0, 0, 0, 200, 100, 50])
        picture.info["transparency"] = 1
    return picture


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "LAB", "YCbCr"],
)
def test_a_picture_comes_back_as_it_went(mode: str) -> None:
    picture = drawn(mode)
    back = trip(picture)
    assert type(back) is type(picture)
    assert (back.mode, back.size, back.tobytes()) == (mode, (3, 2), picture.tobytes())
    assert back.info.get("transparency") == picture.info.get("transparency")
    if mode == "P":
        assert back.convert("RGBA").tobytes() == picture.convert("RGBA").tobytes()


@pytest.mark.parametrize("mode", ["HSV", "La", "RGBa", "RGBX", "PA", "I;16B"])
def test_what_no_format_has_is_refused_with_the_way_out(mode: str) -> None:
    with pytest.raises(DataError, match=rf"mode {mode}: send numpy\.asarray\(v\)"):
        pack("v", Image.new(mode, (3, 2)), ALL)


def reopened(kind: str, **options: Any) -> Any:
    file = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(file, kind, **options)
    return Image.open(file)


def test_what_stays_behind_of_a_file_is_said() -> None:
    assert "exif, dpi" in pack("v", reopened("JPEG", dpi=(10, 10)), ALL).note
    assert pack("v", drawn("RGB"), ALL).note == ""


def test_of_many_frames_none_is_lost_silently() -> None:
    more = [Image.new("RGB", (2, 2), "blue")]
    moving = reopened("GIF", save_all=True, append_images=more)
    with pytest.raises(DataError, match=r"it has 2 frames: send one, by v\.copy\(\)"):
        pack("v", moving, ALL)


def test_what_unpacks_tiff_sees_no_strangers_file(tmp_path: Path) -> None:
    Image.new("RGB", (50, 50)).save(tmp_path / "x.tiff", compression="tiff_lzw")
    with pytest.raises(DataError, match="it is a compressed TIFF: have it saved as PNG"):
        unpack(tmp_path / "x.tiff", "x.tiff")

"""Those of the variables that go to a sandbox which a model can look at."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.picture import MOST_PICTURE, PICTURES, picture_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vibekit_jupyter.agents.picture import Picture
    from vibekit_jupyter.workbench.data.parcel import Parcel
    from vibekit_jupyter.workbench.data.sending import Sent

__all__ = ["MOST_PICTURES", "pictures_of", "shown_as"]

MOST_PICTURES: Final = 8
# How a picture begins that goes as bytes, whatever its variable is called.
BEGINNINGS: Final = {b"\x89PNG\r\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}


def shown_as(parcel: Parcel) -> str:
    """Return the suffix of the picture that a variable is; empty where it is none."""
    if parcel.size > MOST_PICTURE:
        return ""
    suffix = posixpath.splitext(parcel.file)[1]
    if parcel.kind == "bytes":
        first = next(iter(parcel.parts()), b"")
        suffix = next((each for begin, each in BEGINNINGS.items() if first.startswith(begin)), "")
    elif not parcel.kind.startswith("picture"):
        return ""
    return suffix if suffix in PICTURES else ""


async def pictures_of(sent: Iterable[Sent]) -> Mapping[str, Picture]:
    """Return the pictures among what was sent, by their paths; what cannot be shown is left out."""
    found: dict[str, Picture] = {}
    for one in sent:
        if len(found) < MOST_PICTURES and (suffix := shown_as(one.parcel)):
            try:
                found[one.path] = await picture_of(f"x{suffix}", b"".join(one.parcel.parts()))
            except ValueError:  # its file is there all the same
                continue
    return found

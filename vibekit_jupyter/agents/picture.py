"""A picture of the sandbox as a model is shown it: of a kind and a size that the vendors take.

Its bytes are a stranger's. They are read by a process of their own (``picture_worker``), which
has a bound of memory and of time, and this process takes from it a PNG or a JPEG.
"""

from __future__ import annotations

import asyncio
import base64
import posixpath
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

__all__ = ["MOST_PICTURE", "PICTURES", "Picture", "picture_of"]

PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg")
MOST_PICTURE: Final = 20 * 1024**2  # bytes of the file
MOST_SHOWN: Final = 1_000_000  # bytes of what is sent
TIMEOUT: Final = 20.0


@dataclass(frozen=True)
class Picture:
    """A picture as it is sent: ``data`` is base64."""

    media_type: str
    data: str


async def picture_of(path: str, data: bytes) -> Picture:
    """Return a picture, scaled down where it is larger than a model looks at.

    Raises
    ------
    ValueError
        It cannot be read as one; says why.
    """
    suffix = posixpath.splitext(path)[1].lower()
    if suffix not in PICTURES:
        raise ValueError(f"{path} is no picture: {', '.join(PICTURES)} can be looked at")
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "vibekit_jupyter.agents.picture_worker", suffix),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            drawn, said = await worker.communicate(data)
    except TimeoutError as error:
        raise ValueError(f"{path} takes longer than {TIMEOUT:g} s to be drawn") from error
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    if worker.returncode != 0 or not drawn:
        why = said.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise ValueError(f"{path} cannot be read as a picture: {why or 'it is too large'}")
    if len(drawn) > MOST_SHOWN:
        raise ValueError(f"{path} is too large to be shown")
    kind = "image/png" if drawn.startswith(b"\x89PNG") else "image/jpeg"
    return Picture(kind, base64.b64encode(drawn).decode())

"""A value's trip to a file and back, without a sandbox."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.parcel import SandboxHas
from vibekit_jupyter.workbench.data.unpacking import unpack

__all__ = ["ALL", "ELSEWHERE", "NOTHING", "NO_ARROW", "trip"]

ALL = SandboxHas({"numpy": "2", "pandas": "3", "pyarrow": "26", "polars": "2"}, "3.11")
ELSEWHERE = SandboxHas({"numpy": "2", "pandas": "3", "pyarrow": "26"}, "3.11", near=False)
NO_ARROW = SandboxHas({"numpy": "2", "pandas": "2"}, "3.13")
NOTHING = SandboxHas()


def trip(value: Any, there: SandboxHas = ALL) -> Any:
    """Send a value, and take it back."""
    parcel = pack("v", value, there)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / parcel.file
        path.write_bytes(b"".join(parcel.parts()))
        back, _, _ = unpack(path, parcel.file)
        return back

"""Arrays from a sandbox: their headers are read, and held against their files, before they are."""

from __future__ import annotations

import json
import math
import zipfile
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.known_types import has
from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.refusals import missing_package, too_large
from vibekit_jupyter.workbench.data.unpacked_tables import told_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_members", "npy", "npz"]

MOST_MEMBERS: Final = 100_000
MANIFEST: Final = "manifest.npy"
FORMAT: Final = "format.npy"


def npy(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load a .npy file, as a map of it that can be written to."""
    if not has("numpy"):
        raise missing_package("numpy", f"Reading {shown!r}")
    import numpy as np

    with path.open("rb") as file:
        dtype, shape, size = _header(file, shown)
        room = path.stat().st_size - file.tell()
    if size != room:
        raise too_large(shown, size, "its file holds", room)
    # Nothing can be mapped of what has no bytes, nor of a single value.
    is_small = size < 1_000_000
    if is_small:
        array = np.load(path, allow_pickle=False)
    else:
        array = np.asarray(np.lib.format.open_memmap(path, mode="c")).view(np.ndarray)
    return array, f"{dtype} {tuple(shape)}", ""


def _header(file: Any, shown: str) -> tuple[Any, tuple[int, ...], int]:
    """Return an array's type, shape and size as its header says."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError("not an array")
    shape, _, dtype = read(file)
    if dtype.hasobject or any(length < 0 for length in shape):
        raise ValueError("an array of objects is a pickle")
    size = math.prod(map(int, shape)) * dtype.itemsize
    if size > 1 << 62:
        check_room(shown, size)
    return dtype, shape, size


def npz(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load a .npz file: a frame of ours, a sparse matrix, or a dictionary of arrays."""
    if not has("numpy"):
        raise missing_package("numpy", f"Reading {shown!r}")
    import numpy as np

    with zipfile.ZipFile(path) as archive:
        members = check_members(archive, shown)
        names = {member.filename for member in members}
    if MANIFEST in names and _is_frame(path):
        if not has("pandas"):
            raise missing_package("pandas", f"Reading {shown!r}")
        from vibekit_jupyter.workbench.data.npz_frames import read_frame

        frame = read_frame(path)
        return frame, told_of(frame), ""
    if {FORMAT, "shape.npy", "data.npy"} <= names:
        return _sparse(path, shown)
    with np.load(path, allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    return arrays, f"{len(arrays):,} arrays", ""


def check_members(archive: zipfile.ZipFile, shown: str) -> list[zipfile.ZipInfo]:
    """Return what is in an archive of arrays, whose headers say no more than there is.

    Raises
    ------
    DataError
        It unpacks to more than there is room for, or a header says so.
    """
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise ValueError("members without end")
    check_room(shown, sum(member.file_size for member in members))
    for member in members:
        if not member.filename.endswith(".npy"):
            continue
        with archive.open(member) as file:
            _, _, size = _header(file, shown)
        if size > member.file_size:
            raise too_large(shown, size, "its file holds", member.file_size)
    return members


def _is_frame(path: Path) -> bool:
    import numpy as np

    with np.load(path, allow_pickle=False) as loaded:
        try:
            told = json.loads(loaded["manifest"].tobytes())
        except (RecursionError, ValueError):
            return False
    return isinstance(told, dict) and str(told.get("format", "")).startswith("vibekit-frame")


def _sparse(path: Path, shown: str) -> tuple[Any, str, str]:
    if not has("scipy"):
        raise missing_package("scipy", f"Reading {shown!r}")
    import scipy.sparse

    matrix = scipy.sparse.load_npz(path)
    # An index beyond the shape would read what is not the matrix's.
    (matrix if matrix.format in ("csr", "csc", "bsr") else matrix.tocsr()).check_format(
        full_check=True
    )
    return matrix, f"{told_of(matrix)}, sparse", ""

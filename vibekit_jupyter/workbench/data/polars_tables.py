"""polars frames on their way: written by polars itself, to a file that has no name."""

from __future__ import annotations

import io
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.known_types import loaded
from vibekit_jupyter.workbench.data.parcel import PIECE, Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.workbench.data.parcel import SandboxHas

__all__ = ["pack_polars"]

PROBED: Final = 50


def pack_polars(name: str, frame: Any, there: SandboxHas) -> Parcel:
    """Make a polars DataFrame ready."""
    from vibekit_jupyter.workbench.data.described import polars_lines
    from vibekit_jupyter.workbench.data.tables import extent_of

    if not there.reads_arrow:
        raise cannot_send(
            name,
            f"this sandbox has neither polars nor pyarrow: send it as pandas ({name}.to_pandas())",
        )
    pl = loaded("polars")
    for part in (frame.head(PROBED), frame.tail(PROBED)):
        if not _comes_back(pl, part):
            raise cannot_send(
                name, "polars cannot write it to a file and read it again: cast its columns"
            )
    return Parcel(
        name,
        f"{name}.arrow",
        "polars.DataFrame",
        extent_of(*frame.shape),
        int(frame.estimated_size()),
        partial(_parts, frame, "uncompressed" if there.near else "lz4"),
        reading="pl.read_ipc" if "polars" in there else "pd.read_feather",
        columns=partial(polars_lines, frame),
    )


def _comes_back(pl: Any, part: Any) -> bool:
    if any("Object" in str(kind) for kind in part.dtypes):
        return False
    file = io.BytesIO()
    try:
        _write(part, file, "uncompressed")
        back = pl.read_ipc(io.BytesIO(file.getvalue()))
    except BaseException as error:  # polars panics with one that is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return False
    return bool(back.schema == part.schema and back.equals(part, null_equal=True))


def _write(frame: Any, file: Any, compression: str) -> None:
    frame.write_ipc(file, compression=compression)


def _parts(frame: Any, compression: str) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        _write(frame, file, compression)
        file.seek(0)
        while data := file.read(PIECE):
            yield data

"""Arrow IPC files: written in batches as they are sent, read within bounds."""

from __future__ import annotations

import json
import mmap
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.ipc_size import unpacked_size
from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.refusals import cannot_read, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "KEY",
    "arrow",
    "batch_rows",
    "check_types",
    "metadata_of",
    "read_table",
    "with_metadata",
    "write_ipc",
]

KEY: Final = b"vibekit"
"""Under this name of a schema's metadata stands what Arrow does not know of a value."""

BATCH: Final = 16 * 1024**2  # bytes
LARGE: Final = 256 * 1024
MOST_METADATA: Final = 8 * 1024**2
CHEAP: Final = ("int", "uint", "float", "halffloat", "double", "timestamp", "duration", "date")


def arrow(what: str) -> Any:
    """Import pyarrow.

    Raises
    ------
    DataError
        It is not installed; ``what`` needs it.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError:
        raise missing_package("pyarrow", what) from None
    return pa


def batch_rows(size: int, rows: int) -> int:
    """Return how many rows go in one batch of a table of so many bytes and rows."""
    return max(1, min(rows, BATCH * rows // max(size, 1))) if rows else 1


def with_metadata(schema: Any, told: Mapping[str, Any]) -> Any:
    """Return a schema that carries what we know of a value."""
    known = {**(schema.metadata or {}), KEY: json.dumps(told).encode()}
    return schema.with_metadata(known)


def metadata_of(schema: Any) -> dict[str, Any]:
    """Return what we know of the value in a file, which may be anybody's; empty without it."""
    text = (schema.metadata or {}).get(KEY, b"")
    try:
        told = json.loads(text) if 0 < len(text) <= MOST_METADATA else {}
    except (RecursionError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


class _Pieces:
    """A file that pyarrow writes to: what it wrote since the last look."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> Iterator[bytes]:
        """Yield what was written: large pieces as they are, small ones together."""
        taken, self._pieces = self._pieces, []
        small: list[bytes] = []
        for piece in taken:
            if len(piece) < LARGE:
                small.append(piece)
                continue
            if small:
                yield b"".join(small)
                small = []
            yield piece
        if small:
            yield b"".join(small)


def write_ipc(
    schema: Any, batches: Callable[[], Iterable[Any]], *, compressed: bool
) -> Iterator[bytes]:
    """Yield an IPC file's bytes, a batch at a time."""
    pa = arrow("An .arrow file")
    pieces = _Pieces()
    options = pa.ipc.IpcWriteOptions(compression="lz4" if compressed else None)
    with pa.ipc.new_file(pa.PythonFile(pieces, "w"), schema, options=options) as writer:
        for batch in batches():
            writer.write_batch(batch)
            yield from pieces.take()
    yield from pieces.take()


def read_table(path: Path, shown: str) -> Any:
    """Return the table of an IPC file that a stranger wrote, as a map of its bytes.

    Parameters
    ----------
    shown
        What the file is called in an error.

    Raises
    ------
    DataError
        It is no such file, or unpacks to more than there is room for. What pyarrow says of it may
        hold values, and is not passed on.
    """
    pa = arrow(f"Reading {shown!r}")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            size, rows = unpacked_size(view)
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            check_types(reader.schema, shown)
            costly = sum(not str(field.type).startswith(CHEAP) for field in reader.schema)
            compressed = size > path.stat().st_size
            # What is not compressed is a map of the file; what becomes objects is not.
            check_room(shown, (size if compressed else 0) + 8 * rows * costly)
            table = reader.read_all()
        table.validate(full=True)
    except (ValueError, OSError, pa.ArrowException, MemoryError, OverflowError) as error:
        raise cannot_read(shown, "a table") from error
    return table


def check_types(schema: Any, shown: str) -> None:
    """Refuse the types in which few bytes stand for very many."""
    pa = arrow("")
    waiting = [field.type for field in schema]
    while waiting:
        kind = waiting.pop()
        for name in ("is_run_end_encoded", "is_list_view", "is_large_list_view"):
            if getattr(pa.types, name, lambda _: False)(kind):
                raise cannot_read(shown, "a table", f"it has a column of type {str(kind)[:40]}")
        waiting += [kind.field(at).type for at in range(kind.num_fields)]
        if isinstance(kind, pa.BaseExtensionType):
            waiting.append(kind.storage_type)

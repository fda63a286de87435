"""Tables from a sandbox: what they were where they say so, else what the person works with."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.arrow_files import arrow, check_types, metadata_of, read_table
from vibekit_jupyter.workbench.data.ipc_size import unpacked_size
from vibekit_jupyter.workbench.data.known_types import has, loaded
from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.refusals import missing_package
from vibekit_jupyter.workbench.data.restored_frames import frame_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["arrow_file", "csv", "parquet"]

CSV_FACTOR: Final = 8  # what a table of short numbers takes, over its text
ROWS: Final = 4096


def told_of(value: Any) -> str:
    """Return how large a table is."""
    shape = getattr(value, "shape", (0,))
    return " × ".join(f"{length:,}" for length in shape)


def arrow_file(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load an IPC file."""
    if loaded("polars") is not None and _is_of_polars(path, shown):
        return _polars(path, shown)
    table = read_table(path, shown)
    kind = metadata_of(table.schema).get("kind", "")
    if kind == "pyarrow.Table":
        ours = {key: value for key, value in table.schema.metadata.items() if key != b"vibekit"}
        table = table.replace_schema_metadata(ours or None)
        return table, told_of(table), ""
    if not has("pandas"):
        if b"pandas" in (table.schema.metadata or {}):
            raise missing_package("pandas", f"Reading {shown!r}")
        return table, told_of(table), ""
    frame = frame_of(table)
    if kind == "pandas.Series":
        series = frame.iloc[:, 0]
        series.name, series.attrs = frame.columns[0], frame.attrs
        return series, told_of(series), ""
    return frame, told_of(frame), ""


def _is_of_polars(path: Path, shown: str) -> bool:
    """Tell whether a file is for polars, with which the person works: nobody says otherwise."""
    if not has("pyarrow"):
        return True
    pa = arrow(f"Reading {shown!r}")
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            schema = reader.schema
    except NotImplementedError:
        return True  # a type that polars alone has
    check_types(schema, shown)
    kind = str(metadata_of(schema).get("kind", ""))
    return b"pandas" not in (schema.metadata or {}) and not kind.startswith(("pandas.", "pyarrow."))


def _polars(path: Path, shown: str) -> tuple[Any, str, str]:
    import polars as pl

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        size, rows = unpacked_size(view)
    check_room(shown, size + 8 * rows)
    frame = pl.read_ipc(path)
    return frame, told_of(frame), ""


def parquet(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load a Parquet file, counting what it unpacks to as it does."""
    pa = arrow(f"Reading {shown!r}")
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
        told = sum(max(group.total_byte_size, 0) for group in groups)
        check_room(shown, told + 8 * file.metadata.num_rows)
        size, batches = 0, []
        for batch in file.iter_batches(ROWS):
            size += batch.nbytes
            check_room(shown, size)
            batches.append(batch)
        schema = file.schema_arrow
    table = pa.Table.from_batches(batches, batches[0].schema if batches else schema)
    if b"geo" in (schema.metadata or {}):
        if not has("geopandas"):
            raise missing_package("geopandas", f"Reading {shown!r} with its geometries")
        from vibekit_jupyter.workbench.data.geo_frames import geo_of

        frame = geo_of(path)
        return frame, told_of(frame), ""
    table = table.replace_schema_metadata(schema.metadata)
    is_pandas = b"pandas" in (schema.metadata or {})
    if (loaded("polars") is not None and not is_pandas) or not has("pandas"):
        if not has("polars"):
            return table, told_of(table), ""
        import polars as pl

        return (polars := pl.from_arrow(table)), told_of(polars), ""
    frame = frame_of(table)
    return frame, told_of(frame), ""


def csv(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load a text of values between commas, or tabs."""
    check_room(shown, CSV_FACTOR * path.stat().st_size)
    if not has("pandas"):
        raise missing_package("pandas", f"Reading {shown!r}")
    import pandas as pd

    frame = pd.read_csv(path, sep="\t" if shown.lower().endswith(".tsv") else ",")
    better = shown.rpartition("/")[2].rpartition(".")[0]
    note = f"{shown!r} came back as text dtypes: ask for {better}.arrow to keep them."
    return frame, told_of(frame), note

"""Tables on their way: pandas, polars and Arrow, each in the format that the sandbox reads."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.arrow_files import arrow, batch_rows, with_metadata, write_ipc
from vibekit_jupyter.workbench.data.described import pandas_lines
from vibekit_jupyter.workbench.data.equality import different_column
from vibekit_jupyter.workbench.data.known_types import class_of, is_exactly, type_name
from vibekit_jupyter.workbench.data.object_columns import as_one_array
from vibekit_jupyter.workbench.data.pandas_frames import pandas_table
from vibekit_jupyter.workbench.data.parcel import Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_send
from vibekit_jupyter.workbench.data.restored_frames import frame_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vibekit_jupyter.workbench.data.parcel import SandboxHas

__all__ = ["extent_of", "pack_arrow", "pack_pandas", "samples"]

PROBED: Final = 50
"""Rows from the first and the last on that are written, read and compared before anything goes."""

AS_TEXT: Final = (
    "it goes as text (CSV), as this sandbox has no pandas: types are in the .schema.json"
)


def extent_of(rows: int, columns: int) -> str:
    """Return how large a table is."""
    return f"{rows:,} × {columns:,}"


def pack_pandas(name: str, value: Any, there: SandboxHas) -> Parcel:
    """Make a pandas DataFrame or Series ready."""
    import pandas as pd

    is_series = is_exactly(value, "pandas", "Series")
    frame, kind = value, "pandas.DataFrame"
    if is_series:
        kind = "pandas.Series"
        if value.name is not None and type(value.name) not in (str, int, float, bool, tuple):
            raise cannot_send(name, f"its name is of type {type_name(value.name)}: make it text")
        frame = pd.DataFrame({0: value})
        frame.columns = pd.Index([value.name], tupleize_cols=False, dtype=_label_type(value.name))
        frame.attrs = value.attrs
    extent = f"{len(frame):,}" if is_series else extent_of(*frame.shape)
    lines = partial(pandas_lines, frame)
    # Whatever the sandbox has, what it is made of is looked at in the same way.
    if there.reads_arrow:
        table = pandas_table(name, frame, kind)
        _probe(name, frame, kind)
        return Parcel(
            name,
            f"{name}.arrow",
            kind,
            extent,
            table.size,
            partial(table.parts, compressed=not there.near),
            reading="pd.read_feather" if "pyarrow" in there else "pl.read_ipc",
            columns=lines,
        )
    if "pandas" in there and "numpy" in there:
        return _as_npz(name, frame, kind, extent, lines)
    return _as_csv(name, frame, kind, extent, lines)


def _label_type(label: object) -> Any:
    return None if type(label) is str else object


def samples(frame: Any) -> Iterator[Any]:
    """Yield the first and the last rows, and those where each column begins or ends to be there."""
    yield frame.iloc[:PROBED]
    if len(frame) <= PROBED:
        return
    yield frame.iloc[-PROBED:]
    rows = set[int]()
    for at in range(min(frame.shape[1], 200)):
        missing = frame.iloc[:, at].isna().to_numpy()
        rows |= {int(missing.argmax()), int((~missing).argmax())}
    taken = frame.take(sorted(rows))
    is_range = type(frame.index) is class_of("pandas", "RangeIndex")
    yield taken.reset_index(drop=True) if is_range else taken


def _probe(name: str, frame: Any, kind: str) -> None:
    """Refuse a frame of which some rows would not come back as they are."""

    def trip(part: Any) -> Any:
        table = pandas_table(name, part, kind)
        data = b"".join(table.parts(compressed=False))
        return frame_of(arrow("A table").ipc.open_file(io.BytesIO(data)).read_all())

    check_trip(name, frame, trip)


def check_trip(name: str, frame: Any, trip: Callable[[Any], Any]) -> None:
    """Refuse a frame whose sample does not come back from ``trip`` as it is."""
    for part in samples(frame):
        try:
            different = different_column(part, trip(part))
        except DataError:
            raise
        except Exception:  # noqa: BLE001  (what a library says may hold values)
            different = _unreadable(part, trip)
        if different:
            raise cannot_send(
                name, f"{different} would not come back as it is: make it another type, or text"
            )


def _unreadable(part: Any, trip: Callable[[Any], Any]) -> str:
    """Return which column it is that cannot be written or read."""
    for at in range(part.shape[1]):
        one = part.iloc[:, [at]]
        try:
            trip(one)
        except Exception:  # noqa: BLE001  (as above)
            label = one.columns[0]
            return f"column {label[:60]!r}" if type(label) is str else f"column number {at}"
    return "it"


def _as_npz(
    name: str, frame: Any, kind: str, extent: str, lines: Callable[[bool], list[str]]
) -> Parcel:
    """Make a frame ready for a sandbox with numpy and pandas alone."""
    # It imports pandas, which whoever sends another table may not have.
    from vibekit_jupyter.workbench.data import npz_frames

    if frame.attrs or not frame.flags.allows_duplicate_labels:
        raise cannot_send(
            name, "this sandbox has no pyarrow, and without it attrs and flags stay behind"
        )
    check_types(name, frame)
    series: tuple[Any, ...] = ()
    if kind == "pandas.Series":
        series = (frame.columns[0],)
        frame = frame.set_axis(["values"], axis=1)

    def written() -> bytes:
        file = io.BytesIO()
        npz_frames.write_frame(frame, file, series=series)
        return file.getvalue()

    def trip(part: Any) -> Any:
        file = io.BytesIO()
        npz_frames.write_frame(part, file)
        return npz_frames.read_frame(io.BytesIO(file.getvalue()))

    try:
        data = written()
        check_trip(name, frame, trip)
    except TypeError as error:
        raise cannot_send(
            name, f"this sandbox has no pyarrow, and without it {str(error)[:200]}"
        ) from None
    return Parcel(
        name,
        f"{name}.npz",
        kind,
        extent,
        len(data),
        lambda: iter([data]),
        reading="npz_frames.read_frame (import it from the folder data)",
        columns=lines,
        helper=True,
    )


def check_types(name: str, frame: Any) -> None:
    """Refuse what is refused everywhere, also where pyarrow is not there to write it."""
    from vibekit_jupyter.workbench.data.pandas_types import check_dtype, check_index

    check_index(name, frame.columns, "the labels of its columns")
    check_index(name, frame.index)
    missing = ("pandas._libs.missing", "NAType"), ("pandas._libs.tslibs.nattype", "NaTType")
    known = {str, float, type(None), *(class_of(*each) for each in missing)}
    for at in range(frame.shape[1]):
        if (dtype := frame.dtypes.iloc[at]) != "object":
            check_dtype(name, f"column number {at}", f"{name}.iloc[:, {at}]", dtype)
        else:
            for kind in set(map(type, frame.iloc[:, at].to_numpy())):
                if kind not in known:
                    raise cannot_send(
                        name, f"column number {at} holds what is no text: make it text (.map(str))"
                    )


def _as_csv(
    name: str, frame: Any, kind: str, extent: str, lines: Callable[[bool], list[str]]
) -> Parcel:
    """Make a frame ready for a sandbox without pandas: as text, and said so."""
    check_types(name, frame)
    text = frame.to_csv(index=type(frame.index) is not class_of("pandas", "RangeIndex"))
    data = text.encode(errors="replace")
    return Parcel(
        name,
        f"{name}.csv",
        kind,
        extent,
        len(data),
        lambda: iter([data]),
        reading="csv.DictReader",
        columns=lines,
        note=AS_TEXT,
    )


def pack_arrow(name: str, table: Any, there: SandboxHas) -> Parcel:
    """Make an Arrow table ready."""
    pa = arrow("Sending a table")
    if not there.reads_arrow:
        raise cannot_send(name, "this sandbox has neither pyarrow nor polars: send it as pandas")
    for field in table.schema:
        if isinstance(field.type, pa.ExtensionType):
            raise cannot_send(name, f"column {field.name[:60]!r} is of a type of its own: cast it")
    whole = table.unify_dictionaries()
    schema = with_metadata(table.schema, {"version": 1, "kind": "pyarrow.Table"})

    def batches(part: Any) -> Iterator[Any]:
        step = batch_rows(part.nbytes, part.num_rows)
        plain = schema.remove_metadata()
        for batch in part.to_batches(max_chunksize=step):
            arrays = [as_one_array(column) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=plain) if arrays else batch

    for part in (whole.slice(0, PROBED), whole.slice(max(0, whole.num_rows - PROBED))):
        if not _comes_back(schema, part, partial(batches, part)):
            raise cannot_send(name, "it would not come back as it is: cast its columns")
    return Parcel(
        name,
        f"{name}.arrow",
        "pyarrow.Table",
        extent_of(table.num_rows, table.num_columns),
        whole.nbytes,
        lambda: write_ipc(schema, partial(batches, whole), compressed=not there.near),
        reading="pyarrow.feather.read_table" if "pyarrow" in there else "pl.read_ipc",
        columns=lambda _: [f"{field.name[:40]} {str(field.type)[:60]}" for field in table.schema],
    )


def _comes_back(schema: Any, part: Any, batches: Callable[[], Iterator[Any]]) -> bool:
    pa = arrow("A table")
    try:
        data = b"".join(write_ipc(schema, batches, compressed=False))
        back = pa.ipc.open_file(io.BytesIO(data)).read_all()
    except (pa.ArrowException, TypeError, ValueError):
        return False
    back = back.replace_schema_metadata(part.schema.metadata)
    if not back.schema.equals(part.schema, check_metadata=True):
        return False
    # To Arrow a number that is not one is not even itself.
    return bool(back.equals(part)) or repr(back.to_pylist()) == repr(part.to_pylist())

"""Arrow tables as the pandas frames that they were; as what they are where nobody says."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import io
from typing import Any, Final

from vibekit_jupyter.workbench.data.arrow_files import arrow, metadata_of
from vibekit_jupyter.workbench.data.json_values import from_json
from vibekit_jupyter.workbench.data.object_columns import MISSING, missing_value, restored_objects
from vibekit_jupyter.workbench.data.pandas_types import MASKED

__all__ = ["frame_of"]

MOST_LABELS: Final = 64 * 1024**2


def frame_of(table: Any) -> Any:
    """Return a table as a pandas frame.

    Raises
    ------
    Exception
        Whatever pandas says where a stranger's metadata does not fit the table.
    """
    import pandas as pd

    with contextlib.suppress(ImportError):  # it tells Arrow of periods and intervals
        import pandas.core.arrays.arrow.extension_types
    told = metadata_of(table.schema)
    if not str(told.get("kind", "")).startswith("pandas."):
        return _to_pandas(table)
    fields = told.get("columns", {})
    names = [name for name in table.schema.names if fields.get(name)]
    kept = {name: table.column(name) for name in names}
    positions = {name: table.schema.get_field_index(name) for name in names}
    frame = _to_pandas(table.select([name for name in table.schema.names if name not in kept]))
    if len(frame) != table.num_rows:
        frame = frame.reindex(range(table.num_rows))
    for name in names:
        values = _restored(kept.pop(name), fields[name])
        if "object" in fields[name]:  # else pandas would look for a type that fits them
            values = pd.Series(values, frame.index, dtype=object)
        frame.insert(min(positions[name], frame.shape[1]), name, values)
    frame.index = _index(frame.index, table, told)
    if "labels" in told:
        frame.columns = _labels(frame.columns, told["labels"])
    if type(attrs := from_json(told.get("attrs", {}))) is dict:
        frame.attrs = attrs
    if told.get("duplicates") is False:
        frame.flags.allows_duplicate_labels = False
    return frame


def _to_pandas(table: Any) -> Any:
    """Return a table as pandas alone reads it: the columns one after the other.

    A map of a file is read-only, and pandas writes into what it takes for its own.
    """
    frame = table.to_pandas(split_blocks=True, self_destruct=True, use_threads=False)
    for at in range(frame.shape[1]):
        values = frame.iloc[:, at].array
        if type(values).__name__ in ("ArrowStringArray", "ArrowExtensionArray"):
            continue  # nobody writes into these
        if type(values).__name__ == "NumpyExtensionArray" and values.to_numpy().flags.writeable:
            continue
        frame.isetitem(at, values.copy())
        del values
    return frame


def _is_old() -> bool:
    """Tell whether pandas is older than copies on write and the type for text."""
    import pandas as pd

    return int(pd.__version__.split(".", 1)[0]) < 3


def _restored(column: Any, told: dict[str, Any]) -> Any:  # noqa: PLR0911  (a case a type)
    import pandas as pd

    if "object" in told:
        return restored_objects(column, told)
    if told.get("arrow"):
        return pd.arrays.ArrowExtensionArray(column)
    if "string" in told:
        dtype, values = _string_dtype(told), column.to_pandas().to_numpy(object)
        if dtype is object:  # as older versions of pandas have text, with what is missing as it was
            values = values.copy()
            values[pd.isna(values)] = missing_value("nan")
        return pd.array(values, dtype=dtype)
    if told.get("masked") in MASKED:
        return pd.array(column.to_pylist(), dtype=told["masked"])
    values = column.to_pandas().array
    if told.get("zone") == "utc":
        return values.tz_convert(dt.UTC)
    if told.get("categories") == "object":
        return values.rename_categories(values.categories.astype(object))
    if told.get("categories") == "freq":
        freq = type(values.categories)(values.categories, freq=told["freq"])
        return values.rename_categories(freq)
    return values


def _string_dtype(told: dict[str, Any]) -> Any:
    import pandas as pd

    storage = told["string"] if told["string"] in ("python", "pyarrow") else "python"
    if told.get("missing") not in MISSING:
        raise ValueError("not what is missing")
    if told["missing"] == "nan":
        if _is_old():
            return object
        return pd.StringDtype(storage, na_value=missing_value("nan"))
    return pd.StringDtype(storage)


def _index(index: Any, table: Any, told: dict[str, Any]) -> Any:
    """Return the index with what Arrow does not keep of it."""
    import pandas as pd

    names = from_json(told["names"])
    levels = told.get("index")
    if levels:
        fields = table.schema.names[-len(levels) :]
        arrays = [
            _restored(table.column(name), level) if level else _level(index, at)
            for at, (name, level) in enumerate(zip(fields, levels, strict=True))
        ]
        if any(levels) and index.nlevels == 1:
            dtype = object if "object" in (levels[0] or {}) else None
            index = pd.Index(arrays[0], dtype=dtype)
        elif any(levels):
            kept = [
                pd.Index(array, dtype=object) if "object" in (level or {}) else array
                for array, level in zip(arrays, levels, strict=True)
            ]
            index = pd.MultiIndex.from_arrays(kept)
    if told.get("freq"):
        index = type(index)(index, freq=told["freq"])
    for at, freq in enumerate(told.get("freqs", ())):
        level = index.levels[at]
        if freq and hasattr(level, "freq") and not isinstance(level, pd.PeriodIndex):
            with contextlib.suppress(ValueError):  # a level may have lost what nobody used
                index = index.set_levels(type(level)(level, freq=freq), level=at)
    return index.set_names(names) if index.nlevels > 1 else index.rename(names[0])


def _level(index: Any, at: int) -> Any:
    return index.get_level_values(at) if index.nlevels > 1 else index


def _labels(labels: Any, told: dict[str, Any]) -> Any:
    import pandas as pd

    if "ipc" in told:
        data = base64.b64decode(told["ipc"], validate=True)
        if len(data) > MOST_LABELS:
            raise ValueError("labels without end")
        table = arrow("Reading a table").ipc.open_file(io.BytesIO(data)).read_all()
        return frame_of(table).index
    if "json" in told:
        values = from_json(told["json"])
        labels = pd.Index(values, dtype=object, tupleize_cols=False)
    elif "range" in told:
        labels = pd.RangeIndex(*told["range"])
    elif told.get("dtype") in ("object", "str", "string"):
        wanted = object if told["dtype"] == "str" and _is_old() else told["dtype"]
        labels = labels.astype(wanted)
    if "columns_name" in told:
        labels = labels.rename(from_json(told["columns_name"]))
    return labels

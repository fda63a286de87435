"""pandas frames as .npz: a NumPy array for each column, and a manifest in JSON. No pickle.

It needs numpy and pandas alone, and nothing of this package: it is put into sandboxes that have no
pyarrow. There: ``read_frame("data/df.npz")``, ``write_frame(df, "out/df.npz")``.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

FORMAT = "vibekit-frame-1"
PLAIN = "biufMm"
MASKED = ("Int", "UInt", "Float", "boolean")
OLD = int(pd.__version__.split(".")[0]) < 3


def write_frame(frame: Any, file: Any, *, series: tuple[Any, ...] = ()) -> None:
    """Write a frame; what has no form here is a TypeError that names the column.

    With ``series``, its only column is one of this name by itself.
    """
    arrays: dict[str, Any] = {}
    index = frame.index
    manifest = {
        "format": FORMAT,
        "rows": len(frame),
        "labels": _labels(frame.columns),
        "labels_name": _name(frame.columns.name),
        "columns": [
            _put(arrays, f"c{at}", frame.iloc[:, at], repr(frame.columns[at]))
            for at in range(frame.shape[1])
        ],
        "names": [_name(name) for name in index.names],
    }
    if isinstance(index, pd.RangeIndex):
        manifest["range"] = [index.start, index.stop, index.step]
    else:
        if index.nlevels > 1 and any(getattr(level, "freq", None) for level in index.levels):
            raise TypeError("a level of its index has a frequency")
        levels = [index.get_level_values(at) for at in range(index.nlevels)]
        manifest["index"] = [
            _put(arrays, f"i{at}", pd.Series(level), "of the index")
            for at, level in enumerate(levels)
        ]
    if series:
        manifest["series"] = [_name(name) for name in series]
    text = json.dumps(manifest).encode()
    arrays["manifest"] = np.frombuffer(text, np.uint8)
    np.savez(file, **arrays)


def read_frame(file: Any) -> Any:
    """Read a frame, or a series, that ``write_frame`` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        manifest = json.loads(arrays["manifest"].tobytes())
        if manifest["format"] != FORMAT:
            raise ValueError("not a frame")
        columns = [_get(arrays, f"c{at}", told) for at, told in enumerate(manifest["columns"])]
        if "range" in manifest:
            index = pd.RangeIndex(*manifest["range"])
        else:
            levels = [
                _as_index(_get(arrays, f"i{at}", told), told)
                for at, told in enumerate(manifest["index"])
            ]
            index = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)
    if len(index) != manifest["rows"]:
        raise ValueError("not a frame")
    index = index.set_names(manifest["names"])
    series = {at: pd.Series(column, index=index) for at, column in enumerate(columns)}
    for at, told in enumerate(manifest["columns"]):
        if told["form"] == "text" and told["type"] == "object":
            series[at] = pd.Series(columns[at], index=index, dtype=object)
    frame = pd.DataFrame(series, index=index)
    told = manifest["labels"]
    kind = object if told["type"] == "object" or OLD else None
    if told["type"] == "range":
        frame.columns = pd.RangeIndex(*told["labels"], name=manifest["labels_name"])
    else:
        kind = told["type"] if told["type"] not in ("object", "str") else kind
        frame.columns = pd.Index(told["labels"], dtype=kind, name=manifest["labels_name"])
    if manifest.get("series"):
        return frame.iloc[:, 0].rename(manifest["series"][0])
    return frame


def _labels(labels: Any) -> dict[str, Any]:
    if isinstance(labels, pd.RangeIndex):
        return {"type": "range", "labels": [labels.start, labels.stop, labels.step]}
    if labels.nlevels > 1 or str(labels.dtype) not in ("object", "str", "int64"):
        raise TypeError("the labels of its columns are neither text nor whole numbers")
    values = labels.tolist()
    if any(type(value) not in (str, int) for value in values):
        raise TypeError("the labels of its columns are neither text nor whole numbers")
    return {"type": str(labels.dtype), "labels": values}


def _name(name: Any) -> Any:
    if name is not None and type(name) not in (str, int):
        raise TypeError("a name of its index or columns is neither text nor a whole number")
    return name


def _put(arrays: Any, key: str, series: Any, label: str) -> dict[str, Any]:
    dtype = series.dtype
    kind = type(dtype).__name__
    if isinstance(dtype, np.dtype) and dtype.kind in PLAIN:
        arrays[key] = series.to_numpy()
        return {"form": "plain"}
    if kind == "DatetimeTZDtype":
        unit = dtype.unit
        arrays[key] = series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        return {"form": "zoned", "unit": unit, "zone": str(dtype.tz)}
    if kind == "CategoricalDtype":
        arrays[key] = np.asarray(series.cat.codes)
        told = _put(arrays, key + "_", pd.Series(dtype.categories), label)
        return {"form": "category", "ordered": bool(dtype.ordered), "categories": told}
    if str(dtype).startswith(MASKED) and kind != "StringDtype":
        arrays[key + "_missing"] = series.isna().to_numpy()
        low = str(dtype).lower().replace("boolean", "bool")
        arrays[key] = series.to_numpy(low, na_value=0)
        return {"form": "masked", "type": str(dtype)}
    if dtype == "object" or kind == "StringDtype":
        return _put_text(arrays, key, series, label)
    raise TypeError(f"column {label} is of type {str(dtype)[:60]}")


def _put_text(arrays: Any, key: str, series: Any, label: str) -> dict[str, Any]:
    values = series.to_numpy(object)
    missing = {type(value).__name__ for value in values if type(value) is not str}
    known = len(missing) <= 1 and missing <= {"NoneType", "float", "NAType"}
    if not known or not series[[type(value) is float for value in values]].isna().all():
        raise TypeError(f"column {label} holds {' and '.join(sorted(missing))}, and no text")
    gone = np.array([type(value) is not str for value in values], bool)
    try:
        data = [b"" if type(value) is not str else value.encode() for value in values]
    except UnicodeEncodeError:
        raise TypeError(f"column {label} holds text that is no Unicode") from None
    arrays[key + "_missing"] = gone
    arrays[key + "_ends"] = np.cumsum([len(part) for part in data], dtype=np.int64)
    arrays[key] = np.frombuffer(b"".join(data), np.uint8)
    kind = str(series.dtype)
    storage = getattr(series.dtype, "storage", "")
    return {
        "form": "text",
        "type": kind,
        "storage": storage,
        "missing": next(iter(missing), "NoneType"),
    }


def _get(arrays: Any, key: str, told: Any) -> Any:
    form = told["form"]
    if form == "plain":
        return arrays[key]
    if form == "zoned":
        naive = pd.Series(arrays[key]).dt.as_unit(told["unit"])
        return naive.dt.tz_localize("UTC").dt.tz_convert(told["zone"]).array
    if form == "category":
        labels = _as_index(_get(arrays, key + "_", told["categories"]), told["categories"])
        kind = pd.CategoricalDtype(labels, told["ordered"])
        return pd.Categorical.from_codes(arrays[key], dtype=kind)
    if form == "masked":
        values = pd.array(arrays[key], dtype=told["type"])
        values[arrays[key + "_missing"]] = pd.NA
        return values
    return _get_text(arrays, key, told)


def _get_text(arrays: Any, key: str, told: Any) -> Any:
    data, ends = arrays[key].tobytes(), arrays[key + "_ends"].tolist()
    missing = arrays[key + "_missing"].tolist()
    nothing = {"float": float("nan"), "NAType": pd.NA}.get(told["missing"])
    values = np.empty(len(ends), object)
    begin = 0
    for at, end in enumerate(ends):
        values[at] = nothing if missing[at] else data[begin:end].decode()
        begin = end
    if told["type"] == "object" or (OLD and told["type"] == "str"):
        return values
    if told["type"] == "str":
        return pd.array(values, dtype="str")
    return pd.array(values, dtype=pd.StringDtype(told["storage"] or None))


def _as_index(values: Any, told: Any) -> Any:
    if told["form"] == "text" and told["type"] == "object":
        return pd.Index(values, dtype=object)
    return pd.Index(values)

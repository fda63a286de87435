"""pandas frames of every kind: what may be in a column, an index, a label."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["CASES", "Hostile"]

UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=1))
NUMBERS = (
    *("int8", "uint8", "int16", "int32", "int64", "uint64"),
    *("float16", "float32", "float64", "bool"),
)
MASKED = ("Int64", "UInt8", "boolean", "Float32", "Float64")
TIMES = tuple(
    f"{kind}64[{unit}]" for kind in ("datetime", "timedelta") for unit in ("s", "ns", "us")
)


class Hostile(str):
    """A text whose own code must never run."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise SystemExit("the value's own code ran")

    def __repr__(self) -> str:
        raise SystemExit("the value's own code ran")

    __str__ = __repr__

    def __hash__(self) -> int:
        return 1


def column(values: Any) -> pd.DataFrame:
    """A frame of one column."""
    return pd.DataFrame({"a": values})


def objects(*values: Any) -> pd.DataFrame:
    """A frame of one column of objects."""
    array = np.empty(len(values), object)
    for at, value in enumerate(values):
        array[at] = value
    return column(pd.Series(array, dtype=object))


def arrow(values: Any, kind: Any) -> pd.DataFrame:
    """A frame of one column of Arrow's."""
    return column(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, kind)])))


def indexed(index: Any) -> pd.DataFrame:
    """A frame with this index."""
    return pd.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, 3.0]}).set_axis(index)


def labelled(labels: Any) -> pd.DataFrame:
    """A frame with these labels."""
    frame = pd.DataFrame(np.arange(3.0 * len(labels)).reshape(3, len(labels)))
    frame.columns = labels
    return frame


def _index(*values: Any, **options: Any) -> pd.Index[Any]:
    return pd.Index(list(values), **options)


def _with_attrs(attrs: Any) -> pd.DataFrame:
    frame = column([1, 2])
    frame.attrs = attrs
    return frame


def _columns() -> dict[str, pd.DataFrame]:
    return {
        **{kind: column(np.array([1, 0, 1]).astype(kind)) for kind in NUMBERS},
        **{kind: column(pd.array([1, None, 0], dtype=kind)) for kind in MASKED},
        **{kind: column(pd.array(np.array([1, 2, "NaT"], kind))) for kind in TIMES},
        "float with nan and inf": column([1.0, np.nan, np.inf]),
        "negative zero": column([-0.0, 0.0, 1.0]),
        "str": column(["x", None, "é"]),
        "object str": objects("x", None, "é"),
        "object str with nan": objects("x", np.nan, "é"),
        "object str with NA": objects("x", pd.NA, "é"),
        "object str with NaT": objects("x", pd.NaT, "é"),
        "object str with None and nan": objects("x", None, np.nan),
        "object float": objects(1.5, None, np.nan),
        "object float with NA and nan": objects(1.5, pd.NA, np.nan),
        "object nan": objects(np.nan, np.nan),
        "object None": objects(None, None),
        "object NaT": objects(pd.NaT, pd.NaT),
        "object int": objects(1, None, 3),
        "object bool": objects(True, None, False),
        "object bool and int": objects(True, 1, 0),
        "int and str": objects(1, "x", 3),
        "int and float": objects(1, 2.5, 3),
        "string[python]": column(pd.array(["x", None, "y"], dtype=pd.StringDtype("python"))),
        "string[pyarrow]": column(pd.array(["x", None, "y"], dtype=pd.StringDtype("pyarrow"))),
        "bytes": objects(b"x", None, b"\0\xff"),
        "Decimal": objects(Decimal("1.10"), None, Decimal("2.50")),
        "Decimal of two scales": objects(Decimal("1.10"), None, Decimal("2.5")),
        "date": objects(dt.date(2020, 1, 1), None, dt.date(1, 1, 1)),
        "time": objects(dt.time(1, 2, 3, 4), None, dt.time(0)),
        "UUID": objects(uuid.UUID(int=1), None, uuid.UUID(int=2)),
        "dict": objects({"x": 1}, {"x": 2}, None),
        "dict of unequal keys": objects({"x": 1}, {"y": 2}, None),
        "dict in another order": objects({"x": 1, "y": 2}, {"y": 2, "x": 1}),
        "list": objects([1, 2], [], None),
        "list with nan and None": objects([1.0, np.nan], [None], None),
        "list of int and float": objects([1, 2.0]),
        "list of list": objects([[1], []], [], None),
        "list of Decimal": objects([Decimal("1.10")], [Decimal("1.1")]),
        "tuple": objects((1, 2), (3,), None),
        "tuple of several types": objects((1, "x"), (3, "y")),
        "tuple in a list": objects([(1, 2)], [(3, 4)]),
        "set": objects({1}, {2}),
        "ndarray": objects(np.arange(2), np.arange(3)),
        "nested frames": objects(pd.DataFrame(), pd.DataFrame()),
        "complex": column([1j, 2, 3]),
        "object complex": objects(1j, 2j),
        "longdouble": column(np.array([1, 2], np.longdouble)),
        "Sparse": column(pd.arrays.SparseArray([0, 0, 1])),
        "int above 64 bits": objects(2**70, 1),
        "int above 63 bits": objects(2**63, 1),
        "half a surrogate": objects("\ud800", "x"),
        "NumPy scalars": objects(np.int64(1), np.int64(2)),
        "object Timestamp": objects(pd.Timestamp("2020"), pd.Timestamp("2021")),
        "object datetime": objects(dt.datetime(2020, 1, 1), None),  # noqa: DTZ001  (naive is meant)
        "object datetime, fold": objects(dt.datetime(2020, 1, 1, fold=1)),  # noqa: DTZ001
        "datetimes of several zones": objects(
            dt.datetime(2020, 1, 1, tzinfo=UTC), dt.datetime(2020, 1, 1, tzinfo=EAST)
        ),
        "object timedelta": objects(dt.timedelta(1), None),
        "zone by name": column(pd.date_range("2020", periods=3, tz="Europe/Berlin")),
        "zone UTC": column(pd.date_range("2020", periods=3, tz="UTC")),
        "zone +05:30": column(pd.date_range("2020", periods=3, tz="+05:30")),
        "zone of datetime": column(pd.date_range("2020", periods=3, tz=EAST)),
        "Period": column(pd.period_range("2020", periods=3, freq="M")),
        "Interval": column(pd.interval_range(0, 3)),
        "category": column(
            pd.Categorical(["x", "y", None], categories=["y", "x", "z"], ordered=True)
        ),
        "category of objects": column(
            pd.Categorical(["x", "y"], categories=_index("y", "x", dtype=object))
        ),
        "category of int": column(pd.Categorical([1, 2, 1])),
        "category of float": column(pd.Categorical([1.5, 2, 1])),
        "category of datetime": column(pd.Categorical(pd.date_range("2020", periods=3))),
        "category of zoned": column(pd.Categorical(pd.date_range("2020", periods=3, tz="UTC"))),
        "category of int and str": column(pd.Categorical([1, "x", 1])),
        "category of bool": column(pd.Categorical([True, False, True])),
        "category without one": column(pd.Categorical([None, None], categories=[])),
        "pd.cut": column(pd.cut([1, 2, 3], 2)),
        "arrow list": arrow([[1], None, []], pa.list_(pa.int64())),
        "arrow struct": arrow([{"x": 1}, None, {"x": None}], pa.struct([("x", pa.int64())])),
        "arrow map": arrow([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "arrow decimal": arrow([Decimal("1.10"), None], pa.decimal128(5, 2)),
        "arrow timestamp": arrow([dt.datetime(2020, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        "arrow string": arrow(["x", None], pa.string()),
        "arrow large_string": arrow(["x", None], pa.large_string()),
        "arrow int32": arrow([1, None], pa.int32()),
        "arrow bool": arrow([True, None], pa.bool_()),
        "arrow date32": arrow([dt.date(2020, 1, 1)], pa.date32()),
        "arrow dictionary": arrow(["x", None], pa.dictionary(pa.int32(), pa.string())),
        "arrow null": arrow([None, None], pa.null()),
        "arrow double": arrow([1.0, float("nan"), None], pa.float64()),
        "hostile text": objects(Hostile("x"), Hostile("y")),
        "hostile text in a list": objects([Hostile("x")]),
    }


def _indexes() -> dict[str, pd.DataFrame]:
    days = pd.date_range("2020", periods=3)
    found: dict[str, Any] = {
        "Range": pd.RangeIndex(5, 11, 2, name="r"),
        "str": _index("x", "y", "z"),
        "object str": _index("x", "y", "z", dtype=object),
        "object str with None": _index("x", None, "z", dtype=object),
        "object int": _index(1, 2, 3, dtype=object),
        "string": pd.Index(pd.array(["a", "b", None], dtype="string")),
        "duplicates": _index(1, 2, 2),
        "float": _index(1.5, 2, np.nan),
        "bool": _index(True, False, True),
        "uint8": _index(1, 2, 3, dtype="uint8"),
        "Int64": _index(1, 2, 3, dtype="Int64"),
        "int and str": _index(1, "x", 2.5, dtype=object),
        "tuples": _index((1, 2), (3, 4), (5, 6), tupleize_cols=False),
        "dates": _index(*([dt.date(2020, 1, 1)] * 3)),
        "days": days,
        "hours of a zone": pd.date_range("2020", periods=3, tz="Europe/Berlin", freq="h"),
        "month ends": pd.date_range("2020", periods=3, freq="ME", tz="UTC"),
        "datetime": pd.DatetimeIndex(["2020", "2021", "2025"]),
        "timedelta": pd.timedelta_range("1h", periods=3),
        "Period": pd.period_range("2020", periods=3),
        "Categorical": pd.CategoricalIndex(["x", "y", "x"]),
        "Interval": pd.interval_range(0, 3),
        "Multi": pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
        "Multi with names": pd.MultiIndex.from_product([["a"], days], names=["x", None]),
        "Multi of objects": pd.MultiIndex.from_arrays(
            [_index("a", "b", "c", dtype=object), [1, 2, 3]], names=["x", 3]
        ),
        "name of a column": _index(1, 2, 3, name="a"),
        "name 5": _index(1, 2, 3, name=5),
        "name of a tuple": _index(1, 2, 3, name=("a", 1)),
        "hostile": _index(*[Hostile("x")] * 3, dtype=object),
    }
    return {f"index {name}": indexed(index) for name, index in found.items()}


def _labels() -> dict[str, pd.DataFrame]:
    found: dict[str, Any] = {
        "with a name": _index("a", "b", name="n"),
        "name 3": _index("a", "b", name=3),
        "object": _index("a", "b", dtype=object),
        "Range": pd.RangeIndex(2),
        "Range by 3": pd.RangeIndex(4, 10, 3, name="n"),
        "int": _index(1, 2),
        "float": _index(1.5, 2),
        "bool": _index(True, False),
        "datetime": pd.date_range("2020", periods=2),
        "datetime of a zone": pd.date_range("2020", periods=2, tz="UTC"),
        "Period": pd.period_range("2020", periods=2, freq="M"),
        "Interval": pd.interval_range(0, 2),
        "Categorical": pd.CategoricalIndex(["a", "b"]),
        "1 and '1'": _index(1, "1", dtype=object),
        "1 and 'a'": _index(1, "a", dtype=object),
        "None": _index(None, "a", dtype=object),
        "nan": _index(np.nan, "a", dtype=object),
        "NA": _index(pd.NA, "a", dtype=object),
        "a tuple": _index(("a", 1), "a", dtype=object, tupleize_cols=False),
        "a bytes": _index(b"a", "a", dtype=object),
        "Multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
        "Multi with names": pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["p", "q"]),
        "duplicates": _index("a", "a"),
        "duplicates that clash": _index("a", "a", "a.1"),
        "half a surrogate": _index("a", "\ud800", dtype=object),
        "Arrow's own": _index("__index_level_0__", "b"),
        "empty text": _index("", "b"),
        "hostile": _index(Hostile("x"), "b", dtype=object),
    }
    return {f"labels {name}": labelled(labels) for name, labels in found.items()}


def _frames() -> dict[str, pd.DataFrame]:
    some = pd.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, 3.0]})
    long = pd.DataFrame({"a": range(1000), "b": [None] * 999 + ["last"]})
    return {
        "no rows, no columns": pd.DataFrame(),
        "no rows": some.iloc[:0],
        "no columns": some[[]],
        "no columns, an index": some.set_axis(["a", "b", "c"])[[]],
        "no rows of objects": objects(),
        "no rows, an index": indexed(_index("a", "b", "c")).iloc[:0],
        "many rows": long,
        "many rows, an index": long.set_index("a"),
        "attrs": _with_attrs({"x": 1, "y": [1, "z"], "t": (1, 2), "d": {1: 2}}),
        "attrs of a frame": _with_attrs({"x": some}),
        "attrs that are hostile": _with_attrs({"x": Hostile("x")}),
        "flags": some.set_flags(allows_duplicate_labels=False),
        "Fortran": pd.DataFrame(
            np.asfortranarray(np.arange(6.0).reshape(2, 3)), columns=list("abc")
        ),
        "all in one": pd.concat(
            [column(["x", "y"]), column([1, 2]), column(pd.Categorical(["u", "v"]))], axis=1
        ),
    }


CASES: dict[str, pd.DataFrame] = {**_columns(), **_indexes(), **_labels(), **_frames()}

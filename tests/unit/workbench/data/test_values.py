"""Values that are no pandas frames: equal after the trip, or refused with the way out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import types
import uuid
from collections import Counter, OrderedDict
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.data_cases import Hostile
from tests.support.data_trips import ALL, NO_ARROW, NOTHING, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.equality import same_values
from vibekit_jupyter.workbench.data.known_types import check_name, no_variable
from vibekit_jupyter.workbench.data.packing import check_kind, pack

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.complex_numbers(allow_nan=False), st.decimals(), st.uuids(),
    st.datetimes(timezones=st.none() | st.just(dt.UTC) | st.timezones()),
    st.dates(), st.times(), st.timedeltas(),
)  # fmt: skip
keys = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.tuples(st.integers()))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(st.integers()),
        st.frozensets(st.text(max_size=3)),
    ),
    max_leaves=12,
)


@given(values)
def test_a_plain_value_comes_back_as_it_went(value: Any) -> None:
    if isinstance(value, str):
        value = [value]  # a text alone goes as a file of text
    back = trip(value)
    assert type(back) is type(value)
    assert same_values([back], [value])


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.binary())
def test_text_and_bytes_are_exact(value: str | bytes) -> None:
    assert trip(value) == value


class Evil:
    """Whoever asks it anything runs its code."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SystemExit(f"the value's own code ran: {name}")

    def __repr__(self) -> str:
        raise SystemExit("the value's own code ran")

    def __dataframe__(self) -> NoReturn:
        raise SystemExit("the value's own code ran")

    __array__ = __arrow_c_stream__ = __dataframe__


class Meta(type):
    """A class whose class runs code."""

    def __getattribute__(cls, name: str) -> NoReturn:
        raise SystemExit("the class's own code ran")

    def __instancecheck__(cls, _: object) -> NoReturn:
        raise SystemExit("the class's own code ran")


def of_a_hostile_class() -> object:
    """Its class is made here: a test runner looks at those of a module."""
    return Meta("MetaEvil", (), {})()


class Frame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
    """A frame with code of its own."""

    @property
    def dtypes(self) -> NoReturn:
        raise SystemExit("the value's own code ran")


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int = 1


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Evil, r"cannot send 'v' \(Evil\): there is no file format for it\. Save it yourself"),
        (of_a_hostile_class, r"cannot send 'v' \(MetaEvil\)"),
        (lambda: [{"a": Evil()}], r"v\[0\]\['a'\] is of type Evil"),
        (Hostile("x"), r"of type Hostile: send str\(v\)"),
        ({Hostile("x"): 1}, r"a key of v is of type Hostile"),
        (lambda: Frame({"a": [1]}), r"of type Frame: send pandas\.DataFrame\(v\)"),
        (Colour.RED, r"send v\.value"),
        (Point(), r"send dataclasses\.asdict\(v\)"),
        (OrderedDict(a=1), r"send dict\(v\)"),
        (Counter("a"), r"send dict\(v\)"),
        (np.int64(1), r"send v\.item\(\)"),
        (np.array([1, "x"], object), "holds Python objects"),
        (np.ma.array([1], mask=[True]), r"send v\.data and v\.mask"),
        (np.ma.masked, r"send v\.data and v\.mask"),
        (np.arange(1).view(np.recarray), r"send numpy\.asarray\(v\)"),
        (np.arange(4).reshape(2, 2).view(np.matrix), r"send numpy\.asarray\(v\)"),
        ({"a": np.arange(2), "b/c": np.arange(2)}, "cannot be the name of an array"),
        ({"a": np.arange(2), "b": 1}, r"v\['a'\] is of type ndarray"),
        (pd.Timestamp("2020"), r"send v\.to_pydatetime\(\)"),
        (pd.Index([1]), r"send v\.to_frame\(\)"),
        (pl.Series([1]), r"send v\.to_frame\(\)"),
        (pl.LazyFrame({"a": [1]}), r"send v\.collect\(\)"),
        (pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}), "polars cannot write it"),
        (pa.record_batch({"a": [1]}), r"send pyarrow\.table\(v\)"),
        (Image.new("HSV", (2, 2)), "PNG has no pictures of mode HSV"),
        ("\ud800", "half a surrogate pair"),
        (10**9000, "too many digits"),
        (print, "there is no file format"),
        (open, "there is no file format"),
        (bytearray(b"x"), r"send bytes\(v\)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__qualname__,
)
def test_what_has_no_file_is_refused_with_the_way_out(value: Any, told: str) -> None:
    if value is Evil or isinstance(value, types.FunctionType):
        value = value()
    with pytest.raises(DataError, match=told) as raised:
        pack("v", value, ALL)
    assert "\n" not in str(raised.value)


def test_what_holds_itself_is_refused() -> None:
    knot: list[Any] = []
    knot.append(knot)
    with pytest.raises(DataError, match="holds itself"):
        pack("v", knot, ALL)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2), np.arange(20)[::3], np.arange(5)[::-1],
        np.array(5), np.zeros((0, 3)), np.array([1j]), np.array([1.5], np.longdouble),
        np.arange(3, dtype=">i4"), np.array(["a", "bé"]), np.array([b"a"]), np.array([True]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.array([1], np.float16),
        np.array(["2020", "NaT"], "M8[D]"), np.array([1], "m8[us]"), np.arange(300_000.0),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
@pytest.mark.parametrize("there", [ALL, NOTHING], ids=["all", "nothing"])
def test_an_array_comes_back_as_it_went(array: Any, there: Any) -> None:
    back = trip(array, there)
    assert (type(back), back.dtype, back.shape) == (np.ndarray, array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    if back.size:
        back.reshape(-1)[0] = back.reshape(-1)[0]  # it can be written to


def test_arrays_by_name_come_back() -> None:
    back = trip({"a": np.arange(3), "b": np.ones((2, 2))})
    assert list(back) == ["a", "b"]
    assert back["b"].tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"m": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64()))}),
        pa.table({"d": pa.chunked_array([pa.array([each]).dictionary_encode() for each in "xy"])}),
        pa.table({"t": pa.array([1, None], pa.timestamp("s")), "n": [float("nan"), None]}),
        pa.table({"l": pa.array(["x"], pa.large_string())}, metadata={"k": "v"}),
        pa.table({"v": pa.array(["x", "a longer text than twelve"], pa.string_view())}),
    ],
    ids=lambda table: str(table.schema.types[0]),
)
def test_an_arrow_table_comes_back_as_it_went(table: Any) -> None:
    back = trip(table)
    assert back.schema.equals(table.schema, check_metadata=True)
    assert repr(back.to_pylist()) == repr(table.to_pylist())


def test_a_polars_frame_comes_back_with_its_types() -> None:
    frame = pl.DataFrame(
        {
            "a": [1, None],
            "c": pl.Series(["a", "b"], dtype=pl.Categorical),
            "e": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"])),
            "l": [[1], []],
            "d": [Decimal("1.10"), None],
            "i": pl.Series([2**100, 1], dtype=pl.Int128),
            "r": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
            "s": [{"x": 1}, {"x": None}],
            "n": [None, None],
        }
    )
    for each in (frame, frame.clear(), pl.DataFrame()):
        back = trip(each)
        assert back.schema == each.schema
        assert back.equals(each)


@pytest.mark.parametrize(
    "value", [pl.DataFrame({"a": [1]}), pa.table({"a": [1]})], ids=["pl", "pa"]
)
@pytest.mark.parametrize("there", [NO_ARROW, NOTHING], ids=["pandas", "nothing"])
def test_what_nobody_there_reads_is_refused(value: Any, there: Any) -> None:
    with pytest.raises(DataError, match="neither"):
        pack("v", value, there)


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a.b", "../a", "class", "_a", "é", "a" * 61, None]
)
def test_a_name_is_one_that_a_file_may_have(name: Any) -> None:
    with pytest.raises(DataError):
        check_name(name)


def test_a_name_that_is_not_there_is_told_with_the_nearest() -> None:
    assert str(no_variable("dff", ["df", "x"])) == "There is no variable 'dff'. Did you mean 'df'?"
    assert "Did you mean" not in str(no_variable("zzz", ["df", Hostile("zzz")]))


@pytest.mark.parametrize("value", [5, "x", b"x", None, [1], {"a": 1}, Path("/x"), uuid.UUID(int=1)])
def test_what_can_be_sent_is_known_before_anything_is(value: Any) -> None:
    check_kind("v", value)


def test_a_path_comes_back() -> None:
    assert trip([Path("/a/b"), PurePosixPath("c")]) == [Path("/a/b"), PurePosixPath("c")]

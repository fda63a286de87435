"""What a value is, without asking it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vibekit_jupyter.notebook.context.kinds import compact, scalar, type_name


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(name)


class Hostile(metaclass=Meta):
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


class Name(str):
    __slots__ = ()

    def __format__(self, spec: str) -> str:
        raise AssertionError("it ran")


def test_a_types_name_is_told_without_its_own_code() -> None:
    assert type_name(Hostile()) == "Hostile"
    assert type_name(3, whole=True) == "int"
    assert type_name(np.zeros(1), whole=True) == "numpy.ndarray"
    named = type("Plain", (), {})
    named.__qualname__ = Name("evil\n" + "x" * 100)
    said = type_name(named())
    assert said.startswith("evil\\x0ax")
    assert len(said) <= 80


def test_a_frame_is_told_by_its_columns_and_types_and_no_value() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": ["a secret"], "n": [1.5], 3: [True]})
    assert compact(frame) == (
        "pandas.DataFrame, 1 rows x 3 columns\n"
        f"- name {frame.dtypes['name']}\n- n float64\n- 3 bool"
    )
    assert compact(frame["n"]) == "pandas.Series, 1 rows, n float64"
    wide = compact(pandas.DataFrame(np.zeros((2, 1_201))))
    assert wide is not None
    assert "- … 1,189 more columns" in wide
    assert len(wide.splitlines()) == 14


def test_a_label_brings_no_line_and_none_of_its_code() -> None:
    pandas = pytest.importorskip("pandas")
    said = compact(pandas.DataFrame([[1, 2]], columns=["a\nIgnore all", Hostile()]))
    assert said is not None
    assert said.splitlines()[1:] == ["- a\\x0aIgnore all int64", "- Hostile int64"]


def test_polars_and_arrow_tables_are_told_alike() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1], "b": ["x"]})
    assert compact(frame) == "polars.DataFrame, 1 rows x 2 columns\n- a Int64\n- b String"
    arrow = pytest.importorskip("pyarrow").table({"a": [1]})
    assert compact(arrow) == "pyarrow.Table, 1 rows x 1 columns\n- a int64"


def test_an_array_is_told_by_type_and_shape() -> None:
    assert compact(np.zeros((2, 3), "f4")) == "numpy.ndarray, float32 (2, 3)"


def test_a_subclass_is_no_frame_and_no_array() -> None:
    assert compact(type("Mine", (np.ndarray,), {})((2,))) is None
    assert compact(Hostile()) is None
    assert compact({}) is None


def test_a_numpy_number_is_a_number() -> None:
    assert scalar(np.float32(0.5)) == 0.5
    assert type(scalar(np.bool_(True))) is bool  # noqa: FBT003  (NumPy's own)
    hostile = Hostile()
    assert scalar(hostile) is hostile

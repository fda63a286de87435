"""Frames of every kind come back equal, or are refused by name; none is changed silently."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.support.data_cases import CASES
from tests.support.data_trips import ALL, ELSEWHERE, NO_ARROW, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.equality import different_column

if TYPE_CHECKING:
    from vibekit_jupyter.workbench.data.parcel import SandboxHas

PANDAS_3 = int(pd.__version__.split(".")[0]) >= 3
REFUSED = {
    *("object str with None and nan", "object bool and int", "int and str", "int and float"),
    *("Decimal of two scales", "dict of unequal keys", "dict in another order"),
    *("list of int and float", "list of Decimal", "tuple of several types", "tuple in a list"),
    *("set", "ndarray", "nested frames", "complex", "object complex", "longdouble", "Sparse"),
    *("int above 64 bits", "int above 63 bits", "half a surrogate", "NumPy scalars"),
    *("object Timestamp", "object datetime, fold", "datetimes of several zones"),
    *("category of zoned", "category of int and str", "pd.cut"),
    *("hostile text", "hostile text in a list", "index int and str", "index hostile"),
    *("labels hostile", "labels NA", "attrs of a frame", "attrs that are hostile"),
}


@pytest.mark.parametrize(
    "there", [ALL, ELSEWHERE, NO_ARROW], ids=["near", "far", "without pyarrow"]
)
@pytest.mark.parametrize("case", CASES)
def test_a_frame_comes_back_equal_or_is_refused(case: str, there: SandboxHas) -> None:
    frame = CASES[case]
    if case in REFUSED:
        with pytest.raises(DataError, match=r"^cannot send 'v': "):
            trip(frame, there)
        return
    try:
        back = trip(frame, there)
    except DataError as error:  # an older pandas, or one without pyarrow, keeps less
        if (PANDAS_3 and there is not NO_ARROW) or not str(error).startswith("cannot send 'v': "):
            raise
        return
    assert different_column(frame, back) is None
    if "surrogate" not in case:  # pandas' own comparison cannot say it
        pd.testing.assert_frame_equal(frame, back)


@pytest.mark.parametrize("case", sorted(CASES.keys() - REFUSED))
def test_a_frame_is_left_as_it_was(case: str) -> None:
    frame = CASES[case]
    before = frame.copy(deep=True)
    before.attrs = frame.attrs
    with contextlib.suppress(DataError):
        trip(frame)
    assert different_column(before, frame) is None

"""What the agent is told of a table fits in 400 tokens, is one line a column, and is data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.data_cases import CASES
from tests.support.data_trips import ALL
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.briefing import of_inputs, of_outputs
from vibekit_jupyter.workbench.data.described import MOST_TOKENS, estimated_tokens, pandas_lines
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.sending import Sent


def told(value: object, *, with_values: bool = True) -> str:
    parcel = pack("df", value, ALL)
    sent = Sent(
        *("df", parcel.kind, parcel.extent, f"data/{parcel.file}", parcel.size, 0.0),
        unchanged=False,
        parcel=parcel,
    )
    return of_inputs([sent], ALL, with_values=with_values)


def wide() -> pd.DataFrame:
    frame = pd.DataFrame(np.random.default_rng(1).random((500, 1201)))
    return frame.set_axis(pd.date_range("2020", periods=500, tz="UTC"))


def test_a_line_tells_name_type_range_and_what_is_missing() -> None:
    frame = pd.DataFrame({"age": [1.5, None, 80.0, 3.0], "sex": ["f", "m", "m", None]})
    assert pandas_lines(frame, with_values=True) == [
        "age float64, 25% missing: 1.5..80",
        f"sex {frame['sex'].dtype}, 25% missing: 2 values: 'f', 'm'",
    ]


@pytest.mark.parametrize(
    "frame",
    [
        wide(),
        pd.DataFrame({f"column number {at}": ["a long text " * 9] * 3 for at in range(12)}),
        pd.DataFrame({f"名前{at}" * 9: ["値" * 90] * 3 for at in range(40)}),
        pl.DataFrame({f"c{at}": [f"value {at}" * 9] for at in range(300)}),
    ],
    ids=["1,201 columns", "long texts", "long names", "polars"],
)
def test_a_table_takes_at_most_400_tokens(frame: object) -> None:
    text = told(frame)
    assert estimated_tokens(text) <= MOST_TOKENS + 50  # with the sentence above it
    assert len(text) < 1_800


def test_of_many_columns_the_first_and_the_last_are_told() -> None:
    text = told(wide())
    assert "- 0 float64" in text
    assert "… 1,189 more columns: float64 1,189" in text
    assert "- 1200 float64" in text
    assert "index: (no name) datetime64" in text


def test_without_values_none_is_told() -> None:
    frame = pd.DataFrame({"name": ["Ada", "Grace"], "age": [36, 85]})
    text = told(frame, with_values=False)
    assert "- name" in text
    assert "- age int64" in text
    for value in ("Ada", "Grace", "36", "85"):
        assert value not in text


@given(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_value_brings_no_line_of_its_own(label: str, value: str) -> None:
    lines = pandas_lines(pd.DataFrame({label: [value]}, dtype=object), with_values=True)
    assert len(lines) == 1
    assert lines[0].isprintable()


@pytest.mark.parametrize("case", sorted(CASES))
def test_whatever_can_be_sent_can_be_described(case: str) -> None:
    try:
        text = told(CASES[case])
    except DataError:
        return
    assert "file data/df.arrow" in text


def test_what_is_asked_for_is_told_with_the_formats_that_there_are() -> None:
    assert "/home/user/out/s, each as one file" in of_outputs(["s"], ALL)
    assert "df.to_feather(path)" in of_outputs(["s"], ALL)
    assert of_outputs([], ALL) == ""

"""Charts go as their JSON and are rebuilt; whatever else looks like one stays what it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import altair as alt
import pandas as pd
import pytest

from tests.support.data_trips import ALL, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.charts import chart_kind
from vibekit_jupyter.workbench.data.known_types import has
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
BARS = alt.Chart(TABLE).mark_bar().encode(x="b", y="a")
CHARTS = {
    "one": BARS, "layers": BARS + BARS.mark_line(), "beside": BARS | BARS, "below": BARS & BARS,
    "some": alt.concat(BARS, BARS), "facets": BARS.facet("b"),
    "by address": alt.Chart("https://a.invalid/b.csv").mark_bar().encode(x="a:Q"),
    "asked": BARS.add_params(alt.selection_interval()).properties(width=300),
}  # fmt: skip


class Evil:
    """Whoever asks it anything runs its code."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SystemExit(f"the value's own code ran: {name}")

    def __repr__(self) -> str:
        raise SystemExit("the value's own code ran")

    __str__ = __repr__


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())
def test_a_chart_of_altairs_is_rebuilt(chart: Any) -> None:
    back = trip(chart)
    assert type(back) is type(chart)
    assert back.to_dict() == chart.to_dict()


def test_that_a_table_comes_back_inside_of_its_chart_is_said() -> None:
    parcel = pack("v", BARS, ALL)
    assert parcel.file == "v.vl.json"
    assert "its table comes back inside of it" in parcel.note


def titled(value: Any) -> Any:
    chart = alt.Chart(TABLE).mark_bar()
    chart.title = value
    return chart


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: titled(Evil()), "it holds what is of type Evil"),
        (lambda: alt.Chart(pd.DataFrame({"a": [Evil()]})).mark_bar(), "of type Evil"),
        (lambda: alt.Chart(pd.DataFrame({"a": range(6000)})).mark_bar(), "more rows than Altair"),
        (lambda: type("Mine", (alt.Chart,), {})(TABLE).mark_bar(), r"send its \.to_dict\(\)"),
    ],
    ids=["title", "cell", "rows", "class"],
)
def test_what_a_chart_cannot_take_along_is_refused(make: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        pack("v", make(), ALL)


def test_a_chart_that_fetches_something_where_it_is_shown_says_so(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(CHARTS["by address"].to_dict()))
    chart, what, note = unpack(path, "c.json")
    assert (type(chart), what) == (alt.Chart, "altair Chart")
    assert note == "It fetches 'https://a.invalid/b.csv' where it is shown."


FIGURE = {"data": [{"type": "scatter", "y": [1, 2]}], "layout": {"title": {"text": "x"}}}
LOOKS: list[dict[str, Any]] = [
    FIGURE, {"data": [], "layout": {}}, BARS.to_dict(),
    {"$schema": "https://vega.github.io/schema/vega-lite/v5.json"},
]  # fmt: skip


@pytest.mark.parametrize("value", LOOKS, ids=["figure", "empty", "chart", "schema"])
def test_a_dictionary_that_looks_like_a_chart_comes_back_as_one(value: dict[str, Any]) -> None:
    assert chart_kind(value)
    back = trip(value)
    assert type(back) is dict
    assert back == value


@pytest.mark.parametrize(
    "value",
    [{}, [], None, {"data": 5, "layout": {}}, {"data": [{}], "layout": {}},
     {"data": [], "layout": {}, "more": 1}, {"$schema": "https://json-schema.org/x"},
     {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": 7}],
    ids=str,
)  # fmt: skip
def test_what_is_no_chart_of_an_agents_stays_json(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(value))
    assert unpack(path, "c.json")[0] == value


def test_a_figure_of_plotlys_is_rebuilt_where_there_is_plotly(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(FIGURE))
    value, what, _ = unpack(path, "f.json")
    if not has("plotly"):
        assert value == FIGURE
        return
    assert what == "plotly Figure"
    assert value.to_plotly_json()["data"][0]["y"] == [1, 2]
    assert trip(value) == value
    import numpy as np
    import plotly.graph_objects as go

    arrays = go.Figure(go.Heatmap(z=np.arange(6.0).reshape(2, 3)))
    assert trip(arrays) == arrays
    evil = go.Figure(go.Scatter(y=[1]))
    evil._data[0]["meta"] = Evil()
    with pytest.raises(DataError, match="of type Evil"):
        pack("v", evil, ALL)
    with pytest.raises(DataError, match=r"send plotly\.graph_objects\.Figure\(v\)"):
        pack("v", type("Mine", (go.Figure,), {})(), ALL)


@pytest.mark.parametrize(
    "array", [{"dtype": "O", "bdata": "AAAA"}, {"dtype": 5, "bdata": []},
              {"dtype": "f8", "bdata": "AAAA"}, {"dtype": "f8", "bdata": "", "shape": "9,9"}],
    ids=str,
)  # fmt: skip
def test_an_array_of_a_stranger_in_a_figure_does_no_harm(tmp_path: Path, array: Any) -> None:
    told = {"data": [{"type": "scatter", "y": array}], "layout": {}}
    path = tmp_path / "f.json"
    path.write_text(json.dumps(told))
    assert unpack(path, "f.json")[0] == told

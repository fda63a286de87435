"""Charts of Plotly and Altair as their own JSON; what comes back is rebuilt, never drawn here."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.known_types import has, loaded
from vibekit_jupyter.workbench.data.parcel import whole
from vibekit_jupyter.workbench.data.refusals import cannot_send
from vibekit_jupyter.workbench.data.strangers import stranger_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.workbench.data.parcel import Parcel

__all__ = ["ALTAIR", "PLOTLY", "chart_from", "chart_kind", "pack_altair", "pack_plotly"]

PLOTLY: Final = ("plotly.graph_objs._figure", "Figure")
ALTAIR: Final = (
    "altair",
    *("Chart", "LayerChart", "HConcatChart", "VConcatChart", "ConcatChart"),
    *("FacetChart", "RepeatChart"),
)
VEGA_LITE: Final = "https://vega.github.io/schema/vega-lite/"
PARTS: Final = {"data", "layout", "frames", "config"}
AS_JSON: Final = "it goes as its JSON: what that has no word for (times, NaN) comes back as text"
DATA_INSIDE: Final = "it goes as its JSON: its table comes back inside of it"


def chart_kind(value: object) -> str:
    """Return whose chart a value from JSON is: ``plotly``, ``altair``, or nobody's."""
    if type(value) is not dict or not all(type(key) is str for key in value):
        return ""
    schema = value.get("$schema")
    if type(schema) is str and schema.startswith(VEGA_LITE):
        return "altair"
    if not {"data", "layout"} <= set(value) <= PARTS or type(value["layout"]) is not dict:
        return ""
    traces = value["data"]
    is_figure = type(traces) is list and all(
        type(each) is dict and type(each.get("type")) is str for each in traces
    )
    return "plotly" if is_figure else ""


def pack_plotly(name: str, figure: Any) -> Parcel:
    """Make a figure of Plotly's ready."""
    made = [vars(figure)[part] for part in ("_data", "_layout")]
    made += [frame.to_plotly_json() for frame in vars(figure).get("_frame_objs") or ()]
    _check(name, made, "plotly")
    try:
        text = figure.to_json()
        back = _chart_of(json.loads(text), "plotly")
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        back = None
    if back is None:
        raise cannot_send(name, f"Plotly cannot write it as JSON: send {name}.to_dict()")
    note = "" if back == figure else AS_JSON
    extent = f"{len(figure.data):,} traces"
    kind = "plotly.Figure"
    return whole(name, f"{name}.plotly.json", kind, extent, text.encode(), note=note)


def pack_altair(name: str, chart: Any) -> Parcel:
    """Make a chart of Altair's ready."""
    _check(name, vars(chart), "altair")
    try:
        told = chart.to_dict()
        text = json.dumps(told, allow_nan=False)
        back = _chart_of(json.loads(text), "altair")
        same = back is not None and type(back) is type(chart) and back.to_dict() == told
    except Exception as error:  # noqa: BLE001  (as above)
        if type(error).__name__ == "MaxRowsError":
            raise cannot_send(
                name,
                "it has more rows than Altair puts in a chart: send its table, or aggregate it",
            ) from None
        same = False
    if not same:
        raise cannot_send(name, "Altair would not bring it back from JSON as it is: send its table")
    note = DATA_INSIDE if "datasets" in told else ""
    kind = f"altair.{type(chart).__name__}"
    return whole(name, f"{name}.vl.json", kind, "a chart", text.encode(), note=note)


def _check(name: str, made: object, library: str) -> None:
    if stranger := stranger_in(made, library):
        raise cannot_send(name, f"it holds what is of type {stranger}: send its data")


def _chart_of(told: dict[str, Any], kind: str) -> Any:
    """Return the chart that JSON describes; None where it is none, or there is no library for it.

    Parameters
    ----------
    kind
        What :func:`chart_kind` says of it.
    """
    if not has(kind):
        return None
    try:
        if kind == "plotly":
            from plotly.graph_objects import Figure

            return Figure(_with_arrays({key: told[key] for key in told if key != "config"}))
        import altair as alt

        return alt.Chart.from_dict(told)
    except Exception:  # noqa: BLE001  (as above)
        return None


def _with_arrays(told: Any) -> Any:
    """Return Plotly's JSON with the arrays that stand in it as base64."""
    if type(told) is list:
        return [_with_arrays(item) for item in told]
    if type(told) is not dict:
        return told
    if {"dtype", "bdata"} <= set(told) <= {"dtype", "bdata", "shape"} and loaded("numpy"):
        import numpy as np

        dtype = np.dtype(told["dtype"])
        if dtype.kind not in "iuf":
            raise TypeError("not an array of numbers")
        array = np.frombuffer(base64.b64decode(told["bdata"]), dtype).copy()
        shape = told.get("shape")
        return array.reshape([int(each) for each in shape.split(",")]) if shape else array
    return {key: _with_arrays(item) for key, item in told.items()}


def chart_from(told: Any) -> tuple[Any, str, str] | None:
    """Return the chart that a file describes, what it is, and what the person should know of it.

    None where it is none, or the person has no library for it.
    """
    kind = chart_kind(told)
    chart = _chart_of(told, kind) if kind else None
    if chart is None:
        return None
    fetched = next(_addresses(told), None)
    note = "" if fetched is None else f"It fetches {fetched[:80]!r} where it is shown."
    return chart, f"{kind} {type(chart).__name__}", note


def _addresses(told: Any) -> Iterator[str]:
    """Yield where a chart fetches from when it is shown."""
    waiting = [told]
    while waiting:
        one = waiting.pop()
        if type(one) is list:
            waiting += one
        elif type(one) is dict:
            waiting += one.values()
            for key in ("url", "source", "topojson"):
                if type(text := one.get(key)) is str and "/" in text:
                    yield text

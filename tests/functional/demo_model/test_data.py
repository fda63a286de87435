"""The demo model draws and sums up the tables that it is told of, whatever the sandbox has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.support.data_trips import ALL
from tests.support.tool_loop import Folder
from vibekit_jupyter.demo_model.scripts import answer
from vibekit_jupyter.demo_model.wire import Message, Request, ToolCall, ToolResult
from vibekit_jupyter.workbench.data import npz_frames
from vibekit_jupyter.workbench.data.briefing import of_inputs, of_outputs
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.parcel import SandboxHas
from vibekit_jupyter.workbench.data.sending import HELPER, Sent
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

SALES = pd.DataFrame(
    {
        "month": ["Jan", "Jan", "Feb"],
        "region": pd.Categorical(["north", "south", "north"]),
        "when": pd.to_datetime(["2026-01-03", "2026-01-04", "2026-02-01"]),
        "revenue": [1.5, 2.0, 4.0],
    }
)
PROMPT = "Draw a chart of the revenue per month, and leave the sums as summary"
THERE = {
    "pandas and pyarrow": (ALL, "arrow"),
    "no pyarrow": (SandboxHas({"numpy": "2", "pandas": "3"}, "3.11"), "npz"),
    "polars alone": (SandboxHas({"polars": "2"}, "3.11"), "arrow"),
    "nothing": (SandboxHas({}, "3.11"), "csv"),
}
PNG = b"\x89PNG\r\n\x1a\n"


class Place:
    """A folder with variables in it, and the model at work there."""

    def __init__(self, path: Path, there: SandboxHas = ALL) -> None:
        self.path = path
        self.there = there
        self.messages: list[Message] = []
        (path / "data").mkdir()

    def ask(self, prompt: str, outputs: Sequence[str] = (), **values: object) -> str:
        sent = []
        for name, value in values.items():
            parcel = pack(name, value, self.there)
            (self.path / "data" / parcel.file).write_bytes(b"".join(parcel.parts()))
            told = (name, parcel.kind, parcel.extent, f"data/{parcel.file}", parcel.size, 0.0)
            sent.append(Sent(*told, unchanged=False, parcel=parcel))
        (self.path / "data" / HELPER).write_bytes(Path(npz_frames.__file__).read_bytes())
        briefing = [
            of_inputs(sent, self.there, with_values=True),
            of_outputs(outputs, self.there),
        ]
        data = "\n\n".join(filter(None, briefing))
        self.messages.append(Message("user", tuple(filter(None, [data, prompt]))))
        folder = Folder(self.path)
        while True:
            answered = answer(
                Request("openai", "demo", "", tuple(self.messages), folder.tools, False, b"", {})  # noqa: FBT003
            )
            calls = answered.tool_calls
            self.messages.append(Message("assistant", (answered.text,), tool_calls=calls))
            if not calls:
                return answered.text
            results = tuple(self._result(folder, call) for call in calls)
            self.messages.append(Message("user", tool_results=results))

    def _result(self, folder: Folder, call: ToolCall) -> ToolResult:
        text, well = folder.call(call.name, call.arguments_object)
        return ToolResult(call.id, text, is_error=not well)

    def left(self, name: str) -> Any:
        """What a variable that it left is in the notebook."""
        (path,) = (self.path / "out").glob(f"{name}.*")
        return unpack(path, path.name)[0]


@pytest.mark.parametrize("there", THERE)
def test_it_draws_and_sums_up_with_what_there_is(tmp_path: Path, there: str) -> None:
    has, suffix = THERE[there]
    place = Place(tmp_path, has)
    said = place.ask(PROMPT, ["summary"], df=SALES)
    assert said == (
        "Demo model: I left the chart in chart.png and the sum of revenue per month in "
        f"out/summary.{suffix}."
    )
    assert (tmp_path / "chart.png").read_bytes().startswith(PNG)
    summary = place.left("summary")
    assert {str(key): value for key, value in summary.to_numpy().tolist()} == {
        "Jan": 3.5,
        "Feb": 4.0,
    }
    assert ("no pandas" in place.messages[1].text) == (there == "nothing")


@pytest.mark.parametrize(
    ("prompt", "table", "rows"),
    [
        ("Plot average revenue by region, summary too", SALES, {"north": 2.75, "south": 2.0}),
        ("How many rows per region? Make a summary", SALES, {"north": 2, "south": 1}),
        ("Summarize it by month please", SALES.drop(columns="month"), {"2026-01": 3.5,
                                                                        "2026-02": 4.0}),
        ("A chart and a summary", SALES[["region", "revenue"]], {"north": 5.5, "south": 2.0}),
        ("Sum up Unit Price per shop", pd.DataFrame({"shop": ["a", "a"], "id": [1, 2],
                                                     "unit_price": [3, 4]}), {"a": 7}),
        ("Sum it up", SALES.set_index("month")[["revenue"]], {"Jan": 3.5, "Feb": 4.0}),
        ("Sum it up", pd.DataFrame({0: ["x", "x"], 1: [1, 2]}), {"x": 3}),
        ("A table of totals", pl.DataFrame({"k": ["x", "x"], "v": [1, 2]}), {"x": 3}),
        ("A table of totals", pa.table({"k": ["x", "x"], "v": [1, 2]}), {"x": 3}),
    ],
)  # fmt: skip
def test_it_works_with_a_table_and_names_of_ones_own(
    tmp_path: Path, prompt: str, table: object, rows: dict[str, float]
) -> None:
    place = Place(tmp_path)
    said = place.ask(prompt, ["totals"], mine=table)
    assert "out/totals.arrow" in said, said
    left = place.left("totals")
    values = left.rows() if isinstance(left, pl.DataFrame) else left.to_numpy().tolist()
    assert {str(key): value for key, value in values} == rows


def test_a_chart_can_be_asked_for_as_a_variable(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ask("Draw the revenue per month", ["chart"], df=SALES)
    assert place.left("chart").size[0] > 100
    assert not (tmp_path / "summary.csv").exists()


def test_the_table_of_an_earlier_turn_is_still_there(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ask(PROMPT, ["summary"], df=SALES, other=SALES)
    assert "the mean of revenue per region in out/means.arrow" in place.ask(
        "Now leave the mean revenue of df per region as means", ["means"]
    )


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert "was given none. `%%vibekit -i df" in place.ask("Draw a chart of it")
    assert "`n` is list as JSON." in place.ask("Draw a chart of it", n=[1, 2])
    assert "told of no columns of df" in place.ask("Draw a chart of it", df=SALES[[]])
    (tmp_path / "pandas.py").write_text("raise ModuleNotFoundError(\"No module named 'pandas'\")")
    said = place.ask("Draw a chart of it", df=SALES)
    assert said == "Demo model: I could not read data/df.arrow: this sandbox has no pandas."


def test_code_is_run_though_it_draws_a_chart(tmp_path: Path) -> None:
    assert "I ran your code" in Place(tmp_path).ask("summary = sum([1, 2])\nprint(summary)")

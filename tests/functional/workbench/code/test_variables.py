"""Variables of the notebook are those of a cell in the sandbox, and those of the cell come back."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from tests.support.data_cases import CASES
from vibekit_jupyter.errors import CodeError, DataError
from vibekit_jupyter.workbench.code.interpreters import ANEW
from vibekit_jupyter.workbench.code.told import Notice
from vibekit_jupyter.workbench.data.equality import different_column, same_values
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.parcel import SandboxHas

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer
    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.workbench.code.told import Output

pytestmark = pytest.mark.anyio

ALL = SandboxHas(dict.fromkeys(("numpy", "pandas", "pyarrow", "polars"), "1"), "3.11")
FRAME = pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"]), "x": [1.0, 2.0, 4.0]})
OTHERS: dict[str, Any] = {
    "series": pd.Series([1, 2], name="s", index=pd.date_range("2020", periods=2)),
    "polars_frame": pl.DataFrame({"a": [1, None], "c": pl.Series(["x", "y"], dtype=pl.Enum("xy"))}),
    "arrow_table": pa.table({"a": pa.array([1, None], pa.int16())}),
    "array": np.arange(6, dtype="f4").reshape(2, 3),
    "arrays": {"one": np.zeros(2), "two": np.ones(1, "i1")},
    "picture": Image.new("RGBA", (3, 2), (1, 2, 3, 4)),
    "text": "é\n\r\n",
    "data": b"\0\xff",
    "values": {"a": (1, 2.5, None), 3: {"x"}, "deep": [[["é"]]]},
    "nothing": None,
    "number": 2**80,
}


class Heard(list["Output"]):
    """What a run tells."""

    def __call__(self, told: Output) -> None:
        self.append(told)

    @property
    def sentences(self) -> list[str]:
        return [told.text for told in self if isinstance(told, Notice)]


def goes(value: object) -> bool:
    try:
        pack("v", value, ALL)
    except DataError:
        return False
    return True


@pytest.mark.usefixtures("service")
async def test_a_frame_is_a_variable_there_and_what_is_made_of_it_comes_back(
    new_client: NewClient,
) -> None:
    client = new_client()
    heard = Heard()
    code = "summary = df.groupby('kind', observed=True)['x'].sum()\nsummary.loc['a']"
    result = await client.run_code(
        code, inputs={"df": FRAME}, outputs=["summary", "df"], on_output=heard
    )
    assert result.text == "np.float64(5.0)"
    expected = FRAME.groupby("kind", observed=True)["x"].sum()
    pd.testing.assert_series_equal(result.outputs["summary"], expected)
    pd.testing.assert_frame_equal(result.outputs["df"], FRAME)
    sent, *came = heard.sentences
    assert sent.startswith("df → data/df.arrow  3 × 2, ")
    assert [line.partition("  ")[0] for line in came] == [
        "summary ← out/summary.arrow",
        "df ← out/df.arrow",
    ]
    await client.kill()


async def test_frames_of_every_kind_are_the_same_there_and_back(client: VibeKit) -> None:
    frames = [frame for frame in CASES.values() if goes(frame)]
    inputs = {f"v{number}": frame for number, frame in enumerate(frames)}
    result = await client.run_code(
        "sorted({type(v).__name__ for k, v in globals().items() if k[:1] == 'v' and k[1:2] < 'A'})",
        inputs=inputs,
        outputs=list(inputs),
    )
    assert result.text == "['DataFrame']"
    assert result.outputs.keys() == inputs.keys()
    for name, frame in inputs.items():
        assert different_column(frame, result.outputs[name]) is None


async def test_other_kinds_are_the_same_there_and_back(client: VibeKit) -> None:
    names = list(OTHERS)
    result = await client.run_code(
        "[type(globals()[name]).__name__ for name in names]",
        inputs={**OTHERS, "names": names},
        outputs=names,
    )
    kinds = [type(value).__name__ for value in OTHERS.values()]
    assert json.loads(result.text.replace("'", '"')) == [
        "Image" if kind == "Image" else kind for kind in kinds
    ]
    came = result.outputs
    pd.testing.assert_series_equal(came["series"], OTHERS["series"], check_freq=True)
    assert came["polars_frame"].equals(OTHERS["polars_frame"])
    assert came["polars_frame"].schema == OTHERS["polars_frame"].schema
    assert came["arrow_table"].equals(OTHERS["arrow_table"])
    np.testing.assert_array_equal(came["array"], OTHERS["array"])
    assert came["array"].dtype == "f4"
    assert {key: part.dtype.str for key, part in came["arrays"].items()} == {
        "one": "<f8",
        "two": "|i1",
    }
    assert came["picture"].tobytes() == OTHERS["picture"].tobytes()
    for name in ("text", "data", "values", "nothing", "number"):
        assert same_values([came[name]], [OTHERS[name]])


async def test_an_input_is_set_anew_each_time_and_sent_only_where_it_changed(
    client: VibeKit,
) -> None:
    heard = Heard()
    await client.run_code("df.loc[0, 'x'] = 9; df = None", inputs={"df": FRAME})
    again = await client.run_code("df.loc[0, 'x']", inputs={"df": FRAME}, on_output=heard)
    assert again.text == "np.float64(1.0)"
    assert heard.sentences == ["df → data/df.arrow  unchanged"]
    changed = FRAME.assign(x=0.0)
    assert (await client.run_code("df.x.sum()", inputs={"df": changed})).text == "np.float64(0.0)"


async def test_what_others_write_into_the_file_does_not_change_the_variable(
    client: VibeKit,
) -> None:
    large = np.arange(2_000_000)
    frame = pd.DataFrame({"a": large})
    await client.run_code("1", inputs={"large": large, "frame": frame})
    await client.execute_command("for file in data/*; do : >$file; done")
    result = await client.run_code("bool((large == frame.a).all()), int(large.sum())")
    assert result.text == f"(True, {large.sum()})"


async def test_nothing_is_sent_or_run_where_one_input_is_refused(client: VibeKit) -> None:
    mixed = pd.DataFrame({"m": pd.Series([1, "x"], dtype=object)})
    with pytest.raises(DataError, match="column 'm' holds int and str together"):
        await client.run_code("ran = 1", inputs={"df": FRAME, "mixed": mixed})
    with pytest.raises(DataError, match="cannot send 'o'"):
        await client.run_code("ran = 1", inputs={"df": FRAME, "o": object()})
    assert (await client.execute_command("ls -A")).stdout == ""
    with pytest.raises(CodeError, match="'ran' is not defined"):
        await client.run_code("ran")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("sumary = 1", r"no variable 'summary' in the sandbox's Python\. Did you mean 'sumary'\?"),
        ("summary = object()", r"cannot return 'summary' \(object\): there is no file format"),
        (
            "import pandas as pd; summary = pd.DataFrame({'m': [1, 'x']})",
            r"column 'm' holds int and str together: make it one type \(summary\['m'\]\.astype",
        ),
        (
            "import pandas as pd; summary = pd.DataFrame({'m': [1j]})",
            r"column 'm' is of type complex128: make two columns of summary\['m'\]",
        ),
    ],
)
async def test_what_cannot_come_back_is_told_with_the_way_out(
    client: VibeKit, code: str, told: str
) -> None:
    with pytest.raises(DataError, match=told):
        await client.run_code(f"other = 1; {code}", outputs=["other", "summary"])
    assert (await client.execute_command("ls -A out 2>/dev/null || true")).stdout == ""
    assert (await client.run_code("other")).text == "1"


async def test_a_cell_that_fails_brings_nothing_back(client: VibeKit) -> None:
    with pytest.raises(CodeError, match="ZeroDivisionError"):
        await client.run_code("x = 1\n1 / 0", outputs=["x"])
    assert (await client.execute_command("ls -A")).stdout == ""
    assert (await client.run_code("x + 1", outputs=["x"])).outputs == {"x": 1}


async def test_a_figure_comes_back_as_a_picture_and_that_is_said(client: VibeKit) -> None:
    heard = Heard()
    code = """
try:
    import matplotlib.figure
    fig = matplotlib.figure.Figure(figsize=(1, 1))
except ImportError:
    fig = None
"""
    result = await client.run_code(code, outputs=["fig"], on_output=heard)
    if result.outputs["fig"] is not None:
        assert result.outputs["fig"].format is None
        assert "fig: a figure goes as a picture, and would come back as one" in heard.sentences


@pytest.mark.parametrize(
    ("inputs", "outputs", "told"),
    [
        ({}, ["x", "x"], "'x' is named twice"),
        ({}, ["a b"], "is not the name of a variable"),
        ({}, ["_x"], "cannot be the name of a file"),
        ({}, "x", "are a list of texts"),
        ({"1": 1}, [], "is not the name of a variable"),
        ([1], [], "The inputs are of type list"),
    ],
)
async def test_names_that_are_none_are_refused_before_anything_is_asked(
    new_client: NewClient, inputs: Any, outputs: Any, told: str
) -> None:
    client = new_client()
    before = client.known_sessions()
    with pytest.raises(DataError, match=told):
        await client.run_code("1", inputs=inputs, outputs=outputs)
    assert client.known_sessions() == before


async def test_bash_has_files_and_leaves_files(client: VibeKit) -> None:
    heard = Heard()
    result = await client.run_code(
        "cat data/words.txt; mkdir -p out; printf '[1, 2]' >out/numbers.json",
        language="bash",
        inputs={"words": "some words\n"},
        outputs=["numbers"],
        on_output=heard,
    )
    assert (result.stdout, result.outputs) == ("some words\n", {"numbers": [1, 2]})
    assert [line[:8] for line in heard.sentences] == ["words → ", "numbers "]
    with pytest.raises(DataError, match=r"'gone' did not come back: the cell left no file of that"):
        await client.run_code("true", language="bash", outputs=["gone"])
    await client.run_code("printf 1 >out/two.json; printf 2 >out/two.txt", language="bash")
    with pytest.raises(DataError, match=r"'two' came back as 2 files: out/two.json and out/two.t"):
        await client.run_code("true", language="bash", outputs=["two"])
    with pytest.raises(CodeError, match="exited with code 3"):
        await client.run_code("exit 3", language="bash", outputs=["numbers"])
    stale = Heard()
    await client.run_code("true", language="bash", outputs=["numbers"], on_output=stale)
    assert stale.sentences[-1] == "out/numbers.json is as it was before this run."


async def test_variables_come_back_after_a_pause_from_another_kernel_and_a_lost_interpreter(
    client: VibeKit, new_client: NewClient, level_server: SandboxServer
) -> None:
    await client.run_code("x = 1", inputs={"df": FRAME})
    await client.pause()
    await client.resume()
    result = await client.run_code("x += 1", inputs={"n": 5}, outputs=["x", "df", "n"])
    assert (result.outputs["x"], result.outputs["n"]) == (2, 5)
    pd.testing.assert_frame_equal(result.outputs["df"], FRAME)
    other = new_client(
        environment={"e2b": level_server.where}, session_id=await client.get_session()
    )
    assert (await other.run_code("x += n", inputs={"n": 10}, outputs=["x"])).outputs == {"x": 12}
    with pytest.raises(CodeError, match="ended while the cell ran"):
        await client.run_code("import os; os._exit(3)", inputs={"n": 6}, outputs=["x"])
    heard = Heard()
    again = await client.run_code("x = n", inputs={"n": 6}, outputs=["x"], on_output=heard)
    assert again.outputs == {"x": 6}
    assert ANEW in heard


async def test_no_cell_comes_between_the_variables_and_the_code(
    client: VibeKit, new_client: NewClient, level_server: SandboxServer
) -> None:
    other = new_client(
        environment={"e2b": level_server.where}, session_id=await client.get_session()
    )
    await client.run_code("1", inputs={"n": 0}, outputs=["n"])
    await other.run_code("1", inputs={"n": 0}, outputs=["n"])

    async def mine(kernel: VibeKit, number: int) -> None:
        # Names of their own: the file of an input is one for all who name it so.
        name = f"n{number}"
        result = await kernel.run_code(
            f"same = {name}; result = same", inputs={name: number}, outputs=["result"]
        )
        # What is written in ``out`` is the newest; the variable was this cell's while it ran.
        assert result.outputs["result"] in range(8)

    await asyncio.gather(*(mine((client, other)[at % 2], at) for at in range(8)))


async def test_a_cancelled_cell_leaves_no_half_file_and_can_be_run_again(client: VibeKit) -> None:
    large = np.random.default_rng(1).random(8_000_000)
    sending = asyncio.create_task(client.run_code("ran = 1", inputs={"large": large}))
    async with asyncio.timeout(60):
        while not (await client.execute_command("ls -A data 2>/dev/null || true")).stdout:
            assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    left = (await client.execute_command("ls -A data")).stdout.split()
    assert set(left) <= {"large.npy"}
    result = await client.run_code("total = float(large.sum())", inputs={"large": large},
                                   outputs=["total"])  # fmt: skip
    assert result.outputs["total"] == float(large.sum())


async def test_a_forged_answer_names_no_other_file(client: VibeKit) -> None:
    forged = """
import gc, sys
wire = next(o for o in gc.get_objects() if type(o).__name__ == 'Wire')
number = next(o for o in gc.get_objects() if type(o).__name__ == 'Requests').running
wire.bound('end', number, error=None, answer=ANSWER)
"""
    for answer, told in (
        ({"written": {"x": {"file": "../../../etc/passwd"}}}, "did not say which file 'x' was"),
        ({"written": {"x": {"file": "x.pkl"}}}, "did not say which file 'x' was"),
        ({"written": ["x"]}, "did not say which file 'x' was"),
        ({"written": {"x": {"file": "x.json"}}}, r"'x' did not come back: out/x\.json is not"),
        ({"refused": "<b>\ud800\n no"}, "<b>.* no"),
        (5, "did not say which file 'x' was"),
    ):
        code = forged.replace("ANSWER", repr(answer))
        with pytest.raises(DataError, match=told):
            await client.run_code(code, outputs=["x"])
    assert (await client.run_code("x = 1", outputs=["x"])).outputs == {"x": 1}

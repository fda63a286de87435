"""Sandboxes that lack something: the format is another one, or a sentence says what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.support.model_server import ModelServer
from tests.support.thin_sandbox import WITHOUT_PYARROW
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.events import Notice

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

FRAME = pd.DataFrame(
    {
        "x": [1.0, np.nan, 3.0],
        "text": ["é", None, ""],
        "kind": pd.Categorical(["a", "b", "a"]),
        "when": pd.date_range("2020", periods=3, tz="Europe/Berlin"),
    }
)
READ = """
import sys; sys.path.insert(0, "data")
from npz_frames import read_frame, write_frame
df = read_frame("data/df.npz")
print(df.shape, list(map(str, df.dtypes)))
import os; os.makedirs("out")
write_frame(df, "out/same.npz")
"""


async def prepared(new_client: NewClient, source: str) -> VibeKit:
    client = new_client()
    await client.execute_command(source)
    return client


async def test_without_pyarrow_a_frame_goes_as_arrays_and_comes_back_equal(
    new_client: NewClient,
) -> None:
    client = await prepared(new_client, WITHOUT_PYARROW)
    (sent,) = await client.send(df=FRAME)
    assert sent.path == "data/df.npz"
    said = (await client.execute_command(f"python3 - <<'END'{READ}END")).stdout
    assert said.startswith("(3, 4) ['float64', ")
    pd.testing.assert_frame_equal(await client.fetch("same"), FRAME)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (FRAME.assign(d=[[1], [2], [3]]), "column number 4 holds what is no text"),
        (FRAME.assign(d=pd.period_range("2020", periods=3)), "column 'd' is of type period"),
        (pl.DataFrame({"a": [1]}), r"neither polars nor pyarrow: send it as pandas \(df.to_pandas"),
    ],
    ids=["lists", "periods", "polars"],
)
async def test_what_goes_only_with_pyarrow_is_refused_and_says_so(
    new_client: NewClient, value: object, told: str
) -> None:
    client = await prepared(new_client, WITHOUT_PYARROW)
    with pytest.raises(DataError, match=told):
        await client.send(df=value)


@pytest.mark.parametrize("path", ["/nowhere", "/usr/bin"], ids=["no python", "only python"])
async def test_without_pandas_a_frame_goes_as_text_and_that_is_said(
    new_client: NewClient, path: str
) -> None:
    client = await prepared(new_client, f"echo 'PATH={path}' >.bash_profile")
    (sent,) = await client.send(df=FRAME)
    assert sent.path == "data/df.csv"
    assert "it goes as text" in str(sent)
    array = await client.send(a=np.arange(3), n={"k": 1})
    assert [one.path for one in array] == ["data/a.npy", "data/n.json"]


async def test_what_is_larger_than_a_file_may_be_is_refused_with_that_number(
    new_client: NewClient,
) -> None:
    client = await prepared(new_client, "echo 'ulimit -f 1000' >.bash_profile")
    with pytest.raises(
        DataError, match=r"'big' has 8\.0 MB; a file in this sandbox may have 1\.0 MB\."
    ):
        await client.send(big=np.zeros(1_000_000))
    with pytest.raises(
        DataError, match=r"'big' has 8\.0 MB; a file in this sandbox may have 1\.0 MB\."
    ):
        await client.send(small=1, big=pd.DataFrame({"a": np.zeros(1_000_000)}))
    assert not (await client.execute_command("ls")).stdout


async def test_where_the_name_is_taken_by_a_folder_that_is_told(new_client: NewClient) -> None:
    client = await prepared(new_client, "mkdir -p data/df.arrow/x")
    with pytest.raises(DataError, match=r"data/df\.arrow cannot be written in the sandbox"):
        await client.send(df=FRAME)
    assert (await client.execute_command("ls -A data")).stdout == "df.arrow\n"


async def test_where_there_is_no_folder_to_write_to_that_is_told(new_client: NewClient) -> None:
    client = await prepared(new_client, "echo >data")
    with pytest.raises(DataError, match="cannot be written in the sandbox"):
        await client.send(df=FRAME)


def offers(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice) and "pip install" in each.text]


async def test_where_there_is_internet_pyarrow_is_offered_once_and_never_installed_unasked(
    new_client: NewClient,
) -> None:
    heard: list[Event] = []
    with ModelServer([Answer("Done.")] * 5) as server:
        client = new_client(agent=server.agent("codex"))
        await client.new("far", internet=True)
        await client.execute_command(WITHOUT_PYARROW)
        await client.generate_code("Look", inputs={"n": 5}, on_event=heard.append)
        assert offers(heard) == []
        for _ in range(2):
            await client.generate_code("Look", inputs={"df": FRAME}, on_event=heard.append)
        (offer,) = offers(heard)
        assert "about 45 MB" in offer
        assert "\n" not in offer
        # Once it is there, tables go as Arrow's.
        await client.execute_command("rm .bash_profile")
        heard.clear()
        await client.generate_code("Look", inputs={"df": FRAME}, on_event=heard.append)
        assert any("data/df.arrow" in each.text for each in heard if isinstance(each, Notice))
        assert offers(heard) == []


async def test_without_internet_nothing_is_offered(new_client: NewClient) -> None:
    heard: list[Event] = []
    with ModelServer([Answer("Done.")]) as server:
        client = new_client(agent=server.agent("codex"))
        await client.execute_command(WITHOUT_PYARROW)
        await client.generate_code("Look", inputs={"df": FRAME}, on_event=heard.append)
    assert offers(heard) == []

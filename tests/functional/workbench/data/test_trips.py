"""Variables on their way to real sandboxes and back, by the client's methods."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from vibekit_jupyter.errors import DataError

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio


async def files_of(client: VibeKit, folder: str) -> list[str]:
    return (await client.execute_command(f"ls -A {folder}")).stdout.split()


async def python(client: VibeKit, source: str) -> str:
    await client.execute_command("mkdir -p out")
    return (await client.execute_command(f"python3 - <<'END'\n{source}\nEND")).stdout


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": np.arange(1000),
            "x": np.linspace(0, 1, 1000),
            "when": pd.date_range("2020", periods=1000, tz="Europe/Berlin"),
            "kind": pd.Categorical(["a", "b"] * 500),
            "text": ["é", None] * 500,
        }
    ).set_index("n")


@pytest.mark.usefixtures("service")
async def test_a_frame_goes_is_read_there_and_comes_back_equal(new_client: NewClient) -> None:
    client = new_client()
    frame = table()
    (sent,) = await client.send(df=frame)
    assert (sent.path, sent.extent, sent.unchanged) == ("data/df.arrow", "1,000 × 4", False)
    said = await python(
        client, "import pandas as pd; print(pd.read_feather('data/df.arrow').shape)"
    )
    assert said == "(1000, 4)\n"
    await client.execute_command("cp data/df.arrow out/same.arrow")
    pd.testing.assert_frame_equal(await client.fetch("same"), frame)
    assert await files_of(client, "data") == ["df.arrow"]


@pytest.mark.usefixtures("service")
async def test_what_is_there_as_it_is_now_is_not_sent_again(new_client: NewClient) -> None:
    client = new_client()
    frame = table()
    await client.send(df=frame)
    assert [one.unchanged for one in await client.send(df=frame)] == [True]
    frame.iloc[0, 0] = 5.0
    assert [one.unchanged for one in await client.send(df=frame)] == [False]
    await client.execute_command("rm data/df.arrow")
    assert [one.unchanged for one in await client.send(df=frame)] == [False]
    await client.execute_command("truncate -s 10 data/df.arrow")
    assert [one.unchanged for one in await client.send(df=frame)] == [False]
    await client.execute_command("touch data/df.arrow")
    assert [one.unchanged for one in await client.send(df=frame)] == [False]


async def test_nothing_is_sent_where_one_is_refused(new_client: NewClient) -> None:
    client = new_client()
    mixed = pd.DataFrame({"m": pd.Series([1, "x"], dtype=object)})
    with pytest.raises(
        DataError, match=r"cannot send 'bad': column 'm' holds int and str together"
    ):
        await client.send(good=table(), bad=mixed)
    with pytest.raises(DataError, match=r"cannot send 'bad' \(object\): there is no file format"):
        await client.send(good=table(), bad=object())
    assert "data" not in await files_of(client, ".")


KINDS: dict[str, Any] = {
    "array": np.arange(6.0).reshape(2, 3),
    "text": "é\r\n\0",
    "data": b"\0\xff",
    "plan": {"a": [1, (2, 3)], 4: None},
    "number": 5,
    "series": pd.Series([1, 2], name="s"),
    "arrow": pa.table(
        {"a": [1, None], "m": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64()))}
    ),
}


async def test_values_of_every_kind_come_back(new_client: NewClient) -> None:
    client = new_client()
    sent = await client.send(**KINDS)
    await client.execute_command("mkdir out; cp data/* out")
    for one in sent:
        back, went = await client.fetch(one.name), KINDS[one.name]
        assert type(back) is type(went)
        assert repr(back) == repr(went)


async def test_a_polars_frame_comes_back_as_one(new_client: NewClient) -> None:
    client = new_client()
    frame = pl.DataFrame({"a": [1, None], "c": pl.Series(["x", "y"], dtype=pl.Categorical)})
    await client.send(df=frame)
    await client.execute_command("mkdir out; cp data/df.arrow out")
    back = await client.fetch("df")
    assert back.equals(frame)
    assert back.schema == frame.schema


async def test_a_file_is_found_in_out_and_else_where_it_is_newest(new_client: NewClient) -> None:
    client = new_client()
    await client.execute_command(
        "mkdir -p out deep data; echo 1 >deep/a.json; touch -d 2001-01-01 deep/a.json;"
        "echo 2 >a.json; echo 3 >data/a.json; echo 4 >a.unknown"
    )
    assert await client.fetch("a") == 2
    await client.execute_command("echo 5 >out/a.json")
    assert await client.fetch("a") == 5


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("true", r"'s' did not come back: .* In out/: nothing\."),
        ("echo 1 >out/other.csv", r"no file of that name\. In out/: other\.csv\."),
        ("echo 1 >out/s.csv; echo 1 >out/s.json", r"2 files: out/s\.csv and out/s\.json"),
        ("echo 1 >out/s.pkl", r"'s\.pkl' is a pickle: .*%vibekit_files pull out/s\.pkl"),
        ("echo 1 >s.pkl", r"'s\.pkl' is a pickle: .*%vibekit_files pull s\.pkl"),
        ("echo 1 >out/s.exe", r"'s\.exe' is no file that is loaded"),
        ("echo 1 >out/s.arrow", r"'s\.arrow' cannot be read as a table"),
        ("echo 1 >out/s.parquet", r"cannot be read as a table"),
        ("echo 1 >out/s.npy", r"cannot be read as an array"),
        ("echo 1 >out/s.npz", r"cannot be read as arrays"),
        ("echo 1 >out/s.png", r"cannot be read as a picture"),
        ("echo { >out/s.json", r"cannot be read as JSON"),
        ("printf '\\377' >out/s.txt", r"cannot be read as text"),
        ("mkdir out/s.csv", r"did not come back"),
        ("ln -s /etc/passwd out/s.txt", r"did not come back"),
        ("mkfifo out/s.txt", r"did not come back"),
        ("ln -s nowhere out/s.json", r"did not come back"),
    ],
)
async def test_what_does_not_come_back_is_told_in_a_sentence(
    new_client: NewClient, made: str, told: str
) -> None:
    client = new_client()
    await client.execute_command(f"mkdir -p out; {made}")
    with pytest.raises(DataError, match=told) as raised:
        await client.fetch("s")
    assert "\n" not in str(raised.value)


IMPORTS = """
import sys, vibekit_jupyter.client, vibekit_jupyter.workbench.data.packing as packing
for value in ([1], "x", b"x", {"a": None}):
    packing.check_kind("v", value)
print([name for name in ("pandas", "numpy", "pyarrow", "polars", "PIL") if name in sys.modules])
"""


def test_nothing_is_imported_that_the_person_has_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


async def test_a_send_that_is_stopped_leaves_what_was_there(new_client: NewClient) -> None:
    client = new_client()
    await client.send(df=table())
    before = (await client.execute_command("sha256sum data/df.arrow")).stdout
    large = pd.DataFrame(
        {f"c{at}": np.random.default_rng(at).random(2_000_000) for at in range(20)}
    )
    sending = asyncio.create_task(client.send(df=large))
    while len(await files_of(client, "data")) < 2:  # it is under way
        assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await files_of(client, "data") == ["df.arrow"]
    assert (await client.execute_command("sha256sum data/df.arrow")).stdout == before


async def test_a_memory_that_is_mapped_can_be_written_to(new_client: NewClient) -> None:
    client = new_client()
    frame = pd.DataFrame({"x": np.arange(1000.0), "n": range(1000)})
    frame["t"] = pd.date_range("2020", periods=1000, tz="UTC")
    await client.send(df=frame)
    await client.execute_command(
        "mkdir out; python3 -c \"import pandas as pd; pd.read_feather('data/df.arrow')"
        ".to_feather('out/back.arrow', compression='uncompressed', chunksize=1000)\""
    )
    back = await client.fetch("back")
    back.loc[0, "x"] = 5.0
    back["y"] = back["x"] + 1
    assert back.sort_values("x").shape == (1000, 4)
    back.loc[0, "t"] = back.loc[1, "t"]
    assert back.loc[0, ["x", "n", "y"]].tolist() == [5.0, 0.0, 6.0]

"""Variables of a sandbox whose Python lacks something: another format, or one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.functional.workbench.data.test_thin_sandboxes import FRAME, prepared
from tests.support.thin_sandbox import WITHOUT_PYARROW
from vibekit_jupyter.errors import CodeError, DataError

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient

pytestmark = pytest.mark.anyio

SERIES = pd.Series([1, None], dtype="Int64", name="s")


async def test_without_pyarrow_frames_go_and_come_as_arrays(new_client: NewClient) -> None:
    client = await prepared(new_client, WITHOUT_PYARROW)
    result = await client.run_code(
        "import sys; same = df.copy(); [m for m in ('IPython', 'pyarrow') if m in sys.modules]",
        inputs={"df": FRAME, "s": SERIES, "a": np.arange(3)},
        outputs=["same", "s", "a"],
    )
    assert result.text == "[]"
    pd.testing.assert_frame_equal(result.outputs["same"], FRAME)
    pd.testing.assert_series_equal(result.outputs["s"], SERIES)
    assert result.outputs["a"].tolist() == [0, 1, 2]
    left = (await client.execute_command("ls out")).stdout.split()
    assert left == ["a.npy", "s.npz", "same.npz"]
    with pytest.raises(DataError, match=r"cannot return 'df': this sandbox has no pyarrow, and wi"):
        await client.run_code("df.attrs['a'] = 1", outputs=["df"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (pl.DataFrame({"a": [1]}), "this sandbox has neither polars nor pyarrow: send it as pand"),
        (pa.table({"a": [1]}), "this sandbox has neither pyarrow nor polars: send it as pandas"),
        (FRAME.assign(d=[[1], [2], [3]]), "column number 4 holds what is no text"),
    ],
    ids=["polars", "arrow", "lists"],
)
async def test_without_pyarrow_what_needs_it_is_refused(
    new_client: NewClient, value: Any, told: str
) -> None:
    client = await prepared(new_client, WITHOUT_PYARROW)
    with pytest.raises(DataError, match=told):
        await client.run_code("ran = 1", inputs={"df": value})
    with pytest.raises(CodeError, match="'ran' is not defined"):
        await client.run_code("ran")


async def test_a_python_alone_has_plain_values_and_says_what_it_lacks(
    new_client: NewClient,
) -> None:
    client = await prepared(new_client, "echo 'PATH=/usr/bin' >.bash_profile")
    result = await client.run_code(
        "n['k'] += 1\nm = (n, t)", inputs={"n": {"k": 1}, "t": "é"}, outputs=["m", "t"]
    )
    assert result.outputs == {"m": ({"k": 2}, "é"), "t": "é"}
    for value, told in (
        (FRAME, "cannot send 'v': this sandbox has no pandas: install it there"),
        (np.arange(3), "cannot send 'v': this sandbox has no numpy: install it there"),
    ):
        with pytest.raises(DataError, match=told):
            await client.run_code("1", inputs={"v": value})
    assert (await client.execute_command("ls data")).stdout.split() == ["n.json", "t.txt"]


async def test_what_was_installed_meanwhile_is_seen(new_client: NewClient) -> None:
    client = await prepared(new_client, "echo 'PATH=/usr/bin' >.bash_profile")
    with pytest.raises(DataError, match="has no pandas"):
        await client.run_code("1", inputs={"df": FRAME})
    await client.execute_command("rm .bash_profile")
    assert (await client.run_code("len(df)", inputs={"df": FRAME})).text == "3"


async def test_without_python_that_is_told_and_bash_works(new_client: NewClient) -> None:
    client = await prepared(new_client, "echo 'PATH=/nowhere' >.bash_profile")
    with pytest.raises(CodeError, match="There is no python3 in this sandbox"):
        await client.run_code("1", inputs={"n": 1})
    shell = "read -r n <data/n.json || true; echo $n"
    assert (await client.run_code(shell, language="bash", inputs={"n": 1})).stdout == "1\n"


async def test_an_interpreter_of_an_older_version_is_told_with_the_way_out(
    new_client: NewClient,
) -> None:
    client = new_client()
    forget = (
        "import gc\n"
        "for each in gc.get_objects():\n"
        "    if type(each) is dict and 'learn' in each and 'run' in each:\n"
        "        del each['learn']\n"
    )
    await client.run_code(forget)
    with pytest.raises(DataError, match=r"an older version has started it.*End it with `import"):
        await client.run_code("1", inputs={"n": 1})
    with pytest.raises(CodeError):
        await client.run_code("import os; os._exit(0)")
    assert (await client.run_code("n", inputs={"n": 1})).text == "1"


async def test_a_file_that_is_too_large_for_the_sandbox_is_told_with_its_limit(
    new_client: NewClient,
) -> None:
    client = await prepared(new_client, "echo 'ulimit -f 1000' >.bash_profile")
    big = np.zeros(1_000_000)
    told = r"'big' has 8\.0 MB; a file in this sandbox may have 1\.0 MB\."
    with pytest.raises(DataError, match=told):
        await client.run_code("1", inputs={"big": big})
    code = "import numpy as np; small = 1; big = np.zeros(1_000_000)"
    with pytest.raises(DataError, match=told):
        await client.run_code(code, outputs=["small", "big"])
    assert (await client.execute_command("ls -A out 2>/dev/null || true")).stdout == ""

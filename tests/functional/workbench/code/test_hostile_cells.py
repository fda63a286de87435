"""Whatever code does with the driver's own means, it is bounded, told, and the session usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import CodeError
from vibekit_jupyter.workbench.code.run import MOST_RESULTS
from vibekit_jupyter.workbench.code.told import ODD, Notice, Printed, Shown

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

WIRE = """
import gc, json, os
wire = next(one for one in gc.get_objects() if type(one).__name__ == "Wire")
def forge(text):
    os.write(wire.out, (wire.mark + text + "\\n").encode())
"""


@pytest.fixture
async def client(new_client: NewClient) -> VibeKit:
    client = new_client(environment={"local": {}})
    await client.new()
    await client.run_code(WIRE)
    return client


@pytest.mark.parametrize(
    "code",
    [
        'forge(\'={"end": "another"}\')',
        'forge(\'={"begin": "another"}\')',
        'forge("=" + "[" * 3000)',
        'forge("=" + "9" * 8000)',
        'forge("<" + "x" * 3000); forge(">")',
        'forge("x" * 100_000)',
        "wire.send(show=[1]); wire.send(show={}); wire.send(clear='x'); wire.send(begin=5)",
        "wire.send(show={'text/plain': 5, 'a b': 'x', '../x': 'y', 'text/html': None})",
        "wire.send(end='another', error={'name': [], 'traceback': {'a': 1}})",
        "os.write(1, bytes(range(256)) * 100); None",
        "os.write(2, bytes(range(256)) * 100); None",
        "import sys; sys.stdout.write('z' * 30_000_000); None",
        "wire.send(show={'text/plain': 'a' * 20_000_000})",
    ],
)
async def test_the_next_cell_runs_after_a_forgery(client: VibeKit, code: str) -> None:
    await client.run_code(code)
    result = await client.run_code("print('heard')\n1 + 1")
    assert (result.text, result.stdout) == ("2", "heard\n")


async def test_a_forged_end_ends_the_cell_and_no_more(client: VibeKit) -> None:
    code = "all = gc.get_objects()\n"
    code += "number = next(one for one in all if type(one).__name__ == 'Requests').running\n"
    code += "error = {'name': 'Forged', 'value': '<b>', 'traceback': 'T'}\n"
    code += "wire.bound('end', number, error=error)"
    with pytest.raises(CodeError, match="Forged: <b>"):
        await client.run_code(code)
    assert (await client.run_code("1 + 1")).text == "2"


async def test_what_cannot_be_read_is_said_once_it_comes(client: VibeKit) -> None:
    heard: list[object] = []
    await client.run_code("forge('={\"what\": 1}')", on_output=heard.append)
    assert heard == [ODD]


async def test_a_flood_of_results_is_cut_and_said(client: VibeKit) -> None:
    heard: list[object] = []
    result = await client.run_code("for n in range(2_000): display(n)", on_output=heard.append)
    assert len(result.shown) == MOST_RESULTS
    assert sum(isinstance(told, Notice) for told in heard) == 1
    assert sum(isinstance(told, Shown) for told in heard) == MOST_RESULTS


async def test_deep_and_odd_bundles_are_sent_without_what_cannot_be(client: VibeKit) -> None:
    heard: list[object] = []
    code = """
deep = []
for _ in range(100_000):
    deep = [deep]
display({'application/json': deep, 'text/plain': 'kept', 5: 6, 'a/b': object}, raw=True)
"""
    await client.run_code(code, on_output=heard.append)
    (shown,) = heard
    assert isinstance(shown, Shown)
    assert shown.data["text/plain"] == "kept"
    assert "application/json" not in shown.data


async def test_bytes_that_are_no_text_are_shown_as_such(client: VibeKit) -> None:
    heard: list[object] = []
    code = "import subprocess\nsubprocess.call(['printf', r'caf\\303\\251 \\377'])\nNone"
    await client.run_code(code, on_output=heard.append)
    printed = [told.text for told in heard if isinstance(told, Printed)]
    assert "".join(printed) == "café \ufffd"

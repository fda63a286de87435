"""``-i`` and ``-o`` in a real kernel: variables go, the agent works with them, variables come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import ModelServer, Reply
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

SUMMARIZE = """mkdir -p out && python3 - <<'END'
import pandas as pd
df = pd.read_feather("data/df.arrow")
summary = df.groupby("kind", observed=True)["x"].sum().reset_index()
summary.to_feather("out/summary.arrow")
END"""
COMMANDS = {
    "summarize": SUMMARIZE,
    "pickle": "mkdir -p out && echo 1 >out/broken.pkl",
    "text": "mkdir -p out && printf 'a,b\\n1,2\\n' >out/plain.csv",
    "nothing": "rm -rf out",
    "two": "mkdir -p out && echo 1 >out/one.json && echo 2 >out/two.json && echo x >out/three.npy",
    "chart": 'mkdir -p out && python3 -c "from PIL import Image;'
    "Image.new('RGB', (30, 20)).save('out/chart.png')\"",
}
FRAME = """
import pandas as pd
df = pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"]), "x": [1.0, 2.0, 3.0]})
secret = pd.DataFrame({"name": ["Ada", "Grace"]})
"""


def script(request: Request) -> Reply:
    word = request.prompt.split()[0]
    asked = request.messages[-1]
    if word in COMMANDS and asked.role == "user" and request.prompt in asked.texts:
        return Answer(tool_calls=(ToolCall("run_command", {"command": COMMANDS[word]}),))
    return Answer("Done.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel") / "home", server.environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        assert kernel.run(FRAME).status == "ok"
        yield kernel


def told(server: ModelServer) -> str:
    """What the model was told beside the prompt."""
    request = server.requests[-1]
    return "\n".join(text for each in request.messages for text in each.texts)


@pytest.mark.parametrize("agent", ["codex", "claude"])
def test_a_frame_goes_and_a_summary_comes_back(
    kernel: Kernel, server: ModelServer, agent: str
) -> None:
    kernel.run("summary = 'old'")
    cell = kernel.run(f"%%vibekit --agent {agent} --fresh -i df -o summary\nsummarize it")
    assert cell.status == "ok", cell.error
    assert re.search(r"df → data/df\.arrow  (3 × 2, [\d.]+ kB, \d\.\d s|unchanged)", cell.text)
    assert re.search(r"summary ← out/summary\.arrow  2 × 2, [\d.]+ kB, \d\.\d s", cell.text)
    assert kernel.run("print(type(summary).__name__, summary.x.tolist())").stdout == (
        "DataFrame [4.0, 2.0]\n"
    )
    assert "df: pandas.DataFrame, 3 × 2, " in told(server)
    assert "- kind category: 2 values: 'a', 'b'" in told(server)
    assert "/home/user/out/summary" in told(server)
    assert server.requests[-1].prompt == "summarize it"
    assert server.violations == []


def test_the_model_can_be_told_no_values(kernel: Kernel, server: ModelServer) -> None:
    assert kernel.run("%%vibekit --fresh --schema-only -i secret\nlook").status == "ok"
    assert "- name str" in told(server) or "- name object" in told(server)
    assert "Ada" not in told(server)


@pytest.mark.parametrize(
    ("line", "prompt", "said"),
    [
        ("-i dff", "summarize", "DataError: There is no variable 'dff'. Did you mean 'df'?"),
        ("-i df,df", "summarize", "DataError: 'df' is named twice."),
        ("-i df.x", "summarize", "DataError: 'df.x' is not the name of a variable."),
        ("-o 'a b'", "summarize", "DataError: 'a b' is not the name of a variable."),
        ("-o class", "summarize", "DataError: 'class' is not the name of a variable."),
        ("-o _x", "summarize", "DataError: '_x' cannot be the name of a file."),
        ("-i pd", "summarize", "DataError: cannot send 'pd' (module): there is no file format"),
        ("-o kept --mode ask", "summarize", "ConfigurationError: In ask mode the agent changes"),
        ("-o kept", "nothing", "DataError: 'kept' did not come back: the agent left no file"),
        ("-o broken", "pickle", "DataError: 'broken.pkl' is a pickle: it runs code"),
        ("-o one,three", "two", "DataError: The file 'three.npy' cannot be read as an array."),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_variables_stay(
    kernel: Kernel, server: ModelServer, line: str, prompt: str, said: str
) -> None:
    kernel.run("kept = one = broken = 'old'")
    asked = len(server.requests)
    cell = kernel.run(f"%%vibekit --fresh {line}\n{prompt}")
    assert cell.status == "error"
    assert cell.error is not None
    assert len(cell.error) == 1
    assert cell.error[0].startswith(said)
    assert kernel.run("print(kept, one, broken)").stdout == "old old old\n"
    if prompt == "summarize":
        assert len(server.requests) == asked


def test_several_come_back_at_once(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit --fresh -o one -o two\ntwo")
    assert cell.status == "ok", cell.error
    assert kernel.run("print(one, two)").stdout == "1 2\n"


def test_text_says_that_it_has_no_types(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit --fresh -o plain\ntext")
    assert "'plain.csv' came back as text dtypes: ask for plain.arrow to keep them." in cell.text
    assert kernel.run("print(plain.b.tolist())").stdout == "[2]\n"


def test_a_chart_comes_back_as_a_picture(kernel: Kernel) -> None:
    assert kernel.run("%%vibekit --fresh -o chart\nchart").status == "ok"
    cell = kernel.run("chart")
    assert "image/png" in cell.displays[0]


def test_what_an_earlier_run_left_is_said_to_be_that(kernel: Kernel) -> None:
    assert kernel.run("%%vibekit --fresh -o two\ntwo").status == "ok"
    cell = kernel.run("%%vibekit --fresh -o two\nhello")
    assert "out/two.json is as it was before this run." in cell.text


def test_python_has_the_same(kernel: Kernel) -> None:
    kernel.run("from vibekit_jupyter import get_client; client = get_client()")
    cell = kernel.run(
        "result = await client.generate_code('summarize', inputs={'df': df}, outputs=['summary'])\n"
        "print(list(result.outputs), result.outputs['summary'].shape, repr(result)[:12])\n"
        "print((await client.send(n=5))[0].path, await client.fetch('summary') is not None)\n"
        "print(client.sync.fetch('summary').shape)"
    )
    assert cell.status == "ok", cell.error
    assert cell.stdout == "['summary'] (2, 2) <Result done\ndata/n.json True\n(2, 2)\n"


@pytest.mark.parametrize("outer", ["%%time\n%%vibekit", "%vibekit"])
def test_every_way_to_run_takes_them(kernel: Kernel, outer: str) -> None:
    between = " " if outer == "%vibekit" else "\n"
    kernel.run("summary = None")
    cell = kernel.run(f"{outer} --fresh -i df -o summary{between}summarize it")
    assert cell.status == "ok", cell.error
    assert kernel.run("print(len(summary))").stdout == "2\n"

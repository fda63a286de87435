"""A model finds its way in a sandbox: by names, and by what is in the files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.conversation import ToolCall
from vibekit_jupyter.agents.tools import Toolbox
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio

FILES = {
    "readme.md": b"# Sales\n",
    "src/load.py": b"import csv\n\n\ndef load(path):\n    return csv.reader(path)\n",
    "src/deep/er/plot.py": b"from load import load\n",
    "data/a.csv": b"a;b\n1;2\n",
    "data/b.bin": b"load\0load",
    ".git/config": b"load",
    "node_modules/x/index.py": b"load",
    "env/pyvenv.cfg": b"",
    "env/lib/y.py": b"load",
}


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with sandbox_server(tmp_path_factory.mktemp("find"), "--confine", request.param) as server:
        yield Service(
            id="test",
            title="the test's",
            api_key=server.where["api_key"],
            api_url=server.where["api_url"],
            sandbox_url=server.where["sandbox_url"],
            domain=None,
            template="base",
            request_timeout=30,
        )


@pytest.fixture
async def project(service: Service) -> AsyncIterator[Sandbox]:
    created = await Sandbox.create(service, timeout=300, metadata={}, internet=False)
    for path, content in FILES.items():
        await created.write_file(f"/home/user/{path}", content)
    yield created
    await kill(service, created.id)


async def told(sandbox: Sandbox, name: str, **arguments: Any) -> str:
    call = ToolCall("call_1", name, json.dumps(arguments))
    return (await Toolbox(sandbox, "ask", Changes()).run(call, lambda *_: None)).output


async def test_files_are_listed_by_glob(project: Sandbox) -> None:
    everywhere = await told(project, "list_files", path=".", glob="*.py")
    assert everywhere == "src/load.py  57 bytes\nsrc/deep/er/plot.py  22 bytes"
    below = await told(project, "list_files", path="/home/user", glob="src/**/*.py")
    assert [line.split()[0] for line in below.split("\n")] == [
        "/home/user/src/load.py",
        "/home/user/src/deep/er/plot.py",
    ]
    assert await told(project, "list_files", path="data", glob="[ab].csv") == "data/a.csv  8 bytes"
    none = await told(project, "list_files", path="data", glob="*.xlsx")
    assert none == "(no file below data matches *.xlsx)"


async def test_lines_are_found_by_a_regular_expression(project: Sandbox) -> None:
    found = await told(project, "search", pattern=r"\bload\b")
    assert found == "src/load.py:4:def load(path):\nsrc/deep/er/plot.py:1:from load import load"
    assert await told(project, "search", pattern="sales", ignore_case=True) == "readme.md:1:# Sales"
    assert await told(project, "search", pattern="^1;", path="data/a.csv") == "data/a.csv:2:1;2"
    only = await told(project, "search", pattern="load", glob="deep/**")
    assert only == "(no line of 0 files matches)"
    assert "plot.py" in await told(project, "search", pattern="load", glob="**/deep/**")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pattern": "("}, "Error: the pattern is no regular expression of Python's: missing )"),
        ({"pattern": "x", "path": "none"}, "Error: none: there is no such file or folder"),
        ({"pattern": "x" * 20_000}, "Error: pattern and glob have at most 10000 characters"),
        ({"pattern": 1}, "Error: pattern is not of type string"),
    ],
)
async def test_what_is_wrong_with_a_search_is_told(
    project: Sandbox, arguments: dict[str, Any], words: str
) -> None:
    assert (await told(project, "search", **arguments)).startswith(words)


async def test_much_that_is_found_is_cut(project: Sandbox) -> None:
    await project.write_file("/home/user/long.txt", b"".join([b"x" * 5000 + b"yes\n"] * 1000))
    found = await told(project, "search", pattern="yes")
    assert len(found) < 40_000
    assert "long.txt:1:" in found
    assert found.endswith("[only the first 300 lines; there are more]")
    await project.run("mkdir many; cd many; touch $(seq 1 1500)")
    listed = await told(project, "list_files", path="many", glob="*")
    assert listed.endswith("[only the first 1000 files; there are more]")


async def test_a_search_without_end_is_given_up(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibekit_jupyter.agents.finding.TIMEOUT", 1.0)
    await project.write_file("/home/user/trap.txt", b"a" * 40 + b"!")
    found = await told(project, "search", pattern="(a+)+$")
    assert found == ("Error: it was not done after 1 s: give a narrower path, glob or pattern")


async def test_a_loop_of_links_and_a_pipe_are_no_trap(project: Sandbox) -> None:
    await project.run("ln -s . loop; mkfifo pipe; ln -s /etc/passwd out; ln -s nowhere gone")
    assert "readme.md" in await told(project, "search", pattern="Sales")
    assert "pipe" in await told(project, "list_files", path=".", glob="*")

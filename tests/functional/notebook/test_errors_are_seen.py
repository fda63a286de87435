"""A failure is always seen: one line, told to the frontend as an error, by every way to fail."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.support.kernel import Kernel
from tests.support.local_server import stop_local_server
from tests.support.model_server import HttpError, ModelServer, Reply
from tests.support.surroundings import clean_environment
from vibekit_jupyter import VibeKit, errors
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kernel import Cell

SETUP = """
%load_ext vibekit_jupyter
from vibekit_jupyter import errors, get_client, VibeKit
from vibekit_jupyter.results import CommandResult
client = get_client()

def make(kind):
    if kind is errors.CommandError:
        return kind(CommandResult("false", 1))
    return kind("It\\nwent wrong.")

def fail(kind):
    def raise_it(*_):
        try:
            raise ExceptionGroup("many", [OSError("one")])
        except ExceptionGroup:
            raise make(kind)
    return raise_it
"""
RELEASED = threading.Event()


def script(request: Request) -> Reply:
    match request.prompt.split()[0]:
        case "refuse":
            return HttpError.unauthorized()
        case "lose" if len(request.messages) == 1:
            assert RELEASED.wait(30)
            calls = tuple(ToolCall("run_command", {"command": f"echo {n}"}) for n in range(3))
            return Answer(tool_calls=calls)
        case _:
            return Answer("Answered.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel") / "home", server.environment) as kernel:
        assert kernel.run(SETUP).status == "ok"
        assert kernel.run("%%vibekit\nhello").status == "ok"
        yield kernel


def is_one_line(cell: Cell, ename: str) -> None:
    assert (cell.status, cell.ename) == ("error", ename)
    assert cell.error is not None
    (line,) = cell.error
    assert line.startswith(f"{ename}: ")
    assert "\n" not in line
    assert "Traceback" not in cell.stderr


def classes() -> list[str]:
    return [
        name for name in errors.__all__ if issubclass(getattr(errors, name), errors.VibeKitError)
    ]


REFUSED = "ModelAuthenticationError"
PLACES = [
    ("%%vibekit\nrefuse", REFUSED),
    ("%vibekit refuse", REFUSED),
    ("%vibekit refuse this?", REFUSED),
    ("if True:\n    get_ipython().run_cell_magic('vibekit', '', 'refuse')", REFUSED),
    ("def ask():\n    %vibekit refuse\nask()", REFUSED),
    ("await client.generate_code('refuse')", REFUSED),
    ("client.sync.generate_code('refuse')", REFUSED),
    ("async for _ in client.stream('refuse'): pass", REFUSED),
    ("for _ in client.sync.stream('refuse'): pass", REFUSED),
    ("await VibeKit(agent='codex').generate_code('refuse')", REFUSED),
    ("await client.execute_command('exit 3')", "CommandError"),
    ("client.sync.execute_command('exit 3')", "CommandError"),
    ("%vibekit_session set nobody-knows", "SessionNotFoundError"),
    ("%vibekit_session history nobody-knows", "SessionNotFoundError"),
    ("await client.find('nobody-knows')", "SessionNotFoundError"),
    ("client.sync.find('nobody-knows')", "SessionNotFoundError"),
    ("client.history('nobody-knows')", "SessionNotFoundError"),
    ("%vibekit_config --base-url nonsense", "AgentNotInitializedError"),
    ("%vibekit_config --silence 0", "ConfigurationError"),
    ("%%vibekit --max-steps 0\nhello", "ConfigurationError"),
    ("%vibekit_config --nonsense", "UsageError"),
    ("%vibekit_session sett", "UsageError"),
    ("%vibekit_session set", "UsageError"),
    ("%vibekit_session set 'open", "UsageError"),
    ("%vibekit --nonsense hi", "UsageError"),
    ("%vibekit --agent klaude hi", "UsageError"),
    ("%vibekit", "UsageError"),
    ("%%vibekit --nonsense\nhi", "UsageError"),
    ("%%vibekit\n  \n", "UsageError"),
    ("%%vibekit", "UsageError"),
]


@pytest.mark.parametrize(("code", "ename"), PLACES)
def test_every_place_that_fails_tells_one_line_and_an_error(
    kernel: Kernel, code: str, ename: str
) -> None:
    is_one_line(kernel.run(code, stop_on_error=False), ename)


@pytest.mark.parametrize("name", classes())
def test_every_class_of_the_tree_is_one_line_from_everywhere(kernel: Kernel, name: str) -> None:
    for code in (
        f"raise make(errors.{name})",
        f"await client.generate_code('hello', on_event=fail(errors.{name}))",
        f"client.sync.generate_code('hello', on_event=fail(errors.{name}))",
        f"await client.execute_command('echo', on_stdout=fail(errors.{name}))",
    ):
        is_one_line(kernel.run(code, stop_on_error=False), name)
    hook = f"hook = fail(errors.{name}); get_ipython().display_pub.register_hook(hook)"
    try:
        kernel.run(hook)
        for code in ("%vibekit_session list", "%vibekit hello", "%%vibekit\nhello"):
            is_one_line(kernel.run(code, stop_on_error=False), name)
    finally:
        kernel.run("get_ipython().display_pub.unregister_hook(hook)")


def test_a_sandbox_that_fails_within_a_tool_call_is_one_line(
    kernel: Kernel, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBEKIT_HOME", str(kernel.home))
    kernel.run("%vibekit_session new lost")
    session = kernel.run("print(client.sync.get_session())").stdout.strip()

    async def kill() -> None:
        other = VibeKit(agent={"type": "codex"}, environment={"local": {}})
        await other.kill(session, force=True)
        await other.aclose()

    before = len(server.requests)
    message = kernel.begin("%%vibekit\nlose", stop_on_error=False)
    server.wait_for_requests(before + 1)
    asyncio.run(kill())
    RELEASED.set()
    is_one_line(kernel.end(message), "SessionNotFoundError")
    kernel.run("%vibekit_session new again")


TEN = [code for code, _ in PLACES[::3]]
# And every class of the tree.
FAILING = [
    *TEN,
    *(f"await client.generate_code('hello', on_event=fail(errors.{name}))" for name in classes()),
]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(code) for code in (SETUP, *FAILING)]  # type: ignore[no-untyped-call]  # its own
    for cell in cells:
        cell.metadata["tags"] = []
    path = tmp_path / "failing.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)  # type: ignore[no-untyped-call]  # its own
    return path


@pytest.fixture
def environment(server: ModelServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    home = tmp_path / "home"
    yield {
        **clean_environment(),
        **server.environment,
        "VIBEKIT_HOME": str(home),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    stop_local_server(home)


def test_nbval_sees_each_failure(notebook: Path, environment: dict[str, str]) -> None:
    options = ["-p", "no:cacheprovider", "-q", "-c", "/dev/null", "--nbval-lax"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--nbval-current-env", notebook],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert f"{len(FAILING)} failed, 1 passed" in ran.stdout


def test_nbclient_stops_at_each_failure(notebook: Path, environment: dict[str, str]) -> None:
    # papermill runs notebooks with it, too.
    executed = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # its own
    client = NotebookClient(executed, timeout=120, kernel_name="python3")
    with client.setup_kernel(env=environment):
        client.execute_cell(executed.cells[0], 0)
        for number, cell in enumerate(executed.cells[1 : len(TEN) + 1], 1):
            with pytest.raises(CellExecutionError) as caught:
                client.execute_cell(cell, number)
            assert "Traceback" not in str(caught.value), cell.source


def convert(
    notebook: Path, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", *options,
         "--output", "executed.ipynb", notebook],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip


def test_nbconvert_is_red_at_the_first_failure(notebook: Path, environment: dict[str, str]) -> None:
    ran = convert(notebook, environment)
    assert ran.returncode != 0
    # Its own traceback, then ours: the line alone.
    assert ran.stderr.count(f"{REFUSED}: ") == 1
    assert not notebook.with_name("executed.ipynb").exists()


def test_nbconvert_stores_each_failure(notebook: Path, environment: dict[str, str]) -> None:
    ran = convert(notebook, environment, "--allow-errors")
    assert ran.returncode == 0, ran.stderr
    executed = nbformat.read(notebook.with_name("executed.ipynb"), as_version=4)  # type: ignore[no-untyped-call]  # its own
    for cell in executed.cells[1:]:
        stored = [output for output in cell.outputs if output.output_type == "error"]
        assert [len(error.traceback) for error in stored] == [1], cell.source

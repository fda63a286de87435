"""Runs shown again: after a restart, and in the place of a new one (``VIBEKIT_RERUN=never``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Cell, Kernel
from tests.support.model_server import Disturbed, HttpError, ModelServer, Reply, Stall
from tests.support.turns_in_cells import wait_for_event
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTEBOOK = "/n/lesson.ipynb"


def script(request: Request) -> Reply:  # noqa: PLR0911  # a line each
    match request.prompt:
        case "refuse":
            return HttpError.unauthorized()
        case "a number":
            return Answer(f"It is {len(request.messages)}.")
        case "the pyramids":
            return Answer("Answered.")
        case "two steps" if not request.messages[-1].tool_results:
            command = "echo the first step"
            return Answer(tool_calls=(ToolCall("run_command", {"command": command}),))
        case "a long step":
            command = "echo so far; sleep 600"
            return Answer("First:", tool_calls=(ToolCall("run_command", {"command": command}),))
        case "two steps" | "stall":
            return Disturbed(Answer("Too late."), Stall(after=3, seconds=60))
        case prompt:
            usage = Usage(input=1_000, output=500)
            return Answer(f"You said: {prompt}", usage=usage)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which both agents answered ``hello``, codex in two sessions."""
    return tmp_path_factory.mktemp("recorded") / "home"


def kernel_of(server: ModelServer, home: Path, **environment: str) -> Kernel:
    return Kernel(home, {**server.environment, **environment})


@pytest.fixture(scope="module")
def recorded(server: ModelServer, home: Path) -> list[Cell]:
    with kernel_of(server, home, JPY_SESSION_NAME=NOTEBOOK) as kernel:
        cells = kernel.run_all(
            "%load_ext vibekit_jupyter",
            "%vibekit_session new second",
            "%%vibekit\nonly in the second",
            "%vibekit_session new first",
            "%%vibekit\nhello",
            "%%vibekit --agent claude\nhello, Claude",
            "%vibekit in one line",
        )
    assert [cell.status for cell in cells] == ["ok"] * len(cells), [cell.error for cell in cells]
    return cells


@pytest.fixture(scope="module")
def again(server: ModelServer, home: Path, recorded: list[Cell]) -> Iterator[Kernel]:
    """The notebook, executed again."""
    with kernel_of(server, home, JPY_SESSION_NAME=NOTEBOOK, VIBEKIT_RERUN="never") as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel


def html_of(cell: Cell) -> str:
    return "".join(str(data.get("text/html", "")) for data in cell.displays)


def test_a_notebook_executed_again_asks_no_model_and_starts_nothing(
    server: ModelServer, home: Path, recorded: list[Cell]
) -> None:
    asked = len(server.requests)
    with kernel_of(server, home, JPY_SESSION_NAME=NOTEBOOK, VIBEKIT_RERUN="never") as kernel:
        cells = kernel.run_all(
            "%load_ext vibekit_jupyter",
            "%%vibekit\nhello",
            "%%vibekit --agent claude\nhello, Claude",
            "%vibekit in one line",
        )
        assert not list(home.glob("server-*.json"))
    assert [cell.status for cell in cells] == ["ok"] * 4, [cell.error for cell in cells]
    said = ["hello", "hello, Claude", "in one line"]
    for cell, words in zip(cells[1:], said, strict=True):
        assert f"You said: {words}" in cell.text
        assert "Shown from the record of 2" in cell.text
        assert "Shown from the record of 2" in html_of(cell)
    assert len(server.requests) == asked


def test_the_session_of_a_recorded_run_is_the_one_to_go_on_in(again: Kernel) -> None:
    again.run("%%vibekit\nhello")
    assert "You said: hello" in again.run("%vibekit_session history").text
    shown = again.run("r = get_ipython().run_cell_magic('vibekit', '', 'hello'); print(r)")
    assert "<Result done: codex" in shown.stdout


@pytest.mark.parametrize(
    ("cell", "runs"),
    [
        ("%%vibekit --session second\nonly in the second", False),
        ("%%vibekit\nonly in the second", True),
        ("%%vibekit --agent claude\nhello", True),
        ("%%vibekit --model another\nhello", True),
        ("%%vibekit --mode ask\nhello", True),
        ("%%vibekit\nhello ", True),
        ("%%vibekit\n hello", True),
    ],
)
def test_what_was_not_asked_so_in_this_session_runs(
    again: Kernel, server: ModelServer, cell: str, *, runs: bool
) -> None:
    asked = len(server.requests)
    ran = again.run(cell)
    assert ran.status == "ok", ran.error
    assert (len(server.requests) > asked) == runs
    assert ("Shown from the record" in ran.text) != runs


def test_a_headless_notebook_finds_the_last_session_that_has_the_prompt(
    server: ModelServer, home: Path, recorded: list[Cell]
) -> None:
    asked = len(server.requests)
    with kernel_of(server, home, VIBEKIT_RERUN="never") as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        assert "Shown from the record" in kernel.run("%%vibekit\nonly in the second").text
        history = kernel.run("%vibekit_session history").text
    assert "only in the second" in history
    assert len(server.requests) == asked


def test_a_run_that_failed_is_run_again(again: Kernel, server: ModelServer) -> None:
    for _ in range(2):
        asked = len(server.requests)
        assert again.run("%%vibekit\nrefuse", stop_on_error=False).status == "error"
        assert len(server.requests) == asked + 1


def test_a_wrong_policy_is_an_error_that_names_the_two(
    server: ModelServer, home: Path, recorded: list[Cell]
) -> None:
    with kernel_of(server, home, VIBEKIT_RERUN="sometimes") as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        cell = kernel.run("%%vibekit\nhello", stop_on_error=False)
    assert cell.status == "error"
    assert "always, never or only" in cell.text


def test_what_is_not_recorded_goes_on_in_the_notebooks_session(again: Kernel) -> None:
    new, old = again.run_all("%%vibekit --fresh\na new cell", "%%vibekit\nhello")
    assert "session first" in new.text
    assert "Shown from the record" in old.text


def test_the_last_run_can_be_shown_after_a_restart(server: ModelServer, tmp_path: Path) -> None:
    with kernel_of(server, tmp_path / "home", JPY_SESSION_NAME=NOTEBOOK) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        assert "No prompt has run" in kernel.run("%vibekit last").text
        kernel.run("%vibekit for the last time")
        kernel.restart()
        kernel.run("%load_ext vibekit_jupyter")
        for line in ("%vibekit last", "%vibekit last --full"):
            assert "You said: for the last time" in kernel.run(line).text


def test_what_a_killed_kernel_had_done_is_shown(server: ModelServer, tmp_path: Path) -> None:
    with kernel_of(server, tmp_path / "home", JPY_SESSION_NAME=NOTEBOOK) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        asked = len(server.requests)
        kernel.begin("%%vibekit\ntwo steps")
        server.wait_for_requests(asked + 2)
        kernel.restart()
        kernel.run("%load_ext vibekit_jupyter")
        shown = kernel.run("%vibekit last").text
    assert "its end is not recorded" in shown
    assert "echo the first step" in shown


def test_what_was_going_on_in_a_killed_kernel_is_shown(server: ModelServer, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with kernel_of(server, home, JPY_SESSION_NAME=NOTEBOOK) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        cell = kernel.begin("%%vibekit\na long step")
        kernel.wait_for(cell, "so far")
        wait_for_event(home, "so far")
        kernel.restart()
        kernel.run("%load_ext vibekit_jupyter")
        shown = kernel.run("%vibekit last").text
        again = kernel.run("%%vibekit\nhello").text
    assert "its end is not recorded" in shown
    assert "First:" in shown
    assert "so far" in shown
    assert "You said: hello" in again


def test_a_run_tells_its_cost_where_the_price_is_known(server: ModelServer, home: Path) -> None:
    prices = '{"dear": {"input": 1000, "output": 2000}}'
    with kernel_of(server, home, VIBEKIT_PRICES=prices) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run("from vibekit_jupyter import get_client; client = get_client()")
        for model, cost in (("dear", "2.0"), ("another", "None")):
            ask = f"print((await client.generate_code('hello', model={model!r})).cost)"
            cell = kernel.run(ask)
            assert cell.stdout == f"{cost}\n", cell.error
        kernel.run("import os; os.environ['VIBEKIT_PRICES'] = '{'")
        assert "VIBEKIT_PRICES is not JSON" in kernel.run("%vibekit hello").text


CAPTURED = """
from IPython.utils.capture import capture_output
with capture_output() as captured:
    get_ipython().{call}
print("pyramids" in str([output.metadata for output in captured.outputs]))
"""


def test_a_private_prompt_stays_out_of_the_output(server: ModelServer, home: Path) -> None:
    def tells(call: str) -> bool:
        cell = kernel.run(CAPTURED.format(call=call))
        assert cell.status == "ok", cell.error
        return cell.stdout == "True\n"

    with kernel_of(server, home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        assert tells("run_cell_magic('vibekit', '', 'the pyramids')")
        assert not tells("run_cell_magic('vibekit', '--private', 'the pyramids')")
        assert not tells("run_line_magic('vibekit', 'last')")


def test_effort_and_bounds_reach_the_model(server: ModelServer, home: Path) -> None:
    with kernel_of(server, home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        cell = kernel.run("%%vibekit --effort low --max-steps 3\nhello")
        assert cell.status == "ok", cell.error
        assert server.requests[-1].json["reasoning"]["effort"] == "low"
        kernel.run("%vibekit_config --effort high")
        assert kernel.run("%%vibekit\nhello").status == "ok"
        assert server.requests[-1].json["reasoning"]["effort"] == "high"
        zero = kernel.run("%%vibekit --max-steps 0\nhello", stop_on_error=False)
        assert "max_steps is 0" in zero.text


def test_a_model_that_is_silent_for_longer_than_it_may_be_is_given_up(
    server: ModelServer, home: Path
) -> None:
    with kernel_of(server, home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        assert "0.5 s at most" in kernel.run("%vibekit_config --silence 0.5").text
        cell = kernel.run("%%vibekit\nstall", stop_on_error=False)
        assert cell.ename == "ModelUnavailableError"
        assert "silent for 0.5 s" in cell.text
        assert kernel.run("%%vibekit\nhello").status == "ok"
        none = kernel.run("%vibekit_config --silence 0", stop_on_error=False)
        assert "silence is 0" in none.text


def test_two_cells_with_equal_prompts_show_each_its_own_answer(
    server: ModelServer, tmp_path: Path
) -> None:
    cells = ("%load_ext vibekit_jupyter", "%%vibekit\na number", "%%vibekit\na number")
    with kernel_of(server, tmp_path, JPY_SESSION_NAME=NOTEBOOK) as kernel:
        first = [cell.text for cell in kernel.run_all(*cells)]
    assert "It is 1." in first[1]
    assert "It is 3." in first[2]
    with kernel_of(server, tmp_path, JPY_SESSION_NAME=NOTEBOOK, VIBEKIT_RERUN="never") as kernel:
        again = [cell.text for cell in kernel.run_all(*cells)]
    assert "It is 1." in again[1]
    assert "It is 3." in again[2]

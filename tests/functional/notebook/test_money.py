"""What a run costs is bounded by an option, told by a magic, and written down for the site."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import Disturbed, ModelServer, Stall
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRICES = json.dumps({"*": {"input": 1000, "output": 2000}})
CONFIGURE = (
    "import dataclasses\n"
    "from vibekit_jupyter import get_client\n"
    "from vibekit_jupyter.settings.audit import AuditSettings\n"
    "client = get_client()\n"
    "client.configure(dataclasses.replace(client.settings, {changes}))"
)


def script(request: Request) -> Answer | Disturbed:
    if "hang" in request.prompt:
        return Disturbed(Answer("Words."), Stall(2, 60))
    call = ToolCall("run_command", {"command": "echo made > made.txt"})
    return Answer(tool_calls=(call,), usage=Usage(1000, 0, 500))


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    environment = {**server.environment, "VIBEKIT_PRICES": PRICES}
    with Kernel(tmp_path_factory.mktemp("kernel") / "home", environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel


def test_usage_of_nothing_is_a_sentence(kernel: Kernel) -> None:
    assert "No run in 30 days." in kernel.run("%vibekit_config usage").text


def test_a_cell_stops_at_its_cost_and_usage_tells_it(kernel: Kernel, server: ModelServer) -> None:
    asked = len(server.requests)
    cell = kernel.run("%%vibekit --max-cost 2.50\nMake it")
    assert cell.ename == "RunLimitError"
    assert "The run stopped at its bound of $2.50 ($2.00 spent" in cell.text
    assert len(server.requests) == asked + 1
    cell = kernel.run("%vibekit_config usage --days 7")
    assert cell.status == "ok"
    assert "gpt-6-astra" in cell.text
    assert "1 run in 7 days · 1.5 k tokens · $2.00" in cell.text
    assert "<table" in cell.displays[0]["text/html"]
    kernel.run("told = get_ipython() and __import__('vibekit_jupyter').get_client().usage(days=1)")
    assert "2.0" in kernel.run("print(told[0].cost, told[0].runs)").stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%%vibekit --max-cost nan\nMake it", "max_cost is nan"),
        ("%%vibekit --max-cost -1\nMake it", "max_cost is -1.0"),
        ("%%vibekit --max-cost dear\nMake it", "--max-cost"),
        ("%vibekit_config usage --days 0", "days is 0"),
        ("%vibekit_config usage --days x", "--days"),
        ("%vibekit_config usage sk-1", "something does not belong on the line"),
    ],
)
def test_wrong_numbers_are_one_sentence(kernel: Kernel, line: str, words: str) -> None:
    cell = kernel.run(line)
    assert cell.error is not None
    (sentence,) = cell.error
    assert words in sentence


def test_a_budget_stands_with_the_settings(kernel: Kernel) -> None:
    assert kernel.run(CONFIGURE.format(changes="budget_day=5.0, max_cost=3.0")).status == "ok"
    shown = kernel.run("%vibekit_config").text
    assert "50 steps, $3.00" in shown
    assert "$2.00 of $5.00 today" in shown
    assert "$2.00 of $5.00 today · 40 %" in kernel.run("%vibekit_config usage").text
    kernel.run(CONFIGURE.format(changes="budget_day=None, max_cost=None"))


def test_whoever_asks_is_told_that_prompts_are_recorded(kernel: Kernel, tmp_path: Path) -> None:
    audit = f"audit=AuditSettings(file={str(tmp_path / 'audit.jsonl')!r}, prompts=True)"
    assert kernel.run(CONFIGURE.format(changes=audit)).status == "ok"
    assert "Your administrator records prompts here" in kernel.run("%vibekit_config").text
    loaded = kernel.run("%reload_ext vibekit_jupyter")
    assert f"Your administrator records prompts here ({tmp_path}" in loaded.text


def test_a_killed_kernel_leaves_the_line_of_the_runs_start(
    server: ModelServer, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    with Kernel(tmp_path / "home", server.environment) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run(CONFIGURE.format(changes=f"audit=AuditSettings(file={str(path)!r})"))
        asked = len(server.requests)
        kernel.begin("%vibekit hang")
        server.wait_for_requests(asked + 1, timeout=60)
        kernel.kill()
        (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert line["vibekit.status"] == "started"
    assert line["gen_ai.operation.name"] == "invoke_agent"

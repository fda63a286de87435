"""The stop button at any moment of a turn of an agent in the sandbox: before it speaks, while its
model does, in a command, with a question open, at the very end.

Within a second nothing of the turn runs any more, the cell shows one error, what was done is in the
record, and the next prompt knows what was said.
"""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.real_agents import MOMENTS, TESTED
from tests.support.turns_in_cells import (
    agent_at_work,
    last_asked,
    marked_below,
    recorded,
    server_of,
    stopped_at,
)
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernel import Kernel
    from tests.support.model_server import ModelServer

# Those that ask before they run any command.
ASKING = ("demo-acp", "goose", "claude-code", "opencode", "gemini")
# A second, on a machine that has nothing else to do.
SOON = 3.0


def stops_at_moments(kernel: Kernel, server: ModelServer, name: str, moments: int) -> list[float]:
    """Stop so many turns at moments over the whole of one; return how long that took."""
    for _ in range(2):  # the second one is as all others
        whole = kernel.run("%%vibekit\nTurn 0: work")
        assert whole.status == "ok", whole.text
    seconds = recorded(kernel.home, "Turn 0: work").seconds
    took = []
    for number in range(1, moments + 1):
        asks = name in ASKING and number % 5 == 0
        part = random.random()  # noqa: S311  (moments, no secrets)
        after = part / 2 if asks else (number - 1 + part) / moments * seconds
        options = "--approve always" if asks else ""
        cell, stop = stopped_at(
            kernel, f"%%vibekit {options}\nTurn {number}: work", max(after, 0.03), asks=asks
        )
        where = f"turn {number}, stopped after {after:.2f} s: {cell.text}"
        assert stop.left == {}, where
        assert stop.seconds < SOON, where
        took.append(stop.seconds)
        # One that was stopped at its very end may have come to it.
        assert (cell.status, cell.ename) in {("error", "RunInterruptedError"), ("ok", "")}, where
        said = f"I begin with Turn {number}"
        status = ended_as(kernel, f"Turn {number}: work")
        assert status in ("interrupted" if cell.status == "error" else "done", ""), where
        assert status or said not in cell.text, where
        if status == "done":  # the first ones may have been slow
            seconds = min(seconds, recorded(kernel.home, f"Turn {number}: work").seconds)
        following = kernel.run("%%vibekit\nWhich turns were there?")
        assert "I know of them." in following.text, where
        body = last_asked(server)
        assert "Turn 0" in body, where
        assert said in body or said not in cell.text, where
    return took


def ended_as(kernel: Kernel, prompt: str) -> str:
    """Return the status of a turn: a cell does not wait for its end for ever."""
    wait_for(lambda: recorded(kernel.home, prompt).status != "running", 60)
    return recorded(kernel.home, prompt).status


@pytest.mark.timeout(300)
def test_a_turn_can_be_stopped_at_any_moment(tmp_path: Path) -> None:
    with agent_at_work(tmp_path / "home", "demo-acp") as (kernel, server):
        stops_at_moments(kernel, server, "demo-acp", 5)


def test_where_the_service_is_slow_the_cell_ends_and_the_next_prompt_waits_for_it(
    tmp_path: Path,
) -> None:
    with agent_at_work(tmp_path / "home", "demo-acp") as (kernel, server):
        message = kernel.begin("%%vibekit\nTurn 1: work", stop_on_error=False)
        kernel.wait_for(message, "so it is")
        service = server_of(kernel.home)
        os.kill(service, signal.SIGSTOP)
        try:
            kernel.interrupt()
            assert kernel.end(message).ename == "RunInterruptedError"
            assert recorded(kernel.home, "Turn 1: work").status == "running"
            following = kernel.begin("%%vibekit\nWhich turns were there?")
        finally:
            os.kill(service, signal.SIGCONT)
        assert "I know of them." in kernel.end(following).text
        assert "I begin with Turn 1" in last_asked(server)
        assert ended_as(kernel, "Turn 1: work") == "interrupted"
        wait_for(lambda: not marked_below(service))


@pytest.mark.agents
@pytest.mark.timeout(300 + 60 * MOMENTS)
@pytest.mark.parametrize("name", TESTED)
def test_turns_of_other_peoples_agents_too(name: str, agents_home: Path) -> None:
    with agent_at_work(agents_home, name) as (kernel, server):
        took = sorted(stops_at_moments(kernel, server, name, MOMENTS))
    median, most = took[len(took) // 2], took[-1]
    print(f"{name}: nothing ran any more after {median:.2f} s, at most {most:.2f} s")  # noqa: T201

"""A ``kill -9`` at any moment of a turn of an agent in the sandbox, of whatever has a part in it.

The cell shows one error that says what to do, nothing of the turn runs on, and the next prompt, in
the same session, knows what was said.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.real_agents import MOMENTS, TESTED
from tests.support.turns_in_cells import (
    agent_at_work,
    choose_agent,
    is_marked,
    last_asked,
    marked_below,
    recorded,
    server_of,
)
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.support.kernel import Cell, Kernel
    from tests.support.model_server import ModelServer

# Each in turn: one of the agent's processes, the relay's, the sandbox server, the kernel.
VICTIMS = ("agent", "relay", "server", "kernel")
RELAY = "-I -S -c"
DEMO = "demo_agent.py"
FAILURES = {"AgentError", "ModelUnavailableError", "SandboxError", "SandboxUnreachableError"}
# Seconds until what is to be killed is there.
PATIENCE = 3.0
WHOLE = "This is what I found out, and it took me a while."


@dataclass(frozen=True)
class Death:
    """What was killed, and what was there of the turn then."""

    called: str
    running: dict[int, str]


def deaths_at_moments(kernel: Kernel, server: ModelServer, name: str, moments: int) -> list[str]:
    """Kill in so many turns at moments over the whole of one; return how each ended."""
    for _ in range(2):  # the second one is as all others
        whole = kernel.run("%%vibekit\nTurn 0: work")
        assert whole.status == "ok", whole.text
    _, session, seconds = recorded(kernel.home, "Turn 0: work")
    ends: list[str] = []
    for number in range(1, 3 * moments):
        if len(ends) == moments:
            break
        victim = VICTIMS[len(ends) % len(VICTIMS)]
        part = (len(ends) + random.random()) / moments  # noqa: S311  (moments, no secrets)
        prompt = f"Turn {number}: work"
        message = kernel.begin(f"%%vibekit\n{prompt}", stop_on_error=False)
        time.sleep(part * seconds)
        death = killed(kernel, victim)
        if victim == "kernel":
            choose_agent(kernel, name)
            kernel.run("%vibekit_session restore")
            end, told = "killed", kernel.run("%vibekit last --full").text
        else:
            cell = kernel.end(message)
            end, told = f"{cell.ename} after {cell.seconds:.1f} s", cell.text
            assert ended_clearly(cell), f"{victim} at {part:.0%} ({death.called})\n{told}"
        where = f"{prompt}, {victim} at {part:.0%} ({death.called}): {end}\n{told}"
        following = kernel.run("%%vibekit\nWhich turns were there?", stop_on_error=False)
        assert "I know of them." in following.text, f"{where}\n{following.text}"
        assert recorded(kernel.home, "Which turns were there?").session == session, where
        asked = last_asked(server)
        assert "Turn 0" in asked, where
        said = f"I begin with Turn {number}"
        assert said in asked or said not in told, where
        left = partial(nothing_left, kernel, death)
        wait_for(left, what=partial(str, where))
        turn = recorded(kernel.home, prompt)
        assert turn.status != "running", where
        if turn.status == "done":  # it had come to its end before
            seconds = min(seconds, turn.seconds)
        else:
            ends.append(where)
    assert len(ends) == moments, "most turns had come to their end before"
    return ends


def nothing_left(kernel: Kernel, death: Death) -> bool:
    """Whether neither the dead turn nor the next one has left anything that runs."""
    return not any(map(is_marked, death.running)) and not marked_below(server_of(kernel.home))


def killed(kernel: Kernel, victim: str) -> Death:
    """Kill what has a part in the turn; it may not have begun, or be over."""
    server = server_of(kernel.home)
    deadline = time.monotonic() + PATIENCE
    while True:
        running = marked_below(server)
        match victim:
            case "server" | "kernel":
                found = [server]
            case "relay":
                found = [pid for pid, called in running.items() if RELAY in called]
            case _:
                found = [pid for pid, called in running.items() if is_agent(pid, called)]
        if found or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    if victim == "kernel":
        kernel.kill()
        kernel.restart()
    elif found:
        pid = random.choice(found)  # noqa: S311
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return Death(running.get(pid, victim), running)
    return Death(victim if found else "none", running)


def is_agent(pid: int, called: str) -> bool:
    """Whether a command in a sandbox is a process of an agent, and none that it was asked for."""
    try:
        return DEMO in called or "/agents/" in str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return False


def ended_clearly(cell: Cell) -> bool:
    """Whether a cell shows one error that says what to do, or its turn had come to its end."""
    if cell.status == "ok":
        return WHOLE in cell.text
    return cell.ename in FAILURES and cell.error is not None and len(cell.error) == 1


@pytest.mark.timeout(300)
def test_whatever_is_killed_in_a_turn(tmp_path: Path) -> None:
    with agent_at_work(tmp_path / "home", "demo-acp") as (kernel, server):
        deaths_at_moments(kernel, server, "demo-acp", 4)


@pytest.mark.agents
@pytest.mark.timeout(300 + 60 * MOMENTS)
@pytest.mark.parametrize("name", TESTED)
def test_in_turns_of_other_peoples_agents_too(name: str, agents_home: Path) -> None:
    with agent_at_work(agents_home, name) as (kernel, server):
        ends = deaths_at_moments(kernel, server, name, MOMENTS)
    print(name, *ends, sep="\n")  # noqa: T201

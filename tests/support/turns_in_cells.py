"""Turns of agents that are programs in the sandbox, in cells, with something to stop at any moment.

The model says some words slowly, has a command run that leaves others behind while it works, and
says some words more.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.kernel import Kernel
from tests.support.model_server import Disturbed, ModelServer, Pace
from tests.support.waiting import wait_for
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.sessions.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.kernel import Cell
    from tests.support.model_server import Reply
    from vibekit_jupyter.demo_model.wire import Message, Request

__all__ = [
    "AGENT_TOOLS",
    "Recorded",
    "Stop",
    "agent_at_work",
    "choose_agent",
    "is_marked",
    "last_asked",
    "marked_below",
    "news_for_the_model",
    "recorded",
    "server_of",
    "slow_work",
    "stopped_at",
    "wait_for_event",
]

# What each agent calls its tool for commands, and how it names the command.
AGENT_TOOLS: Mapping[str, str] = {
    "run_command": "command",
    "exec_command": "cmd",
    "Bash": "command",
    "shell": "command",
    "bash": "command",
    "run_shell_command": "command",
}
DESCRIBED = ("bash", "run_shell_command")
COMMAND = """setsid sleep 4711 & one=$!; (sleep 4711 & echo $! > /tmp/two); echo so it is
sleep 0.7; kill $one $(cat /tmp/two)"""
SLOWLY = Pace(0.03)
DEADLINE = 15.0


def news_for_the_model(request: Request) -> Sequence[Message]:
    """Return what was said since the model spoke: some agents add reminders of their own."""
    messages = request.messages
    spoke = [at for at, message in enumerate(messages) if message.role == "assistant"]
    return messages[spoke[-1] + 1 :] if spoke else messages


def last_asked(server: ModelServer) -> str:
    """Return the last request of a turn's own: for titles some agents ask beside it."""
    return next(one for one in reversed(server.requests) if one.tools).body.decode()


def slow_work(request: Request) -> Reply:
    """Work as it is told above; a title has no tools, and a question has a short answer."""
    tool = next((name for name in AGENT_TOOLS if name in request.tools), None)
    if tool is None:
        return Answer("A title")
    news = news_for_the_model(request)
    said = " ".join(text for message in news for text in message.texts)
    # What was said before may be told as text, in front of what is asked now.
    asked = re.findall(r"Which turns|Turn \d+(?=: work)", said)[-1:]
    if asked == ["Which turns"]:
        return Answer("I know of them.")
    if any(message.tool_results for message in news):
        return Disturbed(Answer("This is what I found out, and it took me a while."), SLOWLY)
    (turn,) = asked
    given: dict[str, Any] = {AGENT_TOOLS[tool]: COMMAND}
    if tool.lower() in DESCRIBED:
        given["description"] = "Say so"
    call = ToolCall(tool, given)
    return Disturbed(Answer(f"I begin with {turn}, and have a look.", tool_calls=(call,)), SLOWLY)


@contextmanager
def agent_at_work(home: Path, name: str) -> Iterator[tuple[Kernel, ModelServer]]:
    """Have an agent ready in a kernel, in a new session of its notebook; its model works so."""
    with ModelServer(slow_work, strict=False) as server:
        environment = {**server.environment, "JPY_SESSION_NAME": f"/at-work/{name}.ipynb"}
        with Kernel(home, environment) as kernel:
            choose_agent(kernel, name)
            kernel.run("%vibekit_session new")
            yield kernel, server


def choose_agent(kernel: Kernel, name: str) -> None:
    """Load the extension in a kernel that has just begun, and choose an agent."""
    kernel.run("%load_ext vibekit_jupyter")
    kernel.run(f"%vibekit_config --agent {name} --model the-model")


class Recorded(NamedTuple):
    """What is on record of a turn; empty where there is none."""

    status: str = ""
    session: str = ""
    seconds: float = 0.0


def recorded(home: Path, prompt: str) -> Recorded:
    """Return what is on record of the last turn with this prompt."""
    (file,) = home.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        row = database.execute(
            "SELECT status, session, duration FROM turn WHERE prompt = ? ORDER BY id DESC", [prompt]
        ).fetchone()
    return Recorded(*row) if row else Recorded()


@dataclass(frozen=True)
class Stop:
    """What was there after somebody has pressed the stop button.

    Attributes
    ----------
    seconds
        Until nothing of the turn ran any more.
    left
        What did then, where something still does.
    """

    seconds: float
    left: dict[int, str]


def stopped_at(kernel: Kernel, code: str, after: float, *, asks: bool = False) -> tuple[Cell, Stop]:
    """Run a cell, and press the stop button some seconds later.

    One that ``asks`` is stopped so long after its question.
    """
    message = kernel.begin(code, stop_on_error=False, asks=asks)
    if asks:
        kernel.asked(None)
    time.sleep(after)
    kernel.interrupt()
    began = time.monotonic()
    server = server_of(kernel.home)
    while (left := marked_below(server)) and time.monotonic() - began < DEADLINE:
        time.sleep(0.01)
    stop = Stop(time.monotonic() - began, left)
    return kernel.end(message), stop


def server_of(home: Path) -> int:
    """Return the process of a home's sandbox server."""
    (record,) = home.glob("server-*.json")
    return int(json.loads(record.read_text())["pid"])


def marked_below(server: int) -> dict[int, str]:
    """Return the commands in the sandboxes of a server: how each process is called."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    found = {}
    for pid in parents:
        above: int | None = pid
        while above is not None and above != server:
            above = parents.get(above)
        if above is not None and is_marked(pid):
            found[pid] = _called(pid)
    return found


def is_marked(pid: int) -> bool:
    """Whether a process is a command in a sandbox, or was started by one."""
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return False
    line = next((line for line in limits.splitlines() if line.startswith("Max file locks")), "")
    return bool(line) and line.split()[3] != "unlimited"


def _called(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    except OSError:
        return ""


def wait_for_event(home: Path, text: str) -> None:
    """Wait until an event of the first turn with this text is on record."""
    with closing(Registry(home / "sessions.sqlite", read_only=True)) as registry:
        wait_for(lambda: text in str(registry.events(1)), 20, lambda: f"a record of {text!r}")

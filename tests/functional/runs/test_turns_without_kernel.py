"""A kernel is killed in the middle of an agent's turn: what it left ends by itself, nothing that
was said is lost, and a turn that came to its end without it is found so.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import Disturbed, ModelServer, Pace
from tests.support.sandbox_server import sandbox_server
from tests.support.turns_in_cells import marked_below, server_of, wait_for_event
from tests.support.waiting import wait_for
from vibekit_jupyter.demo_model.wire import Answer, ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.model_server import Reply
    from vibekit_jupyter.demo_model.wire import Request

DEADLINE = 60.0
# As patient as a minute is, on a machine that has nothing else to do.
QUICK = (
    "from vibekit_jupyter.agents.relay import outbox, relay\n"
    "relay.ALONE, outbox.ALIVE = {alone}, 0.5"
)
# It says its last words when it is told that nobody hears them.
SLOW = """
import json, os, sys, time
def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
def say(text):
    content = {"type": "text", "text": text}
    update = {"sessionUpdate": "agent_message_chunk", "content": content}
    send(method="session/update", params={"sessionId": "one", "update": update})
for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "initialize":
        send(id=message["id"], result={"protocolVersion": 1, "agentCapabilities": {}})
    elif message["method"] == "session/new":
        send(id=message["id"], result={"sessionId": "one"})
    elif message["method"] == "session/prompt":
        if "Turn 1" not in str(message):
            say("I was told " + " ".join(part["text"] for part in message["params"]["prompt"]))
        else:
            say("My first words")
            while not os.path.exists("gone"):
                time.sleep(0.05)
            say(", and my last ones with sk-of-the-person.")
        send(id=message["id"], result={"stopReason": "end_turn"})
"""


class Killed:
    """A kernel with an agent, which is killed in the middle of its turn."""

    def __init__(self, kernel: Kernel, place: dict[str, str], server: Callable[[], int]) -> None:
        self.kernel = kernel
        self.place = place
        self.server = server

    def killed(
        self, prompt: str, word: str, *, alone: float, then: Callable[[], object] = bool
    ) -> None:
        """Have the kernel killed when its agent has said a word; wait until all has ended."""
        kernel = self.kernel
        kernel.run(QUICK.format(alone=alone))
        kernel.wait_for(kernel.begin(f"%%vibekit\n{prompt}"), word)
        assert marked_below(self.server())
        kernel.kill()
        then()
        wait_for(lambda: not marked_below(self.server()), DEADLINE)

    @contextmanager
    def another(self) -> Iterator[Kernel]:
        """Another kernel of the same notebook."""
        with Kernel(self.kernel.home, self.place) as other:
            other.run("%load_ext vibekit_jupyter")
            yield other


@pytest.fixture(params=["local", "e2b"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, str], int]]:
    """The environment that leads to a service, and its process: 0 is not there yet."""
    if request.param == "local":
        yield {}, 0
        return
    with sandbox_server(tmp_path / "other") as server:
        yield server.environment, server.process.pid


@contextmanager
def begun(
    tmp_path: Path, service: tuple[dict[str, str], int], model: ModelServer, agent: str
) -> Iterator[Killed]:
    environment, pid = service
    home = tmp_path / "home"
    notebook = {"JPY_SESSION_NAME": str(tmp_path / "n.ipynb"), "OTHER_KEY": "sk-of-the-person"}
    place = {**model.environment, **environment, **notebook}
    with Kernel(home, place) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run(f"%vibekit_config --agent {agent} --model the-model")
        kernel.run("%vibekit_session new gone")
        yield Killed(kernel, place, lambda: pid or server_of(home))


def work(request: Request) -> Reply:
    """Say something slowly and without end, with a command before it that leaves others behind."""
    said = " ".join(request.messages[-1].texts)
    if "Turn 0" in said or "Which" in said:
        return Answer("I know of it.")
    if request.messages[-1].tool_results:
        return Disturbed(Answer("The words under way, " + "and more " * 1000), Pace(0.05))
    command = "setsid sleep 4711 > /dev/null 2>&1 & echo so it is"
    return Answer("First a look.", tool_calls=(ToolCall("run_command", {"command": command}),))


def test_what_a_killed_kernel_left_ends_by_itself_and_its_words_are_told_once(
    tmp_path: Path, service: tuple[dict[str, str], int]
) -> None:
    with (
        ModelServer(work, strict=False) as model,
        begun(tmp_path, service, model, "demo-acp") as here,
    ):
        assert "I know" in here.kernel.run("%%vibekit\nTurn 0: say hello").text
        here.killed("Turn 1: work", "under way", alone=6)
        with here.another() as other:
            restored = other.run("%vibekit_session restore").text
            assert "Its last run was cut off" in restored
            last = other.run("%vibekit last").text
            for words in ("First a look.", "so it is", "The words under way"):
                assert words in last
            cell = other.run("%%vibekit --agent demo-acp\nWhich turns were there?")
            assert "The run before was cut off" in cell.text
            told = model.requests[-1].body.decode()
            assert told.count("The words under way") == 1
            assert "First a look." in told
            assert "The kernel ended while the run went on" in told
            cell = other.run("%%vibekit --agent demo-acp\nWhich turns were there?")
            assert "The run before" not in cell.text
            assert model.requests[-1].body.decode().count("The words under way") == 1


def test_a_turn_that_came_to_its_end_without_its_kernel_is_found_so(tmp_path: Path) -> None:
    with ModelServer(strict=False) as model, begun(tmp_path, ({}, 0), model, "demo-acp") as here:
        kernel = here.kernel
        kernel.run(f"source = {SLOW!r}\nfrom vibekit_jupyter import get_client")
        write = "cat > slow.py <<'END'\" + source + \"END"
        kernel.run(f'get_client().sync.execute_command("{write}")')
        command = '%vibekit_config --agent-command "python3 slow.py"'
        kernel.run(command)
        (program,) = kernel.home.rglob("slow.py")
        tell = program.with_name("gone").touch
        here.killed("Turn 1: work", "My first", alone=10, then=tell)
        with here.another() as other, here.another() as third:
            # Both come to it at the same time.
            both = [(each, each.begin("%vibekit_session restore")) for each in (other, third)]
            for each, restoring in both:
                restored = each.end(restoring).text
                assert "Its last run came to its end without its kernel" in restored
            last = other.run("%vibekit last").text
            assert "My first words, and my last ones with [redacted]." in last
            assert "interrupted" not in last
            other.run(command)
            cell = other.run("%%vibekit --model the-model\nTurn 2")
            assert "The run before came to its end without its kernel" in cell.text
            assert "My first words, and my last ones with [redacted]." in cell.text


def test_a_kernels_own_agent_tells_the_words_of_its_step_under_way_too(tmp_path: Path) -> None:
    with ModelServer(work) as model, begun(tmp_path, ({}, 0), model, "codex") as here:
        kernel = here.kernel
        kernel.wait_for(kernel.begin("%%vibekit\nTurn 1: work"), "and more and more and more")
        wait_for_event(kernel.home, "The words under way")
        kernel.kill()
        with here.another() as other:
            other.run("%vibekit_session restore")
            other.run("%%vibekit --agent codex --model the-model\nWhich turns were there?")
            told = model.requests[-1].body.decode()
            assert told.count("First a look.") == 1
            assert told.count("The words under way") == 1

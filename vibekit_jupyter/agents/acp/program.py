"""The program that an agent is: what it is called, how it is started, which model it asks."""

from __future__ import annotations

import functools
import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.launch import Launch
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import printable
from vibekit_jupyter.settings.vendors import OWN_AGENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vibekit_jupyter.agents.acp.known import AcpAgent
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Model, Settings

__all__ = ["DEMO_AGENT", "Program", "called", "program_of"]

DEMO_AGENT: Final = "demo-acp"
# A word of a command that is not what runs: an interpreter, or a whole source.
RUNNER: Final = re.compile(r"(?:python|pypy|node|bun|npx|uvx)[\d.]*|.*\s.*|", re.DOTALL)
# What the modes are called in which agents ask nobody, and in which they ask.
FREE: Final = ("bypassPermissions", "agent-full-access", "yolo", "auto")
ASKING: Final = ("ask", "approve", "read-only", "default")
DEMO_PATH: Final = "/tmp/vibekit/demo_agent.py"  # noqa: S108  (a folder of the sandbox)


@dataclass(frozen=True)
class Program:
    """One agent, with all that is set for it.

    Attributes
    ----------
    name, title
        What it is called on our side, and by a person.
    model
        The model that the kernel asks for it.
    launch
        Says how it is started in a sandbox, by the relay's URL and its token.
    servers
        The MCP servers that it is told of, as the protocol spells them.
    withheld
        The names of those that it is not told of: they need a key, which reaches no sandbox.
    starts_slowly
        The person is told that it is starting.
    """

    name: str
    title: str
    model: Model
    launch: Callable[[Sandbox, str, str], Awaitable[Launch]]
    servers: Sequence[Mapping[str, Any]] = ()
    withheld: Sequence[str] = ()
    starts_slowly: bool = False


def program_of(settings: Settings, name: str, model: Model) -> Program:
    """Return the program of an agent.

    Raises
    ------
    AgentNotInitializedError
        It cannot be used.
    """
    from vibekit_jupyter.agents.acp.known import acp_agent

    if name == OWN_AGENT:
        title = called(settings.agent_command)
        return Program(name, title, model, functools.partial(_own, model, settings))
    if (agent := acp_agent(name)) is not None:
        asks, effort = settings.approve != "never", settings.effort
        start = functools.partial(agent.launch, model=model.name, approve=asks, effort=effort)
        launch = functools.partial(_known, agent, start)
        return Program(name, agent.title, model, launch, starts_slowly=agent.starts_slowly)
    demo = functools.partial(_demo, model, settings)
    return Program(name, "The demo agent", model, demo)


def called(argv: Sequence[str]) -> str:
    """Return what a command is called: its program, or what an interpreter runs."""
    names = [word.rpartition("/")[2] for word in argv if not word.startswith("-")]
    known = next((name for name in names if not RUNNER.fullmatch(name)), argv[0])
    return printable(well_formed(known)) or "the agent"


async def _own(model: Model, settings: Settings, _: Sandbox, url: str, token: str) -> Launch:
    from vibekit_jupyter.agents.acp.known import usual_surroundings

    asks = settings.approve != "never"
    environment = usual_surroundings(url, token, model, approve=asks)
    return Launch(
        settings.agent_command,
        environment,
        modes=ASKING if asks else FREE,
        asks=asks,
        effort=settings.effort,
    )


async def _known(
    agent: AcpAgent, start: Callable[..., Launch], sandbox: Sandbox, url: str, token: str
) -> Launch:
    from vibekit_jupyter.agents.acp.installed import found_in

    return start(await found_in(sandbox, agent), url=url, token=token)


async def _demo(model: Model, settings: Settings, _: Sandbox, url: str, token: str) -> Launch:
    source = importlib.resources.files("vibekit_jupyter.agents.acp").joinpath("demo_agent.py")
    argv = ("python3", "-I", DEMO_PATH)
    files = {DEMO_PATH: source.read_text(encoding="utf-8")}
    environment = {
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": token,
        "VIBEKIT_MODEL": model.name,
    }
    mode = "auto" if settings.approve == "never" else "ask"
    return Launch(argv, environment, files, (mode,), effort=settings.effort)

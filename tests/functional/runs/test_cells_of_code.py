"""An agent knows of the cells that the person runs beside it in the same sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from vibekit_jupyter.agents.instructions import OF_CELLS
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient

pytestmark = pytest.mark.anyio


def times_told(server: ModelServer) -> int:
    """How often the model's last request told it, in all that it held."""
    request = server.requests[-1]
    texts = [text for message in request.messages for text in message.texts]
    return "\n".join([request.system, *texts]).count(OF_CELLS)


@pytest.mark.parametrize("agent", AGENTS)
async def test_the_agent_is_told_once_that_it_does_not_see_the_variables_of_cells(
    new_client: NewClient, agent: AgentName
) -> None:
    other = next(name for name in AGENTS if name != agent)
    with ModelServer([Answer("Done.")] * 6) as server:
        client = new_client(agent=server.agent(agent))
        await client.generate_code("One")
        assert times_told(server) == 0
        await client.run_code("echo bash keeps no variables", language="bash")
        await client.generate_code("Two")
        assert times_told(server) == 0
        await client.run_code("x = 1")
        await client.generate_code("Three", inputs={"n": 5})
        assert times_told(server) == 1
        assert server.requests[-1].prompt == "Three"
        await client.run_code("x = 2")
        await client.generate_code("Four")
        assert times_told(server) == 1
        # It is in the session's conversation, and not in one that begins anew.
        next_client = new_client(agent=server.agent(other), session_id=await client.get_session())
        await next_client.generate_code("Five")
        assert times_told(server) == 1
        await next_client.generate_code("Six", fresh=True)
        assert times_told(server) == 1
    assert server.violations == []
    await client.kill()

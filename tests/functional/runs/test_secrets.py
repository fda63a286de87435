"""No key stands in a traceback, not even with its locals, nor in a log of any library."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import Cut, Disturbed, Garbage, HttpError, ModelServer
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import VibeKitError

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.model_server import Reply
    from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

KEY = "sk-proj-0123456789abcdefgh"
SANDBOX_KEY = "e2b_" + "9f86d081" * 5
NOWHERE = "http://127.0.0.1:9"


def told(error: BaseException, *, variables: bool) -> str:
    """A traceback of an error and its causes, with the locals of its frames if wanted."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=variables)
    return "".join(trace.format())


def fault(number: int) -> Reply:
    faults: list[Reply] = [
        Disturbed(Answer("Some words"), Cut(4)),
        Disturbed(Answer("Some words"), Garbage(2)),
        HttpError(401, f"Incorrect key: {KEY}"),
        HttpError(400, f"What is {KEY}?"),
    ]
    return faults[number]


@pytest.mark.parametrize("agent", ["codex", "claude"])
@pytest.mark.parametrize("number", range(4))
async def test_a_models_key_is_in_no_traceback_and_no_log(
    new_client: NewClient, agent: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ModelServer(lambda _: fault(number)) as server:
        client = new_client(agent=server.agent(agent, KEY))
        with pytest.raises(VibeKitError) as caught:
            await client.generate_code("Do it")
        await client.kill()
    echoed = isinstance(fault(number), HttpError)  # the server's own words are a frame's locals
    assert KEY not in told(caught.value, variables=not echoed)
    assert KEY not in caplog.text + repr(client) + repr(client.settings)


@pytest.mark.parametrize("reachable", [True, False])
async def test_a_sandbox_services_key_is_in_no_traceback_and_no_log(
    new_client: NewClient,
    other_server: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    *,
    reachable: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = other_server.url if reachable else NOWHERE
    e2b = {"api_key": SANDBOX_KEY, "api_url": url, "sandbox_url": url}
    client = new_client(environment={"e2b": e2b})
    with pytest.raises(VibeKitError) as caught:
        await client.execute_command("true")
    assert "e2b" in told(caught.value, variables=True)
    assert SANDBOX_KEY not in told(caught.value, variables=True).replace(f"e2b = {e2b!r}", "")
    assert SANDBOX_KEY not in caplog.text + repr(client) + repr(client.settings)

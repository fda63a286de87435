"""Headers that a gateway wants go out with each request, to it alone, and are shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.agents.support import ask
from tests.support.raw_server import RawServer, response
from vibekit_jupyter import agents
from vibekit_jupyter.errors import ModelError
from vibekit_jupyter.settings.choices import choose_model
from vibekit_jupyter.settings.config import AGENTS, AgentName, read_settings
from vibekit_jupyter.settings.described import describe
from vibekit_jupyter.settings.layers import resolve
from vibekit_jupyter.settings.mappings import given

if TYPE_CHECKING:
    from vibekit_jupyter.settings.config import Model, Settings

pytestmark = pytest.mark.anyio

TOKEN = "gw-5f0c9e1b77aa4d2b"
HEADERS = {"X-Team": "analytics", "cf-aig-authorization": f"Bearer {TOKEN}"}


def settings_at(url: str, agent: AgentName) -> Settings:
    model = {"base_url": url, "api_key": "k" * 20, "headers": HEADERS}
    return read_settings({"type": agent, "model": model})


def model_at(url: str, agent: AgentName) -> Model:
    model = choose_model(settings_at(url, agent), agent)
    assert model is not None
    return model


@pytest.mark.parametrize("agent", AGENTS)
async def test_headers_go_out_and_a_refusal_that_repeats_them_does_not_show_them(
    agent: AgentName,
) -> None:
    told = b'{"error": {"message": "no: Bearer ' + TOKEN.encode() + b'"}}'
    with RawServer(response(told, status=400)) as server:
        vendor = agents.load(model_at(server.url, agent))
        with pytest.raises(ModelError, match=r"no: \[key\]") as caught:
            await ask(vendor, "Hello")
        await vendor.aclose()
        sent = server.requests[0].lower()
    assert f"cf-aig-authorization: bearer {TOKEN}" in sent
    assert "x-team: analytics" in sent
    assert caught.value.__cause__ is None
    assert TOKEN not in repr(model_at(server.url, agent))


@pytest.mark.parametrize("agent", AGENTS)
async def test_no_other_host_gets_them(agent: AgentName) -> None:
    """A service may redirect, and one that is not on this machine is followed."""
    with RawServer(response(b"{}", status=400)) as other:
        moved = f"HTTP/1.1 307 X\r\nLocation: {other.url}/v1/x\r\nContent-Length: 0\r\n\r\n"
        with RawServer(lambda: iter([moved.encode()]), host="127.0.0.2") as server:
            vendor = agents.load(model_at(server.url, agent))
            with pytest.raises(ModelError):
                await ask(vendor, "Hello")
            await vendor.aclose()
    assert TOKEN in server.requests[0]
    assert other.requests
    assert not [head for head in other.requests if TOKEN in head or "k" * 20 in head]


@pytest.mark.parametrize("agent", AGENTS)
def test_what_is_used_names_them_without_their_values(agent: AgentName) -> None:
    model = {"base_url": "https://llm.example.org/v1", "headers": HEADERS}
    rows = describe(resolve(given({"type": agent, "model": model})))
    assert ("sent along", "the headers X-Team, cf-aig-authorization", "as set here") in rows
    assert TOKEN not in str(rows)

"""A certificate that is not accepted is told as that, for models and sandboxes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.functional.agents.support import ask
from tests.support.model_server import ModelServer
from tests.support.tls_server import HOST, TlsServer, connect_proxy, tls_front, tls_server
from vibekit_jupyter import agents
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import (
    ModelUnavailableError,
    SandboxAuthenticationError,
    SandboxUnreachableError,
)
from vibekit_jupyter.sandbox.bounded_transport import drop_pools
from vibekit_jupyter.settings.config import AGENTS, AgentName, Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

FAULTS = {
    "expired": (f"IP:{HOST}", -1, "has expired, or is not valid yet. Check this machine's clock"),
    "another host": ("DNS:llm.example.org", 2, "is for another host. Check the URL"),
    "private": (f"IP:{HOST}", 2, r"is not trusted. .*SSL_CERT_FILE"),
}


@pytest.fixture(autouse=True)
def no_certificates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    drop_pools()  # of tests before, with what they trusted
    yield
    drop_pools()


def trust(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    drop_pools()


def model_at(url: str, agent: AgentName) -> Model:
    url = f"{url}/v1" if agent == "codex" else url
    return Model(agent=agent, name="m", base_url=url, api_key="k" * 20, source="in a test")


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_wrong_with_a_certificate_is_told_and_what_to_do(
    fault: str, new_client: NewClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, days, told = FAULTS[fault]
    with tls_server(tmp_path, names, days) as server:
        if fault != "private":
            trust(server, monkeypatch)
        for agent in AGENTS:
            vendor = agents.load(model_at(server.url, agent))
            with pytest.raises(ModelUnavailableError, match=f"The certificate of .*{told}"):
                await ask(vendor, "Hello")
            await vendor.aclose()
        e2b = {"api_key": f"e2b_{0:040}", "api_url": server.url, "sandbox_url": server.url}
        with pytest.raises(SandboxUnreachableError, match=f"The certificate of .*{told}"):
            await new_client(environment={"e2b": e2b}).new()


async def test_a_variable_of_another_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(tmp_path) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.authority))
        vendor = agents.load(model_at(server.url, "codex"))
        with pytest.raises(ModelUnavailableError, match=r"REQUESTS_CA_BUNDLE is not read here: .*"):
            await ask(vendor, "Hello")
        await vendor.aclose()


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"], ids=["far", "loopback"])
@pytest.mark.parametrize("agent", AGENTS)
async def test_a_model_behind_a_private_authority_answers_where_its_file_is_named(
    agent: AgentName, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        ModelServer(lambda _: Answer("Hello.")) as models,
        tls_front(tmp_path, urlsplit(models.openai_url).port or 0, host) as server,
    ):
        vendor = agents.load(model_at(server.url, agent))
        with pytest.raises(ModelUnavailableError, match=r"is not trusted. .*SSL_CERT_FILE"):
            await ask(vendor, "Hello")
        await vendor.aclose()
        trust(server, monkeypatch)
        vendor = agents.load(model_at(server.url, agent))
        _, text, _ = await ask(vendor, "Hello")
        assert text == "Hello."
        await vendor.aclose()


async def test_the_api_and_the_sandboxes_are_told_apart_from_silence(
    new_client: NewClient,
    other_server: SandboxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = urlsplit(other_server.url).port or 0
    with tls_front(tmp_path, port, "127.0.0.1") as server:
        half = {**other_server.where, "sandbox_url": server.url}
        client = new_client(environment={"e2b": half})
        await client.new()
        with pytest.raises(SandboxUnreachableError, match=r"is not trusted. .*SSL_CERT_FILE"):
            await client.execute_command("true")
        trust(server, monkeypatch)
        assert (await client.execute_command("echo trusted")).stdout == "trusted\n"
        await client.kill()
        client = new_client(environment={"e2b": {**half, "api_url": server.url}})
        await client.new()
        assert (await client.execute_command("echo trusted")).stdout == "trusted\n"
        await client.kill()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_run_goes_through_the_proxy_that_is_named(
    new_client: NewClient, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        ModelServer(lambda _: Answer("Hello.")) as models,
        tls_front(tmp_path, urlsplit(models.openai_url).port or 0) as front,
        connect_proxy() as (proxy, asked),
    ):
        trust(front, monkeypatch)
        monkeypatch.setenv(variable, proxy)
        for agent in AGENTS:
            url = model_at(front.url, agent).base_url
            client = new_client(
                agent={"type": agent, "model": {"base_url": url, "api_key": "k" * 20}},
                environment={"local": {}},
            )
            assert (await client.generate_code("Hello")).text == "Hello."
            assert asked == [urlsplit(front.url).netloc]  # and nothing of this machine
            asked.clear()
            await client.kill()
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, HOST)
        vendor = agents.load(model_at(front.url, "codex"))
        await ask(vendor, "Hello")
        await vendor.aclose()
        assert asked == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_sandboxes_are_asked_for_through_the_proxy_that_is_named(
    new_client: NewClient, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(tmp_path) as server, connect_proxy() as (proxy, asked):
        trust(server, monkeypatch)
        monkeypatch.setenv(variable, proxy)
        e2b = {"api_key": f"e2b_{0:040}", "api_url": server.url, "sandbox_url": server.url}
        with pytest.raises(SandboxAuthenticationError):
            await new_client(environment={"e2b": e2b}).new()
        assert set(asked) == {urlsplit(server.url).netloc}

"""What the environment names and cannot be used, a proxy or certificates, is named in the error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.agents.support import ask
from tests.support.kernel import Kernel
from tests.support.tls_server import TlsServer, tls_server
from vibekit_jupyter import agents
from vibekit_jupyter.errors import (
    ConfigurationError,
    ModelAuthenticationError,
    ModelUnavailableError,
    SandboxUnreachableError,
)
from vibekit_jupyter.settings.config import AGENTS, AgentName, Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import NewClient

pytestmark = pytest.mark.anyio

PROXIES = {
    "ALL_PROXY": "socks://user:geheim@127.0.0.1:9",
    "all_proxy": "socks4://127.0.0.1:9",
    "HTTPS_PROXY": "ftp://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:port",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with tls_server(tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.fixture(autouse=True)
def no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def at_e2b(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2B_API_KEY", f"e2b_{'0' * 40}")
    monkeypatch.setenv("E2B_API_URL", server.url)


def model_at(url: str, agent: AgentName) -> Model:
    return Model(agent=agent, name="m", base_url=url, api_key="k" * 20, source="in a test")


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("agent", AGENTS)
def test_a_proxy_that_a_model_cannot_be_asked_through_is_named(
    agent: AgentName, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, PROXIES[name])
    with pytest.raises(ConfigurationError, match=rf"cannot be asked: {name} .*Correct") as caught:
        agents.load(model_at("https://127.0.0.2:9/v1", agent))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_package_that_a_proxy_needs_is_named(
    agent: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY names a SOCKS proxy.* socksio"):
        agents.load(model_at("https://127.0.0.2:9/v1", agent))


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.usefixtures("at_e2b")
async def test_no_sandbox_is_asked_for_around_a_proxy_that_cannot_be_used(
    new_client: NewClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, PROXIES[name])
    with pytest.raises(ConfigurationError, match=rf"sandbox service.* cannot be asked: {name} "):
        await new_client().new()


@pytest.mark.usefixtures("at_e2b")
async def test_a_proxy_that_is_not_gone_through_stops_nobody(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXIES["ALL_PROXY"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.2")
    with pytest.raises(SandboxUnreachableError, match="not trusted"):
        await new_client().new()


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
@pytest.mark.parametrize("agent", AGENTS)
def test_a_stale_file_of_certificates_is_named(
    agent: AgentName, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE names a file .*Correct"):
        agents.load(model_at("https://127.0.0.2:9/v1", agent))


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_stale_folder_of_certificates_is_named(
    agent: AgentName, server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "gone"))
    vendor = agents.load(model_at(server.url, agent))
    with pytest.raises(ModelUnavailableError, match=r"not trusted. SSL_CERT_DIR names no folder"):
        await ask(vendor, "Hello")
    await vendor.aclose()


@pytest.mark.parametrize("agent", AGENTS)
async def test_certificates_that_are_named_are_trusted(
    agent: AgentName, server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = agents.load(model_at(server.url, agent))
    with pytest.raises(ModelUnavailableError, match="name its file in SSL_CERT_FILE"):
        await ask(vendor, "Hello")
    await vendor.aclose()
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    vendor = agents.load(model_at(server.url, agent))
    with pytest.raises(ModelAuthenticationError):
        await ask(vendor, "Hello")
    await vendor.aclose()


E2B = "%vibekit_session new"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_kernel_names_stale_certificates_for_sandboxes_and_models(
    name: str, server: TlsServer, tmp_path: Path
) -> None:
    environment = {
        name: str(tmp_path / "gone"),
        "E2B_API_KEY": f"e2b_{'0' * 40}",
        "E2B_API_URL": server.url,
        "OPENAI_API_KEY": "k" * 20,
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_API_KEY": "k" * 20,
        "ANTHROPIC_BASE_URL": server.url,
    }
    with Kernel(tmp_path / "home", environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        told = kernel.run(E2B)
        assert f"is not trusted. {name} names " in told.text
        kernel.run(f"import os\nos.environ['SSL_CERT_FILE'] = '{server.authority}'")
        assert "refused the key" in kernel.run(E2B).text  # what was corrected is used
        kernel.run(f"del os.environ['SSL_CERT_FILE']\nos.environ['{name}'] = '/nowhere'")
        kernel.run("%vibekit_config --environment local")
        for agent in AGENTS:
            assert name in kernel.run(f"%%vibekit --agent {agent}\nHello").text
        kernel.run("%vibekit_session kill --force")


def test_a_kernel_names_a_proxy_that_cannot_be_used(tmp_path: Path) -> None:
    environment = {
        "ALL_PROXY": PROXIES["ALL_PROXY"],
        "E2B_API_KEY": f"e2b_{'0' * 40}",
        "OPENAI_API_KEY": "k" * 20,
        "ANTHROPIC_API_KEY": "k" * 20,
    }
    with Kernel(tmp_path / "home", environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        assert "cannot be asked: ALL_PROXY " in kernel.run(E2B).text
        # What is on this machine is reached all the same.
        assert kernel.run("%vibekit_config --environment local").status == "ok"
        assert kernel.run("%vibekit_session new").status == "ok"
        for agent in AGENTS:
            told = kernel.run(f"%%vibekit --agent {agent}\nHello").text
            assert "cannot be asked: ALL_PROXY " in told
            assert "geheim" not in told
        kernel.run("%vibekit_session kill --force")

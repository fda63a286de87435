"""What is typed after a magic decides what a model service is sent, and which one is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import ModelServer
from vibekit_jupyter.demo_model.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.kernel import Cell

BOUND = {"codex": "max_output_tokens", "claude": "max_tokens"}
# Of either vendor, where a person says how hard the model is to think.
OPTIONAL = {
    "codex": {"reasoning", "store", "include", "prompt_cache_key"},
    "claude": {"thinking", "output_config", "cache_control"},
}
agents = pytest.mark.parametrize("agent", ["codex", "claude"])


def loaded(kernel: Kernel) -> Kernel:
    assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
    return kernel


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    def script(_: Request) -> Answer:
        return Answer("Answered.")

    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel") / "home", server.environment) as kernel:
        yield loaded(kernel)


def sent(kernel: Kernel, server: ModelServer, code: str) -> Mapping[str, Any]:
    cell = kernel.run(code)
    assert cell.status == "ok", cell.error
    return server.requests[-1].json


def is_one_sentence(cell: Cell, ename: str, *words: str) -> None:
    assert (cell.status, cell.ename) == ("error", ename), cell.text
    assert cell.error is not None
    (line,) = cell.error
    for word in words:
        assert word in line


@agents
def test_fields_are_left_out_of_one_run(kernel: Kernel, server: ModelServer, agent: str) -> None:
    whole = sent(kernel, server, f"%%vibekit --agent {agent} --effort high\nhello")
    assert whole.keys() >= OPTIONAL[agent]
    names = ",".join(sorted(OPTIONAL[agent]))
    for line in (f"%%vibekit --without {names}", f"%%vibekit --without='{names}, store'"):
        less = sent(kernel, server, f"{line} --agent {agent} --effort high\nhello")
        assert less.keys() == whole.keys() - OPTIONAL[agent]
    line = f"%vibekit --without {names} --agent {agent} --effort high hello"
    assert sent(kernel, server, line).keys() == whole.keys() - OPTIONAL[agent]
    again = sent(kernel, server, f"%%vibekit --agent {agent} --effort high\nhello")
    assert again.keys() == whole.keys()


@agents
def test_fields_are_left_out_until_they_are_taken_back(
    kernel: Kernel, server: ModelServer, agent: str
) -> None:
    names = ",".join(sorted(OPTIONAL[agent]))
    ask = f"%%vibekit --agent {agent} --effort high\nhello"
    shown = kernel.run(f"%vibekit_config --agent {agent} --without {names}").text
    assert ", ".join(sorted(OPTIONAL[agent])) in shown
    assert not sent(kernel, server, ask).keys() & OPTIONAL[agent]
    assert (
        sent(kernel, server, ask.replace("--agent", "--without '' --agent")).keys()
        >= (OPTIONAL[agent])
    )
    kernel.run(f"%vibekit_config --agent {agent} --without ''")
    assert sent(kernel, server, ask).keys() >= OPTIONAL[agent]


@agents
def test_an_answers_bound_is_sent(kernel: Kernel, server: ModelServer, agent: str) -> None:
    field = BOUND[agent]
    usual = sent(kernel, server, f"%%vibekit --agent {agent}\nhello").get(field)
    line = f"--agent {agent} --max-output-tokens 123"
    assert sent(kernel, server, f"%%vibekit {line}\nhello")[field] == 123
    assert sent(kernel, server, f"%vibekit {line} hello")[field] == 123
    assert sent(kernel, server, f"%%vibekit --agent {agent}\nhello").get(field) == usual
    assert "4567 tokens" in kernel.run("%vibekit_config --max-output-tokens 4567").text
    assert sent(kernel, server, f"%%vibekit --agent {agent}\nhello")[field] == 4567
    assert sent(kernel, server, f"%%vibekit {line}\nhello")[field] == 123
    kernel.run("%vibekit_config --max-output-tokens 0")
    assert sent(kernel, server, f"%%vibekit --agent {agent}\nhello").get(field) == usual


@pytest.mark.parametrize(
    ("option", "ename"),
    [
        ("--without reasoning,nonsense", "ConfigurationError"),
        ("--without", "UsageError"),
        ("--max-output-tokens -5", "ConfigurationError"),
        ("--max-output-tokens many", "UsageError"),
        ("--max-output-tokens 1.5", "UsageError"),
        ("--max-output-tokens", "UsageError"),
    ],
)
@pytest.mark.parametrize("form", ["%%vibekit {}\nhello", "%vibekit_config {}"])
def test_what_cannot_be_is_one_sentence(
    kernel: Kernel, server: ModelServer, form: str, option: str, ename: str
) -> None:
    before = len(server.requests)
    is_one_sentence(kernel.run(form.format(option), stop_on_error=False), ename)
    assert len(server.requests) == before


@pytest.fixture(scope="module")
def one_vendor(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel in which only OpenAI is configured."""
    environment = {
        name: value for name, value in server.environment.items() if "ANTHROPIC" not in name
    }
    with Kernel(tmp_path_factory.mktemp("one") / "home", environment) as kernel:
        yield loaded(kernel)


@pytest.fixture(scope="module")
def newcomers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel in which no model is configured."""
    with Kernel(tmp_path_factory.mktemp("newcomer") / "home") as kernel:
        yield loaded(kernel)


@pytest.mark.parametrize(
    "code",
    [
        "%%vibekit --agent claude\nhello",
        "%%vibekit --agent claude --model some-model\nhello",
        "%vibekit --agent claude hello",
        "await get_client().generate_code('hello', agent='claude')",
        "await VibeKit(agent='claude').generate_code('hello')",
    ],
)
def test_an_agent_without_its_vendor_is_an_error_where_the_other_is_there(
    one_vendor: Kernel, server: ModelServer, code: str
) -> None:
    before = len(server.requests)
    one_vendor.run("from vibekit_jupyter import VibeKit, get_client")
    cell = one_vendor.run(code, stop_on_error=False)
    is_one_sentence(cell, "AgentNotInitializedError", "Anthropic", "ANTHROPIC_API_KEY")
    assert len(server.requests) == before
    assert "demo" not in one_vendor.run("%%vibekit\nhello").text
    assert len(server.requests) == before + 1


def test_an_agent_that_is_set_without_its_vendor_says_so(one_vendor: Kernel) -> None:
    assert "not usable" in one_vendor.run("%vibekit_config --agent claude").text
    cell = one_vendor.run("%%vibekit\nhello", stop_on_error=False)
    is_one_sentence(cell, "AgentNotInitializedError", "Anthropic")
    one_vendor.run("%vibekit_config --agent codex")
    assert one_vendor.run("%%vibekit\nhello").status == "ok"


@pytest.mark.parametrize("agent", ["", "--agent codex", "--agent claude"])
def test_with_nothing_configured_the_demo_answers_unless_a_model_is_named(
    newcomers: Kernel, agent: str
) -> None:
    ask = f"%%vibekit {agent}\nWrite primes.py that prints the first ten primes, and run it"
    assert "demo model" in newcomers.run(ask).text
    named = f"%%vibekit {agent} --model gpt-nonsense\nhello"
    is_one_sentence(newcomers.run(named, stop_on_error=False), "AgentNotInitializedError", "gpt-")
    newcomers.run(f"%vibekit_config {agent} --model gpt-nonsense")
    cell = newcomers.run(f"%%vibekit {agent}\nhello", stop_on_error=False)
    is_one_sentence(cell, "AgentNotInitializedError", "gpt-nonsense")
    newcomers.run(f"%vibekit_config {agent} --model ''")
    assert "demo model" in newcomers.run(ask).text

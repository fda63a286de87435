"""``%vibekit_config mcp``: servers are named, listed and taken back, and no key is ever shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "https://mcp.example.org/mcp"
KEY = "sk-docs-0123456789abcdef"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("mcp") / "home"
    with Kernel(home, {"JUPYTER_CONFIG_DIR": str(config)}) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        yield kernel


def test_a_server_is_named_listed_and_taken_back(kernel: Kernel) -> None:
    assert "There is no MCP server" in kernel.run("%vibekit_config mcp list").text
    assert URL in kernel.run(f"%vibekit_config mcp add docs {URL}").text
    assert "tools of docs" in kernel.run("%vibekit_config").text
    assert URL not in kernel.run("%vibekit_config mcp remove docs").text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("add docs", "mcp add NAME URL"),
        (f"list {URL}", "mcp add NAME URL"),
        ("add Docs https://x", "cannot be the name of an MCP server"),
        ("add docs ftp://x", "no URL that it could be asked at"),
        (f"add docs https://me:{KEY}@x", "a key in its URL"),
        (f"add docs {URL} {KEY}", "something does not belong on the line"),
        ("remove other", "There is no MCP server 'other' in this kernel"),
    ],
)
def test_what_is_wrong_is_a_sentence_without_the_key(kernel: Kernel, line: str, words: str) -> None:
    text = kernel.run(f"%vibekit_config mcp {line}").text
    assert words in text
    assert KEY not in text


def test_what_may_be_a_key_in_a_url_is_not_shown_or_saved(kernel: Kernel, config: Path) -> None:
    text = kernel.run(f"%vibekit_config mcp add docs '{URL}?token={KEY}' --save").text
    kernel.run("%vibekit_config mcp remove docs")
    assert KEY not in text
    assert not any(KEY in path.read_text() for path in config.glob("*.toml"))


def test_a_server_that_is_saved_is_there_for_other_kernels(kernel: Kernel, config: Path) -> None:
    kernel.run(f"%vibekit_config mcp add docs {URL} --save")
    kernel.run("%vibekit_config mcp remove docs")
    assert URL in (config / "vibekit.toml").read_text()
    assert "from a file" in kernel.run("%vibekit_config mcp list").text
    text = kernel.run("%vibekit_config mcp remove docs").text
    assert "Take [mcp.docs] out there" in text

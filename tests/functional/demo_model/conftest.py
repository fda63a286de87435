"""The demo model as the package runs it: a process that ends with its standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from tests.support.tool_loop import Folder, ask_anthropic, ask_openai

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "a-random-key"


@dataclass(frozen=True)
class Demo:
    """The running demo model."""

    process: subprocess.Popen[str]
    url: str
    key: str = KEY


def start() -> Demo:
    process = subprocess.Popen(
        [sys.executable, "-m", "vibekit_jupyter.demo_model"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{KEY}\n")
    process.stdin.flush()
    return Demo(process, json.loads(process.stdout.readline())["url"])


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """A demo model; it goes when its standard input closes, and has nothing to complain of."""
    running = start()
    yield running
    _, complaints = running.process.communicate(timeout=10)
    assert (running.process.returncode, complaints) == (0, "")


@pytest.fixture
def own_demo() -> Iterator[Demo]:
    """A demo model that a test may end."""
    running = start()
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.fixture
def openai_client(demo: Demo) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{demo.url}/v1", api_key=demo.key, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(demo: Demo) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=demo.url, api_key=demo.key, max_retries=0) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder to work in."""
    (tmp_path / "work").mkdir()
    return Folder(tmp_path / "work")


@pytest.fixture(params=["openai", "anthropic"])
def ask(
    request: pytest.FixtureRequest,
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    folder: Folder,
) -> Callable[[str], str]:
    """Ask within one conversation; the last words are returned, and all say who speaks."""
    history: list[object] = []

    def run(prompt: str) -> str:
        if request.param == "openai":
            texts = ask_openai(openai_client, prompt, folder, history)
        else:
            texts = ask_anthropic(anthropic_client, prompt, folder, history)
        assert all(text.startswith("Demo model: ") for text in texts)
        return texts[-1]

    return run

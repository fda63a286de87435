"""The end of a long run is told to a notebook's page, and nothing is told of any other run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import HttpError, ModelServer, Reply
from vibekit_jupyter.demo_model.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = "import sys; print({'anywidget', 'ipywidgets'} & {*sys.modules} or 'light')"
# What is told of does not depend on how long a run must be for it.
EVERY_RUN_IS_LONG = "from vibekit_jupyter.notebook import run; run.LONG = 0.0"


def script(request: Request) -> Reply:
    return HttpError.unauthorized() if request.prompt == "refuse" else Answer("Answered.")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("kernel") / "home"
    with ModelServer(script) as server, Kernel(home, server.environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel


def told(kernel: Kernel, message: str) -> list[str]:
    """Return the words of the widgets that a cell makes."""
    states = [
        content["data"]["state"]
        for kind, content in kernel.outputs(message)
        if kind == "comm_open" and content["target_name"] == "jupyter.widget"
    ]
    return [state["words"] for state in states if "words" in state]


def test_a_short_run_costs_nothing(kernel: Kernel) -> None:
    assert told(kernel, kernel.begin_named("one", "%%vibekit\nhello")) == []
    assert kernel.run(HEAVY).stdout == "light\n"


def test_a_long_run_tells_nothing_where_there_is_no_page(kernel: Kernel) -> None:
    kernel.run(EVERY_RUN_IS_LONG)
    assert told(kernel, kernel.begin("%%vibekit\nhello")) == []
    assert kernel.run(HEAVY).stdout == "light\n"


@pytest.mark.parametrize("magic", ["%%vibekit\n", "%vibekit "])
@pytest.mark.parametrize(("prompt", "words"), [("hello", "codex done"), ("refuse", "codex failed")])
def test_a_long_run_tells_a_page_how_it_ended(
    kernel: Kernel, magic: str, prompt: str, words: str
) -> None:
    kernel.run(EVERY_RUN_IS_LONG)
    assert told(kernel, kernel.begin_named("two", magic + prompt)) == [words]

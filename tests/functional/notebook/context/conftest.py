"""A kernel whose model answers what a prompt's first word asks for, and keeps what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import ModelServer, Reply
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "sk-proj-4f9a81c2d7e6b350"
MULTILINE = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA7bq\n-----END KEY-----"

ONE_BLOCK = "Here it is:\n\n```python\ntotal = 1 + 1\nprint(total)\n```\n\nThat is all."
TWO_BLOCKS = (
    "```python\nx = 1\n```\n\nThen:\n\n- so:\n\n  ```py\n  y = 2\n  ```\n\n```bash\nls\n```"
)
MAGICS = "```python\n%%bash\nrm -rf ~/everything\n```"
PROGRAM = "print('from a file')\n"


def script(request: Request) -> Reply:
    prompt = request.prompt
    if prompt.startswith("write") and not request.messages[-1].tool_results:
        arguments = {"path": "program.py", "content": PROGRAM}
        return Answer(tool_calls=(ToolCall("write_file", arguments),))
    for start, text in {
        "one": ONE_BLOCK,
        "two": TWO_BLOCKS,
        "magics": MAGICS,
        "A cell of my notebook failed. Say": "It divides by zero.\n\n```python\nratio = 1\n```",
        "A cell of my notebook failed. Explain": "It divides by zero.",
        "secret": f"```python\nkey = '{SECRET}'\n```",
    }.items():
        if prompt.startswith(start):
            return Answer(text)
    return Answer("Answered.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def environment(server: ModelServer) -> dict[str, str]:
    return {**server.environment, "MY_TOKEN": SECRET, "SSL_KEY": MULTILINE}


@pytest.fixture(scope="module")
def kernel(
    server: ModelServer, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("context") / "home", environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel

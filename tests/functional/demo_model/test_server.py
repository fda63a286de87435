"""The demo model's server: for its own kernel only, quick to come and quick to go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    import anthropic
    import openai

    from tests.functional.demo_model.conftest import Demo

BODIES: dict[str, dict[str, Any]] = {
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/messages": {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    },
}


def post(demo: Demo, path: str, headers: dict[str, str], content: bytes | None = None) -> Any:
    return httpx2.post(
        demo.url + path,
        headers=headers,
        content=json.dumps(BODIES.get(path, {})).encode() if content is None else content,
        trust_env=False,
    )


@pytest.mark.parametrize("path", BODIES)
def test_only_the_right_key_is_let_in(demo: Demo, path: str) -> None:
    right = {"Authorization": f"Bearer {demo.key}"}
    assert post(demo, path, right).status_code == 200
    if path == "/v1/messages":
        assert post(demo, path, {"x-api-key": demo.key}).status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": demo.key},
                    {"Authorization": "Bearer é".encode()}, {"x-api-key": ""}):  # fmt: skip
        refused = post(demo, path, headers)  # type: ignore[arg-type]  # bytes are a header too
        assert refused.status_code == 401
        assert "demo model" in refused.json()["error"]["message"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "", "0.0.0.0:1"])
def test_a_rebound_name_is_turned_away(demo: Demo, host: str) -> None:
    headers = {"Authorization": f"Bearer {demo.key}", "Host": host}
    for path in BODIES:
        assert post(demo, path, headers).status_code == 403


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"input": [1]}', b'{"messages": [1], "input": 5}',
     b'{"messages": 5, "input": {"a": 1}}', b'{"input": [{"type": "function_call"}]}',
     b'{"messages": [{"role": "user", "content": [{"type": "tool_use"}]}], "input": [null]}'],
)  # fmt: skip
def test_an_unreadable_request_is_a_400(demo: Demo, content: bytes) -> None:
    for path in BODIES:
        answer = post(demo, path, {"Authorization": f"Bearer {demo.key}"}, content)
        assert answer.status_code in (200, 400)
        assert answer.json()


def test_unknown_paths_are_a_404(demo: Demo) -> None:
    headers = {"Authorization": f"Bearer {demo.key}"}
    assert post(demo, "/v1/chat/completions", headers).status_code == 404
    assert httpx2.get(f"{demo.url}/", headers=headers, trust_env=False).status_code == 404


def test_both_sdks_list_the_demo(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    assert [model.id for model in openai_client.models.list()] == ["demo"]
    assert [model.id for model in anthropic_client.models.list()] == ["demo"]


def test_a_prompt_of_a_megabyte_is_answered(openai_client: openai.OpenAI) -> None:
    response = openai_client.responses.create(model="demo", input="word " * 220_000)
    assert "Demo model" in response.output_text


def test_a_streamed_answer_takes_no_time_to_speak_of(openai_client: openai.OpenAI) -> None:
    began = time.monotonic()
    with openai_client.responses.create(model="demo", input="hello", stream=True) as stream:
        kinds = [event.type for event in stream]
    assert kinds.count("response.output_text.delta") > 5
    assert time.monotonic() - began < 1


def test_a_client_that_hangs_up_does_not_disturb_it(demo: Demo) -> None:
    headers = {"Authorization": f"Bearer {demo.key}"}
    body = {**BODIES["/v1/responses"], "stream": True}
    for _ in range(3):
        with httpx2.stream(
            "POST", f"{demo.url}/v1/responses", headers=headers, json=body, trust_env=False
        ) as response:
            next(response.iter_bytes(1))
    assert post(demo, "/v1/responses", headers).status_code == 200


def test_it_ends_with_its_parent(own_demo: Demo) -> None:
    assert own_demo.process.stdin is not None
    own_demo.process.stdin.close()
    own_demo.process.stdin = None
    assert own_demo.process.wait(5) == 0


def test_it_ends_when_it_is_told_to(own_demo: Demo) -> None:
    own_demo.process.terminate()
    assert own_demo.process.wait(5) == -signal.SIGTERM


def test_without_a_key_it_does_not_start() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "vibekit_jupyter.demo_model"],
        input="\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "key" in refused.stderr


def test_the_key_is_in_no_argument_and_no_environment(own_demo: Demo) -> None:
    from pathlib import Path

    process = Path(f"/proc/{own_demo.process.pid}")
    if not process.exists():
        pytest.skip("no /proc here")
    for name in ("cmdline", "environ"):
        assert own_demo.key.encode() not in (process / name).read_bytes()


def test_starting_it_imports_no_http_framework_and_no_sdk() -> None:
    code = (
        "import sys, vibekit_jupyter.demo_model.__main__\n"
        "print({'aiohttp', 'openai', 'anthropic', 'e2b', 'IPython', 'asyncio'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"

"""What a sandbox answers to a look is a stranger's word: it may mislead, and it breaks nothing."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.model_server import Disturbed, ModelServer, Stall
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.events import FileChanged, Notice
from vibekit_jupyter.notebook.render import Transcript, to_html, to_plain
from vibekit_jupyter.runs.look import NOTHING, _read

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import Result

pytestmark = pytest.mark.anyio

HOME = "/home/user"
FILE = {"path": f"{HOME}/a.csv", "size": 3, "changed": 9e8, "born": 9e8, "data": None}


def told(**changes: object) -> str:
    return json.dumps({**NOTHING, "files": [{**FILE, **changes}]})


async def run(new_client: NewClient, profile: str) -> tuple[Result, list[Event]]:
    """Run a command that makes a file, in a sandbox whose user has this ``~/.bash_profile``."""
    heard: list[Event] = []
    call = ToolCall("run_command", {"command": "echo one > made.txt"})
    first = Disturbed(Answer("I begin.", tool_calls=(call,)), Stall(1, 0.5))
    with ModelServer([first, Answer("Done.")]) as server:
        model = {"base_url": server.openai_url, "api_key": "any"}
        client = new_client(agent={"type": "codex", "model": model})
        await client.execute_command(f"python3 - <<'END'\n{_writing(profile)}\nEND")
        result = await client.generate_code("Do it", on_event=heard.append)
        await client.kill()
    return result, heard


def _writing(profile: str) -> str:
    return (
        "import os, pathlib\n"
        "os.makedirs('bin', exist_ok=True)\n"
        "for name in ('python3', 'find', 'env', 'bash', 'printf', 'stat'):\n"
        "    path = pathlib.Path('bin', name)\n"
        "    path.write_text('#!/bin/sh\\necho false; exit 0\\n')\n"
        "    path.chmod(0o755)\n"
        f"pathlib.Path('.bash_profile').write_text({profile!r})\n"
    )


@pytest.mark.parametrize(
    "profile",
    [
        "export PATH=/home/user/bin:$PATH\n",
        "export PATH=/home/user/bin\n",
        "echo hello; echo '{}' >&2; trap 'echo bye' EXIT\n",
        """python3() { echo false; }; find() { :; }; exec() { echo false; }; printf() { :; }
export -f python3 find exec printf
""",
        "export PYTHONHOME=/home/user BASH_ENV=/home/user/.bash_profile\n",
        "alias find=false; shopt -s expand_aliases; set -f\n",
    ],
    ids=["first in the path", "alone in it", "words", "functions", "variables", "aliases"],
)
async def test_what_a_users_shell_is_set_up_with_changes_no_look(
    new_client: NewClient, profile: str
) -> None:
    _, heard = await run(new_client, profile)
    assert [e.change.path for e in heard if isinstance(e, FileChanged)] == [f"{HOME}/made.txt"]
    assert not [event for event in heard if isinstance(event, Notice)]


@pytest.mark.parametrize(
    "profile",
    [
        'function /usr/bin/env { echo "$VIBEKIT_MARK{\\"now\\":1e999}$VIBEKIT_MARK"; }\n',
        'echo "$VIBEKIT_MARK$VIBEKIT_MARK"; exit 0\n',
        "case $VIBEKIT_MARK in ?*) head -c 9000000 /dev/zero; exit;; esac\n",
        "case $VIBEKIT_MARK in ?*) exec sleep 100;; esac\n",
    ],
    ids=["a lie", "nothing", "a flood", "silence"],
)
async def test_a_shell_that_lies_breaks_neither_the_run_nor_its_record(
    new_client: NewClient, profile: str
) -> None:
    result, heard = await run(new_client, profile)
    assert result.status == "done"
    assert [event.text for event in heard if isinstance(event, Notice)] == [
        "Which files the run's commands changed is not known: python3 did not say."
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"now": NaN, "files": [], "more": 0, "missing": []}',
        '{"now": 1e999, "files": [], "more": 0, "missing": []}',
        '{"now": 0, "files": [], "more": 1' + "0" * 400 + ', "missing": []}',
        '{"now": 0, "files": [], "more": 1' + "0" * 5000 + ', "missing": []}',
        '{"now": 0, "files": [], "more": -1, "missing": []}',
        '{"now": 0, "files": [], "more": true, "missing": []}',
        '{"now": 0, "files": [], "more": 0, "missing": [[]]}',
        '{"now": 0, "files": {}, "more": 0, "missing": []}',
        told(size=10**30),
        told(size=-1),
        told(size=1.5),
        told(size="1"),
        told(changed=float("inf")),
        told(changed=float("nan")),
        told(changed=10**400),
        told(born=-1),
        told(path="/etc/passwd"),
        told(path=f"{HOME}/a\0b"),
        told(path=f"{HOME}/" + "a" * 5000),
        told(path=None),
        told(data="!!"),
        told(data=7),
        told(data=base64.b64encode(bytes(9_000_000)).decode()),
        told(extra=1),
    ],
)
def test_an_answer_that_nobody_would_give_is_none(answer: str) -> None:
    with pytest.raises((ArithmeticError, LookupError, RecursionError, TypeError, ValueError)):
        _read(json.loads(answer), 100, 4_000_000, [])


def test_only_what_was_asked_for_is_missing() -> None:
    answer = json.dumps({**NOTHING, "missing": ["/a", "/b"]})
    assert _read(json.loads(answer), 100, 0, ["/b", "/c"]).missing == {"/b"}


NAMES = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, size=st.integers(0, 2**63 - 1), data=st.binary(max_size=200))
@pytest.mark.parametrize("suffix", [".csv", ".png", ".svg", ".html", ".ipynb", ""])
def test_whatever_is_read_of_an_answer_can_be_shown(
    suffix: str, name: str, size: int, data: bytes
) -> None:
    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.runs.artifacts import _events

    path = f"{HOME}/{name}{suffix}"
    answer = told(path=path, size=size, data=base64.b64encode(data).decode())
    try:
        look = _read(json.loads(answer), 100, 4_000_000, [])
    except ValueError:
        assert "\0" in name
        return
    transcript = Transcript.of(_events(look, Changes(), (), 0))
    (to_html(transcript) + to_plain(transcript)).encode()

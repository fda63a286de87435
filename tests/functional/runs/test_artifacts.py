"""What a run's commands did to files is known and shown, from two looks at the sandbox."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.counting_proxy import counting_proxy
from tests.support.model_server import Disturbed, HttpError, ModelServer, Stall
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.errors import ModelError
from vibekit_jupyter.events import Event, FileChanged, FileShown, Notice
from vibekit_jupyter.results import FileChange
from vibekit_jupyter.runs.artifacts import (
    MOST_BEFORE,
    MOST_DIFFED,
    MOST_FILES,
    MOST_OF_DIFFS,
    MOST_SHOWN,
)

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer
    from vibekit_jupyter.results import Result

pytestmark = pytest.mark.anyio

HOME = "/home/user"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


def call(name: str, **arguments: object) -> Answer:
    return Answer(tool_calls=(ToolCall(name, arguments),))


def command(source: str) -> Answer:
    return call("run_command", command=source)


async def run(
    new_client: NewClient,
    *script: Answer,
    before: str = "true",
    mode: str = "code",
    **options: str,
) -> tuple[Result, list[Event]]:
    """Run a script of tool calls in a new session; return what came of it.

    As a model does, it takes a moment before it uses its first tool.
    """
    heard: list[Event] = []
    first = Disturbed(Answer("I begin.", tool_calls=script[0].tool_calls), Stall(1, 0.5))
    with ModelServer([first, *script[1:], Answer("Done.")]) as server:
        model = {"base_url": server.openai_url, "api_key": "any", **options}
        client = new_client(agent={"type": "codex", "model": model, "mode": mode})
        await client.execute_command(before)
        result = await client.generate_code("Do it", on_event=heard.append)
        await client.kill()
    return result, heard


def changed(events: list[Event]) -> dict[str, str]:
    """The changes that commands made, by the files' names."""
    changes = [event.change for event in events if isinstance(event, FileChanged)]
    return {change.path.removeprefix(f"{HOME}/"): change.kind for change in changes}


def diffs(events: list[Event]) -> dict[str, str]:
    """What commands changed in the files."""
    changes = [event.change for event in events if isinstance(event, FileChanged)]
    return {change.path.removeprefix(f"{HOME}/"): change.diff for change in changes}


def shown(events: list[Event]) -> dict[str, FileShown]:
    return {
        event.path.removeprefix(f"{HOME}/"): event
        for event in events
        if isinstance(event, FileShown)
    }


async def test_files_of_commands_are_told_by_what_became_of_them(new_client: NewClient) -> None:
    _, events = await run(
        new_client,
        command(
            "echo x >> old.txt; echo y > new.txt; mkdir -p deep/er && echo z > deep/er/z.txt;"
            "mkdir -p .cache node_modules/m my/.git env; touch .hidden node_modules/m/x my/.git/y;"
            "touch env/pyvenv.cfg env/python; ln -s new.txt link; mkfifo pipe;"
            "touch -d 2001-01-01 unpacked.txt; cat untouched.txt"
        ),
        before="echo x > old.txt; echo x > untouched.txt",
    )
    assert changed(events) == {
        "old.txt": "modified",
        "new.txt": "created",
        "deep/er/z.txt": "created",
        "unpacked.txt": "created",
    }


async def test_what_can_be_looked_at_is_shown(new_client: NewClient) -> None:
    notebook = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    large = "import sys\nfor n in range(99999): print(n, n, sep=',')"
    _, events = await run(
        new_client,
        call("write_file", path="page.html", content="<p>Hello</p>"),
        command(
            f"echo {base64.b64encode(PNG).decode()} | base64 -d > a.png;"
            "printf 'a,b\\n1,2\\n' > t.csv;"
            f"printf 'a\\tb\\n1,5\\t2\\n' > t.tsv; echo '{notebook}' > n.ipynb;"
            f'python3 -c "{large}" > large.csv; head -c 3000000 /dev/zero > huge.png;'
            "echo '<svg/>' > s.svg; echo no > plain.txt; echo no > wrong.parquet"
        ),
    )
    found = shown(events)
    data = {name: base64.b64decode(event.data) for name, event in found.items()}
    assert data["a.png"] == PNG
    assert data["page.html"] == b"<p>Hello</p>"
    assert data["t.csv"] == b"a,b\n1,2\n"
    assert data["t.tsv"] == b'a,b\n"1,5",2\n'
    assert json.loads(data["n.ipynb"])["cells"] == []
    assert data["large.csv"].count(b"\n") == 11
    assert found["large.csv"].size > 1_000_000
    assert (data["huge.png"], found["huge.png"].size) == (b"", 3_000_000)
    assert data["wrong.parquet"] == b""
    assert found["s.svg"].mime == "image/svg+xml"
    assert "plain.txt" not in found
    assert "page.html" not in changed(events), "a tool has told it already"


async def test_what_a_tool_wrote_and_a_command_changed_has_its_diff(new_client: NewClient) -> None:
    result, events = await run(
        new_client,
        call("write_file", path="a.py", content="one\ntwo\n"),
        call("edit_file", path="a.py", old="two", new="2"),
        call("write_file", path="gone.py", content="x\n"),
        call("write_file", path="same.txt", content="same\n"),
        call("write_file", path="table.tsv", content="a\tb\n"),
        call("edit_file", path="old.txt", old="old", new="new"),
        command("echo three >> a.py; rm gone.py; touch same.txt"),
        before="echo old > old.txt",
    )
    assert changed(events) == {"a.py": "modified", "gone.py": "deleted"}
    files = {change.path: change for change in result.files}
    assert files[f"{HOME}/a.py"] == FileChange(
        f"{HOME}/a.py", "created", "@@ -0,0 +1,3 @@\n+one\n+2\n+three\n", 3, 0
    )
    assert f"{HOME}/gone.py" not in files, "the run left nothing of it"
    assert files[f"{HOME}/old.txt"].diff == "@@ -1 +1 @@\n-old\n+new\n"
    assert f"--- a{HOME}/old.txt\n+++ b{HOME}/old.txt\n@@ -1" in result.diff
    assert result.code == "one\n2\nthree\n"


async def test_what_commands_did_to_files_that_were_there_has_its_diff(
    new_client: NewClient,
) -> None:
    result, events = await run(
        new_client,
        command(
            "sed -i s/two/2/ edited.txt; rm gone.txt; mv old.txt new.txt; touch same.txt;"
            "printf 'a\\n' > made.py; printf '\\0' >> binary; echo 3,4 >> table.csv; echo 1 > t.csv"
        ),
        before="printf 'one\\ntwo\\n' > edited.txt; echo bye > gone.txt; echo moved > old.txt;"
        "echo same > same.txt; printf '\\0' > binary; echo 1,2 > table.csv",
    )
    assert changed(events) == {
        "edited.txt": "modified",
        "gone.txt": "deleted",
        "old.txt": "deleted",
        "new.txt": "created",
        "made.py": "created",
        "binary": "modified",
        "table.csv": "modified",
        "t.csv": "created",
    }
    assert diffs(events) == {
        "edited.txt": "@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
        "gone.txt": "@@ -1 +0,0 @@\n-bye\n",
        "old.txt": "@@ -1 +0,0 @@\n-moved\n",
        "new.txt": "@@ -0,0 +1 @@\n+moved\n",
        "made.py": "@@ -0,0 +1 @@\n+a\n",
        "binary": "",
        "table.csv": "@@ -1 +1,2 @@\n 1,2\n+3,4\n",
        "t.csv": "",  # it is shown as a table
    }
    assert set(shown(events)) == {"table.csv", "t.csv"}
    assert "-two\n+2\n" in result.diff
    assert len(result.files) == len(changed(events))


async def test_what_was_too_much_to_be_seen_before_has_no_diff(new_client: NewClient) -> None:
    _, events = await run(
        new_client,
        command("echo new > large.txt; echo more >> 1.txt; echo new > new.txt; rm 2.txt"),
        before=f"head -c 40000 /dev/zero | tr '\\0' x > large.txt;"
        f"for n in $(seq {MOST_BEFORE}); do echo $n > $n.txt; done; sleep 0.1; touch 1.txt 2.txt",
    )
    assert changed(events) == {
        "large.txt": "modified",
        "1.txt": "modified",
        "2.txt": "deleted",
        "new.txt": "created",
    }
    assert diffs(events)["large.txt"] == diffs(events)["new.txt"] == ""
    assert diffs(events)["1.txt"] == "@@ -1 +1,2 @@\n 1\n+more\n"


async def test_a_deleted_tree_is_bounded_and_counted(new_client: NewClient) -> None:
    many = MOST_FILES + 7
    _, events = await run(
        new_client,
        command("rm -r tree"),
        before=f"mkdir tree; for n in $(seq {many}); do echo > tree/$n; done",
    )
    assert list(changed(events).values()) == ["deleted"] * MOST_FILES
    assert Notice("7 more files changed that are not listed here.") in events


async def test_of_many_differences_only_some_are_told_and_the_result_has_all(
    new_client: NewClient,
) -> None:
    count = MOST_DIFFED + 7
    result, events = await run(
        new_client, command(f"for n in $(seq {count}); do echo $n > $n.txt; done")
    )
    assert list(changed(events).values()) == ["created"] * count
    assert sum(map(bool, diffs(events).values())) == MOST_DIFFED
    assert all(change.diff and change.added == 1 for change in result.files)
    _, events = await run(
        new_client, command(f"for n in 1 2 3; do seq {MOST_OF_DIFFS // 14} > $n.txt; done")
    )
    assert [bool(diff) for diff in diffs(events).values()] == [True, True, False]


async def test_the_code_is_the_last_command_where_no_program_was_written(
    new_client: NewClient,
) -> None:
    result, _ = await run(new_client, command("echo 1"), command("python3 -c 'print(2)'"))
    assert result.code == "python3 -c 'print(2)'"
    result, _ = await run(new_client, command("cat > made.py <<'E'\nprint(3)\nE"))
    assert result.code == "print(3)\n"


async def test_many_files_are_bounded_and_counted(new_client: NewClient) -> None:
    count = MOST_FILES + 7
    _, events = await run(new_client, command(f"for n in $(seq {count}); do echo > $n.csv; done"))
    assert len(changed(events)) == MOST_FILES
    assert len(shown(events)) == MOST_SHOWN
    assert Notice("7 more files changed that are not listed here.") in events


async def test_names_that_are_no_text_break_nothing(new_client: NewClient) -> None:
    names = r"""$'bad\xff.csv' $'new\nline.txt' '-rf' ' ' $'it\'s.html'"""
    _, events = await run(new_client, command(f'for n in {names}; do echo 1 > "./$n"; done'))
    assert set(changed(events)) == {"bad\ufffd.csv", "new\nline.txt", "-rf", " ", "it's.html"}
    assert json.dumps([event.to_dict() for event in events]).encode()


async def test_a_name_that_is_no_text_is_not_taken_for_a_file_that_is_gone(
    new_client: NewClient,
) -> None:
    _, events = await run(new_client, command("echo 1 > a.txt"), before=r"touch $'bad\xff.txt'")
    assert changed(events) == {"a.txt": "created"}


async def test_a_python_of_the_agents_own_cannot_lie_in_the_way(new_client: NewClient) -> None:
    _, events = await run(
        new_client, command("for m in json os csv base64; do echo 'raise SystemExit' > $m.py; done")
    )
    assert set(changed(events)) == {"json.py", "os.py", "csv.py", "base64.py"}


@pytest.mark.parametrize("lie", ["{}", '{"files": [[1]]}', "[" * 100_000, "", '{"files": 5}'])
async def test_a_sandbox_that_lies_is_told_to_be_unknown(new_client: NewClient, lie: str) -> None:
    _, events = await run(
        new_client,
        call("write_file", path="lie", content=lie),
        command(
            "mkdir -p .local/bin; printf '#!/bin/sh\\ncat ~/lie' > .local/bin/python3; "
            "chmod +x .local/bin/python3; echo 'PATH=$HOME/.local/bin:$PATH' > .profile"
        ),
    )
    unknown = any(isinstance(event, Notice) and "not known" in event.text for event in events)
    assert unknown or "lie" not in changed(events)


SETTLED = "while [ -n \"$(find ~ -newerct '3 seconds ago' -print -quit)\" ]; do sleep 0.1; done"


def broken(program: str) -> str:
    """Return bash source that puts a program which only complains in the place of one."""
    return (
        f"mkdir -p .local/bin; printf '#!/bin/sh\necho unknown >&2; exit 1' > .local/bin/{program}"
        f"; chmod +x .local/bin/{program}; echo 'PATH=$HOME/.local/bin:$PATH' > .profile; "
    )


async def test_where_nothing_changed_python_is_not_even_started(new_client: NewClient) -> None:
    _, events = await run(new_client, command("cat .profile"), before=broken("python3") + SETTLED)
    assert not changed(events)
    assert not any(isinstance(event, Notice) for event in events)


async def test_where_find_does_not_know_the_files_are_looked_for_all_the_same(
    new_client: NewClient,
) -> None:
    _, events = await run(new_client, command("echo 1 > a.csv"), before=broken("find"))
    assert set(changed(events)) == {"a.csv"}


async def test_a_failed_run_shows_what_its_commands_made(new_client: NewClient) -> None:
    heard: list[Event] = []
    with ModelServer([command("echo 1 > a.csv"), HttpError(401, "no")]) as server:
        model = {"base_url": server.openai_url, "api_key": "any"}
        client = new_client(agent={"type": "codex", "model": model})
        with pytest.raises(ModelError) as caught:
            await client.generate_code("Do it", on_event=heard.append)
        await client.kill()
    assert "a.csv" in shown(heard)
    assert [change.path for change in caught.value.result.files] == [f"{HOME}/a.csv"]  # type: ignore[union-attr]  # it has one


async def test_a_secret_in_a_file_is_not_shown(new_client: NewClient) -> None:
    key = "sk-proj-0123456789abcdef"
    result, events = await run(
        new_client,
        command(f"printf 'key\\n{key}\\n' > a.csv; printf '\\x89PNG\\r\\n{key}' > a.png"),
        api_key=key,
    )
    data = b"".join(base64.b64decode(event.data) for event in shown(events).values())
    assert b"key\n[redacted]\n" in data
    assert key.encode() not in data
    assert key not in result.code + str(result.commands)


async def test_it_costs_two_requests_and_in_ask_mode_none(
    new_client: NewClient, other_server: SandboxServer
) -> None:
    with (
        counting_proxy(other_server.url) as proxy,
        ModelServer(
            [command("echo 1 > a.csv; echo 2 > b.png"), Answer("Done."), Answer("Nothing.")]
        ) as model,
    ):
        environment = {
            "api_key": other_server.key,
            "api_url": proxy.url,
            "sandbox_url": proxy.url,
        }
        client = new_client(
            agent={"type": "codex", "model": {"base_url": model.openai_url, "api_key": "any"}},
            environment={"e2b": environment},
        )
        await client.execute_command("true")
        around = 2  # the two guides that a folder may have for agents
        before = len(proxy.requests)
        await client.generate_code("Do it")
        spent = len(proxy.requests) - before
        assert spent == around + 4, "which Python, a look, the command, and a look at what it did"
        before = len(proxy.requests)
        await client.generate_code("What is it?", mode="ask")
        assert len(proxy.requests) - before == around
        await client.kill()

"""What each tool does in a real sandbox, and what the model is told."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.versions import xfail_where_the_sdk_holds_output
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.conversation import ToolCall
from vibekit_jupyter.agents.tools import Toolbox

if TYPE_CHECKING:
    from vibekit_jupyter.agents.outcome import Outcome
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Mode

pytestmark = pytest.mark.anyio


async def run(sandbox: Sandbox, name: str, *, mode: Mode = "code", **arguments: Any) -> Outcome:
    call = ToolCall("call_1", name, json.dumps(arguments))
    return await Toolbox(sandbox, mode, Changes()).run(call, lambda *_: None)


async def test_a_command_tells_its_output_and_exit_code(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "run_command", command="pwd; echo oh >&2; exit 3")
    assert outcome.output.splitlines()[-1] == "[exit code 3]"
    assert {"/home/user", "oh"} <= set(outcome.output.splitlines())
    assert not outcome.ok
    assert outcome.command is not None
    assert (outcome.command.stdout, outcome.command.stderr) == ("/home/user\n", "oh\n")


async def test_a_command_without_output_says_so(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "run_command", command="true")
    assert (outcome.output, outcome.ok) == ("(no output)", True)


async def test_a_command_is_ended_when_its_time_is_up(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "run_command", command="echo begun; sleep 60", timeout=0.5)
    assert outcome.output == "begun\n[ended: it was not done after 0.5 s]"
    assert not outcome.ok
    left = await sandbox.run("pgrep -fx 'sleep 60'")
    assert left.exit_code == 1


async def test_long_output_is_cut_and_kept_whole_in_the_sandbox(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "run_command", command="seq 1 20000")
    assert len(outcome.output) < 17_000
    assert outcome.output.startswith("1\n2\n3\n")
    assert "\n19999\n20000\n" in outcome.output
    path = re.search(r"whole output is in (\S+)\]", outcome.output)
    assert path is not None
    whole = await sandbox.read_file(path[1])
    assert whole == b"".join(b"%d\n" % number for number in range(1, 20_001))


async def test_one_line_of_50_mb_is_survived_in_bounded_memory(
    sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    xfail_where_the_sdk_holds_output(request)
    tracemalloc.start()
    try:
        outcome = await run(
            sandbox, "run_command", command="head -c 50000000 /dev/zero | tr '\\0' x"
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.ok
    assert len(outcome.output) < 17_000
    assert peak < 20_000_000
    path = re.search(r"whole output is in (\S+)\]", outcome.output)
    assert path is not None
    size = await sandbox.run(f"stat -c %s {path[1]}")
    assert size.stdout == "50000000\n"


async def test_broken_utf8_is_survived(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "run_command", command=r"printf 'a\xff\xc3b\n\xf0\x9f'")
    assert outcome.ok
    assert outcome.output.startswith("a�")
    outcome.output.encode()


async def test_a_file_is_written_read_edited_and_listed(sandbox: Sandbox) -> None:
    written = await run(sandbox, "write_file", path="src/a.py", content="one\ntwo\n")
    assert written.change is not None
    assert (written.change.path, written.change.kind) == ("/home/user/src/a.py", "created")
    assert written.output == "created src/a.py (+2 -0)"
    edited = await run(sandbox, "edit_file", path="~/src/a.py", old="two", new="2")
    assert edited.change is not None
    assert edited.change.diff == "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    assert (await run(sandbox, "read_file", path="/home/user/src/a.py")).output == "one\n2\n"
    assert (await run(sandbox, "list_files", path=".")).output == "src/"
    assert (await run(sandbox, "list_files", path="src")).output == "a.py  6 bytes"


CONTENT = "'q' \"d\" `b` $(x) ${Y} {z} \\n\r\n\ttab\u2028 🧪 \x1b[31m\x00 end without newline"


async def test_content_arrives_byte_exact(sandbox: Sandbox) -> None:
    await run(sandbox, "write_file", path="it's $(x) {a}.txt", content=CONTENT)
    assert await sandbox.read_file("/home/user/it's $(x) {a}.txt") == CONTENT.encode()


async def test_an_edit_is_byte_exact_and_keeps_carriage_returns(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/a", b"one\r\ntwo\r\ncaf\xe9\r\n")
    outcome = await run(sandbox, "edit_file", path="a", old="two\r\n", new="2\r\n$&\\1\r\n")
    assert outcome.ok
    assert await sandbox.read_file("/home/user/a") == b"one\r\n2\r\n$&\\1\r\ncaf\xe9\r\n"


@pytest.mark.parametrize(
    ("old", "words"),
    [
        ("three", "does not occur"),
        ("one\ntwo", r"end in \r\n"),
        ("o", "more than once"),
        ("aa", "more than once"),
        ("", "old is empty"),
    ],
)
async def test_an_edit_that_is_not_clear_changes_nothing(
    sandbox: Sandbox, old: str, words: str
) -> None:
    before = b"one\r\ntwo\r\naaa\r\n"
    await sandbox.write_file("/home/user/a", before)
    outcome = await run(sandbox, "edit_file", path="a", old=old, new="x")
    assert not outcome.ok
    assert words in outcome.output
    assert await sandbox.read_file("/home/user/a") == before


async def test_writing_what_is_there_already_is_no_change(sandbox: Sandbox) -> None:
    await run(sandbox, "write_file", path="a", content="x")
    outcome = await run(sandbox, "write_file", path="a", content="x")
    assert (outcome.ok, outcome.change) == (True, None)


async def test_a_part_of_a_file_is_read(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/a", b"".join(b"%d\n" % n for n in range(1, 101)))
    part = await run(sandbox, "read_file", path="a", offset=10, limit=2)
    assert part.output == "10\n11\n[100 lines in all]"
    assert (await run(sandbox, "read_file", path="a", offset=100)).output == "100\n"
    assert not (await run(sandbox, "read_file", path="a", offset=101)).ok


async def test_a_long_file_says_where_to_go_on(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/a", b"".join(b"%09d\n" % n for n in range(1, 20_001)))
    first = await run(sandbox, "read_file", path="a")
    offset = re.search(r"\[cut: go on with offset=(\d+)\]$", first.output)
    assert offset is not None
    last_shown = first.output.splitlines()[-2]
    following = await run(sandbox, "read_file", path="a", offset=int(offset[1]), limit=1)
    assert int(following.output.splitlines()[0]) == int(last_shown) + 1


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("read_file", {"path": "none"}, "no such file"),
        ("read_file", {"path": "."}, "directory"),
        ("read_file", {"path": "binary"}, "binary file of 4 bytes"),
        ("read_file", {"path": "large"}, "use run_command"),
        ("write_file", {"path": ".", "content": "x"}, "directory"),
        ("write_file", {"path": "/usr/lib/x.py", "content": "x"}, "not permit"),
        ("write_file", {"path": f"{'x' * 300}.py", "content": "x"}, "too long"),
        ("list_files", {"path": "binary"}, "not a directory"),
        ("list_files", {"path": "none"}, "no such"),
        ("edit_file", {"path": "none", "old": "a", "new": "b"}, "no such file"),
        ("read_file", {}, "needs the argument 'path'"),
        ("read_file", {"path": None}, "needs the argument 'path'"),
        ("read_file", {"path": ""}, "path is empty"),
        ("read_file", {"path": "a\0b"}, "NUL"),
        ("read_file", {"path": 3}, "path is not of type string"),
        ("read_file", {"path": "binary", "offset": True}, "offset is not of type integer"),
        ("read_file", {"path": "binary", "offset": 1.5}, "offset is not of type integer"),
        ("read_file", {"path": "binary", "offset": 0}, "at least 1"),
        ("run_command", {"command": "true", "timeout": 3601}, "between 0 and 3600"),
        ("run_command", {"command": "true", "timeout": -1}, "between 0 and 3600"),
        ("run_command", {"command": "a\0b"}, "NUL"),
        ("run_command", {"command": ["ls"]}, "command is not of type string"),
        ("run_command", {"command": "ls", "shell": "zsh"}, "no argument 'shell'"),
        ("format_disk", {}, "there is no tool 'format_disk'"),
    ],
)
async def test_what_a_model_does_wrong_is_told_to_it(
    sandbox: Sandbox, name: str, arguments: dict[str, Any], words: str
) -> None:
    await sandbox.write_file("/home/user/binary", b"\0\1\2\3")
    if arguments.get("path") == "large":
        await sandbox.run("truncate -s 50M large")
    outcome = await run(sandbox, name, **arguments)
    assert not outcome.ok
    assert outcome.output.startswith("Error: ")
    assert words in outcome.output


@pytest.mark.parametrize("name", ["run_command", "write_file", "edit_file"])
async def test_ask_mode_cannot_change_anything(sandbox: Sandbox, name: str) -> None:
    arguments = {
        "run_command": {"command": "touch made"},
        "write_file": {"path": "made", "content": "x"},
        "edit_file": {"path": "kept", "old": "x", "new": "y"},
    }
    await sandbox.write_file("/home/user/kept", b"x")
    outcome = await run(sandbox, name, mode="ask", **arguments[name])
    assert "there is no tool" in outcome.output
    assert [entry.name for entry in await sandbox.list_files("/home/user")] == ["kept"]
    assert await sandbox.read_file("/home/user/kept") == b"x"


async def test_ask_mode_offers_only_tools_that_read(sandbox: Sandbox) -> None:
    asking = Toolbox(sandbox, "ask", Changes())
    reading = ["read_file", "list_files", "search", "view_image"]
    assert [spec.name for spec in asking.specs] == reading
    assert len(Toolbox(sandbox, "code", Changes()).specs) == 7


async def test_every_part_of_a_long_line_can_be_read(sandbox: Sandbox) -> None:
    line = "".join(f"{number:07d}" for number in range(20_000))
    await sandbox.write_file("/home/user/one.json", f"first\n{line}\nlast\n".encode())
    read, offset, column = "", 1, 1
    while True:
        outcome = await run(sandbox, "read_file", path="one.json", offset=offset, column=column)
        text, cut, where = outcome.output.rpartition("\n[cut: go on with offset=")
        read += text if cut else outcome.output
        if not cut:
            break
        place = re.fullmatch(r"(\d+)(?:, column=(\d+))?\]", where)
        assert place is not None
        offset, column = int(place[1]), int(place[2] or 1)
        read += "" if place[2] else "\n"
    assert read == f"first\n{line}\nlast\n"
    beyond = await run(sandbox, "read_file", path="one.json", offset=2, column=140_001)
    assert beyond.output == "Error: line 2 has only 140000 characters"


async def test_a_file_of_any_size_is_written_over(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/big.log", bytes(9 * 1024**2))
    outcome = await run(sandbox, "write_file", path="big.log", content="small\n")
    assert outcome.ok, outcome.output
    assert outcome.change is not None
    assert outcome.change.kind == "modified"
    assert await sandbox.read_file("/home/user/big.log") == b"small\n"


async def test_a_file_is_edited_in_several_places_or_in_none(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/a.py", b"one\ntwo\ntwo\n")
    edits = [{"old": "one", "new": "1"}, {"old": "two", "new": "2", "all": True}]
    outcome = await run(sandbox, "edit_file", path="a.py", edits=edits)
    assert outcome.ok, outcome.output
    assert await sandbox.read_file("/home/user/a.py") == b"1\n2\n2\n"
    edits = [{"old": "1", "new": "one"}, {"old": "three", "new": "3"}]
    outcome = await run(sandbox, "edit_file", path="a.py", edits=edits)
    assert outcome.output.startswith("Error: edit 2: old does not occur in a.py")
    assert await sandbox.read_file("/home/user/a.py") == b"1\n2\n2\n"
    outcome = await run(sandbox, "edit_file", path="a.py", old="2", new="two", all=True)
    assert outcome.ok, outcome.output
    assert await sandbox.read_file("/home/user/a.py") == b"1\ntwo\ntwo\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "give either old and new, or edits"),
        ({"old": "a", "new": "b", "edits": []}, "give either old and new, or edits"),
        ({"edits": ["a"]}, "edits holds what is no object"),
        ({"edits": [{"old": "a"}]}, "each of edits needs the argument 'new'"),
        ({"edits": [{"old": "a", "new": "b", "why": "c"}]}, "each of edits has no argument 'why'"),
        ({"old": "a", "new": "b", "all": "yes"}, "all is not of type boolean"),
    ],
)
async def test_a_wrong_edit_is_told(
    sandbox: Sandbox, arguments: dict[str, Any], words: str
) -> None:
    await sandbox.write_file("/home/user/a.py", b"a")
    outcome = await run(sandbox, "edit_file", path="a.py", **arguments)
    assert outcome.output == f"Error: {words}"
    assert await sandbox.read_file("/home/user/a.py") == b"a"


async def test_a_progress_bar_is_told_as_one_line(sandbox: Sandbox) -> None:
    bar = "import sys\nfor i in range(2001): sys.stderr.write(f'\\r{i}/2000 \\x1b[32m#\\x1b[0m')"
    await sandbox.write_file("/home/user/bar.py", bar.encode())
    outcome = await run(sandbox, "run_command", command="python3 bar.py; printf 'a\\0b\\n'")
    assert sorted(outcome.output.split("\n")) == ["2000/2000 #", "ab"]


@pytest.mark.parametrize(("name", "number"), [("SIGKILL", 137), ("SIGSEGV", 139), ("SIGTERM", 143)])
async def test_a_signal_is_told_by_name(sandbox: Sandbox, name: str, number: int) -> None:
    outcome = await run(sandbox, "run_command", command=f"sh -c 'kill -{name[3:]} $$'; exit $?")
    assert f"[exit code {number}: ended by {name}" in outcome.output


async def test_commands_begin_anew_as_the_model_is_told(sandbox: Sandbox) -> None:
    toolbox = Toolbox(sandbox, "code", Changes())
    assert "Each command is a new bash in /home/user" in toolbox.specs[0].description
    await run(sandbox, "run_command", command="cd /tmp; export SEEN=1; other=2")
    outcome = await run(sandbox, "run_command", command='echo "$PWD ${SEEN-}${other-}"')
    assert outcome.output == "/home/user "


async def test_a_command_that_is_too_long_to_be_started_is_told_to_the_model(
    sandbox: Sandbox,
) -> None:
    outcome = await run(sandbox, "run_command", command="echo " + "x" * 200_000)
    assert not outcome.ok
    assert "Write it to a file" in outcome.output

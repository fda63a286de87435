"""The magics in a real kernel, with the demo model and the local sandbox.

One kernel serves all tests of this module, as one notebook does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.versions import needs_ipython_8

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernel import Kernel

PRIMES = "%%vibekit\nWrite primes.py that prints the first ten primes, and run it"
HELLO = "print('hello from the sandbox')"
THREAD = (
    "import threading; ask = get_ipython().run_cell_magic\n"
    "thread = threading.Thread(target=ask, args=('vibekit', '', {!r}))\n"
    "thread.start(); thread.join()"
)
IDENTIFIED = "from vibekit_jupyter import get_client; client = get_client()\n"


def test_the_quickstart_runs_from_top_to_bottom(kernel: Kernel) -> None:
    cells = kernel.run_all(
        "%vibekit_session",
        PRIMES,
        "%vibekit_session",
        "%%vibekit --agent claude\nNow make it print twenty",
        IDENTIFIED + "first = await client.get_session()\nprint(first)",
        "%vibekit_session new second",
        "%vibekit_session set {first}",
        "%vibekit_session pick",
        "%vibekit_session kill second",
    )
    assert [cell.status for cell in cells] == ["ok"] * 9, [cell.error for cell in cells]
    none, primes, shown, twenty, printed, new, back, picker, killed = cells
    assert "There is no current session yet" in none.text
    assert "2 3 5 7 11 13 17 19 23 29" in primes.text
    assert "67 71" in twenty.text
    assert "claude" in twenty.text
    first = printed.stdout.strip()
    assert first in shown.text
    assert "second" in new.text
    assert first in back.text
    assert "application/vnd.jupyter.widget-view+json" in picker.displays[0]
    assert "second" in picker.displays[-1]["text/plain"]
    assert "gone" in killed.text
    assert "current session; now" not in killed.text


def test_a_run_leaves_one_static_output_with_a_plain_twin(kernel: Kernel) -> None:
    cell = kernel.run(PRIMES)
    assert cell.stdout == ""
    (data,) = cell.displays
    assert set(data) == {"text/html", "text/plain"}


def test_a_cell_is_awaited_so_that_the_kernel_lives_on(kernel: Kernel) -> None:
    kernel.run(
        "import asyncio; ticks = []\n"
        "async def tick():\n"
        "    while True: ticks.append(1); await asyncio.sleep(0.01)\n"
        "ticking = asyncio.create_task(tick())"
    )
    kernel.run("ticks.clear()")
    kernel.run(PRIMES)
    assert int(kernel.run("print(len(ticks)); ticking.cancel()").stdout) > 5


def test_the_line_magic_takes_the_rest_of_the_line(kernel: Kernel) -> None:
    cell = kernel.run(f"%vibekit --agent codex {HELLO}")
    assert cell.status == "ok"
    assert "hello from the sandbox" in cell.text


def test_nothing_is_shown_twice(kernel: Kernel) -> None:
    for code in (f"%vibekit {HELLO}", f"%%vibekit\n{HELLO}"):
        assert len([data for data in kernel.run(code).displays if data.get("text/plain")]) == 1


def test_the_last_run_can_be_shown_again(kernel: Kernel) -> None:
    kernel.run(f"%vibekit {HELLO}")
    for line in ("%vibekit last", "%vibekit last --full"):
        assert "hello from the sandbox" in kernel.run(line).text
    # What failed before it began is nothing to be shown.
    assert kernel.run("%vibekit --model nobody-knows hi", stop_on_error=False).status == "error"
    assert "hello from the sandbox" in kernel.run("%vibekit last").text


@pytest.mark.parametrize(
    "code",
    [
        f"%%time\n%%vibekit\n{HELLO}",
        f"%%capture captured\n%%vibekit\n{HELLO}\n",
        f"def ask():\n    get_ipython().run_cell_magic('vibekit', '', {HELLO!r})\nask()",
        f"for _ in range(2):\n    x = get_ipython().run_cell_magic('vibekit', '', {HELLO!r})",
        f"if True:\n    %vibekit {HELLO}",
        THREAD.format(HELLO),
        f"print((await client.generate_code({HELLO!r})).text)",
        f"print(client.sync.generate_code({HELLO!r}).text)",
        f"async def f(): print(client.sync.generate_code({HELLO!r}).text)\nawait f()",
        f"async for event in client.stream({HELLO!r}): print(event)",
        f"for event in client.sync.stream({HELLO!r}): print(event)",
    ],
)
def test_a_prompt_runs_from_anywhere(kernel: Kernel, code: str) -> None:
    assert kernel.run(IDENTIFIED).status == "ok"
    cell = kernel.run(code)
    assert cell.status == "ok", cell.error
    shown = kernel.run("captured.show()") if "%%capture" in code else cell
    assert "hello from the sandbox" in shown.text


def test_a_programs_call_gets_the_result(kernel: Kernel) -> None:
    kernel.run(f"x = get_ipython().run_cell_magic('vibekit', '', {HELLO!r})")
    shown = kernel.run("print(x.status, x.commands[-1].stdout)")
    assert shown.stdout.startswith("done hello from the sandbox")


def test_autoawait_off_still_works(kernel: Kernel) -> None:
    kernel.run("%autoawait False")
    cell = kernel.run(f"%%vibekit\n{HELLO}")
    kernel.run("%autoawait True")
    assert cell.status == "ok"
    assert "hello from the sandbox" in cell.text


def test_all_ways_share_one_session(kernel: Kernel) -> None:
    kernel.run(IDENTIFIED + "await client.execute_command('echo shared > note.txt')")
    assert (
        "shared" in kernel.run("%vibekit `import os`\n%vibekit print(open('note.txt').read())").text
    )
    assert "shared" in kernel.run("print(client.sync.execute_command('cat note.txt').stdout)").text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%%vibekit --agnt codex\nhi", "--agnt"),
        ("%%vibekit --agent klaude\nhi", "klaude"),
        ("%%vibekit some words\nhi", "some words"),
        ("%%vibekit\n   \n", "prompt is empty"),
        ("%%vibekit", "empty"),
        ("%vibekit", "prompt is empty"),
        ("%vibekit --session 'open hi", "quot"),
        ("%vibekit_session sett x", "Did you mean set"),
        ("%vibekit_session set", "session"),
        ("%vibekit_session new a b", "b"),
        ("%vibekit_config --mode dream", "dream"),
    ],
)
def test_misuse_is_one_line_and_fails_the_cell(kernel: Kernel, code: str, words: str) -> None:
    cell = kernel.run(code, stop_on_error=False)
    assert (cell.status, cell.ename, cell.stderr) == ("error", "UsageError", "")
    assert cell.error is not None
    (line,) = cell.error
    assert words in line


@pytest.mark.parametrize(
    ("code", "ename"),
    [
        ("%vibekit_session set nobody-knows", "SessionNotFoundError"),
        ("%%vibekit --session nobody-knows\nhi", "SessionNotFoundError"),
        ("%vibekit --session nobody-knows hi", "SessionNotFoundError"),
        ("%vibekit_session kill nobody-knows", "SessionNotFoundError"),
        ("%vibekit_config --base-url nonsense", "AgentNotInitializedError"),
        ("%vibekit_config key", "ConfigurationError"),
    ],
)
def test_an_error_is_one_line_without_traceback(kernel: Kernel, code: str, ename: str) -> None:
    cell = kernel.run(code, stop_on_error=False)
    assert (cell.status, cell.ename) == ("error", ename)
    assert cell.error is not None
    (line,) = cell.error
    assert line.startswith(f"{ename}: ")
    assert "\x1b" not in line


def test_debug_brings_the_traceback_back(kernel: Kernel) -> None:
    cell = kernel.run("%vibekit_session set nobody-knows --debug", stop_on_error=False)
    assert "session_magic.py" in cell.text + cell.stderr


def test_a_failed_cell_stops_run_all(kernel: Kernel, tmp_path: Path) -> None:
    # The kernel has all of them before the first one fails, however slowly they are sent.
    sent = tmp_path / "sent"
    waits = f"import os, time\nwhile not os.path.exists({str(sent)!r}): time.sleep(0.01)"
    cells = (waits, "%%vibekit --session nobody-knows\nhi", "print('after')")
    messages = [kernel.begin(cell) for cell in cells]
    sent.touch()
    _, failed, after = map(kernel.end, messages)
    assert (failed.status, after.status) == ("error", "aborted")


def test_a_miss_leaves_the_current_session_as_it_was(kernel: Kernel) -> None:
    before = kernel.run(IDENTIFIED + "print(await client.get_session())").stdout
    kernel.run("%vibekit_session set nobody-knows", stop_on_error=False)
    assert kernel.run("print(await client.get_session())").stdout == before


def test_killing_the_current_session_says_that_there_is_none(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new short-lived")
    assert "now there is none" in kernel.run("%vibekit_session kill").text
    assert "There is no current session" in kernel.run("%vibekit_session").text


def test_the_other_verbs_do_what_they_say(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new verbs")
    kernel.run(IDENTIFIED + "await client.execute_command('echo kept > kept.txt')")
    cells = kernel.run_all(
        "%vibekit_session pause",
        "%vibekit_session resume",
        "%vibekit_session rename renamed",
        "%vibekit_session fork copied",
        "%vibekit_session set copied",
        "print((await client.execute_command('cat kept.txt')).stdout)",
        "%vibekit_session restore renamed",
        "%vibekit_session kill copied",
        "%vibekit_session forget copied",
    )
    assert [cell.status for cell in cells] == ["ok"] * 9, [cell.error for cell in cells]
    expected = ("paused", "running", "renamed", "copied", "copied", "kept", "renamed", "gone",
                "copied is forgotten")  # fmt: skip
    for cell, words in zip(cells, expected, strict=True):
        assert words in cell.text


def test_a_local_name_can_stand_for_a_session(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new project-a\n%vibekit_session new project-b")
    cell = kernel.run(
        "def switch(name):\n    %vibekit_session set {name}\nswitch('project-a')",
        stop_on_error=False,
    )
    assert cell.status == "ok", cell.error
    assert "project-a" in cell.text


def test_a_key_on_the_line_is_refused_and_not_repeated(kernel: Kernel) -> None:
    for line in ("key sk-secret", "--api-key sk-secret", "--api-key=sk-secret", "sk-secret"):
        cell = kernel.run(f"%vibekit_config {line}", stop_on_error=False)
        assert cell.status == "error"
        assert "secret" not in cell.text + cell.stderr


@pytest.mark.parametrize("line", ["%vibekit?", "%%vibekit?", "%vibekit_session?"])
def test_a_question_mark_shows_the_help(kernel: Kernel, line: str) -> None:
    assert kernel.run(line).status == "ok"


@pytest.mark.parametrize(
    "line",
    ["%vibekit --help", "%%vibekit --help\nx", "%vibekit_session --help",
     "%vibekit_session set --help", "%vibekit_config --help", "%vibekit_config key --help"],
)  # fmt: skip
def test_help_can_be_asked_for(kernel: Kernel, line: str) -> None:
    cell = kernel.run(line)
    assert cell.status == "ok"
    assert "usage: " in cell.text


@needs_ipython_8
def test_completion_knows_verbs_options_and_names(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new 'my-own'")
    assert {"show", "set", "new", "list", "kill", "pick"} <= set(
        kernel.complete("%vibekit_session ")
    )
    assert kernel.complete("%vibekit_session se") == ["set"]
    assert "my-own" in kernel.complete("%vibekit_session set my")
    assert "my-own" in kernel.complete("%%vibekit --session my")
    assert kernel.complete("%%vibekit --ag") == ["--agent", "--agent-command"]
    assert kernel.complete("%%vibekit --agent c") == ["codex", "claude", "claude-code", "codex-cli"]
    assert kernel.complete("%vibekit --mode ") == ["code", "ask"]
    assert kernel.complete("%vibekit_config --env") == ["--environment"]
    assert kernel.complete("%vibekit_config key --") == ["--agent", "--e2b", "--debug", "--help"]
    assert kernel.complete("vibekit_session ki") == ["kill"]
    assert kernel.complete("x = %vibekit_session ki") == ["kill"]
    assert kernel.complete("%%vibekit\nimport o") == ["o"]
    assert kernel.complete("%vibekit_session set zz") == ["zz"]


def test_the_namespace_stays_the_persons_own(kernel: Kernel) -> None:
    kernel.run("before = set(globals())")
    kernel.run(f"%%vibekit\n{HELLO}")
    new = kernel.run("print({n for n in set(globals()) - before if not n.startswith('_')})")
    assert new.stdout.strip() == "{'before'}"

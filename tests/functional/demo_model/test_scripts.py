"""What the demo model does for its prompts, by the real SDKs, for real in a folder."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from tests.support.tool_loop import READING_TOOLS, Folder
from vibekit_jupyter.demo_model.scripts import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[str], str]

TEN = "2 3 5 7 11 13 17 19 23 29"
TWENTY = f"{TEN} 31 37 41 43 47 53 59 61 67 71"


def tools(folder: Folder) -> list[str]:
    return [tool for tool, _ in folder.calls]


def test_the_quickstart_writes_runs_and_changes_primes(ask: Ask, folder: Folder) -> None:
    said = ask("Write primes.py that prints the first ten primes, and run it")
    assert f"\n{TEN}\n" in said
    assert tools(folder) == ["write_file", "run_command"]
    folder.calls.clear()
    said = ask("Now make it print twenty")
    assert f"\n{TWENTY}\n" in said
    assert tools(folder) == ["read_file", "edit_file", "run_command"]
    assert "COUNT = 20" in (folder.path / "primes.py").read_text()


@pytest.mark.parametrize(
    "prompt",
    [
        "write primes.py that prints the first 10 primes and run it.",
        "Please create a file `primes.py` which prints the first ten prime numbers, then run it!",
        "WRITE PRIMES.PY TO PRINT OUT THE FIRST TEN PRIMES,\nAND RUN IT",
        "Can you make a program primes.py that prints the first 10 primes, and run it, please?",
    ],
)
def test_small_variations_change_nothing(ask: Ask, prompt: str) -> None:
    assert f"\n{TEN}\n" in ask(prompt)


def test_the_change_works_without_the_conversation(ask: Ask, folder: Folder) -> None:
    said = ask("Now make it print twenty")
    assert "There was no primes.py" in said
    assert f"\n{TWENTY}\n" in said
    assert "changed nothing" in ask("make it print 20")


def test_the_change_follows_the_name_of_the_program(ask: Ask, folder: Folder) -> None:
    (folder.path / "p").mkdir()
    assert "I did not run it" in ask("Write p/q.py that prints the first two primes")
    assert "\n2 3 5\n" in ask("Make it print three primes")
    assert [entry.name for entry in folder.path.iterdir()] == ["p"]


def test_a_strangers_program_is_left_alone(ask: Ask, folder: Folder) -> None:
    (folder.path / "primes.py").write_text("print(1)\n")
    assert "left it as it is" in ask("Now make it print twenty")
    assert (folder.path / "primes.py").read_text() == "print(1)\n"


def test_a_failed_command_is_said_to_have_failed(ask: Ask) -> None:
    said = ask("print('before')\nraise SystemExit(3)")
    assert "failed (exit code 3)" in said
    assert "before" in said
    assert "succeeded" not in said


def test_an_output_that_looks_like_a_failure_is_none(ask: Ask) -> None:
    assert "succeeded" in ask("print('exit code 3')")
    assert "succeeded" in ask("print('Error: all is well')")


def test_a_command_without_output_is_said_to_print_nothing(ask: Ask) -> None:
    assert "succeeded; it printed nothing." in ask("x = 1")


def test_a_file_that_cannot_be_written_is_said_so(ask: Ask) -> None:
    said = ask("Write no/such/primes.py that prints the first ten primes, and run it")
    assert "could not write no/such/primes.py" in said


@pytest.mark.parametrize(
    ("prompt", "output"),
    [
        ("print('Working in new session')", "Working in new session"),
        ("for word in ('it\\'s', '`x`', '$(y)', '{z}', '🦀'):\n    print(word)", "🦀"),
        ("$ echo one\n$ echo two > /dev/null\n", "one"),
        ("Run this:\n```bash\necho $((6 * 7))\n```", "42"),
        ("#!/usr/bin/env bash\necho from a script", "from a script"),
        ("```\nprint('```')\n```", "print"),
    ],
)
def test_a_prompt_that_is_code_is_run(ask: Ask, prompt: str, output: str) -> None:
    assert output in ask(prompt)


def test_code_is_saved_as_it_stands(ask: Ask, folder: Folder) -> None:
    source = "text = '''\n  it's \"all\"\\there `$HOME` {x} \u00e9🦀\n'''\n\nprint(text)\n"
    ask(source)
    assert (folder.path / "demo_prompt.py").read_text() == source


@pytest.mark.parametrize("prompt", ["# Project: demo", "# Starting new session\n# again"])
def test_comments_are_nothing_to_run(ask: Ask, folder: Folder, prompt: str) -> None:
    assert "nothing to run" in ask(prompt)
    assert folder.calls == []


def test_a_real_chart_is_drawn(ask: Ask, folder: Folder) -> None:
    prompt = "Load sales.csv, plot revenue per month and save the chart as revenue.png"
    said = ask(prompt)
    assert "made up" in said
    assert "The chart is in revenue.png." in said
    assert is_png((folder.path / "revenue.png").read_bytes())
    (folder.path / "sales.csv").write_text("month,revenue\nJan,1\nJan,2.5\nFeb,0\n")
    said = ask(prompt)
    assert "made up" not in said
    assert "Jan          4" in said or "Jan          3" in said


def is_png(data: bytes) -> bool:
    """Whether the picture is whole: its chunks fit their checksums, its pixels their size."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, pixels = 8, b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(data[at + 8 + length : at + 12 + length])
        pixels += body[4:] if body.startswith(b"IDAT") else b""
        at += 12 + length
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    channels = {2: 3, 6: 4}[data[25]]
    return len(zlib.decompress(pixels)) == height * (1 + channels * width)


def test_a_table_of_another_kind_is_said_to_fail(ask: Ask, folder: Folder) -> None:
    (folder.path / "sales.csv").write_text("a,b\n1,2\n")
    said = ask("Load sales.csv, plot revenue per month, and save it as revenue.png")
    assert "failed" in said
    assert "KeyError" in said
    assert "The chart is in" not in said


def test_a_table_that_cannot_be_read_is_not_replaced(ask: Ask, folder: Folder) -> None:
    (folder.path / "sales.csv").mkdir()
    said = ask("Load sales.csv, plot revenue per month and save the chart as revenue.png")
    assert "could not read sales.csv" in said
    assert tools(folder) == ["read_file"]


def test_files_are_listed_shown_written_and_run(ask: Ask, folder: Folder) -> None:
    assert "no files here yet" in ask("List the files")
    assert "I wrote notes.md." in ask('Write notes.md that says "Project A"')
    assert (folder.path / "notes.md").read_text() == "Project A\n"
    assert "\nnotes.md  10 bytes\n" in ask("Which files are here?")
    assert "\nProject A\n" in ask("Show notes.md")
    assert "could not read none.md" in ask("Show me none.md")
    assert "\nIt's `me`\n" in ask('Write hello.py that prints "It\'s `me`", and run it')
    assert "\nIt's `me`\n" in ask("Run hello.py again")
    assert "do not know how to run notes.md" in ask("run notes.md")


def test_it_remembers_what_was_asked(ask: Ask) -> None:
    assert "first thing you ask" in ask("What did we do so far?")
    ask("Write notes.md that says hi")
    said = ask("What have we done so far?")
    assert "2. Write notes.md that says hi" in said
    assert "Files written so far: notes.md." in said


@pytest.mark.parametrize(
    "prompt", ["Prove the Riemann hypothesis.", "fix this", "hello there, friend", "{x} $(y) `z`"]
)
def test_anything_else_gets_the_way_to_a_real_model(ask: Ask, folder: Folder, prompt: str) -> None:
    said = ask(prompt)
    for word in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "--base-url", "Ollama"):
        assert word in said
    assert folder.calls == []


def test_its_examples_are_prompts_that_it_knows(ask: Ask) -> None:
    said = ask("What can you do?")
    for script in SCRIPTS:
        assert script.example in said
        assert script.match(script.example)


@pytest.mark.parametrize(
    "prompt",
    [
        "Write primes.py that prints the first ten primes, and run it",
        "Now make it print twenty",
        "print('x')",
        "Load sales.csv, plot revenue per month and save the chart as revenue.png",
    ],
)
@pytest.mark.parametrize("offered", [(), READING_TOOLS])
def test_in_ask_mode_it_only_talks(
    ask: Ask, folder: Folder, prompt: str, offered: tuple[str, ...]
) -> None:
    folder.tools = offered
    assert "--mode code" in ask(prompt)
    assert list(folder.path.iterdir()) == []


def test_the_same_prompt_gets_the_same_words(ask: Ask) -> None:
    prompt = "Write primes.py that prints the first seven primes, and run it"
    assert ask(prompt) == ask(prompt)

"""``--insert``: an answer's code in a new cell below, not run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pexpect  # type: ignore[import-untyped]  # it ships no types
import pytest
from nbclient import NotebookClient

from tests.functional.notebook.context.conftest import SECRET
from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.model_server import ModelServer

HEAD = "# from vibekit, session {}, run {} — read before you run\n"
IPYTHON = [sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor"]


@pytest.mark.parametrize("agent", ["codex", "claude"])
def test_the_code_of_an_answer_comes_into_a_new_cell_and_does_not_run(
    kernel: Kernel, agent: str
) -> None:
    kernel.run(f"%vibekit_session new of-{agent}")
    for run in (1, 2):
        cell = kernel.run_named("c1", f"%%vibekit --agent {agent} --insert\none block")
        assert cell.status == "ok", cell.error
        head = HEAD.format(f"of-{agent}", run)
        assert cell.next_input == f"{head}total = 1 + 1\nprint(total)"
        assert cell.stdout == ""
    assert kernel.run("'total' in globals()").text.strip() == "False"


def test_several_blocks_are_one_cell_and_only_python_is_in_it(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new blocks")
    cell = kernel.run_named("c1", "%vibekit --insert two blocks")
    assert cell.next_input == HEAD.format("blocks", 1) + "x = 1\n\ny = 2"


@pytest.mark.parametrize(
    "code",
    [
        "%vibekit --insert one block",
        "%%vibekit --insert\none block",
        "def f(): get_ipython().run_cell_magic('vibekit', '--insert', 'one block')\nf()",
        "%%time\n%%vibekit --insert\none block",
        "def f():\n    %vibekit --insert one block\nf()",
    ],
)
def test_where_the_front_end_may_have_no_new_cell_the_text_is_printed(
    kernel: Kernel, code: str
) -> None:
    cell = kernel.run(code)
    assert cell.status == "ok", cell.error
    assert cell.next_input is not None
    assert cell.next_input.endswith("— read before you run\ntotal = 1 + 1\nprint(total)")
    assert f"{cell.next_input}\n" in cell.stdout


def test_an_answer_without_code_is_one_sentence(kernel: Kernel) -> None:
    cell = kernel.run_named("c1", "%%vibekit --insert\nhello")
    assert cell.status == "ok"
    assert cell.next_input is None
    assert cell.text.endswith("The answer has no Python code, so there is no new cell.")


def test_a_program_that_was_written_is_the_answers_code_where_the_words_hold_none(
    kernel: Kernel,
) -> None:
    cell = kernel.run_named("c1", "%%vibekit --insert\nwrite a program")
    assert cell.next_input is not None
    assert cell.next_input.endswith("read before you run\nprint('from a file')")


def test_a_models_magic_is_below_the_header_and_is_no_magic_there(kernel: Kernel) -> None:
    cell = kernel.run_named("c1", "%%vibekit --insert\nmagics")
    assert cell.next_input is not None
    header, first, _ = cell.next_input.split("\n")
    assert header.startswith("# from vibekit")
    assert first == "%%bash"
    ran = kernel.run(cell.next_input, stop_on_error=False)
    assert ran.ename == "SyntaxError"
    ours = kernel.run(cell.next_input.replace("%%bash", "%%vibekit"), stop_on_error=False)
    assert ours.ename == "SyntaxError"


def test_without_the_option_there_is_no_new_cell(kernel: Kernel) -> None:
    assert kernel.run_named("c1", "%%vibekit\none block").next_input is None


def test_a_secret_in_an_answer_comes_into_no_cell(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit --insert\nsecret please")
    assert "[redacted]" in (cell.next_input or "")
    assert SECRET not in cell.text + (cell.next_input or "")


def test_a_recorded_run_gives_its_code_too(
    kernel: Kernel, server: ModelServer, environment: dict[str, str]
) -> None:
    kernel.run("%vibekit_session new lesson")
    kernel.run("%vibekit hello")
    fresh = kernel.run_named("c1", "%%vibekit --insert\none block")
    asked = len(server.requests)
    again = {**environment, "VIBEKIT_RERUN": "never"}
    with Kernel(kernel.home, again) as other:
        other.run("%load_ext vibekit_jupyter")
        other.run("%vibekit_session set lesson")
        recorded = other.run_named("c1", "%%vibekit --insert\none block")
        assert recorded.status == "ok", recorded.error
        assert recorded.next_input == fresh.next_input
        assert fresh.next_input is not None
        assert fresh.next_input.startswith(HEAD.format("lesson", 2))
    assert len(server.requests) == asked


def test_nbclient_has_the_text_in_the_output(
    kernel: Kernel, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environment, "VIBEKIT_HOME": str(kernel.home)}.items():
        monkeypatch.setenv(name, value)
    sources = ("%load_ext vibekit_jupyter", "%%vibekit --insert\none block")
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "outputs": [],
         "execution_count": None, "source": source}
        for number, source in enumerate(sources)
    ]  # fmt: skip
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    notebook = nbformat.from_dict(document)  # type: ignore[no-untyped-call]  # nbformat's own
    NotebookClient(notebook, kernel_name="python3").execute()
    printed = "".join(o["text"] for o in notebook.cells[1].outputs if o.output_type == "stream")
    assert printed.endswith("read before you run\ntotal = 1 + 1\nprint(total)\n")


def in_a_terminal(kernel: Kernel, environment: dict[str, str], folder: Path) -> dict[str, str]:
    folders = {"VIBEKIT_HOME": str(kernel.home), "IPYTHONDIR": str(folder / "ipython")}
    return {**os.environ, **environment, **folders}


def test_a_script_has_the_text_printed(
    kernel: Kernel, environment: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "cells.ipy"
    source.write_text("%load_ext vibekit_jupyter\n%vibekit --insert one block\n")
    settings = in_a_terminal(kernel, environment, tmp_path) | {"TERM": "dumb"}
    run = subprocess.run(
        [*IPYTHON, str(source)], env=settings, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=90,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "read before you run\ntotal = 1 + 1\nprint(total)\n" in run.stdout


def test_a_terminal_has_the_text_in_its_next_line(
    kernel: Kernel, environment: dict[str, str], tmp_path: Path
) -> None:
    settings = in_a_terminal(kernel, environment, tmp_path) | {"TERM": "xterm"}
    terminal = pexpect.spawn(
        IPYTHON[0], IPYTHON[1:], env=settings, encoding="utf-8", timeout=90, dimensions=(40, 120)
    )
    try:
        terminal.expect("In \\[")
        terminal.send("%load_ext vibekit_jupyter\r")
        terminal.expect("In \\[.*2")
        terminal.send("%vibekit --insert one block\r")
        terminal.expect("That is all")
        terminal.expect("read before you run")
        terminal.expect("print")
        terminal.sendcontrol("c")
        terminal.sendcontrol("d")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)

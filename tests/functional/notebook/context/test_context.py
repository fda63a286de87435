"""``--context``, ``%vibekit fix`` and ``%vibekit explain``: what the model is told of the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.notebook.context.conftest import MULTILINE, SECRET

if TYPE_CHECKING:
    from tests.support.kernel import Kernel
    from tests.support.model_server import ModelServer

IMPORTS = "import asyncio, os\nfrom IPython.display import HTML, clear_output, display"
FAILING = "import json\nprices = {'tea': 3}\ncount = 0\nprices['tea'] / count"


def asked(kernel: Kernel, server: ModelServer, code: str) -> tuple[str, str]:
    """Run a cell; return the whole prompt that the model got, and the first line of the card."""
    cell = kernel.run(code, stop_on_error=False)
    assert cell.status == "ok", cell.error
    return server.requests[-1].prompt, cell.displays[-1]["text/plain"].split("\n")[0]


def number(kernel: Kernel) -> int:
    """Which number the next cell has."""
    return int(kernel.run("len(In)").displays[0]["text/plain"])


def test_the_last_cells_go_along_with_what_they_showed(kernel: Kernel, server: ModelServer) -> None:
    kernel.run(IMPORTS)
    kernel.run("print('long ago')")
    kernel.run("print('printed', 1)\n6 * 7")
    kernel.run(
        "await asyncio.sleep(0)\nprint('after an await')\ndisplay('displayed', HTML('<b>x'))"
    )
    kernel.run("print('before'); clear_output(); handle = display('one', display_id=True)")
    kernel.run("handle.update('two')\n'silenced';")
    prompt, head = asked(kernel, server, "%%vibekit --context 4 --fresh\nWhat is this?")
    assert prompt.startswith("What is this?\n\n---\n")
    for told in ("printed 1\n42", "after an await\n'displayed'", "print('before')", "'two'"):
        assert told in prompt
    for untold in ("long ago", "<b>x</b>", "\nbefore\n", "'one'\n", "\nsilenced"):
        assert untold not in prompt.partition("'two'")[2] + prompt.partition("A cell")[0]
    assert "print('long ago')" not in prompt
    assert "<IPython.core.display.HTML object>" in prompt
    assert "context: cells " in head
    assert " tokens" in head


def test_without_the_option_nothing_goes_along(kernel: Kernel, server: ModelServer) -> None:
    kernel.run("print('something')")
    for options in ("", " --context none", " --context 0"):
        prompt, head = asked(kernel, server, f"%%vibekit{options} --fresh\nWhat is this?")
        assert prompt == "What is this?"
        assert "context" not in head


@pytest.mark.parametrize("agent", ["codex", "claude"])
def test_the_card_says_which_cells_and_how_much(
    kernel: Kernel, server: ModelServer, agent: str
) -> None:
    first = number(kernel)
    kernel.run("'a cell'")
    kernel.run("'another cell'")
    prompt, head = asked(kernel, server, f"%vibekit --agent {agent} --fresh --context 2 look")
    assert f"context: cells {first}-{first + 1}, " in head
    assert "'a cell'\nIt showed:\n'a cell'" in prompt
    again = kernel.run("%vibekit last")
    assert f"context: cells {first}-{first + 1}, " in again.text


def test_what_our_magics_show_is_left_out(kernel: Kernel, server: ModelServer) -> None:
    kernel.run("%vibekit_config")
    kernel.run("print('kept')\n%vibekit_session\nprint('kept, too')")
    kernel.run("def ask():\n    %vibekit hello\nask()\nprint('after')")
    kernel.run("%%vibekit\nhello")
    prompt, _ = asked(kernel, server, "%%vibekit --fresh --context 4\nlook")
    assert "It showed:\nkept\nkept, too\n" in prompt
    assert "It showed:\nafter\n" in prompt
    assert "Answered." not in prompt
    assert "OPENAI" not in prompt
    assert "A cell:\n%%vibekit\nhello" in prompt


def test_two_thousand_tokens_go_along_at_most_and_the_newest_is_whole(
    kernel: Kernel, server: ModelServer
) -> None:
    kernel.run("print('o' * 30_000, 'the oldest')")
    kernel.run("for i in range(2_000): print('old line', i)")
    kernel.run("print('new ' * 300 + 'end')")
    prompt, head = asked(kernel, server, "%%vibekit --fresh --context 3\nlook")
    assert "new " * 300 + "end" in prompt
    assert "the oldest" not in prompt
    assert "old line 1999" in prompt
    assert "characters left out]" in prompt
    assert len(prompt) < 6_100
    assert ", cut to 1," in head
    kernel.run("print('x' * 50_000 + 'end')")
    prompt, _ = asked(kernel, server, "%%vibekit --fresh --context 1\nlook")
    assert len(prompt) < 6_100
    assert "xend" in prompt


def test_no_secret_of_the_environment_goes_along(kernel: Kernel, server: ModelServer) -> None:
    kernel.run(IMPORTS)
    kernel.run("print(os.environ['MY_TOKEN'])\nos.environ['OPENAI_API_KEY']")
    kernel.run("print('y' * 1_990 + os.environ['MY_TOKEN'] + 'z' * 30_000)")
    kernel.run(f"key = '{SECRET}'\ndisplay(key)\nos.environ['SSL_KEY']")
    kernel.run("1 / int(os.environ['MY_TOKEN'])", stop_on_error=False)
    for code in ("--context 2", "--context 4", "--context errors"):
        prompt, _ = asked(kernel, server, f"%%vibekit --fresh {code}\nlook")
        assert "[redacted]" in prompt
    for code in ("%vibekit --fresh fix", "%vibekit --fresh explain {{key}}"):
        asked(kernel, server, code)
    body = "".join(str(request.body) for request in server.requests)
    for secret in (SECRET, SECRET[:12], "sk-test-openai", MULTILINE, MULTILINE.split("\n")[1]):
        assert secret not in body
    history = kernel.run("%vibekit_session history --all").text
    assert SECRET[:12] not in history


def test_errors_are_the_cells_that_failed(kernel: Kernel, server: ModelServer) -> None:
    kernel.run(FAILING, stop_on_error=False)
    kernel.run("print('fine')")
    kernel.run("%%vibekit --session nobody\nx", stop_on_error=False)
    prompt, head = asked(kernel, server, "%%vibekit --fresh --context errors\nWhy?")
    assert "ZeroDivisionError: division by zero" in prompt
    assert "'fine'" not in prompt
    assert "nobody" not in prompt
    assert "context: cell" in head


@pytest.mark.parametrize("context", ["all", "-1", "51", "1.5", "''", "²"])
def test_another_context_is_refused(kernel: Kernel, context: str) -> None:
    cell = kernel.run(f"%%vibekit --context={context}\nlook", stop_on_error=False)
    assert cell.ename == "UsageError"
    assert "a number of cells up to 50, errors or none" in cell.text


@pytest.mark.parametrize("agent", ["codex", "claude"])
def test_fix_asks_about_the_last_error_and_gives_a_new_cell(
    kernel: Kernel, server: ModelServer, agent: str
) -> None:
    kernel.run(FAILING, stop_on_error=False)
    kernel.run(f"%vibekit_session new fixing-{agent}")
    cell = kernel.run_named("c1", f"%vibekit --agent {agent} fix count is never 0")
    assert cell.status == "ok", cell.error
    request = server.requests[-1]
    assert not {"run_command", "write_file", "edit_file"} & set(request.tools)
    assert FAILING in request.prompt
    assert 'File "the cell", line 4' in request.prompt
    assert "ZeroDivisionError: division by zero" in request.prompt
    assert "prices: dict\ncount: int" in request.prompt
    assert "I say to it: count is never 0" in request.prompt
    assert "'tea': 3}\n\nThe error" not in request.prompt
    assert cell.next_input == (
        f"# from vibekit, session fixing-{agent}, run 1 — read before you run\nratio = 1"
    )
    head = cell.displays[-1]["text/plain"].split("\n")[0]
    assert f" · ask · session fixing-{agent} · the last error, " in head


def test_fix_and_explain_with_words_are_prompts_unless_the_last_cell_failed(
    kernel: Kernel, server: ModelServer
) -> None:
    kernel.run(FAILING, stop_on_error=False)
    kernel.run("%vibekit_session")
    told, _ = asked(kernel, server, "%vibekit --fresh explain this error to me")
    assert "I say to it: this error to me" in told
    words = "explain this chart to me"
    assert asked(kernel, server, f"%vibekit --fresh -- {words}")[0] == words
    kernel.run("chart = 1")
    for words in ("explain this chart to me", "fix the bug in app.py", "fixing", "explain?"):
        assert asked(kernel, server, f"%vibekit --fresh {words}")[0] == words
    assert "ZeroDivisionError" in asked(kernel, server, "%vibekit --fresh explain")[0]
    assert asked(kernel, server, "%%vibekit --fresh\nfix")[0] == "fix"

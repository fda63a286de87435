"""``%%vibekit_run`` in a real kernel: what a cell shows, what it raises, how it is stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.outputs import html_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kernel import Cell

TRACEBACK = "Traceback (most recent call last):"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel") / "home") as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        assert kernel.run("%vibekit_session new code").status == "ok"
        yield kernel


def shown(cell: Cell) -> str:
    """Return the plain form of a cell's only output that is no error."""
    (output,) = cell.displays
    assert set(output) == {"text/html", "text/plain"}
    return str(output["text/plain"])


def test_a_cell_shows_what_it_printed_and_its_value_in_one_card(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit_run\nx = 41\nprint('printed')\nx + 1")
    assert shown(cell) == "Python · session code\nprinted\n42"
    words = html_words(cell.displays[0]["text/html"])
    assert words.startswith("Python · session code · no model ·")
    assert words.endswith("printed 42")
    assert (cell.stdout, cell.stderr) == ("", "")


def test_a_cell_without_history_shows_its_card_alone(kernel: Kernel) -> None:
    kernel.run("1 + 1")
    assert shown(kernel.run("%%vibekit_run\n43", stored=False)).endswith("\n43")


def test_code_runs_as_it_was_typed(kernel: Kernel) -> None:
    text = "\n  %%vibekit\n    %time !ls ?\n"
    code = f"text = '''{text}'''\nprint(text, end='')\nif True:\n\n    y = 2\n"
    assert shown(kernel.run(f"%%vibekit_run\n{code}")).endswith("\n  %%vibekit\n    %time !ls ?")


def test_an_error_is_in_the_card_and_raised_as_one_line(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit_run\nmonths = {}\nmonths['mouth']", stop_on_error=False)
    assert (cell.status, cell.ename) == ("error", "CodeError")
    assert cell.error == ["CodeError: KeyError: 'mouth'"]
    assert TRACEBACK in shown(cell)
    assert "· KeyError\n" in shown(cell)


def test_code_that_is_awaited_raises_with_the_sandboxes_traceback(kernel: Kernel) -> None:
    kernel.run("from vibekit_jupyter import get_client; client = get_client()")
    for code in ("await client.run_code('1 / 0')", "client.sync.run_code('1 / 0')"):
        cell = kernel.run(code, stop_on_error=False)
        assert cell.ename == "CodeError"
        assert cell.error is not None
        assert cell.error[0] == TRACEBACK
        assert cell.error[-1] == "CodeError: ZeroDivisionError: division by zero"
    assert kernel.run("(await client.run_code('x + 1')).text").text.strip() == "'42'"


def test_a_cell_within_another_magic_runs_beside_its_outputs(kernel: Kernel) -> None:
    cell = kernel.run("%%time\n%%vibekit_run --lang bash\necho $((6 * 7))")
    assert "Wall time" in cell.stdout
    assert any("42" in data.get("text/plain", "") for data in cell.displays)


def test_an_exit_code_is_raised(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit_run --lang bash\necho out; exit 3", stop_on_error=False)
    assert cell.error == ["CodeError: The bash cell exited with code 3."]
    assert shown(cell) == "bash · session code · exit 3\nout"


def test_an_interrupt_keeps_the_state(kernel: Kernel) -> None:
    code = "import time\nkept = 5\nprint('beg' + 'un')\ntime.sleep(60)"
    message = kernel.begin(f"%%vibekit_run\n{code}", stop_on_error=False)
    kernel.wait_for(message, "begun")
    pressed = time.monotonic()
    kernel.interrupt()
    cell = kernel.end(message)
    assert time.monotonic() - pressed < 2
    assert cell.ename == "RunInterruptedError"
    assert "variables are kept" in cell.text
    assert shown(kernel.run("%%vibekit_run\nkept")).endswith("\n5")


def test_a_second_press_ends_the_python_and_says_so(kernel: Kernel) -> None:
    code = """
spins = 0
while True:
    try:
        print('beg' + 'un')
        while True: spins += 1
    except KeyboardInterrupt:
        pass
"""
    message = kernel.begin(f"%%vibekit_run\n{code}", stop_on_error=False)
    kernel.wait_for(message, "begun")
    kernel.interrupt()
    kernel.wait_for(message, "Press again")
    kernel.interrupt()
    cell = kernel.end(message)
    assert cell.ename == "RunInterruptedError"
    assert "variables are gone" in cell.text
    after = shown(kernel.run("%%vibekit_run\n1 + 1"))
    assert "(The sandbox's Python was started anew" in after
    assert after.endswith("\n2")


def test_a_named_session_is_used_and_the_current_one_stays(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new other")
    assert shown(kernel.run("%%vibekit_run -s code\n3")) == "Python · session code\n3"
    assert shown(kernel.run("%%vibekit_run\n4")) == "Python · session other\n4"
    kernel.run("%vibekit_session set code")


def test_displays_can_be_updated_and_cleared(kernel: Kernel) -> None:
    code = """
from IPython.display import display, clear_output
print('gone')
clear_output()
handle = display('first', display_id=True)
handle.update('second')
"""
    assert shown(kernel.run(f"%%vibekit_run\n{code}")) == "Python · session code\n'second'"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("%%vibekit_run", "UsageError"),
        ("%%vibekit_run\n \n", "UsageError"),
        ("%%vibekit_run --lang perl\n1", "UsageError"),
        ("%%vibekit_run -s nobody-knows\n1", "SessionNotFoundError"),
    ],
)
def test_what_is_typed_wrongly_is_one_line(kernel: Kernel, code: str, error: str) -> None:
    cell = kernel.run(code, stop_on_error=False)
    assert cell.ename == error
    assert cell.error is not None
    assert len(cell.error) == 1


def test_help_says_what_is_kept(kernel: Kernel) -> None:
    assert "node and R keep nothing" in kernel.run("%%vibekit_run --help").text


def test_options_are_completed(kernel: Kernel) -> None:
    assert kernel.complete("%%vibekit_run --lang ") == ["python", "bash", "node", "r"]
    assert "--session" in kernel.complete("%%vibekit_run --")


def test_a_flood_of_output_leaves_a_card_that_can_be_opened(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit_run\nfor n in range(200_000): print('line', n)")
    assert len(cell.displays[0]["text/html"]) < 2_000_000
    assert "characters left out" in shown(cell)
    assert "line 199999" in shown(cell)


def test_plain_output_is_printed_as_it_comes_with_the_traceback(tmp_path: Path) -> None:
    with Kernel(tmp_path / "home", {"VIBEKIT_DISPLAY": "plain"}) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        code = "print('a')\nprint('no end', end='')\n[1, 2]"
        cell = kernel.run(f"%%vibekit_run\n{code}")
        assert (cell.stdout, cell.displays) == ("Python · session main\na\nno end\n[1, 2]\n", [])
        cell = kernel.run("%%vibekit_run\nraise KeyError('x')", stop_on_error=False)
        assert TRACEBACK in cell.stdout
        assert cell.error == ["CodeError: KeyError: 'x'"]

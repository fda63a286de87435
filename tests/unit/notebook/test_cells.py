"""How a ``%%vibekit`` cell reaches its magic."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell

from vibekit_jupyter.notebook.cells import Cells

if TYPE_CHECKING:
    from collections.abc import Iterator

BODIES = [
    "Write primes.py",
    ">>> print(1)\n>>> print(2)",
    "In [1]: x",
    "    indented\n  less\n",
    "blanks   \n   \n\t\nend",
    'it\'s "quoted" `tick` $(id) {x} %time !ls ?',
    "%%vibekit\nnested",
    "\n\nleading and trailing\n\n\n",
    "form\x0cfeed \x1c and \u2028 separators\u2029",
    "tabs\tand\r\nwindows\r\n",
    "\\ back \\n slash \\",
    "'''\n\"\"\"",
    "emoji 🎉 \x00 nul",
]


class Shell(InteractiveShell):
    """A shell of the tests' own."""


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = Shell()
    yield shell
    shell.history_manager.end_session()
    Shell.clear_instance()


def received(shell: InteractiveShell, cell: str) -> tuple[str, str, str]:
    """Return the magic, the line and the body that a transformed cell calls with."""
    tree = ast.parse(shell.transform_cell(cell), mode="exec")
    (statement,) = tree.body
    assert isinstance(statement, ast.Expr)
    call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    assert isinstance(call, ast.Call)
    magic, line, body = (ast.literal_eval(each) for each in call.args)
    return magic, line, body


@pytest.mark.parametrize("body", BODIES)
def test_a_body_arrives_byte_for_byte(shell: InteractiveShell, body: str) -> None:
    cells = Cells(shell)
    cells.install()
    prompts = []

    def vibekit(line: str, cell: str) -> None:
        prompts.append((line, cells.prompt(cell)))

    shell.register_magic_function(vibekit, "cell", "vibekit")
    result = shell.run_cell(f"%%vibekit --fresh\n{body}")
    assert result.success
    assert prompts == [("--fresh", body)]


def test_a_megabyte_arrives_byte_for_byte(shell: InteractiveShell) -> None:
    Cells(shell).install()
    body = "{'a': \"b\"} $(x) `y` 🎉\\\n" * 40_000
    assert received(shell, f"%%vibekit\n{body}") == ("vibekit", "", body)


@given(st.text(min_size=1))
def test_any_body_arrives_but_for_the_newline_that_ends_a_cell(body: str) -> None:
    manager = TransformerManager()

    class Host:
        input_transformers_cleanup = manager.cleanup_transforms

    cells = Cells(Host())  # type: ignore[arg-type]  # the transformer asks no more of a shell
    manager.cleanup_transforms.insert(0, cells)
    code = manager.transform_cell(f"%%vibekit\n{body}")
    expected = body if body.endswith("\n") else f"{body}\n"
    assert code == f"get_ipython().run_cell_magic('vibekit', '', {expected!r});\n"


@pytest.mark.parametrize(
    "cell", ["%%vibekitty\nx", "%%vibekit?", "x = 1", "", "%vibekit hello", "x\n%%vibekit\ny"]
)
def test_other_cells_stay_as_they_are(shell: InteractiveShell, cell: str) -> None:
    before = shell.transform_cell(cell)
    Cells(shell).install()
    assert shell.transform_cell(cell) == before


def test_blank_lines_before_the_magic_do_not_matter(shell: InteractiveShell) -> None:
    Cells(shell).install()
    assert received(shell, "\n \n%%vibekit  --fresh \nhi") == ("vibekit", "--fresh", "hi\n")


def test_a_terminal_does_not_await(shell: InteractiveShell) -> None:
    Cells(shell).install()
    assert not shell.transform_cell("%%vibekit\nhi").startswith("await")


def test_a_kernel_awaits_whole_cells_and_nothing_inside_them(shell: InteractiveShell) -> None:
    shell.kernel = object()
    cells = Cells(shell)
    cells.install()
    seen = []
    shell.user_ns["transform"] = lambda: seen.append(shell.transform_cell("%%vibekit\nhi"))
    assert shell.transform_cell("%%vibekit\nhi").startswith("await ")
    assert shell.run_cell("transform()").success
    assert not seen[0].startswith("await")
    for empty in ("", " \n"):
        shell.run_cell(empty)
    assert shell.transform_cell("%%vibekit\nhi").startswith("await ")
    shell.autoawait = False
    assert not shell.transform_cell("%%vibekit\nhi").startswith("await")


def test_the_value_of_a_whole_cell_is_not_displayed(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    Cells(shell).install()
    shell.register_magic_function(lambda *_: "a value", "cell", "vibekit")
    shell.run_cell("%%vibekit\nhi", store_history=True)
    assert capsys.readouterr().out == ""
    shell.run_cell("x = get_ipython().run_cell_magic('vibekit', '', 'hi')", store_history=True)
    assert shell.user_ns["x"] == "a value"


def test_removed_hooks_leave_nothing_behind(shell: InteractiveShell) -> None:
    before = (
        list(shell.input_transformers_cleanup),
        {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()},
    )
    cells = Cells(shell)
    cells.install()
    cells.remove()
    assert before == (
        list(shell.input_transformers_cleanup),
        {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()},
    )

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
    from collections.abc import Callable, Iterator

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
    """A shell of the tests' own, with the types that IPython's lacks."""

    kernel: object

    def transformed(self, cell: str) -> str:
        return str(self.transform_cell(cell))  # type: ignore[no-untyped-call]  # IPython's own

    def run(self, cell: str) -> bool:
        return bool(self.run_cell(cell, store_history=True).success)  # type: ignore[no-untyped-call]  # IPython's own

    def register(self, magic: Callable[[str, str], object]) -> None:
        self.register_magic_function(magic, "cell", "vibekit")  # type: ignore[arg-type]  # IPython's own


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()  # type: ignore[no-untyped-call]  # IPython's own
    yield shell
    assert shell.history_manager is not None
    shell.history_manager.end_session()
    Shell.clear_instance()


def received(shell: Shell, cell: str) -> tuple[str, str, str]:
    """Return the magic, the line and the body that a transformed cell calls with."""
    tree = ast.parse(shell.transformed(cell), mode="exec")
    (statement,) = tree.body
    assert isinstance(statement, ast.Expr)
    call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    assert isinstance(call, ast.Call)
    magic, line, body = (ast.literal_eval(each) for each in call.args)
    return magic, line, body


@pytest.mark.parametrize("body", BODIES)
def test_a_body_arrives_byte_for_byte(shell: Shell, body: str) -> None:
    cells = Cells(shell)
    cells.install()
    prompts = []

    def vibekit(line: str, cell: str) -> None:
        prompts.append((line, cells.prompt(cell)))

    shell.register(vibekit)
    assert shell.run(f"%%vibekit --fresh\n{body}")
    assert prompts == [("--fresh", body)]


def test_a_megabyte_arrives_byte_for_byte(shell: Shell) -> None:
    Cells(shell).install()
    body = "{'a': \"b\"} $(x) `y` 🎉\\\n" * 40_000
    assert received(shell, f"%%vibekit\n{body}") == ("vibekit", "", body)


@given(st.text(min_size=1))
def test_any_body_arrives_but_for_the_newline_that_ends_a_cell(body: str) -> None:
    manager = TransformerManager()  # type: ignore[no-untyped-call]  # IPython's own

    class Host:
        input_transformers_cleanup = manager.cleanup_transforms

    cells = Cells(Host())  # type: ignore[arg-type]  # the transformer asks no more of a shell
    manager.cleanup_transforms.insert(0, cells)
    code: str = manager.transform_cell(f"%%vibekit\n{body}")
    expected = body if body.endswith("\n") else f"{body}\n"
    assert code == f"get_ipython().run_cell_magic('vibekit', '', {expected!r});\n"


@pytest.mark.parametrize(
    "cell", ["%%vibekitty\nx", "%%vibekit?", "x = 1", "", "%vibekit hello", "x\n%%vibekit\ny"]
)
def test_other_cells_stay_as_they_are(shell: Shell, cell: str) -> None:
    before = shell.transformed(cell)
    Cells(shell).install()
    assert shell.transformed(cell) == before


def test_blank_lines_before_the_magic_do_not_matter(shell: Shell) -> None:
    Cells(shell).install()
    assert received(shell, "\n \n%%vibekit  --fresh \nhi") == ("vibekit", "--fresh", "hi\n")


def test_a_terminal_does_not_await(shell: Shell) -> None:
    Cells(shell).install()
    assert not shell.transformed("%%vibekit\nhi").startswith("await")


def test_a_kernel_awaits_whole_cells_and_nothing_inside_them(shell: Shell) -> None:
    shell.kernel = object()
    cells = Cells(shell)
    cells.install()
    seen = []
    shell.user_ns["transform"] = lambda: seen.append(shell.transformed("%%vibekit\nhi"))
    assert shell.transformed("%%vibekit\nhi").startswith("await ")
    assert shell.run("transform()")
    assert not seen[0].startswith("await")
    for empty in ("", " \n"):
        shell.run(empty)
    assert shell.transformed("%%vibekit\nhi").startswith("await ")
    shell.autoawait = False
    assert not shell.transformed("%%vibekit\nhi").startswith("await")


def test_the_value_of_a_whole_cell_is_not_displayed(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    Cells(shell).install()
    shell.register(lambda *_: "a value")
    shell.run("%%vibekit\nhi")
    assert capsys.readouterr().out == ""
    shell.run("x = get_ipython().run_cell_magic('vibekit', '', 'hi')")
    assert shell.user_ns["x"] == "a value"


def test_removed_hooks_leave_nothing_behind(shell: Shell) -> None:
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


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("%vibekit What is this?", "get_ipython().run_line_magic('vibekit', 'What is this?')"),
        ("%vibekit --fresh Why??  ", "get_ipython().run_line_magic('vibekit', '--fresh Why??')"),
        ("x = 1\nif x:\n    %vibekit Why?", "    get_ipython().run_line_magic('vibekit', 'Why?')"),
        ("%vibekit What's it?", "get_ipython().run_line_magic('vibekit', \"What's it?\")"),
        ("%vibekit What \\\nis it?", "get_ipython().run_line_magic('vibekit', 'What  is it?')"),
        ('a = """\n%vibekit What?\n"""', "\n%vibekit What?\n"),
        ("x = %vibekit Why?", "x = get_ipython().run_line_magic('vibekit', 'Why?')"),
        ("%time %vibekit Why?", "get_ipython().run_line_magic('time', '%vibekit Why?')"),
        ("vibekit What is this?", "get_ipython().run_line_magic('vibekit', 'What is this?')"),
        ("vibekit?", "pinfo', 'vibekit'"),
        ("%time?", "pinfo', '%time'"),
        ("x = 1\nvibekit What?", "pinfo', 'What'"),
        ("%vibekit?", "pinfo', '%vibekit'"),
        ("%vibekit_session?", "pinfo', '%vibekit_session'"),
    ],
)
def test_a_question_is_a_prompt_and_the_magics_name_alone_asks_for_help(
    shell: Shell, cell: str, code: str
) -> None:
    Cells(shell).install()
    assert code in shell.transformed(cell)


def test_a_cell_without_a_body_reaches_its_magic(shell: Shell) -> None:
    Cells(shell).install()
    assert received(shell, "%%vibekit --help") == ("vibekit", "--help", "\n")

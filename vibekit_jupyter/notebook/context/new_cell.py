"""``--insert``: the code of an answer in a new cell below, which does not run by itself."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.notebook.context.tokens import shortened
from vibekit_jupyter.notebook.render.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.results import Result

__all__ = ["code_of", "insert", "new_cell"]

MOST_ANSWER: Final = 400_000  # characters that are looked through, the last ones
MOST_CODE: Final = 100_000
MOST_NAME: Final = 80
PYTHON: Final = frozenset({"python", "python3", "py", "py3", "ipython", "ipython3", "jupyter"})

_MAGIC: Final = re.compile(r"^([ \t]*)[%!][^%\n].*$", re.MULTILINE)

NO_CODE: Final = "The answer has no Python code, so there is no new cell."
TOO_LONG: Final = f"The answer's code has more than {MOST_CODE:,} characters: too many for a cell."


def insert(shell: InteractiveShell, result: Result, session: str, number: int) -> str:
    """Put the code of an answer into a new cell below; return the sentence to say, or nothing.

    Where the front end may have no such cell (nbclient, Colab), the text is printed, too.

    Parameters
    ----------
    session, number
        Which run it is: the session's name, and the run's place in it, 0 where none is known.
    """
    code = code_of(result)
    if not code:
        return NO_CODE
    if len(code) > MOST_CODE:
        return TOO_LONG
    text = new_cell(code, session, number)
    shell.set_next_input(text, replace=False)
    if not _shows_new_cells(shell):
        print(text)  # noqa: T201  # its purpose
    return ""


def new_cell(code: str, session: str, number: int) -> str:
    """Return the cell: a line that says where it is from, and the code as it stands.

    Below that line, a ``%%magic`` on the code's first line is none.
    """
    where = [f"session {shortened(visible(session), MOST_NAME)}"] if session.strip() else []
    run = [f"run {number}"] if number else []
    head = ", ".join(["# from vibekit", *where, *run])
    return f"{head} — read before you run\n{visible(code)}"


def code_of(result: Result) -> str:
    """Return the Python code that an answer holds; of several blocks, all of them.

    Where the words hold none, it is the Python program that the run wrote last.
    """
    blocks = list(_blocks(result.text))
    python = [code for language, code in blocks if language in PYTHON]
    chosen = python or [code for language, code in blocks if not language and _is_python(code)]
    if chosen:
        return "\n\n".join(chosen)
    wrote = any(change.path.endswith(".py") and change.kind != "deleted" for change in result.files)
    is_command = any(result.code == command.command for command in result.commands)
    return result.code.strip("\n") if wrote and not is_command and _is_python(result.code) else ""


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the code of each block in a Markdown text."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").disable("inline")
    for token in parser.parse(text[-MOST_ANSWER:]):
        if token.type == "fence" and (code := token.content.strip("\n").rstrip()):
            info = token.info.replace("{", " ").replace("}", " ").replace(",", " ").split()
            yield (info[0].lstrip(".").lower() if info else ""), code


def _is_python(code: str) -> bool:
    """Whether it is Python, lines of magics and shell commands apart."""
    try:
        ast.parse(_MAGIC.sub(r"\1pass", code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _shows_new_cells(shell: Any) -> bool:
    """Whether the front end is known to show the cell.

    Those that tell their cells apart (JupyterLab, Notebook, Visual Studio Code) do, as does a
    terminal that edits its lines.
    """
    if getattr(shell, "kernel", None) is None:
        return getattr(shell, "simple_prompt", True) is False
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)() or {}
    return bool(parent.get("metadata", {}).get("cellId"))

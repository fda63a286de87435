"""How a ``%%vibekit`` cell reaches its magic: byte-exact, and awaited where that is possible.

IPython cleans a cell before it looks for magics: it strips ``>>>`` prompts, dedents, and
empties lines of blanks. A prompt to an agent must stay as it stands, so our transformer comes
first. In a kernel it also makes the cell awaited: widgets stay alive while the agent works,
and an interrupt cancels the cell's task.
"""

from __future__ import annotations

import re
import tokenize
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import (
    assemble_continued_line,
    cell_magic,
    find_end_of_continued_line,
    leading_empty_lines,
    make_tokens_by_line,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["AWAITED_MAGIC", "Cells"]

AWAITED_MAGIC = "_vibekit_awaited"

_CELL = re.compile(
    r"(?:[ \t]*\r?\n)*%%(vibekit|vibekit_run)(?:[ \t]([^\r\n]*))?\r?\n(.*)", re.DOTALL
)
_NO_CODE = (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER)
_QUESTION = re.compile(
    r"""(\w+[ \t]*=[ \t]*)?%
    (vibekit(?=[ \t]) | \w+(?=[ \t].*%vibekit[ \t]))
    ([ \t].*[^ \t?\r\n].*\?)\s*""",
    re.VERBOSE | re.DOTALL,
)
_AUTOMAGIC = re.compile(r"vibekit[ \t]+[^\s=?].*\?\s*")
_INSIDE_ANOTHER = re.compile(r"\s*(?:%%(?!vibekit(?:_run)?\s)\w[^\n]*\n)+%%vibekit(?:_run)?\s")


class Cells:
    """What the shell runs now, and the transformer of ``%%vibekit`` cells.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    # IPython skips transformers with side effects when it only asks whether a cell is complete.
    has_side_effects = True

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._running: list[Any] = []

    def install(self) -> None:
        """Hook into the shell."""
        self._shell.input_transformers_cleanup.insert(0, self)
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)

    def remove(self) -> None:
        """Take every hook away."""
        self._shell.input_transformers_cleanup.remove(self)
        self._shell.events.unregister("pre_run_cell", self._begin)
        self._shell.events.unregister("post_run_cell", self._end)

    def _begin(self, info: Any) -> None:
        self._running.append(info)

    def _end(self, result: Any) -> None:
        # Empty cells end without having begun, as does the cell that loaded the extension;
        # a kernel that was stopped while it ran a cell has no result of it.
        if result is None:
            self._running = self._running[:-1]
        else:
            self._running = [info for info in self._running if info is not result.info]

    def __call__(self, lines: list[str]) -> list[str]:
        """Turn a whole-cell ``%%vibekit`` or ``%%vibekit_run`` into the call of its magic."""
        cell = "".join(lines)
        if _INSIDE_ANOTHER.match(cell):
            # The same as IPython would make of it, before it cleans what is inside.
            return list(cell_magic(leading_empty_lines(lines)))  # type: ignore[no-untyped-call]  # IPython's own
        match = _CELL.fullmatch(cell)
        if match is None:
            return _with_questions([f"%{cell}"] if self._is_automagic(cell) else lines)
        # IPython refuses a cell magic without a body before it could show its help.
        arguments = f"{(match[2] or '').strip()!r}, {match[3] or chr(10)!r}"
        # The semicolon keeps the value out of Out[]: the cell has shown the run already.
        if match[1] == "vibekit" and self._can_await():
            return [f"await get_ipython().run_cell_magic({AWAITED_MAGIC!r}, {arguments});\n"]
        call = f"get_ipython().run_cell_magic({match[1]!r}, {arguments});"
        # In a cell that is run without history, as nbval does, no semicolon is heard.
        return [f"{call} None;\n" if match[1] == "vibekit_run" else f"{call}\n"]

    def _is_automagic(self, cell: str) -> bool:
        """Whether a cell is a question whose magic was typed without its ``%``."""
        return bool(
            _AUTOMAGIC.fullmatch(cell)
            and self._shell.automagic
            and "vibekit" not in self._shell.user_ns
        )

    def _can_await(self) -> bool:
        """Whether the shell awaits this cell on an asyncio loop.

        Cells inside cells (``%%time``, ``%%capture``) and terminals run synchronously.
        """
        shell = self._shell
        return (
            hasattr(shell, "kernel")
            and shell.autoawait
            and shell.loop_runner is shell.loop_runner_map["asyncio"][0]
            and not self._running
        )

    def is_whole(self, magic: str) -> bool:
        """Whether the cell that runs now is nothing but this magic."""
        return len(self._running) == 1 and self._running[0].raw_cell.lstrip().startswith(magic)

    def prompt(self, body: str) -> str:
        """Return the body as it was typed.

        IPython ends a cell with a newline where it has none; that one is not the person's.
        """
        if self._running and self._running[0].raw_cell.endswith(body):
            return body
        return body.removesuffix("\n")


def _with_questions(lines: list[str]) -> list[str]:
    """Turn each ``%vibekit PROMPT?`` into the call of its magic: IPython takes it for help.

    It may be what a variable gets, or what another magic, such as ``%time``, is to run.
    """
    if not {"%vibekit", "?"}.issubset(re.findall(r"%vibekit\b|\?", "".join(lines))):
        return lines
    asked = list(lines)
    for tokens in make_tokens_by_line(lines):
        code = [token for token in tokens if token.type not in _NO_CODE]
        if not code:
            continue
        row, first = code[0].start
        last = find_end_of_continued_line(lines, row - 1)
        line = assemble_continued_line(lines, (row - 1, first), last)
        if question := _QUESTION.fullmatch(line):
            before, magic, words = question.groups()
            call = f"{before or ''}get_ipython().run_line_magic({magic!r}, {words.strip()!r})"
            asked[row - 1] = f"{lines[row - 1][:first]}{call}\n"
            asked[row : last + 1] = ["\n"] * (last + 1 - row)
    return asked

"""Which cell asks a prompt, so that two cells with equal prompts are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.sessions.asked import Asker

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Askers", "cell_name"]


def cell_name(shell: InteractiveShell) -> str:
    """Return the running cell's name as the notebook's page has it; empty where there is none."""
    return str(_parent(shell).get("metadata", {}).get("cellId", ""))


def _parent(shell: InteractiveShell) -> dict[str, Any]:
    return getattr(shell, "get_parent", dict)() or {}


class Askers:
    """The cells that have asked something in this kernel, by their prompts.

    Parameters
    ----------
    shell
        The shell that runs them.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._cells: dict[str, list[str]] = {}
        self._run: tuple[str, str] = ("", "")
        self._again = 0

    def of(self, prompt: str) -> Asker:
        """Return who asks this now."""
        run = str(_parent(self._shell).get("header", {}).get("msg_id", ""))
        cell = cell_name(self._shell)
        self._again = self._again + 1 if run and (run, prompt) == self._run else 0
        self._run = (run, prompt)
        cells = self._cells.setdefault(prompt, [])
        if not cell:
            # Where cells have no names, they are run from top to bottom.
            cell = f"#{len(cells) + 1}"
        elif self._again:
            cell = f"{cell}/{self._again}"
        if cell not in cells:
            cells.append(cell)
        return Asker(cell, cells.index(cell))

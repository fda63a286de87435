"""What ``%load_ext`` hooks into the shell, and ``%unload_ext`` takes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.notebook.cells import Cells
from vibekit_jupyter.notebook.code_magic import CodeMagics
from vibekit_jupyter.notebook.completion import Completion
from vibekit_jupyter.notebook.config_magic import VibekitConfigMagics
from vibekit_jupyter.notebook.context.ran_cells import RanCells
from vibekit_jupyter.notebook.files_magic import FilesMagics
from vibekit_jupyter.notebook.magics import VibekitMagics
from vibekit_jupyter.notebook.session_magic import SessionMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

__all__ = ["Extension"]


class Extension:
    """The hooks in one shell.

    Attributes
    ----------
    refused
        What is wrong in the shell's configuration of them, in a sentence each.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._cells = Cells(shell)
        self._ran = RanCells(shell)
        self._completion = Completion(shell)
        asking = VibekitMagics(shell, self._cells, self._ran)
        self.refused = asking.refused
        self._magics = (
            asking,
            CodeMagics(shell, self._cells),
            SessionMagics(shell),
            FilesMagics(shell),
            VibekitConfigMagics(shell),
        )

    def install(self) -> None:
        """Hook in."""
        self._cells.install()
        self._completion.install()
        self._shell.register_magics(*self._magics)
        self._ran.install()
        for magics in self._magics:
            self._ran.without(magics)

    def remove(self) -> None:
        """Take every hook away."""
        self._ran.remove()
        self._cells.remove()
        self._completion.remove()
        for magics in self._magics:
            self._forget(magics)

    def _forget(self, magics: Magics) -> None:
        manager = self._shell.magics_manager
        for kind, functions in magics.magics.items():
            for name in functions:
                manager.magics[kind].pop(name, None)
        manager.registry.pop(type(magics).__name__, None)
        self._shell.configurables.remove(magics)  # type: ignore[arg-type]  # it holds configurables of all kinds

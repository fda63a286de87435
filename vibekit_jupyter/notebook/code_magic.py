"""``%%vibekit_run``: a cell of code that runs in the session's sandbox, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from vibekit_jupyter.notebook.arguments import Command, argument, documented, split_words
from vibekit_jupyter.notebook.data_options import variables_of
from vibekit_jupyter.notebook.magic_errors import UsageError, plain_errors
from vibekit_jupyter.notebook.show import help_text, show

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.cells import Cells
    from vibekit_jupyter.results import CodeResult

__all__ = ["RUN", "CodeMagics"]

LANGUAGES = ("python", "bash", "node", "r")

RUN = Command(
    "%%vibekit_run",
    "Run the cell in the session's sandbox, without a model.",
    (
        argument("--lang", choices=LANGUAGES, default="python", help="what the cell is written in"),
        argument(
            *("--session", "-s"),
            metavar="SESSION",
            completes="session",
            help="where to run: the id, the name, or a unique beginning of one",
        ),
        argument(
            *("-i", "--in"),
            dest="inputs",
            metavar="NAME[,NAME]",
            action="append",
            default=[],
            help="set variables of the sandbox's Python to those of the notebook; for other "
            "languages they are files in data/",
        ),
        argument(
            *("-o", "--out"),
            dest="outputs",
            metavar="NAME[,NAME]",
            action="append",
            default=[],
            help="bring variables of the sandbox's Python back into the notebook; of other "
            "languages, files that they leave in out/",
        ),
    ),
    epilog=(
        "Python keeps its variables from cell to cell, as long as the session's sandbox runs\n"
        "or is paused; bash keeps its folder and what it exports; node and R keep nothing.\n"
        "Variables come back as they are or are refused, and only where the cell did not fail.\n"
        "An interrupt breaks into the cell; a second one ends the sandbox's Python."
    ),
)


@magics_class
class CodeMagics(Magics):
    """The magic that runs code.

    Parameters
    ----------
    shell
        The IPython shell.
    cells
        What the shell runs.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, cells: Cells) -> None:
        super().__init__(shell)
        self._cells = cells

    @no_var_expand
    @cell_magic
    @documented(RUN.help)
    def vibekit_run(self, line: str, cell: str) -> CodeResult | None:
        """Run the code."""
        options = RUN.parse(split_words(line), self.shell.user_ns)
        if options.help:
            show(self.shell, help_text(RUN.help()))
            return None
        if not cell.strip():
            raise UsageError("There is no code to run. Write it below the first line.")
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.code_run import CodeCell
        from vibekit_jupyter.notebook.render.code_display import code_display

        with plain_errors(debug=options.debug):
            variables = variables_of(options, self.shell.user_ns)
            display = code_display(
                self.shell, options.lang, owns_cell=self._cells.is_whole("%%vibekit_run")
            )
            run = CodeCell(
                get_client(),
                cell,
                display,
                language=options.lang,
                session=options.session,
                variables=variables,
            )
            result = run.blocking(in_kernel=hasattr(self.shell, "kernel"))
            if result.outputs:
                self.shell.push(dict(result.outputs))  # type: ignore[no-untyped-call]  # IPython's own
            return result

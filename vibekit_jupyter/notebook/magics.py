"""``%%vibekit`` and ``%vibekit``: a prompt in a cell, an agent at work, its output below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from vibekit_jupyter.notebook.arguments import Command, argument, documented, split_words
from vibekit_jupyter.notebook.askers import Askers, cell_name
from vibekit_jupyter.notebook.data_options import variables_of
from vibekit_jupyter.notebook.magic_errors import UsageError, plain_errors
from vibekit_jupyter.notebook.show import help_text, show
from vibekit_jupyter.settings.config import AGENTS, EFFORTS, MODES

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.cells import Cells
    from vibekit_jupyter.notebook.recorded_run import RecordedRun
    from vibekit_jupyter.notebook.run import CellRun
    from vibekit_jupyter.results import Result
    from vibekit_jupyter.sessions.asked import Asker

__all__ = ["CELL", "LINE", "VibekitMagics"]

_OPTIONS = (
    argument("--agent", choices=AGENTS, help="who answers"),
    argument("--model", metavar="NAME", help="the model's name at the vendor"),
    argument("--mode", choices=MODES, help="ask: look and answer, change nothing"),
    argument(
        "--session",
        metavar="SESSION",
        completes="session",
        help="where to work: the id, the name, or a unique beginning of one",
    ),
    argument("--fresh", action="store_true", help="without the conversation so far"),
    argument("--effort", choices=EFFORTS, help="how hard the model thinks"),
    argument("--max-steps", type=int, metavar="N", help="stop after so many answers of the model"),
    argument("--max-tokens", type=int, metavar="N", help="stop after so many tokens, in and out"),
    argument("--max-output-tokens", type=int, metavar="N", help="how long one answer may be"),
    argument(
        "--without",
        metavar="FIELDS",
        help="optional fields of requests that the model service refuses, with commas between",
    ),
    argument(
        *("-i", "--in"),
        dest="inputs",
        metavar="NAME[,NAME]",
        action="append",
        default=[],
        help="put variables into the sandbox first, as files in data/",
    ),
    argument(
        *("-o", "--out"),
        dest="outputs",
        metavar="NAME[,NAME]",
        action="append",
        default=[],
        help="have the agent leave these, and make them variables",
    ),
    argument(
        "--schema-only",
        action="store_true",
        help="tell the model the names and types of columns, and no values",
    ),
    argument("--private", action="store_true", help="keep the prompt out of the output's metadata"),
)
_WORDS = "In options, a whole word $name or {name} stands for the string of that name."

CELL = Command(
    "%%vibekit",
    "Let the agent do what the cell says; the prompt is the cell below the first line, as it\n"
    "stands.",
    _OPTIONS,
    epilog=_WORDS,
)
LINE = Command(
    "%vibekit",
    "Let the agent do what the rest of the line says, or show the last run again.",
    (*_OPTIONS, argument("--full", action="store_true", help="with last: nothing shortened")),
    usage="%(prog)s [OPTIONS] PROMPT\n       %(prog)s last [--full]",
    epilog=_WORDS + "\nSo it is in the prompt.",
)


@magics_class
class VibekitMagics(Magics):
    """The magics that run the agent.

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
        self._askers = Askers(shell)
        self._last: CellRun | RecordedRun | None = None

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @documented(f"{CELL.help()}\n{LINE.help()}")
    def vibekit(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Result | None:
        """Run the agent."""
        if cell is None:
            self._line(line, {**self.shell.user_ns, **(local_ns or {})})
            return None
        options = self._cell_options(line)
        if options is None:
            return None
        with plain_errors(debug=options.debug):
            namespace = {**self.shell.user_ns, **(local_ns or {})}
            run = self._start(options, self._cells.prompt(cell), namespace)
            return self._taken(run.blocking(in_kernel=hasattr(self.shell, "kernel")))

    @no_var_expand
    @cell_magic
    async def _vibekit_awaited(self, line: str, cell: str) -> None:
        """Run ``%%vibekit`` in a cell that is awaited; :class:`Cells` puts it there.

        It has no value: a semicolon does not silence a cell that is run without history.
        """
        options = self._cell_options(line)
        if options is None:
            return
        with plain_errors(debug=options.debug):
            prompt = self._cells.prompt(cell)
            run = self._start(options, prompt, self.shell.user_ns, owns_cell=True)
            self._taken(await run.awaited())

    def _taken(self, result: Result) -> Result:
        """Make variables of what came back, all at once: before, each is what it was."""
        if result.outputs:
            self.shell.push(dict(result.outputs))  # type: ignore[no-untyped-call]  # IPython's own
        return result

    def _cell_options(self, line: str) -> Namespace | None:
        options = CELL.parse(split_words(line), self.shell.user_ns)
        if options.help:
            show(self.shell, help_text(CELL.help()))
            return None
        return options

    def _line(self, line: str, namespace: Mapping[str, Any]) -> None:
        options, prompt = LINE.parse_prompt(line, namespace)
        if options.help:
            show(self.shell, help_text(LINE.help()))
        elif prompt.split() in (["last"], ["last", "--full"]):
            self._show_last(full=options.full or prompt.endswith("--full"))
        else:
            with plain_errors(debug=options.debug):
                run = self._start(options, prompt, namespace)
                self._taken(run.blocking(in_kernel=hasattr(self.shell, "kernel")))

    def _start(
        self,
        options: Namespace,
        prompt: str,
        namespace: Mapping[str, Any],
        *,
        owns_cell: bool = False,
    ) -> CellRun | RecordedRun:
        if not prompt.strip():
            raise UsageError("The prompt is empty. Say what the agent is to do.")
        asker = self._askers.of(prompt)
        variables = variables_of(options, namespace)
        run = self._recorded(options, prompt, asker) or self._new(
            options, prompt, asker, variables, owns_cell=owns_cell
        )
        self._last = run
        return run

    def _recorded(self, options: Namespace, prompt: str, asker: Asker) -> RecordedRun | None:
        """Return the recorded run of this prompt, where it is not to run again."""
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.recorded_run import RecordedRun, not_recorded, reruns

        chosen = reruns()
        if chosen == "always" or (options.outputs and chosen == "never"):
            return None  # what came back is not on record
        if options.outputs:
            raise not_recorded()
        turn = get_client().recorded(
            prompt,
            agent=options.agent,
            model=options.model,
            mode=options.mode,
            session=options.session,
            asker=asker,
        )
        if turn is None:
            if chosen == "only":
                raise not_recorded()
            return None
        return RecordedRun(self.shell, turn, private=options.private)

    def _new(
        self,
        options: Namespace,
        prompt: str,
        asker: Asker,
        variables: Mapping[str, Any],
        *,
        owns_cell: bool,
    ) -> CellRun:
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.render import run_display
        from vibekit_jupyter.notebook.run import CellRun

        return CellRun(
            get_client(),
            prompt,
            run_display(self.shell, owns_cell=owns_cell, private=options.private),
            in_page=bool(cell_name(self.shell)),
            agent=options.agent,
            model=options.model,
            mode=options.mode,
            session=options.session,
            fresh=options.fresh,
            effort=options.effort,
            max_steps=options.max_steps,
            max_tokens=options.max_tokens,
            max_output_tokens=options.max_output_tokens,
            without=options.without,
            cell=asker.cell,
            schema_only=options.schema_only,
            **variables,
        )

    def _show_last(self, *, full: bool) -> None:
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.recorded_run import RecordedRun
        from vibekit_jupyter.notebook.render import message, rendered

        last = self._last
        if last is None or last.transcript(full=False).started is None:
            # What failed before it began is nothing to be shown.
            turn = get_client().last_turn()
            last = RecordedRun(self.shell, turn) if turn else None
        if last is None:
            show(self.shell, message("No prompt has run in this notebook yet."))
            return
        # The prompt belongs to another cell, which may have kept it to itself.
        show(self.shell, rendered(last.transcript(full=full), private=True))

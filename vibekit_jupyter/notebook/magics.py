"""``%%vibekit`` and ``%vibekit``: a prompt in a cell, an agent at work, its output below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
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
from vibekit_jupyter.notebook.setting_options import of_run, options
from vibekit_jupyter.notebook.show import help_text, show
from vibekit_jupyter.notebook.traits import SettingTraits

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.cells import Cells
    from vibekit_jupyter.notebook.context.put_in import PutIn
    from vibekit_jupyter.notebook.context.question import Question
    from vibekit_jupyter.notebook.context.ran_cells import RanCells
    from vibekit_jupyter.notebook.recorded_run import RecordedRun
    from vibekit_jupyter.notebook.run import CellRun
    from vibekit_jupyter.results import Result
    from vibekit_jupyter.sessions.asked import Asker

__all__ = ["CELL", "LINE", "VibekitMagics"]

_OPTIONS = (
    *options(run=True),
    argument(
        "--session",
        metavar="SESSION",
        completes="session",
        help="where to work: the id, the name, or a unique beginning of one",
    ),
    argument("--fresh", action="store_true", help="without the conversation so far"),
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
    argument(
        "--context",
        metavar="N|errors|none",
        default="none",
        help="take along the last N cells and what they showed, or those that failed",
    ),
    argument(
        "--insert",
        action="store_true",
        help="put the code of the answer into a new cell below, as it stands; it does not run",
    ),
    argument("--verbatim", action="store_true", help="send {{name}} as it stands"),
)
_WORDS = (
    "In options, a whole word $name or {name} stands for the string of that name. In the prompt,\n"
    "{{name}} or {{name.attr}} is replaced by its value where the name is yours: text, numbers,\n"
    "dates and paths as they are, frames and arrays by their columns and types."
)

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
    usage=(
        "%(prog)s [OPTIONS] PROMPT\n       %(prog)s [OPTIONS] fix [WORDS]"
        "\n       %(prog)s [OPTIONS] explain [WORDS]\n       %(prog)s last [--full]"
    ),
    epilog=f"{_WORDS}\nA whole word $name or {{name}} of the prompt is replaced as in options.\n\n"
    "fix and explain ask about the last error of a cell; fix puts the mended cell below. They\n"
    "are these verbs where they stand alone, or where your last cell failed; else, and after --,\n"
    "they begin a prompt.",
)


@magics_class
class VibekitMagics(SettingTraits):
    """The magics that run the agent.

    Parameters
    ----------
    shell
        The IPython shell.
    cells
        What the shell runs.
    ran
        What it ran before.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, cells: Cells, ran: RanCells) -> None:
        super().__init__(shell)
        self._cells = cells
        self._ran = ran
        self._askers = Askers(shell)
        self._last: CellRun | RecordedRun | None = None

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @documented(lambda: f"{CELL.help()}\n{LINE.help()}")
    def vibekit(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Result | None:
        """Run the agent."""
        if cell is None:
            self._line(line, local_ns)
            return None
        options = self._cell_options(line)
        if options is None:
            return None
        with plain_errors(debug=options.debug):
            namespace = {**self.shell.user_ns, **(local_ns or {})}
            question = self._typed(options, self._cells.prompt(cell))
            run = self._start(options, question, namespace)
            return self._take(options, run, run.blocking(in_kernel=hasattr(self.shell, "kernel")))

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
            question = self._typed(options, self._cells.prompt(cell))
            run = self._start(options, question, self.shell.user_ns, owns_cell=True)
            self._take(options, run, await run.awaited())

    def _cell_options(self, line: str) -> Namespace | None:
        options = CELL.parse(split_words(line), self.shell.user_ns)
        if options.help:
            show(self.shell, help_text(CELL.help()))
            return None
        return options

    def _line(self, line: str, local_names: Mapping[str, Any] | None) -> None:
        names = {**self.shell.user_ns, **(local_names or {})}
        with plain_errors():
            put_in = self._put_in(line, local_names)
            options, prompt = LINE.parse_prompt(line, names, put_in)
        if options.help:
            show(self.shell, help_text(LINE.help()))
        elif not options.is_prompt and prompt.split() in (["last"], ["last", "--full"]):
            self._show_last(full=options.full or prompt.endswith("--full"))
        else:
            with plain_errors(debug=options.debug):
                question = self._asked(options, prompt, put_in, local_names)
                run = self._start(options, question, names)
                self._take(options, run, run.blocking(in_kernel=hasattr(self.shell, "kernel")))

    def _put_in(self, text: str, local_names: Mapping[str, Any] | None = None) -> PutIn | None:
        """Return what puts values into a text, None where there is no place for one."""
        if "{{" not in text:
            return None
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.context.names import own_names
        from vibekit_jupyter.notebook.context.put_in import PutIn

        return PutIn(own_names(self.shell, local_names), get_client().redactor)

    def _typed(self, options: Namespace, prompt: str) -> Question:
        """Return what a cell asks."""
        put_in = None if options.verbatim else self._put_in(prompt)
        return self._question(options, put_in(prompt) if put_in else prompt, put_in)

    def _asked(
        self,
        options: Namespace,
        prompt: str,
        put_in: PutIn | None,
        local_names: Mapping[str, Any] | None,
    ) -> Question:
        """Return what a line asks: it may be about the last error."""
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.context.names import own_names
        from vibekit_jupyter.notebook.context.question import about_failure, asked_verb

        verb = None if options.is_prompt else asked_verb(prompt, self._ran)
        if verb is None:
            return self._question(options, prompt, put_in)
        options.mode = "ask"
        options.insert = options.insert or verb == "fix"
        question = about_failure(
            verb,
            prompt.removeprefix(verb).strip(),
            cells=self._ran,
            namespace=own_names(self.shell, local_names),
            redactor=get_client().redactor,
        )
        return self._question(options, question.prompt, put_in, question.sent)

    def _question(
        self, options: Namespace, prompt: str, put_in: PutIn | None, *sent: str
    ) -> Question:
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.context.question import question

        if not prompt.strip():
            raise UsageError("The prompt is empty. Say what the agent is to do.")
        return question(
            prompt,
            [*sent, *(put_in.words(private=options.private) if put_in else ())],
            context=options.context,
            cells=self._ran,
            redactor=get_client().redactor,
        )

    def _start(
        self,
        options: Namespace,
        question: Question,
        namespace: Mapping[str, Any],
        *,
        owns_cell: bool = False,
    ) -> CellRun | RecordedRun:
        from vibekit_jupyter.notebook import get_client

        policy = get_client().settings.policy
        if options.insert:
            policy.check_use("insert", "That puts code into a new cell")
        if options.private:
            policy.check_use("private", "--private keeps a prompt out of the notebook")
        asker = self._askers.of(question.prompt)
        variables = variables_of(options, namespace)
        run = self._recorded(options, question.prompt, asker) or self._new(
            options, question, asker, variables, owns_cell=owns_cell
        )
        self._last = run
        return run

    def _take(self, options: Namespace, run: CellRun | RecordedRun, result: Result) -> Result:
        """Make variables of what came back, all at once, and a cell of its code where asked for."""
        if result.outputs:
            self.shell.push(dict(result.outputs))  # type: ignore[no-untyped-call]  # IPython's own
        if options.insert:
            self._insert(run, result)
        return result

    def _insert(self, run: CellRun | RecordedRun, result: Result) -> None:
        """Put the code of an answer into a new cell below."""
        from vibekit_jupyter.notebook.context.new_cell import insert
        from vibekit_jupyter.notebook.render import message

        session = run.transcript(full=True).session_name or ""
        if sentence := insert(self.shell, result, session, run.number):
            show(self.shell, message(sentence))

    def _recorded(self, options: Namespace, prompt: str, asker: Asker) -> RecordedRun | None:
        """Return the recorded run of this prompt, where it is not to run again."""
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.recorded_run import RecordedRun, not_recorded, reruns

        chosen = reruns(get_client().settings.policy)
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
        question: Question,
        asker: Asker,
        variables: Mapping[str, Any],
        *,
        owns_cell: bool,
    ) -> CellRun:
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.approvals.person import person_at
        from vibekit_jupyter.notebook.render import run_display
        from vibekit_jupyter.notebook.run import CellRun

        return CellRun(
            get_client(),
            question.prompt,
            run_display(self.shell, owns_cell=owns_cell, private=options.private),
            in_page=bool(cell_name(self.shell)),
            person=person_at(self.shell),
            session=options.session,
            fresh=options.fresh,
            **of_run(options),
            cell=asker.cell,
            sent=question.sent,
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

"""The client's methods that run a person's own code and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.errors import CommandError
from vibekit_jupyter.sandbox.clean_shell import check_folder
from vibekit_jupyter.sessions.verbs import SessionVerbs
from vibekit_jupyter.settings import config
from vibekit_jupyter.workbench.code.cell_data import CellData
from vibekit_jupyter.workbench.code.run import CodeRun, Opened
from vibekit_jupyter.workbench.code.told import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vibekit_jupyter.results import CodeResult, CommandResult
    from vibekit_jupyter.workbench.code.interpreters import Interpreters
    from vibekit_jupyter.workbench.code.languages import Language
    from vibekit_jupyter.workbench.code.run import Redacts
    from vibekit_jupyter.workbench.code.told import Output
    from vibekit_jupyter.workbench.data.sending import Sender

__all__ = ["CodeRunner"]


class CodeRunner(SessionVerbs):
    """Code in a session's sandbox, without a model: no model needs to be configured."""

    _interpreters: Interpreters
    _sender: Sender

    @property
    def _redactor(self) -> Redacts:
        """What takes the secrets of this moment out of what is told."""
        raise NotImplementedError

    async def run_code(
        self,
        code: str,
        *,
        language: Language = "python",
        session: str | None = None,
        inputs: Mapping[str, object] | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
        on_output: Callable[[Output], None] | None = None,
    ) -> CodeResult:
        """Run code in a session's sandbox, without a model; the session is created on first use.

        Python keeps its variables from call to call, bash its folder and what it exports.

        Parameters
        ----------
        code
            The source.
        language
            ``python``, ``bash``, ``node`` or ``r``, as far as the sandbox has it.
        session
            Run in this session (id, name or unique prefix); the current one stays current.
        inputs
            Variables for the code, by name. In Python they are variables there, too, each time set
            to these values; in other languages they are files in ``data``. See ``send``.
        outputs
            Names of variables that Python has when it is done, or of files that another language
            leaves in ``out``: they are the result's ``outputs``. See ``fetch``.
        timeout
            Seconds; None is no limit.
        on_output
            Called with what it prints and shows, as it comes (see ``workbench.code.told``).

        Raises
        ------
        DataError
            An input cannot be sent, before anything is; or an output cannot be brought back.
        CodeError
            It failed; the sandbox's traceback, or the exit code, is in it.
        """

        def tell(told: Opened | Output) -> None:
            if on_output is not None and not isinstance(told, Opened):
                on_output(told)

        run = await self.code_run(
            code, language, session, tell, timeout=timeout, inputs=inputs, outputs=outputs
        )
        return await run.go()

    async def execute_command(
        self,
        command: str,
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        on_stdout: Callable[[str], None] | None = None,
        on_stderr: Callable[[str], None] | None = None,
    ) -> CommandResult:
        """Run a command in the current session's sandbox; the session is created on first use.

        Parameters
        ----------
        command
            Bash source.
        timeout
            Seconds; None is no limit.
        cwd
            Where it runs; None is the sandbox's home folder.

        Raises
        ------
        ConfigurationError
            One of these can be none.
        CommandError
            It exited with another code than 0, or ran out of time. It is the result, too.
        """

        def on_output(stream: Literal["stdout", "stderr"], text: str) -> None:
            listener = on_stdout if stream == "stdout" else on_stderr
            if listener is not None:
                listener(text)

        config.seconds("timeout", timeout)
        check_folder(cwd)
        self._workspace.check_initialized()  # the seeds have it so, though no agent is asked
        sandbox = await self._workspace.current_sandbox()
        result = await self._workspace.run(
            sandbox, command, timeout=timeout, cwd=cwd, on_output=on_output
        )
        if result.exit_code != 0:
            raise CommandError(result, session_id=sandbox.id)
        return result

    async def code_run(
        self,
        code: str,
        language: Language,
        session: str | None,
        tell: Callable[[Opened | Output], None],
        *,
        timeout: float | None = None,
        inputs: Mapping[str, object] | None = None,
        outputs: Sequence[str] = (),
    ) -> CodeRun:
        """Return a run of code that is still to go; whoever has it can stop it in steps."""
        self._workspace.service_id()
        data = None
        if inputs or outputs:
            data = CellData(
                self._sender, inputs or {}, outputs, lambda text: tell(Notice(text, expected=True))
            )
        return CodeRun(
            self._workspace,
            self._interpreters,
            code,
            language=language,
            session_id=None if session is None else (await self.find(session)).id,
            tell=tell,
            redactor=self._redactor,
            timeout=timeout,
            data=data,
        )

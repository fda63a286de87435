"""The client's methods that run a person's own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.code.run import CodeRun, Opened
from vibekit_jupyter.sessions.verbs import SessionVerbs

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.code.interpreters import Interpreters
    from vibekit_jupyter.code.languages import Language
    from vibekit_jupyter.code.run import Redacts
    from vibekit_jupyter.code.told import Output
    from vibekit_jupyter.results import CodeResult

__all__ = ["CodeRunner"]


class CodeRunner(SessionVerbs):
    """Code in a session's sandbox, without a model: no model needs to be configured."""

    _interpreters: Interpreters

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
        timeout
            Seconds; None is no limit.
        on_output
            Called with what it prints and shows, as it comes (``vibekit_jupyter.code.told``).

        Raises
        ------
        CodeError
            It failed; the sandbox's traceback, or the exit code, is in it.
        """

        def tell(told: Opened | Output) -> None:
            if on_output is not None and not isinstance(told, Opened):
                on_output(told)

        return await (await self.code_run(code, language, session, tell, timeout=timeout)).go()

    async def code_run(
        self,
        code: str,
        language: Language,
        session: str | None,
        tell: Callable[[Opened | Output], None],
        *,
        timeout: float | None = None,
    ) -> CodeRun:
        """Return a run of code that is still to go; whoever has it can stop it in steps."""
        self._workspace.service_id()
        return CodeRun(
            self._workspace,
            self._interpreters,
            code,
            language=language,
            session_id=(await self._find(session)).id if session else None,
            tell=tell,
            redactor=self._redactor,
            timeout=timeout,
        )

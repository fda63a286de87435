"""A cell of code: it runs on the background loop, the cell's thread draws and is interrupted."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import RunInterruptedError
from vibekit_jupyter.notebook.loop import CLEANUP_SECONDS, TICK
from vibekit_jupyter.notebook.presses import DOUBLE_PRESS, presses
from vibekit_jupyter.workbench.code.run import Opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.notebook.render.code_display import CodeDisplay
    from vibekit_jupyter.results import CodeResult
    from vibekit_jupyter.workbench.code.languages import Language
    from vibekit_jupyter.workbench.code.run import CodeRun
    from vibekit_jupyter.workbench.code.told import Output

__all__ = ["CodeCell"]

# Seconds that an interrupt has before it is said that a second one ends more.
UNSAID: Final = 1.0
GOES_ON: Final = (
    "Interrupted, and it goes on all the same. Press again to end it: then the variables of a "
    "Python cell are gone."
)


class CodeCell:
    """Code at work, shown in the cell that runs now.

    Parameters
    ----------
    client
        The kernel's client.
    code, language, session, variables
        See :meth:`vibekit_jupyter.VibeKit.run_code`; the last are its ``inputs`` and ``outputs``.
    display
        Where it is drawn.
    """

    def __init__(
        self,
        client: KernelClient,
        code: str,
        display: CodeDisplay,
        *,
        language: Language,
        session: str | None,
        variables: Mapping[str, Any],
    ) -> None:
        self._client = client
        self._display = display
        self._run: CodeRun | None = None
        self._presses = 0
        self._pressed_at: float | None = None
        self._work = client.submit(self._go(code, language, session, variables))

    async def _go(
        self, code: str, language: Language, session: str | None, variables: Mapping[str, Any]
    ) -> CodeResult:
        self._run = await self._client.vibekit.code_run(
            code, language, session, self._tell, **variables
        )
        return await self._run.go()

    def _tell(self, told: Opened | Output) -> None:
        self._display.parts.add(told)
        if isinstance(told, Opened) and told.created:
            self._client.notify()

    def blocking(self, *, in_kernel: bool) -> CodeResult:
        """Draw until the code has ended, and return what it left.

        Parameters
        ----------
        in_kernel
            ipykernel runs the cell: it puts its own signal handler back afterwards.

        Raises
        ------
        CodeError
            It failed.
        RunInterruptedError
            It was stopped.
        """
        heard = presses(
            self._press,
            self._work.finished.done,
            lambda: self._pressed_at,
            in_kernel=in_kernel,
        )
        with heard, self._never_unseen():
            # A short cell is drawn once.
            concurrent.futures.wait([self._work.finished], timeout=TICK)
            while not self._is_over():
                concurrent.futures.wait([self._work.finished], timeout=TICK)
                self._display.tick(self._saying())
        try:
            result = self._work.finished.result(timeout=0)
        except (asyncio.CancelledError, TimeoutError):
            error = RunInterruptedError("Interrupted.", hint="The session can go on.")
            self._display.finish(error)
            raise error from None
        except Exception as error:
            self._display.finish(error)
            raise
        self._display.finish()
        return result

    @property
    def _since_press(self) -> float:
        return time.monotonic() - (self._pressed_at or 0.0)

    def _is_over(self) -> bool:
        given_up = self._presses > 1 and self._since_press > CLEANUP_SECONDS
        if given_up and not self._work.finished.done():
            self._work.cancel()
        return given_up or self._work.finished.done()

    def _saying(self) -> str:
        goes_on = self._presses and self._since_press > UNSAID
        return GOES_ON if goes_on else ""

    def _press(self) -> None:
        if self._presses and self._since_press < DOUBLE_PRESS:
            return
        self._presses += 1
        self._pressed_at = time.monotonic()
        if self._run is None:
            self._work.cancel()
        else:
            self._client.submit(self._run.stop())

    @contextlib.contextmanager
    def _never_unseen(self) -> Iterator[None]:
        """End the code where drawing fails: nobody would see it go on, or could stop it."""
        try:
            yield
        except BaseException:
            self._work.end()
            raise

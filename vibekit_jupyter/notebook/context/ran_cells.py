"""The cells that ran in this kernel, taken down as they run.

IPython keeps the source and the text of a result, but not what was displayed, or printed by a cell
that awaits. So what passes by is taken down as it is shown: bounded, never asked for again.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.notebook.magic_errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

    from vibekit_jupyter.notebook.context.ran import Ran

__all__ = ["KEPT", "RanCells"]

KEPT: Final = 50  # cells


class RanCells:
    """Takes down what the cells of a shell show.

    Parameters
    ----------
    shell
        The IPython shell.

    Attributes
    ----------
    failed
        The last cell that ended in an error of the person's own; None before there is one.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._cells: deque[Ran] = deque(maxlen=KEPT)
        self._before = 0
        self._info: Any = None
        self._running: Ran | None = None
        self._silent = 0
        self._stop_listening: Callable[[], None] | None = None
        self.failed: Ran | None = None

    def install(self) -> None:
        """Hook into the shell."""
        self._before = len(self._inputs())
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)
        if hooks := getattr(self._shell.display_pub, "register_hook", None):
            hooks(self._displayed)

    def remove(self) -> None:
        """Take every hook away."""
        self._shell.events.unregister("pre_run_cell", self._begin)
        self._shell.events.unregister("post_run_cell", self._end)
        if hooks := getattr(self._shell.display_pub, "unregister_hook", None):
            hooks(self._displayed)
        self._finish()

    def recent(self, count: int) -> Sequence[Ran]:
        """Return the last cells that have ended, the oldest first.

        Of those that ran before the extension was loaded, only the result is known.
        """
        cells = [*self._cells][-count:]
        missing = min(count - len(cells), KEPT)
        first = max(1, self._before - missing)
        earlier = enumerate(self._inputs()[first : self._before], first)
        return [*(self._earlier(number, source) for number, source in earlier), *cells]

    @property
    def just_failed(self) -> bool:
        """Whether the last cell, leaving out those of our magics, ended in an error."""
        own = (ran for ran in reversed(self._cells) if ran.failure or not ran.ours)
        last = next(own, None)
        return last is not None and last is self.failed

    def without(self, magics: Magics) -> None:
        """Leave out what these magics show: it is no work of the person's."""
        for kind, names in magics.magics.items():
            registered = self._shell.magics_manager.magics[kind]
            for name in names:
                registered[name] = self._silenced(registered[name])

    def _silenced(self, magic: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(magic)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._silence():
                value = magic(*args, **kwargs)
            # IPython 7 hides that a magic is a coroutine function.
            return self._awaited(value) if inspect.iscoroutine(value) else value

        return run

    async def _awaited(self, magic: Coroutine[Any, Any, Any]) -> Any:
        with self._silence():
            return await magic

    @contextlib.contextmanager
    def _silence(self) -> Iterator[None]:
        if self._running is not None:
            self._running.ours = True
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    def _begin(self, info: Any) -> None:
        if info.store_history:  # others are parts of a cell, or a front end's own
            from vibekit_jupyter.notebook.context.ran import Ran

            self._finish()
            self._info, self._running = info, Ran(0, str(info.raw_cell))
            self._silent = 0
            self._listen()

    def _end(self, result: Any) -> None:
        if result is None:  # a kernel that was stopped while it ran a cell
            self._finish()
            return
        number = result.execution_count
        if not result.info.store_history or not number:
            return
        if result.info is self._info and self._running is not None:
            ran = self._running
            self._finish()
        else:
            from vibekit_jupyter.notebook.context.ran import Ran

            # The cell that loaded the extension ends without having begun.
            ran = Ran(number, str(result.info.raw_cell), ours=True)
            self._before = min(self._before, number)
        ran.number = number
        self._add_result(ran)
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, Exception) and not isinstance(error, VibeKitError | UsageError):
            from vibekit_jupyter.notebook.context.tracebacks import traceback_text

            # Now, for an error that is kept keeps all that its frames hold.
            ran.failure, self.failed = traceback_text(error), ran
        self._cells.append(ran)

    def _add_result(self, ran: Ran) -> None:
        """Add the text of the cell's result, which a terminal has written already."""
        result = self._results().get(ran.number)
        if isinstance(result, str) and not any(
            str(text).rstrip().endswith(result) for _, text in ran.shown[-1:]
        ):
            ran.add(result, "")

    def _earlier(self, number: int, source: str) -> Ran:
        from vibekit_jupyter.notebook.context.ran import Ran

        ran = Ran(number, source)
        self._add_result(ran)
        return ran

    def _inputs(self) -> Sequence[str]:
        history = self._shell.history_manager
        return history.input_hist_raw if history is not None else []

    def _results(self) -> dict[int, str]:
        history = self._shell.history_manager
        return history.output_hist_reprs if history is not None else {}

    def _finish(self) -> None:
        self._info, self._running = None, None
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None

    def _hears(self) -> Ran | None:
        return None if self._silent else self._running

    def _listen(self) -> None:
        """Hear what is written to the standard output while the cell runs, as IPython does."""
        stream: Any = sys.stdout
        write = stream.write
        is_own = "write" in getattr(stream, "__dict__", {})

        def heard(text: str, *args: Any, **kwargs: Any) -> Any:
            written = write(text, *args, **kwargs)
            if (ran := self._hears()) is not None:
                ran.add(text)
            return written

        def stop() -> None:
            if stream.write is not heard:
                return  # somebody else hears, too, and puts it back later
            if is_own:
                stream.write = write
            else:
                del stream.write

        with contextlib.suppress(AttributeError, TypeError):  # a stream that cannot be heard
            stream.write = heard
            self._stop_listening = stop

    def _displayed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take down what is displayed; the message goes on as it is."""
        if (ran := self._hears()) is not None:
            content = message["content"]
            kind = message["header"]["msg_type"]
            display_id = content.get("transient", {}).get("display_id") or ""
            text = content.get("data", {}).get("text/plain")
            if kind == "clear_output":
                ran.shown.clear()
            elif kind == "update_display_data" and isinstance(text, str) and display_id:
                self._updated(display_id, text)
            elif isinstance(text, str) and text:
                ran.add(text, display_id)
        return message

    def _updated(self, display_id: str, text: str) -> None:
        for ran in [*self._cells, *filter(None, [self._running])]:
            ran.update(text, display_id)

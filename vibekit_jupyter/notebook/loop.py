"""One event loop in a background thread, for the life of the kernel.

The kernel's own loop belongs to the cells: it stands still while plain code runs, and a
terminal has none between two prompts. What must live on (connections, the run of an agent)
lives here, and cells of every kind wait for it.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread
import contextlib
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.notebook.magic_errors import show_as_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["CLEANUP_SECONDS", "TICK", "BackgroundLoop", "Work", "interruptible"]

T = TypeVar("T")

TICK = 0.05
"""Seconds between two looks at work on the background loop."""

CLEANUP_SECONDS = 5.0
"""How long one waits for a cancelled coroutine to end. A person pressed the stop button."""

EXIT_SECONDS = 3.5
"""How long the interpreter's end waits. Jupyter kills a kernel that takes more than 5 s."""

CANCEL_SECONDS = 1.0
"""How much of it what is at work has to end."""


class Work(Generic[T]):
    """A coroutine at work on the background loop.

    Attributes
    ----------
    finished
        Settles when the coroutine has ended, its cleanup included: neither a cancellation nor
        an impatient waiter settles it earlier.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self.finished: Future[T] = Future()
        self.finished.set_running_or_notify_cancel()
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        # The call carries the caller's context: what is printed lands in the caller's cell.
        loop.call_soon_threadsafe(self._start, coroutine)

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.finished.set_exception(asyncio.CancelledError())
        elif error := task.exception():
            self.finished.set_exception(error)
        else:
            self.finished.set_result(task.result())

    def _cancel(self) -> None:
        # A second request would break into the cleanup that the first one began.
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()

    def cancel(self) -> None:
        """Ask the coroutine to end, from any thread; ``finished`` tells when it has."""
        if not self.finished.done():
            self._loop.call_soon_threadsafe(self._cancel)

    def end(self) -> None:
        """Cancel the coroutine and block until it has ended, if it does so in time."""
        self.cancel()
        concurrent.futures.wait([self.finished], timeout=CLEANUP_SECONDS)

    def signal(self) -> asyncio.Future[None]:
        """Return a future of the running loop that is done when the coroutine has ended."""
        here = asyncio.get_running_loop()
        signal: asyncio.Future[None] = here.create_future()

        def settle() -> None:
            if not signal.done():
                signal.set_result(None)

        def tell(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
                here.call_soon_threadsafe(settle)

        self.finished.add_done_callback(tell)
        return signal

    async def ended(self) -> None:
        """Do as :meth:`end` does without blocking the running loop."""
        self.cancel()
        await asyncio.wait([self.signal()], timeout=CLEANUP_SECONDS)

    async def result(self) -> T:
        """Await the result on another loop. Cancelling the waiter cancels the work."""
        with interruptible():
            try:
                await self.signal()
            except asyncio.CancelledError:
                await self.ended()
                raise
        return self.finished.result()

    def wait(self) -> T:
        """Block until the result is there. An interrupt of the waiter cancels the work."""
        with self._interruptible():
            return self.finished.result()

    def lasts(self, seconds: float) -> bool:
        """Block for so long at most; return whether it still goes on. See :meth:`wait`."""
        with self._interruptible():
            return bool(concurrent.futures.wait([self.finished], timeout=seconds).not_done)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt as error:
            show_as_one_line(error)
            self.end()
            raise


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt end what awaits here, at once and with one line.

    ipykernel acts on an interrupt in the loop's next round, and a loop that only waits for
    another thread has none: so keep it going round.
    """

    async def tick() -> None:
        while True:  # noqa: ASYNC110  # it waits for nothing: the rounds are the point
            await asyncio.sleep(TICK)

    ticking = asyncio.ensure_future(tick())
    try:
        yield
    except asyncio.CancelledError as error:
        show_as_one_line(error)
        raise
    finally:
        ticking.cancel()


class BackgroundLoop:
    """The loop and its thread.

    Parameters
    ----------
    farewell
        Awaited on the loop before the interpreter ends.
    """

    def __init__(self, farewell: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._farewell = farewell
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_tell)
        self._works: set[Work[Any]] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="vibekit", daemon=True)
        self._thread.start()
        _at_exit(self.close)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Work[T]:
        """Start a coroutine on the loop, from any thread."""
        work = Work(self._loop, coroutine)
        self._works.add(work)
        work.finished.add_done_callback(lambda _: self._works.discard(work))
        return work

    def refuse_own_thread(self) -> None:
        """Raise where blocking would wait for itself for ever: in a callback of a run."""
        if threading.current_thread() is self._thread:
            raise VibeKitError(
                "client.sync was called in a callback of its own run.",
                hint="Note what you need in the callback, and call it after the run.",
            )

    def close(self) -> bool:
        """Cancel what is at work, say farewell, end the thread: in EXIT_SECONDS at most.

        Returns
        -------
        bool
            Whether it is closed now; not where a signal broke into just this.
        """
        if not self._thread.is_alive():
            return True
        if self._closing:
            return False
        self._closing = True
        deadline = time.monotonic() + EXIT_SECONDS
        works = list(self._works)
        for work in works:
            work.cancel()
        concurrent.futures.wait([work.finished for work in works], timeout=CANCEL_SECONDS)
        farewell = self.submit(self._farewell())
        concurrent.futures.wait([farewell.finished], timeout=deadline - time.monotonic())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=1)
        return True


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell what went wrong unseen, but not of a cancelled task that says so by another error.

    The e2b SDK has such tasks: nobody waits for them any more, and the text would stand in a cell.
    """
    error = context.get("exception")
    if error is None or not isinstance(error.__cause__, asyncio.CancelledError):
        loop.default_exception_handler(context)


def _at_exit(close: Callable[[], object]) -> None:
    # By the time of atexit the executors are shut down, and resolving a host's name needs
    # one. The hooks of threading run earlier, the last registered first, so ours must come
    # after the import of concurrent.futures.thread, which has one. They have no public name.
    getattr(threading, "_register_atexit", atexit.register)(close)

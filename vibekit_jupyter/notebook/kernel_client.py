"""The client of this kernel: one VibeKit on the background loop, for cells of every kind."""

from __future__ import annotations

import asyncio
from functools import cached_property, wraps
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from vibekit_jupyter.client import VibeKit
from vibekit_jupyter.notebook.loop import BackgroundLoop, Work, interruptible
from vibekit_jupyter.notebook.magic_errors import show_as_one_line, show_without_secrets
from vibekit_jupyter.notebook.place import notebook_path
from vibekit_jupyter.notebook.signs_of_life import signs_of_life
from vibekit_jupyter.runs.redact import Redactor, secrets_of
from vibekit_jupyter.sandbox.queue import telling_of_waits

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Iterator,
        Mapping,
        Sequence,
    )

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import DayCosts, Result
    from vibekit_jupyter.runs.spending import Budget
    from vibekit_jupyter.sessions.session import Session, Turn
    from vibekit_jupyter.settings.config import Settings

__all__ = ["KernelClient", "SyncClient"]

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    method: Callable[Concatenate[VibeKit, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[KernelClient, P], Coroutine[Any, Any, T]]:
    """Make a method of VibeKit awaitable on any loop."""

    @wraps(method)
    async def call(client: KernelClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.submit(method(client.vibekit, *args, **kwargs)).result()

    return call


def _blocking(
    method: Callable[Concatenate[VibeKit, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncClient, P], T]:
    """Make a method of VibeKit callable from plain code."""

    @wraps(method)
    def call(client: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        client.loop.refuse_own_thread()
        return client.submit(method(client.vibekit, *args, **kwargs)).wait()

    return call


class _Bridge:
    """What both clients share: the VibeKit, its loop, and what needs no waiting."""

    def __init__(
        self, vibekit: VibeKit, loop: BackgroundLoop, observers: list[Callable[[], None]]
    ) -> None:
        self.vibekit = vibekit
        self.loop = loop
        self._observers = observers

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Work[T]:
        """Start a coroutine on the background loop."""
        work = self.loop.submit(self._without_secrets(coroutine))
        work.finished.add_done_callback(lambda _: self.notify())
        return work

    async def _without_secrets(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine; what it raises is without secrets wherever it is shown."""
        try:
            async with signs_of_life():
                with telling_of_waits(self._tell_of_wait):
                    return await coroutine
        except Exception as error:
            self.redactor.cut_causes(error)
            show_without_secrets(error, self.redactor)
            raise

    def _tell_of_wait(self, sentence: str) -> None:
        print(self.redactor.text(sentence), flush=True)  # noqa: T201  # it lands in the cell that waits

    @property
    def redactor(self) -> Redactor:
        """What takes the secrets of this moment out of texts."""
        return Redactor(secrets_of(self.vibekit.layers.resolve().settings))

    def observe(self, observer: Callable[[], None]) -> None:
        """Have a function called, on any thread, whenever sessions may have changed."""
        self._observers.append(observer)

    def notify(self) -> None:
        """Tell the observers that sessions may have changed."""
        for observer in list(self._observers):
            observer()

    @property
    def settings(self) -> Settings:
        """What holds for an operation that begins now, of all layers of settings."""
        return self.vibekit.settings

    def configure(self, settings: Settings) -> None:
        """Use other settings from the next operation on."""
        self.vibekit.configure(settings)

    def configuration(self) -> Sequence[tuple[str, str, str]]:
        """Return what is used and why, as rows (what, value, reason). No keys; no request."""
        return self.vibekit.configuration()

    def sources(self) -> Sequence[tuple[str, str, str]]:
        """Return every file of settings that is looked at, as rows (whose, file, what)."""
        return self.vibekit.sources()

    def usage(self, days: int = 30) -> Sequence[DayCosts]:
        """Return what one's runs took, by day (UTC), model and project. No request is sent."""
        return self.vibekit.usage(days)

    def budgets(self) -> Sequence[Budget]:
        """Return the budgets that are set, with what is used of them. No request is sent."""
        return self.vibekit.budgets()

    def history(self, session: str | None = None) -> Sequence[Turn]:
        """Return a session's turns, in order. No request is sent."""
        return self.vibekit.history(session)

    def recorded(self, prompt: str, **options: Any) -> Turn | None:
        """Return the last run with this prompt that came to its end. No request is sent."""
        turn = self.vibekit.recorded(prompt, **options)
        self.notify()
        return turn

    def place_in_session(self, session_id: str | None, turn: Turn | None = None) -> int:
        """Return which turn of its session one is, counted from 1. No request is sent."""
        return self.vibekit.place_in_session(session_id, turn)

    def last_turn(self) -> Turn | None:
        """Return the last turn of the session in use. No request is sent."""
        return self.vibekit.last_turn()

    def known_sessions(self) -> Sequence[Session]:
        """Return the sessions of the registry without a request."""
        return self.vibekit.known_sessions()

    def last_session(self) -> Session | None:
        """Return the session that this notebook used last, without a request."""
        return self.vibekit.last_session()


class SyncClient(_Bridge):
    """The kernel's client for plain code: functions, loops, threads, running event loops.

    Callbacks (``on_event`` and its kin) are called on the background thread.
    """

    get_session = _blocking(VibeKit.get_session)
    set_session = _blocking(VibeKit.set_session)
    generate_code = _blocking(VibeKit.generate_code)
    execute_command = _blocking(VibeKit.execute_command)
    run_code = _blocking(VibeKit.run_code)
    send = _blocking(VibeKit.send)
    fetch = _blocking(VibeKit.fetch)
    find = _blocking(VibeKit.find)
    show = _blocking(VibeKit.show)
    new = _blocking(VibeKit.new)
    rename = _blocking(VibeKit.rename)
    pause = _blocking(VibeKit.pause)
    resume = _blocking(VibeKit.resume)
    kill = _blocking(VibeKit.kill)
    fork = _blocking(VibeKit.fork)
    restore = _blocking(VibeKit.restore)
    forget = _blocking(VibeKit.forget)
    list = _blocking(VibeKit.list)
    pull = _blocking(VibeKit.pull)
    push = _blocking(VibeKit.push)
    list_files = _blocking(VibeKit.list_files)
    matching_files = _blocking(VibeKit.matching_files)
    read_file = _blocking(VibeKit.read_file)
    remove_files = _blocking(VibeKit.remove_files)
    preview = _blocking(VibeKit.preview)

    def stream(self, prompt: str, **options: Any) -> Iterator[Event]:
        """Run the agent on a prompt, as events. Leaving the loop early ends the run."""
        self.loop.refuse_own_thread()
        events: SimpleQueue[Event | None] = SimpleQueue()
        run = self.submit(self.vibekit.generate_code(prompt, on_event=events.put, **options))
        run.finished.add_done_callback(lambda _: events.put(None))
        try:
            yield from iter(events.get, None)
            run.wait()
        except KeyboardInterrupt as error:
            show_as_one_line(error)
            raise
        finally:
            run.end()


class KernelClient(_Bridge):
    """The client that the magics drive, awaitable from any cell.

    It has the methods of :class:`vibekit_jupyter.VibeKit`; ``sync`` has them for plain code.
    Cancelling a cell that awaits cancels the work. Callbacks (``on_event`` and its kin) are
    called on the background thread.

    Parameters
    ----------
    namespace
        The user's namespace, for the notebook's path.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        vibekit = VibeKit(
            agent={"type": "auto"},
            notebook=notebook_path(namespace),
        )
        super().__init__(vibekit, BackgroundLoop(vibekit.leave), [])

    @cached_property
    def sync(self) -> SyncClient:
        """The same methods for plain code."""
        return SyncClient(self.vibekit, self.loop, self._observers)

    get_session = _awaited(VibeKit.get_session)
    set_session = _awaited(VibeKit.set_session)
    generate_code = _awaited(VibeKit.generate_code)
    execute_command = _awaited(VibeKit.execute_command)
    run_code = _awaited(VibeKit.run_code)
    send = _awaited(VibeKit.send)
    fetch = _awaited(VibeKit.fetch)
    find = _awaited(VibeKit.find)
    show = _awaited(VibeKit.show)
    new = _awaited(VibeKit.new)
    rename = _awaited(VibeKit.rename)
    pause = _awaited(VibeKit.pause)
    resume = _awaited(VibeKit.resume)
    kill = _awaited(VibeKit.kill)
    fork = _awaited(VibeKit.fork)
    restore = _awaited(VibeKit.restore)
    forget = _awaited(VibeKit.forget)
    list = _awaited(VibeKit.list)
    pull = _awaited(VibeKit.pull)
    push = _awaited(VibeKit.push)
    list_files = _awaited(VibeKit.list_files)
    matching_files = _awaited(VibeKit.matching_files)
    read_file = _awaited(VibeKit.read_file)
    remove_files = _awaited(VibeKit.remove_files)
    preview = _awaited(VibeKit.preview)

    async def stream(self, prompt: str, **options: Any) -> AsyncIterator[Event]:
        """Run the agent on a prompt, as events. Leaving the loop early ends the run."""
        here = asyncio.get_running_loop()
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        def put(event: Event | None) -> None:
            here.call_soon_threadsafe(events.put_nowait, event)

        run: Work[Result] = self.submit(self.vibekit.generate_code(prompt, on_event=put, **options))
        run.finished.add_done_callback(lambda _: put(None))
        try:
            with interruptible():
                while (event := await events.get()) is not None:
                    yield event
            await run.result()
        finally:
            await run.ended()

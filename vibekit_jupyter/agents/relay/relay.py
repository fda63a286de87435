"""The model relay of one turn: a process in the sandbox that listens, and the kernel that asks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import importlib.resources
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from vibekit_jupyter.agents.relay.exchange import MIB, MOST_BODY, Asked, Door, exchange
from vibekit_jupyter.agents.relay.frames import FrameLines, piece_of
from vibekit_jupyter.agents.relay.outbox import STOP, Outbox
from vibekit_jupyter.agents.relay.upstream import Upstream
from vibekit_jupyter.agents.relay.verdict import Verdict
from vibekit_jupyter.errors import SandboxError, SandboxUnreachableError, SessionNotFoundError
from vibekit_jupyter.sandbox.clean_shell import clean_shell
from vibekit_jupyter.sandbox.ending import END_COMMAND, Mark
from vibekit_jupyter.sandbox.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from vibekit_jupyter.agents.loop import Limits, Meter
    from vibekit_jupyter.errors import VibeKitError
    from vibekit_jupyter.results import Usage
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Model

__all__ = ["Relay"]

NO_PYTHON: Final = 97
# As sandbox.clean_python finds it, but the program stays.
START: Final = f"""
set -f; IFS=:
for folder in $VIBEKIT_PATH $PATH; do
  case $folder/ in [!/]*|"$HOME"/*|/home/user/*|/tmp/*|/var/tmp/*|/dev/*|*/../*) continue ;; esac
  [ -x "$folder/python3" ] && exec "$folder/python3" -I -S -c "$VIBEKIT_SCRIPT" \\
    "$VIBEKIT_PORT" "$VIBEKIT_MOST" "$VIBEKIT_ALONE"
done
exit {NO_PYTHON}
"""
START_TIMEOUT: Final = 20.0
# Seconds without a word of the kernel after which the other end takes it for gone, and ends what
# is left of the turn.
ALONE = 60.0
# Requests that are open, those that are asked upstream, and those that may be refused.
MOST_OPEN: Final = 32
MOST_ASKED: Final = 4
MOST_REFUSED: Final = 1000
# Bytes: held of all bodies, on their way to one client.
MOST_HELD: Final = 64 * MIB
WINDOW: Final = 256 * 1024


@dataclass(eq=False)
class _Open:
    """A request that the sandbox's end has not let go yet."""

    asked: Asked
    task: asyncio.Task[None]
    taken: asyncio.Event
    on_its_way: int = 0


class Relay:
    """What an agent in a sandbox asks its model through, for one turn.

    The agent has a URL and a token; the kernel has the key. Use it as a context manager: what is
    asked afterwards is refused.

    Parameters
    ----------
    model
        The service that is asked, and the model's name there.
    limits
        The turn's bounds; its steps are requests for answers.
    meter
        Asked before each request, told what it took.
    token
        What the agent sends as its key; None makes one.
    port
        Where to listen in the sandbox; 0 is any free port.
    run
        The number of the run that it belongs to (``ending.new_run``).
    on_answer
        Called with what each answer took.

    Attributes
    ----------
    url
        Where it listens in the sandbox, from the beginning of the context on.
    token
        The key of this turn.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        model: Model,
        limits: Limits,
        meter: Meter | None,
        *,
        token: str | None = None,
        port: int = 0,
        run: int | None = None,
        on_answer: Callable[[Usage], None] = lambda _usage: None,
    ) -> None:
        self.url = ""
        self.token = token or f"vibekit-{secrets.token_hex(24)}"
        self._sandbox, self._model, self._limits = sandbox, model, limits
        self._port, self._run = port, run
        self._verdict = Verdict(limits, meter, on_answer)
        self._door: Door
        self._process: Process | None = None
        self._lines = FrameLines()
        self._open: dict[int, _Open] = {}
        self._held = self._refused = 0
        self._out = Outbox()
        self._began = asyncio.get_running_loop().create_future()
        self._said = ""
        self._is_over = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def usage(self) -> Usage:
        """What the turn's answers took."""
        return self._verdict.usage

    @property
    def requests(self) -> int:
        """How many answers were asked for."""
        return self._verdict.requests

    @property
    def heard_at(self) -> float:
        """When an agent that asks, or a model that answers, was last heard."""
        return self._verdict.heard_at

    @property
    def is_lost(self) -> bool:
        """Whether the agent can ask its model no more."""
        return self._verdict.is_lost

    def failure(self) -> VibeKitError | None:
        """Return what the turn failed with, whatever the agent says of its end."""
        return self._verdict.failure()

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises
        ------
        SandboxError, SessionNotFoundError
            The sandbox has no python3, or lets nothing listen; or it cannot be reached.
        ConfigurationError
            The environment names a proxy or certificates that cannot be used.
        """
        model, limits = self._model, self._limits
        upstream = await asyncio.to_thread(Upstream, model, limits.silence)
        self._door = Door(
            self.token,
            (model.name,),
            upstream,
            self._verdict,
            limits.max_output_tokens,
            asyncio.Semaphore(MOST_ASKED),
        )
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Refuse whatever is asked from now on, and end the process."""
        await self._close()

    async def _start(self) -> None:
        mark = Mark.of_command(self._run)
        turn = mark if self._run is None else Mark.of_run(self._run)
        asked = {
            "VIBEKIT_PORT": str(self._port),
            "VIBEKIT_MOST": str(MOST_BODY),
            "VIBEKIT_ALONE": str(ALONE),
            "VIBEKIT_ENDING": END_COMMAND,
            **turn.asked(),
        }
        command, envs = clean_shell(START, {"VIBEKIT_SCRIPT": _script(), **asked})
        self._process = await Process.start(
            self._sandbox,
            mark.put_on(command),
            name=f"relay-{secrets.token_hex(8)}",
            envs={**envs, **mark.environment},
            on_stdout=self._hear,
            on_stderr=self._note,
        )
        process = self._process
        ended = asyncio.ensure_future(process.ended())
        try:
            await asyncio.wait(
                [self._began, ended], timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
            )
            if not self._began.done():
                raise self._not_started(ended)
            self.url = f"http://127.0.0.1:{self._began.result()}"
        finally:
            ended.cancel()
        self._tasks = [
            asyncio.create_task(self._write(process)),
            asyncio.create_task(self._watch(process)),
        ]

    def _not_started(self, ended: asyncio.Future[Any]) -> BaseException:
        if ended.done() and (error := ended.exception()) is not None:
            return error
        if ended.done():
            if ended.result().exit_code == NO_PYTHON:
                return SandboxError(
                    "The sandbox has no python3, which an agent in it asks its model through.",
                    hint="Use a template that has one, or choose --agent codex or claude.",
                )
            said = " ".join(self._said.split())[-200:] or "it did not say why"
            return SandboxError(
                f"The model relay ended in the sandbox before it began: {said}.",
                hint="Run the cell again, or choose --agent codex or claude.",
            )
        return SandboxError(
            f"The model relay did not begin in the sandbox within {START_TIMEOUT:.0f} s.",
            hint="Run the cell again.",
        )

    def _refused_to_listen(self, why: object) -> SandboxError:
        level = self._sandbox.service.confinement
        if level == "landlock":
            return SandboxError(
                "A sandbox under landlock lets no program listen, and agents that run in it ask "
                "their model that way.",
                hint="Use --agent codex or claude, or a machine on which bubblewrap works.",
            )
        return SandboxError(
            f"The model relay cannot listen in the sandbox: {str(why)[:100]!a}.",
            hint="Run the cell again, or choose --agent codex or claude.",
        )

    async def _close(self) -> None:
        self._is_over = True
        for each in self._open.values():
            each.task.cancel()
        open_ones = [each.task for each in self._open.values()]
        for task in (*self._tasks, *open_ones):
            task.cancel()
        if waited := [*self._tasks, *open_ones]:
            await asyncio.wait(waited)
        if (process := self._process) is not None:
            # Some services end the shell alone that it was started with.
            for end in (functools.partial(process.send, STOP), process.kill):
                try:
                    await end()
                except SandboxUnreachableError:
                    break  # each would be waited for
                except (SandboxError, SessionNotFoundError):
                    pass
            await process.leave()
        await self._door.upstream.aclose()

    # -- what the sandbox's end says -----------------------------------------------------

    def _note(self, text: str) -> None:
        self._said = (self._said + text)[-1000:]

    def _hear(self, text: str) -> None:
        for said in self._lines.feed(text):
            if not self._is_over:
                with contextlib.suppress(LookupError, TypeError, ValueError):
                    self._take(*said)

    def _take(self, kind: str, *fields: Any) -> None:
        if kind in ("ready", "failed"):
            if self._began.done():
                return
            if kind == "ready":
                self._began.set_result(int(fields[0]))
            else:
                self._began.set_exception(self._refused_to_listen(fields[1]))
            return
        if kind == "stream":
            self._out.streams()
            return
        number = int(fields[0])
        if kind == "heard":
            self._out.heard(number)
            return
        if kind == "open":
            self._begin(number, *fields[1:])
            return
        one = self._open[number]
        if kind == "body":
            self._add(one.asked, piece_of(fields[1]))
        elif kind == "whole":
            one.asked.whole.set()
        elif kind == "large":
            one.asked.refuse()
        elif kind == "took":
            one.on_its_way = max(0, one.on_its_way - max(0, int(fields[1])))
            one.taken.set()
        elif kind == "gone":
            one.task.cancel()
            del self._open[number]

    def _begin(self, number: int, method: str, target: str, headers: Mapping[str, str]) -> None:
        if number in self._open:
            return
        if len(self._open) >= MOST_OPEN:
            self._out.put("head", number, 503, {"retry-after": "1"}, 0)
            self._out.put("end", number)
            return
        asked = Asked(number, str(method), str(target), dict(headers))
        task = asyncio.ensure_future(self._serve(asked))
        self._open[number] = _Open(asked, task, asyncio.Event())

    def _add(self, asked: Asked, data: bytes) -> None:
        if asked.body is None or asked.whole.is_set():
            return
        if self._held + len(data) > MOST_HELD:
            asked.refuse()
            return
        self._held += len(data)
        asked.take(data)

    async def _serve(self, asked: Asked) -> None:
        try:
            if not await exchange(self._door, self, asked):
                self._refused += 1
                if self._refused > MOST_REFUSED and self._process is not None:
                    await self._process.kill()  # the watch tells of it
        except Exception as error:  # noqa: BLE001  (whatever it is, the agent waits for an end)
            self._verdict.stop(error)
            await self.end(asked.number, cut=True)
        finally:
            self._held -= min(asked.length, self._held)
            asked.body = None

    # -- the way back: what exchange.Way promises ------------------------------------------

    async def head(
        self, number: int, status: int, headers: Mapping[str, str], length: int | None
    ) -> None:
        """Begin an answer: told with its first piece, or with the next sign of life."""
        self._out.put("head", number, status, dict(headers), length, soon=False)

    async def body(self, number: int, data: bytes) -> None:
        """Send a piece of an answer, when the client has taken those before it."""
        one = self._open[number]
        while one.on_its_way + len(data) > WINDOW:
            one.taken.clear()
            await one.taken.wait()
        one.on_its_way += len(data)
        if data:
            self._out.put("body", number, _encoded(data))

    async def end(self, number: int, *, cut: bool = False) -> None:
        """End an answer."""
        self._out.put("cut" if cut else "end", number)

    async def _write(self, process: Process) -> None:
        try:
            await self._out.write(process)
        except (SandboxError, SessionNotFoundError) as error:
            self._verdict.lost(error)

    async def _watch(self, process: Process) -> None:
        try:
            await process.ended()
        except (SandboxError, SessionNotFoundError) as error:
            self._verdict.lost(error)
        else:
            self._verdict.lost()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@functools.cache
def _script() -> str:
    folder = importlib.resources.files("vibekit_jupyter.agents.relay")
    return folder.joinpath("relay_script.py").read_text(encoding="ascii")

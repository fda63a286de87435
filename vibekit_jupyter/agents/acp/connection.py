"""A conversation with an agent in the sandbox: calls, notifications, and the agent's own calls."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.failures import AgentFailures, CallRefusedError
from vibekit_jupyter.agents.acp.lines import (
    MOST_HEARD,
    Lines,
    TooMuchError,
    more_than,
    spelled,
)
from vibekit_jupyter.agents.acp.spool import SpooledProcess
from vibekit_jupyter.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

    Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any] | None]]

__all__ = ["Connection"]

UNKNOWN: Final = {"code": -32601, "message": "Method not found"}
# Of the agent's own calls, such as questions: how many may be open at a time.
MOST_OPEN: Final = 100
ENDING: Final = 1.0


class Connection:
    """One agent at work, spoken to. Make it with :meth:`open`, and :meth:`close` it.

    Parameters
    ----------
    title
        What a person calls the agent.
    heard
        Is called with each notification: its method and its parameters.
    answer
        Answers a call of the agent's; None refuses it as unknown.
    """

    def __init__(
        self, title: str, heard: Callable[[str, dict[str, Any]], None], answer: Answer
    ) -> None:
        self._failures = AgentFailures(title)
        self._heard = heard
        self._answer = answer
        self._lines = Lines()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed.add_done_callback(_noted)
        self._process: SpooledProcess
        self._ending: asyncio.Task[None]

    @classmethod
    async def open(
        cls,
        sandbox: Sandbox,
        words: Sequence[str],
        *,
        title: str,
        run: int | None,
        folder: str,
        envs: Mapping[str, str],
        heard: Callable[[str, dict[str, Any]], None],
        answer: Answer,
    ) -> Connection:
        """Start the agent.

        Raises
        ------
        SandboxError, SessionNotFoundError
            The sandbox cannot start it.
        """
        self = cls(title, heard, answer)
        self._process = await SpooledProcess.start(
            sandbox, words, run=run, folder=folder, envs=envs, hear=self._hear, again=self._again
        )
        self._ending = asyncio.create_task(self._end())
        return self

    async def call(self, method: str, params: Mapping[str, Any], *, within: float) -> Any:
        """Return what the agent answers to a call.

        Raises
        ------
        CallRefusedError
            It answered with an error.
        AgentError
            It ended, said too much, or did not answer in time.
        SandboxError, SessionNotFoundError
            The sandbox cannot be asked any more.
        """
        try:
            async with asyncio.timeout(within):
                return await self.begin(method, params)
        except TimeoutError as error:
            raise self._failures.silent(method, within) from error

    async def begin(self, method: str, params: Mapping[str, Any]) -> Any:
        """Return what the agent answers to a call, however long that takes. See :meth:`call`."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"id": number, "method": method, "params": params})
            await asyncio.wait([answer, self._failed], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self._failed.result()
            return answer.result()
        finally:
            self._waiting.pop(number, None)
            answer.cancel()

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell the agent something that it does not answer."""
        await self._send({"method": method, "params": params})

    async def answered(self, patience: float) -> None:
        """Wait some seconds until the agent's own calls are answered."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=patience)

    async def close(self, patience: float) -> None:
        """End the agent, which has some seconds to end by itself."""
        await self._forget()
        await self._process.close(patience)

    async def kill(self) -> None:
        """End the agent at once; what it started may go on."""
        await self._forget()
        await self._process.kill()

    async def _forget(self) -> None:
        tasks = [self._ending, *self._answering]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _send(self, message: dict[str, Any]) -> None:
        if self._failed.done():
            self._failed.result()
        try:
            async with self._writing:  # several writes at a time would arrive in any order
                await self._process.send(spelled(message))
        except SandboxError:
            # One that has just ended takes nothing.
            await asyncio.wait([self._failed], timeout=ENDING)
            if self._failed.done():
                self._failed.result()
            raise

    def _hear(self, text: str) -> None:
        try:
            for message in self._lines.feed(text):
                self._take(message)
        except TooMuchError as error:
            self._fail(self._failures.too_much(error))

    def _again(self) -> int:
        self._lines.forget()
        return self._lines.count

    def _take(self, message: dict[str, Any]) -> None:
        method, number, params = (message.get(name) for name in ("method", "id", "params"))
        params = params if isinstance(params, dict) else {}
        if isinstance(method, str) and "id" not in message:
            self._heard(method, params)
        elif isinstance(method, str):
            if len(self._answering) >= MOST_OPEN:
                self._fail(self._failures.too_much(TooMuchError("asked too much at once")))
                return
            task = asyncio.ensure_future(self._reply(number, method, params))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif type(number) is int and (waiting := self._waiting.get(number)) is not None:
            if waiting.done():
                return
            if message.get("error") is not None or "result" not in message:
                waiting.set_exception(CallRefusedError(message.get("error")))
            else:
                waiting.set_result(message.get("result"))

    async def _reply(self, number: object, method: str, params: dict[str, Any]) -> None:
        try:
            result = await self._answer(method, params)
            body = {"error": UNKNOWN} if result is None else {"result": result}
            await self._send({"id": number, **body})
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends the turn)
            self._fail(error)

    async def _end(self) -> None:
        """Tell whoever waits for an answer that the agent has ended."""
        try:
            end = await self._process.ended()
            if await self._process.size() > MOST_HEARD:
                # The sandbox has a bound of its own, and may have ended it before we heard so much.
                self._fail(self._failures.too_much(more_than(MOST_HEARD)))
                return
            said = await self._process.complaint()
            self._fail(self._failures.ended(end, said or str(self._lines.noise)))
        except Exception as error:  # noqa: BLE001  (it is raised where an answer is waited for)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)


def _noted(failed: asyncio.Future[None]) -> None:
    """Take note of how it failed, also where nobody waits."""
    if not failed.cancelled():
        failed.exception()

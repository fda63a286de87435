"""The background loop: waiting for it, cancelling, ending."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.notebook.loop import BackgroundLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


class Witness:
    """Says what became of a coroutine."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.started = threading.Event()

    async def work(self, seconds: float = 60) -> str:
        self.started.set()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            self.said.append("cleaned up")
            raise
        return "done"

    async def farewell(self) -> None:
        self.said.append("farewell")


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def loop(witness: Witness) -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop(witness.farewell)
    yield loop
    loop.close()


async def test_a_result_can_be_awaited_on_another_loop(
    loop: BackgroundLoop, witness: Witness
) -> None:
    assert await loop.submit(witness.work(0)).result() == "done"


def test_a_result_can_be_waited_for(loop: BackgroundLoop, witness: Witness) -> None:
    assert loop.submit(witness.work(0)).wait() == "done"


def test_whoever_waits_can_say_that_it_lasts(loop: BackgroundLoop, witness: Witness) -> None:
    long, short = loop.submit(witness.work()), loop.submit(witness.work(0))
    assert long.lasts(0.01)
    assert not short.lasts(60)
    assert short.wait() == "done"
    long.end()


async def test_cancelling_the_waiter_ends_the_work_first(
    loop: BackgroundLoop, witness: Witness
) -> None:
    waiter = asyncio.create_task(loop.submit(witness.work()).result())
    await asyncio.to_thread(witness.started.wait)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert witness.said == ["cleaned up"]


async def test_a_deadline_of_the_waiter_works(loop: BackgroundLoop, witness: Witness) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await loop.submit(witness.work()).result()
    assert witness.said == ["cleaned up"]


def test_ended_means_that_the_cleanup_is_over(loop: BackgroundLoop, witness: Witness) -> None:
    work = loop.submit(witness.work())
    witness.started.wait()
    work.cancel()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        work.finished.result(timeout=5)
    assert witness.said == ["cleaned up"]


async def test_an_error_arrives_as_it_was_raised(
    loop: BackgroundLoop, caplog: pytest.LogCaptureFixture
) -> None:
    error = VibeKitError("No.", session_id="i1")

    async def fail() -> None:
        raise error

    with pytest.raises(VibeKitError) as caught:
        await loop.submit(fail()).result()
    assert caught.value is error
    await loop.submit(fail()).ended()
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_of_what_nobody_waits_for_only_a_cancelled_task_is_not_told(
    loop: BackgroundLoop,
    caplog: pytest.LogCaptureFixture,
    is_cancelled: bool,  # noqa: FBT001  # the parameter of a test
) -> None:
    async def fail() -> None:
        try:
            await asyncio.sleep(60 if is_cancelled else 0)
        except asyncio.CancelledError as error:
            raise OSError("It was cancelled.") from error
        raise OSError("It went wrong.")

    async def leave() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async def leave_failed() -> None:
        await asyncio.wait([asyncio.ensure_future(fail())])

    await loop.submit(leave() if is_cancelled else leave_failed()).result()
    gc.collect()
    assert len(caplog.records) == (0 if is_cancelled else 1)


async def test_work_sees_the_callers_context(loop: BackgroundLoop) -> None:
    async def look() -> str:
        return variable.get()

    variable.set("mine")
    assert await loop.submit(look()).result() == "mine"


async def test_a_waiter_whose_loop_is_closed_hurts_nobody(
    loop: BackgroundLoop, witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    def short_lived() -> None:
        async def ask() -> None:
            loop.submit(witness.work(0.1)).signal()

        asyncio.run(ask())

    await asyncio.to_thread(short_lived)
    assert await loop.submit(witness.work(0.2)).result() == "done"
    assert caplog.records == []


def test_closing_ends_the_work_and_then_says_farewell(witness: Witness) -> None:
    loop = BackgroundLoop(witness.farewell)
    loop.submit(witness.work())
    witness.started.wait()
    loop.close()
    assert witness.said == ["cleaned up", "farewell"]
    loop.close()
    assert witness.said.count("farewell") == 1


def test_waiting_in_the_loops_own_thread_is_refused(loop: BackgroundLoop) -> None:
    async def ask() -> None:
        loop.refuse_own_thread()

    loop.refuse_own_thread()
    with pytest.raises(VibeKitError, match="callback"):
        loop.submit(ask()).wait()

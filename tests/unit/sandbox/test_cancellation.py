"""Who is cancelled in the moment in which an answer comes is cancelled, whoever waits for it."""

from __future__ import annotations

import asyncio

import pytest

from vibekit_jupyter.sandbox.cancellation import cancellation_kept

pytestmark = pytest.mark.anyio


class Asking:
    """A task that waits for an answer as the SDK does, and says how that went."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waits = asyncio.Event()

    async def ask(self) -> None:
        try:
            with cancellation_kept():
                self.waits.set()
                self.said.append(await asyncio.wait_for(self.answer, 60))
        except asyncio.CancelledError:
            self.said.append("cancelled")
            with cancellation_kept():  # what is done then is not broken off
                await asyncio.sleep(0)
            self.said.append("cleaned up")
            raise
        self.said.append("goes on")


@pytest.mark.parametrize("error", [None, ValueError("It broke.")])
async def test_a_cancellation_in_the_moment_of_the_answer_is_kept(error: Exception | None) -> None:
    asking = Asking()
    task = asyncio.create_task(asking.ask())
    await asking.waits.wait()
    await asyncio.sleep(0)
    if error is None:
        asking.answer.set_result("an answer")
    else:
        asking.answer.set_exception(error)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asking.said[-2:] == ["cancelled", "cleaned up"]


async def test_an_answer_is_an_answer_and_an_error_an_error() -> None:
    for error in (None, ValueError("It broke.")):
        asking = Asking()
        task = asyncio.create_task(asking.ask())
        await asking.waits.wait()
        if error is None:
            asking.answer.set_result("an answer")
            await task
            assert asking.said == ["an answer", "goes on"]
        else:
            asking.answer.set_exception(error)
            with pytest.raises(ValueError, match="It broke"):
                await task


async def test_a_bound_of_ones_own_is_no_cancellation() -> None:
    with cancellation_kept(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()


def test_without_a_loop_nothing_is_cancelled() -> None:
    with cancellation_kept():
        pass

"""Events wait in bounded memory until the run takes them, and none of them changes places."""

from __future__ import annotations

import asyncio

import pytest

from vibekit_jupyter.agents.news import GAP, MOST_WAITING, News
from vibekit_jupyter.events import CommandOutput, Event, Notice, PlanUpdated, TextDelta

pytestmark = pytest.mark.anyio


async def taken(news: News) -> list[Event]:
    return [event async for event in news.events()]


async def test_words_that_come_together_are_one_event() -> None:
    news = News()
    for event in (TextDelta("a"), TextDelta("b"), Notice("x"), TextDelta("c")):
        news.put(event)
    news.end()
    assert await taken(news) == [TextDelta("ab"), Notice("x"), TextDelta("c")]


async def test_the_output_of_different_commands_stays_apart() -> None:
    news = News()
    for call in "aab":
        news.put(CommandOutput(call, "stdout", call))
    news.end()
    assert await taken(news) == [
        CommandOutput("a", "stdout", "aa"),
        CommandOutput("b", "stdout", "b"),
    ]


async def test_only_the_last_of_many_plans_is_told() -> None:
    news = News()
    for number in range(1000):
        news.put(PlanUpdated([{"content": str(number), "status": "pending"}]))
    news.end()
    assert await taken(news) == [PlanUpdated([{"content": "999", "status": "pending"}])]


async def test_a_flood_that_nobody_takes_is_not_held() -> None:
    news = News()
    for _ in range(300):
        news.put(TextDelta("x" * 100_000))
    news.end()
    (event,) = await taken(news)
    assert isinstance(event, TextDelta)
    assert event.text.endswith(GAP)
    assert len(event.text) == MOST_WAITING + len(GAP)


async def test_it_can_be_waited_for_until_all_is_taken() -> None:
    news = News()
    news.put(Notice("x"))
    waiting = asyncio.ensure_future(news.all_taken())
    taking = asyncio.ensure_future(taken(news))
    await waiting
    news.end()
    assert await taking == [Notice("x")]

"""A step is told when its words and calls were told, whenever the relay knew of its end."""

from __future__ import annotations

import pytest

from vibekit_jupyter.agents.acp.steps import Steps
from vibekit_jupyter.agents.news import News
from vibekit_jupyter.events import StepFinished, TextDelta, ToolCallStarted
from vibekit_jupyter.results import Usage

pytestmark = pytest.mark.anyio

CALL = ToolCallStarted("1", "run_command", {"command": "ls"})


async def test_steps_are_told_after_what_belongs_to_them_and_counted() -> None:
    news = News()
    steps = Steps(news)
    steps.tell(TextDelta("I look."))
    steps.count(Usage(1, 0, 1))
    steps.tell(CALL)
    steps.tell(TextDelta("I looked."))
    steps.count(Usage(2, 0, 2))
    steps.end()
    steps.end()
    news.end()
    assert [event async for event in news.events()] == [
        TextDelta("I look."),
        CALL,
        StepFinished(1, Usage(1, 0, 1)),
        TextDelta("I looked."),
        StepFinished(2, Usage(2, 0, 2)),
    ]


async def test_words_stay_together_where_a_call_is_told_before_its_answers_end() -> None:
    news = News()
    steps = Steps(news)
    steps.tell(CALL)
    steps.count(Usage(1, 0, 1))
    steps.tell(TextDelta("I "))
    steps.count(Usage(2, 0, 2))
    steps.tell(TextDelta("looked."))
    steps.end()
    news.end()
    assert [event async for event in news.events()] == [
        CALL,
        StepFinished(1, Usage(1, 0, 1)),
        TextDelta("I looked."),
        StepFinished(2, Usage(2, 0, 2)),
    ]

"""A step is told when its words and calls were told, whenever the relay knew of its end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


async def test_words_stay_together_where_the_answer_before_is_counted_late() -> None:
    news = News()
    steps = Steps(news)
    steps.tell(CALL)
    steps.tell(TextDelta("I "))
    steps.count(Usage(1, 0, 1))
    steps.tell(TextDelta("looked."))
    steps.tell(CALL)
    steps.count(Usage(2, 0, 2))
    steps.end()
    news.end()
    assert [event async for event in news.events()] == [
        CALL,
        TextDelta("I looked."),
        CALL,
        StepFinished(1, Usage(1, 0, 1)),
        StepFinished(2, Usage(2, 0, 2)),
    ]


@given(st.lists(st.sampled_from(["words", "call", "count"])))
async def test_whatever_comes_first_all_is_told_and_no_word_is_torn_off(heard: list[str]) -> None:
    news = News()
    steps = Steps(news)
    for one in heard:
        if one == "count":
            steps.count(Usage(1, 0, 1))
        else:
            steps.tell(CALL if one == "call" else TextDelta("w"))
    steps.end()
    news.end()
    told = [event async for event in news.events()]
    counted = [event.step for event in told if isinstance(event, StepFinished)]
    assert counted == [*range(1, heard.count("count") + 1)]
    spoken = [event for event in told if not isinstance(event, StepFinished)]
    texts = (event.text if isinstance(event, TextDelta) else "c" for event in spoken)
    assert "".join(texts) == "".join(one[0] for one in heard if one != "count")
    # Words that follow each other are told as one, unless something comes between them.
    assert all(CALL in pair for pair in pairwise(spoken))

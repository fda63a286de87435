"""What the relay saw decides, and its bounds hold for any agent."""

from __future__ import annotations

from typing import Any

import pytest

from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.relay.verdict import MOST_FAILURES, Verdict
from vibekit_jupyter.errors import (
    ModelAuthenticationError,
    ModelRateLimitError,
    ModelUnavailableError,
    RunLimitError,
    VibeKitError,
)
from vibekit_jupyter.results import Usage

OWN: dict[str, Any] = {"tools": [{"name": "run"}]}
TITLE: dict[str, Any] = {"messages": []}


class Counting:
    """A meter with a bound of tokens."""

    def __init__(self, most: int) -> None:
        self.most, self.took = most, 0

    def before(self, tokens: int) -> None:
        if self.took + tokens > self.most:
            raise RunLimitError("The run stopped at its bound of $1.00.")

    def after(self, usage: Usage) -> None:
        self.took += usage.total


def verdict(**limits: int) -> Verdict:
    return Verdict(Limits(**limits), None, lambda _: None)


def test_a_failure_that_a_later_answer_made_good_decides_nothing() -> None:
    one = verdict()
    one.failed(ModelUnavailableError("no"), OWN)
    assert one.failure() is not None
    one.answered(Usage(1, 0, 1), OWN)
    assert one.failure() is None


def test_titles_and_summaries_decide_nothing_beside_the_turns_own_requests() -> None:
    one = verdict()
    one.answered(Usage(), OWN)
    one.failed(ModelUnavailableError("no"), TITLE)
    assert one.failure() is None
    one.failed(ModelUnavailableError("no"), OWN)
    one.answered(Usage(), TITLE)
    assert one.failure() is not None


def test_where_no_request_has_tools_each_one_decides() -> None:
    one = verdict()
    one.failed(ModelUnavailableError("no"), TITLE)
    assert one.failure() is not None


def test_retries_that_never_end_are_ended() -> None:
    one = verdict()
    for _ in range(MOST_FAILURES):
        one.admit()
        one.failed(ModelRateLimitError("wait"), OWN)
    with pytest.raises(ModelRateLimitError):
        one.admit()


def test_a_key_that_is_refused_is_not_tried_again() -> None:
    one = verdict()
    one.failed(ModelAuthenticationError("no"), OWN)
    with pytest.raises(ModelAuthenticationError):
        one.admit()


@pytest.mark.parametrize("limits", [{"max_steps": 2}, {"max_tokens": 20}])
def test_steps_and_tokens_are_bounded_and_the_bound_decides(limits: dict[str, int]) -> None:
    one = verdict(**limits)
    for _ in range(2):
        one.admit()
        one.answered(Usage(9, 0, 1), OWN)
    with pytest.raises(RunLimitError):
        one.admit()
    assert isinstance(one.failure(), RunLimitError)
    assert one.requests == 2


def test_the_meter_is_asked_before_and_told_after() -> None:
    told: list[Usage] = []
    one = Verdict(Limits(), Counting(25), told.append)
    one.admit()
    one.answered(Usage(9, 0, 1), OWN)
    one.admit()
    one.answered(Usage(9, 0, 1), OWN)
    with pytest.raises(RunLimitError, match="bound"):
        one.admit()
    assert told == [Usage(9, 0, 1)] * 2


def test_a_fault_of_ours_ends_the_turn_with_a_sentence() -> None:
    one = verdict()
    one.stop(KeyError("x"))
    assert isinstance(one.failure(), VibeKitError)


def test_what_is_lost_is_not_had_again_by_an_answer_that_was_on_its_way() -> None:
    seen = verdict()
    seen.lost()
    seen.answered(Usage(1, 0, 1), OWN)
    assert isinstance(seen.failure(), ModelUnavailableError)
    why = VibeKitError("The session was paused meanwhile.")
    seen = verdict()
    seen.lost(why)
    assert seen.failure() is why


def test_an_agent_that_asks_and_a_model_that_answers_are_signs_of_life() -> None:
    seen = verdict(max_steps=1)
    times = [seen.heard_at]
    for sign in (seen.admit, seen.heard):
        sign()
        times.append(seen.heard_at)
    assert times == sorted(times)
    assert times[1] > 0
    with pytest.raises(RunLimitError):
        seen.admit()
    assert seen.heard_at == times[-1]

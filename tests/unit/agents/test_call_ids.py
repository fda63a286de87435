from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.call_ids import CallIds
from vibekit_jupyter.agents.conversation import AssistantMessage, ToolCall

given_ids = st.lists(
    st.none() | st.text(max_size=80) | st.sampled_from(["call_1", "x" * 70, "a.b"]), max_size=12
)


@given(given_ids)
def test_every_id_is_taken_by_both_vendors_and_given_once(names: list[str | None]) -> None:
    ids = CallIds([])
    taken = [ids.take(name) for name in names]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in taken)
    assert len(set(taken)) == len(taken)


@given(st.from_regex(r"\A[a-zA-Z0-9_-]{1,64}\Z"))
def test_a_vendors_own_id_stays_as_it_is(name: str) -> None:
    assert CallIds([]).take(name) == name


def test_an_id_of_an_earlier_answer_is_not_given_again() -> None:
    said = AssistantMessage("", (ToolCall("call_1", "list_files", "{}"),))
    assert CallIds([said]).take("call_1") != "call_1"

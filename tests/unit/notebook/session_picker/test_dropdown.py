"""The dropdown: its list only grows, and only a person's choice is one."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.session_picker.dropdown import MOST, RECENT, SessionDropdown
from vibekit_jupyter.sessions.session import Session

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LISTS = st.lists(st.sampled_from("abcdefgh"), unique=True)


def sessions(names: str | list[str]) -> list[Session]:
    return [Session(id=name, name=name, service="local sandbox") for name in names]


def show(dropdown: SessionDropdown, names: str | list[str], current: str = "") -> None:
    known = sessions(names)
    dropdown.show(known, next((one for one in known if one.id == current), None), NOW)


def places(dropdown: SessionDropdown) -> list[str]:
    return [place for _, place in dropdown.options]


@given(st.lists(st.tuples(LISTS, st.sampled_from(["", *"abcdefgh"])), min_size=1))
def test_a_place_belongs_to_one_session_for_ever(history: list[tuple[list[str], str]]) -> None:
    chosen: list[str] = []
    dropdown = SessionDropdown(chosen.append)
    before: list[str] = []
    for names, current in history:
        show(dropdown, names, current)
        assert places(dropdown)[: len(before)] == before
        assert dropdown.value == (current if current in names else "")
        before = places(dropdown)
    assert len(set(before)) == len(before)
    assert chosen == []


def test_a_choice_on_its_way_means_what_it_meant_when_it_was_made() -> None:
    chosen: list[str] = []
    dropdown = SessionDropdown(chosen.append)
    show(dropdown, "abc", "a")
    show(dropdown, "zcba", "b")
    dropdown.set_state({"index": 2})
    assert chosen == ["c"]


def test_choices_and_drawings_on_two_threads_never_choose_by_accident() -> None:
    chosen: list[str] = []
    dropdown = SessionDropdown(chosen.append)
    show(dropdown, "abc", "a")
    done = threading.Event()

    def draw() -> None:
        number = 0
        while not done.is_set():
            number += 1
            show(dropdown, ["a", "b", "c", f"new-{number % 50}"], "a")

    drawing = threading.Thread(target=draw)
    drawing.start()
    for _ in range(100):
        dropdown.set_state({"index": 2})
    done.set()
    drawing.join()
    assert set(chosen) <= {"c"}
    assert chosen
    assert places(dropdown)[:3] == ["a", "b", "c"]


def test_the_list_is_bounded_but_has_the_current_session() -> None:
    dropdown = SessionDropdown(lambda _: None)
    for beginning in range(0, 1000, 100):
        show(dropdown, [f"s{number}" for number in range(beginning, beginning + 100)])
    assert len(dropdown.options) <= MOST
    show(dropdown, [f"s{number}" for number in range(2000)], "s1999")
    assert dropdown.value == "s1999"
    assert len(dropdown.options) <= MOST + 1
    assert RECENT < MOST


def test_sessions_that_are_gone_are_not_offered() -> None:
    dropdown = SessionDropdown(lambda _: None)
    gone = Session(id="a", name="a", service="local sandbox", state="gone")
    dropdown.show([gone, *sessions("b")], None, NOW)
    assert places(dropdown) == ["b", ""]


def test_a_dropdown_that_lists_a_session_which_is_gone_is_to_be_replaced() -> None:
    dropdown = SessionDropdown(lambda _: None)
    one, two = sessions("ab")
    dropdown.show([one, two], one, NOW)
    assert not dropdown.is_outdated([one, two], one)
    assert dropdown.is_outdated([one], one)
    gone = dataclasses.replace(two, state="gone")
    assert dropdown.is_outdated([one, gone], one)
    assert not dropdown.is_outdated([one, gone], gone)

"""A question waits as long as a page may answer it, and no longer."""

from __future__ import annotations

from vibekit_jupyter.notebook.approvals.pages import RETURNING, SILENCE, Pages


def gone(pages: Pages) -> bool:
    return pages.are_gone


def test_a_page_that_is_loaded_anew_may_come_back() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    assert not pages.are_known
    assert not gone(pages)
    pages.heard("first")
    pages.left("first")
    now += RETURNING / 2
    assert not gone(pages)
    pages.heard("second")
    now += 2 * RETURNING
    assert not gone(pages)


def test_closed_pages_are_gone_and_one_that_stays_is_not() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    pages.heard("first")
    pages.heard("second")
    pages.left("first")
    now += 2 * RETURNING
    assert not gone(pages)
    pages.left("second")
    now += 2 * RETURNING
    assert gone(pages)


def test_a_page_that_is_not_heard_any_more_is_gone_after_long() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    pages.heard("first")
    now += SILENCE / 2
    pages.heard("first")
    now += SILENCE / 2 + 1
    assert not gone(pages)
    now += SILENCE / 2
    assert gone(pages)


def test_a_page_that_does_not_show_the_next_question_is_gone() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    pages.heard("first")
    pages.asked()
    assert not gone(pages)
    now += 2 * RETURNING
    assert gone(pages)
    pages.asked()
    assert gone(pages), "nobody waits a second time for it"


def test_a_page_whose_network_comes_back_is_there_again() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    pages.heard("first")
    now += 2 * SILENCE
    pages.heard("first")
    assert not gone(pages)

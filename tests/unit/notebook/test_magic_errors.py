"""Errors as one line."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from vibekit_jupyter.errors import SessionNotFoundError, VibeKitError
from vibekit_jupyter.notebook.magic_errors import plain_errors


def shown(error: Any) -> list[str]:
    """Return what IPython would show."""
    return list(error._render_traceback_())


def test_an_error_of_ours_is_raised_and_shows_as_one_line() -> None:
    with pytest.raises(SessionNotFoundError) as caught, plain_errors():
        raise SessionNotFoundError("There is no session 'x'.", hint="Look.", session_id="x")
    assert shown(caught.value) == ["SessionNotFoundError: There is no session 'x'. Look."]


def test_it_can_still_be_pickled() -> None:
    with pytest.raises(VibeKitError) as caught, plain_errors():
        raise VibeKitError("No.", session_id="i1")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    assert (str(again), again.session_id) == ("No.", "i1")


def test_an_interrupt_says_that_the_session_can_go_on() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, plain_errors():
        raise KeyboardInterrupt
    assert shown(caught.value) == ["KeyboardInterrupt: Interrupted. The session can go on."]


def test_debug_and_foreign_errors_keep_their_traceback() -> None:
    with pytest.raises(VibeKitError) as ours, plain_errors(debug=True):
        raise VibeKitError("No.")
    with pytest.raises(ZeroDivisionError) as foreign, plain_errors():
        raise ZeroDivisionError
    assert not hasattr(ours.value, "_render_traceback_")
    assert not hasattr(foreign.value, "_render_traceback_")


def test_no_escape_sequence_reaches_the_screen() -> None:
    with pytest.raises(VibeKitError) as caught, plain_errors():
        raise VibeKitError("There is no session '\x1b[2Jx\x1b]8;;http://evil\x07'.")
    assert "\x1b" not in shown(caught.value)[0]

"""Errors as one line."""

from __future__ import annotations

import base64
import itertools
import pickle
import traceback
from typing import Any, NoReturn

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
    assert "Traceback (most recent call last):" in shown(ours.value)
    assert not hasattr(foreign.value, "_render_traceback_")


KEY = "sk-test-0123456789abcdef"
BASE64 = base64.b64encode(f"key:{KEY}".encode()).decode()


def fail(*causes: Exception) -> NoReturn:
    """Raise an error of ours that the last of these caused, which the one before it caused."""
    for before, cause in itertools.pairwise(causes):
        cause.__cause__ = cause.__context__ = before
    error = VibeKitError("No.")
    error.__context__ = causes[-1]
    raise error from causes[-1]


@pytest.mark.parametrize("secret", [KEY, BASE64])
@pytest.mark.parametrize("debug", [True, False])
def test_no_secret_is_in_a_traceback_or_behind_it(
    monkeypatch: pytest.MonkeyPatch, secret: str, *, debug: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(VibeKitError) as ours, plain_errors(debug=debug):
        fail(OSError(f"the request had {secret}"), ValueError("bad"))
    with pytest.raises(ZeroDivisionError) as foreign, plain_errors(debug=debug):
        raise ZeroDivisionError(secret)
    for lines in (
        shown(ours.value),
        shown(foreign.value),
        traceback.format_exception(ours.value),
    ):
        assert secret[4:-4] not in "".join(lines)
    assert isinstance(ours.value.__cause__, ValueError)


def test_no_group_of_errors_is_behind_an_error() -> None:
    with pytest.raises(VibeKitError) as caught, plain_errors():
        fail(ExceptionGroup("many", [OSError("one")]))
    assert caught.value.__context__ is None


def test_no_escape_sequence_reaches_the_screen() -> None:
    with pytest.raises(VibeKitError) as caught, plain_errors():
        raise VibeKitError("There is no session '\x1b[2Jx\x1b]8;;http://evil\x07'.")
    assert "\x1b" not in shown(caught.value)[0]

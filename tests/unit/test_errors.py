"""Errors say what happened and what to do, and survive being pickled."""

from __future__ import annotations

import pickle
import tomllib
from pathlib import Path

from vibekit_jupyter import errors
from vibekit_jupyter.errors import AgentNotInitializedError, CommandError, VibeKitError, causes
from vibekit_jupyter.results import CommandResult
from vibekit_jupyter.sandbox.bounded_answer import AnswerTooLongError, too_long
from vibekit_jupyter.settings.network import certificate_fault


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {word for word in (errors.__doc__ or "").split() if word.endswith("Error")}
    assert drawn == set(errors.__all__)


def test_every_error_is_one_of_ours_and_an_exception() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), VibeKitError)


def test_a_failed_command_is_its_result() -> None:
    error = CommandError(CommandResult("make test", 2, "out", "err"), session_id="s")
    assert (error.exit_code, error.stdout, error.stderr) == (2, "out", "err")
    assert "'make test' exited with code 2" in str(error)


def test_an_error_survives_a_process_pool() -> None:
    for error in (
        AgentNotInitializedError("no key", hint="Set one.", session_id="s"),
        CommandError(CommandResult("false", 1), session_id="s"),
    ):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(copy), str(copy), copy.session_id) == (type(error), str(error), "s")


def test_what_led_to_an_error_ends_also_where_it_goes_round_in_a_circle() -> None:
    """As where an error of a library is raised again while another one of it is handled."""
    first, second = OSError("first"), ValueError("second")
    first.__cause__, second.__context__ = second, first
    assert list(causes(first)) == [first, second]
    assert too_long(first) is None
    assert certificate_fault(second) is None
    first.__cause__ = long = AnswerTooLongError("said too much")
    assert too_long(second) is long
    assert list(causes(None)) == []


def test_each_class_leads_to_what_is_said_of_it() -> None:
    """The build of the documentation looks whether the page has that place."""
    for name in errors.__all__:
        assert getattr(errors, name).docs_url.endswith(f"/errors.html#{errors.__name__}.{name}")
    told = Path(__file__).parents[2] / "docs" / "reference" / "errors.toml"
    entries = tomllib.loads(told.read_text(encoding="utf-8"))
    assert set(entries) == set(errors.__all__)
    assert all(entry["why"] and entry["do"] for entry in entries.values())


def test_an_error_of_somebody_elses_leads_to_what_it_is_one_of() -> None:
    class OwnError(AgentNotInitializedError):
        """Made elsewhere."""

    assert OwnError.docs_url == AgentNotInitializedError.docs_url

"""Errors say what happened and what to do, and survive being pickled."""

from __future__ import annotations

import pickle

from vibekit_jupyter import errors
from vibekit_jupyter.errors import AgentNotInitializedError, CommandError, VibeKitError
from vibekit_jupyter.results import CommandResult


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

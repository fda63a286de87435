"""What went wrong with an agent is one sentence, and what the agent said in it is harmless."""

from __future__ import annotations

import pytest

from vibekit_jupyter.agents.acp.failures import AgentFailures, CallRefusedError
from vibekit_jupyter.agents.acp.spool import NOT_THERE
from vibekit_jupyter.sandbox.process import ProcessEnd

FAILURES = AgentFailures("Goose")


def test_an_agent_that_is_not_there_says_how_to_get_it() -> None:
    error = FAILURES.ended(ProcessEnd(NOT_THERE, ""), "")
    assert str(error) == (
        "Goose is not installed in this sandbox. "
        "%vibekit_config agents lists the agents, and installs them. Where the command is your "
        "own: use a template that has it, or choose --agent codex or claude."
    )


def test_what_it_said_last_stands_in_the_sentence() -> None:
    error = FAILURES.ended(ProcessEnd(3, ""), "x\n" * 1000 + "no such\x1b[31m model\ud800\n")
    assert "(exit code 3): … " in error.message
    assert error.message.endswith("model\ufffd.")
    assert error.message.isprintable()
    assert len(error.message) < 500


@pytest.mark.parametrize("odd", [None, 7, "x", {}, {"code": "x", "message": 7}, {"data": [1]}])
def test_a_refusal_may_be_anything(odd: object) -> None:
    error = FAILURES.refused("session/new", CallRefusedError(odd))
    assert error.message == "Goose could not begin a session."


def test_what_is_wrong_may_stand_in_the_data() -> None:
    refusal = CallRefusedError({"code": -32603, "message": "Internal", "data": {"details": "full"}})
    assert refusal.code == -32603
    assert "full" in FAILURES.refused("session/prompt", refusal).message

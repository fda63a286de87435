"""What is said of an agent that failed: one sentence on what happened, one on what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.acp.spool import LACKING, NOT_THERE
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import AgentError, printable
from vibekit_jupyter.events import Notice

if TYPE_CHECKING:
    from vibekit_jupyter.agents.acp.lines import TooMuchError
    from vibekit_jupyter.sandbox.process import ProcessEnd

__all__ = ["VERSION", "AgentFailures", "CallRefusedError"]

VERSION: Final = 1
MOST_SAID: Final = 300
INSTEAD: Final = "Use a template that has it, or choose --agent codex or claude."
AGAIN: Final = "The session can go on: run the prompt again, or ask another agent."
_DOING: Final = {
    "initialize": "start",
    "session/new": "begin a session",
    "session/load": "load its session",
    "session/prompt": "answer",
    "session/set_mode": "take the mode that it is to work in",
    "session/set_config_option": "take what is set for it",
}


class CallRefusedError(Exception):
    """The agent answered a call with an error.

    Attributes
    ----------
    code
        The error's number in JSON-RPC, 0 where there is none.
    words
        What it says of it.
    """

    def __init__(self, error: object) -> None:
        said = error if isinstance(error, dict) else {}
        code, words = said.get("code"), said.get("message")
        self.code = code if isinstance(code, int) else 0
        self.words = words if isinstance(words, str) else ""
        # Some say in the data what is wrong, and nothing in the message.
        if isinstance(data := said.get("data"), str | dict):
            self.words += f" ({data if isinstance(data, str) else json.dumps(data)})"
        super().__init__(self.words)


class AgentFailures:
    """Makes the errors of one agent.

    Parameters
    ----------
    title
        What a person calls it.
    """

    def __init__(self, title: str) -> None:
        self._title = title

    def ended(self, end: ProcessEnd, said: str) -> AgentError:
        """It ended in the middle of the turn."""
        if end.exit_code == NOT_THERE:
            missing = _of(f"it has no {said}" if said.strip() else "")
            return AgentError(
                f"{self._title} is not installed in this sandbox{missing}.",
                hint="%vibekit_config agents lists the agents, and installs them. "
                f"Where the command is your own: {INSTEAD[0].lower()}{INSTEAD[1:]}",
            )
        if end.exit_code == LACKING:
            return AgentError(
                f"This sandbox lacks a program{_of(said)}: without it no agent in it is heard.",
                hint=INSTEAD,
            )
        how = f"exit code {end.exit_code}" if end.exit_code >= 0 else "by a signal"
        # What a shell says of a program that it does not find, or cannot start.
        hint = INSTEAD if end.exit_code in (126, 127) else AGAIN
        return AgentError(f"{self._title} ended before it was done ({how}){_of(said)}.", hint=hint)

    def too_much(self, error: TooMuchError) -> AgentError:
        """It said more than is read."""
        return AgentError(f"{self._title} {error}, and was ended.", hint=AGAIN)

    def silent(self, method: str, seconds: float) -> AgentError:
        """It did not answer in time."""
        doing = _DOING.get(method, "answer")
        return AgentError(
            f"{self._title} did not {doing} within {seconds:g} s, and was ended.", hint=AGAIN
        )

    def quiet(self, seconds: float) -> AgentError:
        """It said nothing in the middle of the turn."""
        return AgentError(
            f"{self._title} said nothing for {seconds:g} s, and was ended.",
            hint="%vibekit_config --silence gives it more time.",
        )

    def refused(self, method: str, error: CallRefusedError) -> AgentError:
        """It answered with an error."""
        doing = _DOING.get(method, "do what it was asked")
        return AgentError(f"{self._title} could not {doing}{_of(error.words)}.", hint=AGAIN)

    def without_asking(self) -> Notice:
        """It has no mode that is known for asking; the turn goes on."""
        return Notice(
            f"{self._title} has no mode of a known name in which it asks before it acts: what it "
            "does not ask it does."
        )

    def without_effort(self, effort: str) -> Notice:
        """It has no such effort; the turn goes on."""
        return Notice(
            f"{self._title} takes no effort {effort} with this model: it asks as it does by itself."
        )

    def other_version(self, version: int | None) -> AgentError:
        """It speaks another version of the protocol."""
        said = "none that is known" if version is None else version
        return AgentError(
            f"{self._title} speaks another version of ACP ({said}) than {VERSION}.",
            hint="Install another version of the agent, or of vibekit-jupyter.",
        )

    def without_session(self) -> AgentError:
        """It named no session."""
        return AgentError(f"{self._title} began a session without a name for it.", hint=AGAIN)


def _of(said: str) -> str:
    """Return what an agent said, as the end of our sentence; it is a stranger's word."""
    words = printable(" ".join(well_formed(said).split()))
    if len(words) > MOST_SAID:
        words = f"… {words[-MOST_SAID:]}"
    return f": {words.rstrip('.')}" if words else ""

"""The table of scripts, and the choice among them.

To teach the demo model a prompt, add a :class:`~.script.Script` to the table of the module
that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.demo_model.code import find_code, is_only_comments
from vibekit_jupyter.demo_model.replay import Plan, Turn, replay
from vibekit_jupyter.demo_model.scripts import data, files, primes, sales, talk
from vibekit_jupyter.demo_model.scripts.prompt_code import run_code
from vibekit_jupyter.demo_model.scripts.script import Script

if TYPE_CHECKING:
    from vibekit_jupyter.demo_model.wire import Answer, Request

__all__ = ["SCRIPTS", "answer"]

EXACT: tuple[Script, ...] = (
    *primes.SCRIPTS,
    *sales.SCRIPTS,
    *files.SCRIPTS,
    *talk.SCRIPTS,
    Script(
        r"(?:what can you do|help(?: me)?|what do you know|who are you|hi|hello)",
        lambda _turn, _match: talk.what_it_can_do(script.example for script in SCRIPTS),
        "What can you do?",
    ),
)
# These know a prompt by a word in it: what is code, or has a script of its own, is not theirs.
SCRIPTS: tuple[Script, ...] = (*data.SCRIPTS, *EXACT)


def answer(request: Request) -> Answer:
    """Answer a request: the next step of the script that its last prompt begins."""
    turn = Turn.of(request)
    return replay(_plan(turn), turn)


def _plan(turn: Turn) -> Plan:
    for script in EXACT:
        if match := script.match(turn.prompt):
            return script.plan(turn, match)
    if code := find_code(turn.prompt):
        return run_code(code)
    if is_only_comments(turn.prompt):
        return talk.nothing_to_run()
    for script in data.SCRIPTS:
        if match := script.match(turn.prompt):
            return script.plan(turn, match)
    return talk.anything_else()

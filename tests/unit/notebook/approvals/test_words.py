"""What a person reads before they allow it: all of it, and nothing that cannot be seen."""

from __future__ import annotations

from tests.support.runs import beginning
from vibekit_jupyter.events import ApprovalAsked
from vibekit_jupyter.notebook.approvals.words import in_lines, in_parts
from vibekit_jupyter.notebook.render.transcript import Transcript

RUN = Transcript.of(beginning())


def asked(**fields: str) -> ApprovalAsked:
    return ApprovalAsked("r", "c", "run_command", "Run this command?", **fields)


def test_all_of_a_command_is_there() -> None:
    command = "python -m etl.backfill " + " ".join(f"--month {n}" for n in range(2_000))
    parts = in_parts(asked(command=command), RUN)
    assert parts["text"] == command
    assert parts["facts"] == "shown whole: 4003 words · in /home/user"
    assert (parts["agent"], parts["session"]) == ("codex", "sales")


def test_what_cannot_be_seen_is_spelled_out_and_said() -> None:
    parts = in_parts(asked(command="ls \u200b\u202e\x1b[8m a\u00a0b \U000e0041"), RUN)
    assert parts["text"] == "ls \\u{200b}\\u{202e}\\u{1b}[8m a\\u{a0}b \\u{e0041}"
    assert parts["facts"].endswith("what could not be seen is spelled out: \\u{…}")


def test_the_agents_reason_is_a_quotation_and_the_session_is_explained() -> None:
    lines = in_lines(asked(command="curl x", reason="I need\nthe page."), RUN)
    assert 'codex says: "I need the page."' in lines
    assert "commands, commands that reach the network." in lines


def test_every_line_of_a_difference_is_there() -> None:
    diff = "@@ -1 +1 @@\n-timeout: 30\n+timeout: 120\n"
    parts = in_parts(asked(path="/home/user/a.yaml", diff=diff), RUN)
    assert (parts["text"], parts["is_diff"]) == (diff, True)

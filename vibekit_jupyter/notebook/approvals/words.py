"""A question in words: what is asked, whole, with nothing in it that cannot be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.approvals import kinds_of
from vibekit_jupyter.notebook.render.text import spelled
from vibekit_jupyter.notebook.render.words import plural

if TYPE_CHECKING:
    from vibekit_jupyter.events import ApprovalAsked
    from vibekit_jupyter.notebook.render.transcript import Transcript

__all__ = ["in_lines", "in_parts"]


def in_parts(asked: ApprovalAsked, transcript: Transcript) -> dict[str, Any]:
    """Return a question as the texts of its card."""
    whole = spelled(asked.diff or asked.command)
    count = plural(whole.count("\n"), "line") if asked.diff else plural(len(whole.split()), "word")
    facts = [f"shown whole: {count}"] if whole else []
    if asked.command and asked.tool == "run_command":
        facts.append("in /home/user")
    if whole != (asked.diff or asked.command):
        facts.append("what could not be seen is spelled out: \\u{…}")
    return {
        "id": asked.request_id,
        "agent": _agent(transcript),
        "session": spelled(transcript.session_name or transcript.session_id or ""),
        "title": spelled(asked.title),
        "text": whole,
        "is_diff": bool(asked.diff),
        "facts": " · ".join(facts),
        "reason": spelled(asked.reason),
        "session_means": spelled(_session_means(asked)),
    }


def in_lines(asked: ApprovalAsked, transcript: Transcript) -> str:
    """Return a question as lines to print."""
    parts = in_parts(asked, transcript)
    lines = [f"\n{parts['agent']} asks: {parts['title']}"]
    lines += [f"  {line}" for line in parts["text"].rstrip("\n").split("\n") if parts["text"]]
    if parts["reason"]:
        lines.append(f'  {parts["agent"]} says: "{" ".join(parts["reason"].split())}"')
    lines.append(f"  {parts['session_means']}")
    return "\n".join(lines)


def _agent(transcript: Transcript) -> str:
    return spelled(transcript.started.agent) if transcript.started else "the agent"


def _session_means(asked: ApprovalAsked) -> str:
    return f"For this session means, until this kernel ends: {', '.join(sorted(kinds_of(asked)))}."

"""Words only: what was asked before, what the demo model can do, and how to get a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.demo_model.scripts.script import Script

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from vibekit_jupyter.demo_model.replay import Plan, Turn

__all__ = ["SCRIPTS", "anything_else", "nothing_to_run", "what_it_can_do"]

REAL_MODEL = (
    "For a real model, set `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`, or name a model server of "
    "this machine, such as Ollama: `%vibekit_config --agent codex --base-url "
    "http://localhost:11434/v1 --model NAME`."
)
_LONGEST_PROMPT = 80


def in_words(words: str) -> Plan:
    """Make a script of words alone."""
    yield from ()
    return words


def anything_else() -> Plan:
    """Say what this is, where no script fits."""
    return in_words(
        "I answer from a few scripts and understand nothing else, so I cannot do what you ask. "
        f"{REAL_MODEL} Ask me `What can you do?` to see what I know."
    )


def nothing_to_run() -> Plan:
    """Answer a prompt of comments."""
    return in_words("Your prompt holds only comments, so there is nothing to run.")


def what_it_can_do(examples: Iterable[str]) -> Plan:
    """List the prompts that are known."""
    known = "\n".join(f"- {example}" for example in examples)
    return in_words(
        f"I answer from scripts. I know prompts like these:\n\n{known}\n\nA prompt that is Python "
        f"or shell code is saved and run. {REAL_MODEL}"
    )


def what_was_asked(turn: Turn, _match: re.Match[str]) -> Plan:
    """Tell the conversation so far."""
    if not turn.earlier:
        return in_words("This is the first thing you ask me in this conversation.")
    asked = "\n".join(f"{n}. {_short(prompt)}" for n, prompt in enumerate(turn.earlier, 1))
    files = sorted(set(turn.written_files()))
    wrote = f"\n\nFiles written so far: {', '.join(files)}." if files else ""
    return in_words(f"You asked so far:\n\n{asked}{wrote}")


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= _LONGEST_PROMPT else f"{line[: _LONGEST_PROMPT - 1]}…"


SCRIPTS = (
    Script(
        r"what (?:did|have) (?:we|you|i) (?:do|done|ask(?:ed)?)(?: you)?"
        r"(?: so far| before| here| last time)*",
        what_was_asked,
        "What did we do so far?",
    ),
)

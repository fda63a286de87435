"""What a script is, and the steps and sentences that scripts share."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Generator
from dataclasses import dataclass

from vibekit_jupyter.demo_model.replay import Outcome, Plan, Step, Turn

__all__ = [
    "FILE",
    "Script",
    "edit",
    "fenced",
    "interpreter_of",
    "list_files",
    "quoted",
    "read",
    "report",
    "run",
    "write",
]

FILE = r"[`'\"]?(?P<file>[\w/][\w./-]*\.\w+)[`'\"]?"

_POLITE = r"(?:(?:please|now|then|and|ok(?:ay)?|(?:can|could) you),?\s+)*"
_END = r"(?:,?\s+please)?[\s.!?…]*"
_LONGEST_PROMPT = 2000
_MOST_LINES = 40
_MOST_CHARACTERS = 4000
_INTERPRETERS = {"py": "python3", "sh": "bash", "js": "node"}


@dataclass(frozen=True)
class Script:
    """A prompt that the demo model knows.

    Attributes
    ----------
    pattern
        What the whole prompt looks like; a space stands for any white space.
    plan
        What to do then.
    example
        A prompt that matches, shown to who asks what the demo model can do.
    """

    pattern: str
    plan: Callable[[Turn, re.Match[str]], Plan]
    example: str

    def match(self, prompt: str) -> re.Match[str] | None:
        """Match a prompt, whatever its case, politeness and punctuation."""
        if len(prompt) > _LONGEST_PROMPT:
            return None
        pattern = _POLITE + self.pattern.replace(" ", r"\s+") + _END
        return re.fullmatch(pattern, prompt.strip(), re.IGNORECASE | re.DOTALL)


Sub = Generator[Step, Outcome, Outcome]


def write(path: str, content: str, words: str = "") -> Sub:
    """Write a file."""
    return (yield Step("write_file", {"path": path, "content": content}, words))


def edit(path: str, old: str, new: str, words: str = "") -> Sub:
    """Replace a text that stands once in a file."""
    return (yield Step("edit_file", {"path": path, "old": old, "new": new}, words))


def read(path: str, words: str = "") -> Sub:
    """Read a file."""
    return (yield Step("read_file", {"path": path}, words))


def list_files(path: str, words: str = "") -> Sub:
    """List a folder."""
    return (yield Step("list_files", {"path": path}, words))


def run(command: str, words: str = "") -> Sub:
    """Run a command."""
    return (yield Step("run_command", {"command": command}, words))


def interpreter_of(path: str) -> str | None:
    """Return the command that runs a file, None where nobody knows one."""
    interpreter = _INTERPRETERS.get(path.rpartition(".")[2].lower())
    return f"{interpreter} {shlex.quote(path)}" if interpreter else None


def report(command: str, outcome: Outcome) -> str:
    """Say what a command came to, failures too."""
    if outcome.ok:
        said = (
            f"it printed:\n\n{fenced(outcome.text)}"
            if outcome.text.strip()
            else "it printed nothing."
        )
        return f"`{command}` succeeded; {said}"
    said = f"\n\n{fenced(outcome.text)}" if outcome.text.strip() else ""
    return f"`{command}` failed{f' ({outcome.ending})' if outcome.ending else ''}.{said}"


def fenced(text: str) -> str:
    """Return a text as a block of Markdown, clipped where it is long."""
    lines = text.strip("\n")[:_MOST_CHARACTERS].splitlines()[:_MOST_LINES]
    shown = "\n".join(lines)
    if len(shown) < len(text.strip("\n")):
        shown += "\n…"
    longest = max((len(ticks) for ticks in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def quoted(text: str) -> str:
    """Return what stands between a text's own quotation marks, or the text."""
    pairs = {'"': '"', "'": "'", "“": "”", "`": "`"}
    if len(text) > 1 and pairs.get(text[0]) == text[-1]:
        return text[1:-1]
    return text

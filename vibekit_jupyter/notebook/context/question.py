"""A prompt as it is sent: what the person typed, and what was put in from the notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from vibekit_jupyter.notebook.context.failure import last_failure, names_text
from vibekit_jupyter.notebook.context.recent import context_of, how_many
from vibekit_jupyter.notebook.context.tokens import cut, estimated_tokens
from vibekit_jupyter.notebook.magic_errors import UsageError
from vibekit_jupyter.notebook.render.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.notebook.context.ran_cells import RanCells
    from vibekit_jupyter.runs.redact import Redactor

__all__ = ["Question", "about_failure", "asked_verb", "question"]

Verb = Literal["fix", "explain"]

MOST_SOURCE: Final = 1_500  # tokens
MOST_TRACEBACK: Final = 1_500
MOST_NAMES: Final = 600

VERBS: Final[dict[Verb, str]] = {
    "fix": (
        "A cell of my notebook failed. Say in a sentence or two why, then give the whole cell as "
        "it should be, in one Python code block. It runs in my notebook, which your tools do not "
        "reach: look for nothing in the sandbox."
    ),
    "explain": (
        "A cell of my notebook failed. Explain in a few sentences what the error means and why it "
        "happened here. It ran in my notebook, which your tools do not reach: look for nothing in "
        "the sandbox."
    ),
}


@dataclass(frozen=True)
class Question:
    """What an agent is asked.

    Attributes
    ----------
    prompt
        The whole of it.
    sent
        What of it is from the notebook, in a few words.
    """

    prompt: str
    sent: str = ""


def asked_verb(prompt: str, cells: RanCells) -> Verb | None:
    """Return ``fix`` or ``explain`` where a line asks for it, and None where it is a prompt.

    It is the verb where it stands alone, or where the last cell failed: leaving out cells of our
    magics, nothing of the person's has run since.
    """
    words = prompt.split(maxsplit=1)
    verb = next((verb for verb in VERBS if words[:1] == [verb]), None)
    return verb if verb and (len(words) == 1 or cells.just_failed) else None


def question(
    prompt: str,
    put_in: Sequence[str] = (),
    *,
    context: str,
    cells: RanCells,
    redactor: Redactor,
) -> Question:
    """Return a prompt with the cells that it takes along.

    Parameters
    ----------
    prompt
        As it was typed, with its values put in.
    put_in
        Which values those are, in a few words each.
    context
        What ``--context`` says.

    Raises
    ------
    UsageError
        ``context`` is nothing that is known.
    """
    sent = [*put_in]
    if asked := how_many(context):
        added = context_of(asked, cells, redactor)
        prompt += added.text
        sent.append(added.words)
    return Question(prompt, redactor.text(" · ".join(sent)))


def about_failure(
    verb: Verb, words: str, *, cells: RanCells, namespace: Mapping[str, Any], redactor: Redactor
) -> Question:
    """Return the question about the last error of a cell.

    Parameters
    ----------
    words
        What the person says to it.
    namespace
        Where the types of the cell's names are looked up.

    Raises
    ------
    UsageError
        There is no error.
    """
    failure = last_failure(cells)
    if failure is None:
        raise UsageError(
            "There is no error to fix. %vibekit fix and %vibekit explain take up the last error "
            "of a cell."
        )
    source = _told(failure.source, MOST_SOURCE, redactor)
    told = _told(failure.traceback, MOST_TRACEBACK, redactor)
    names = _told(names_text(failure.source, namespace), MOST_NAMES, redactor)
    parts = [
        VERBS[verb],
        f"I say to it: {words}" if words else "",
        f"The cell:\n{source}" if source else "",
        f"The error:\n{told}",
        f"What its names are now:\n{names}" if names else "",
    ]
    prompt = "\n\n".join(part for part in parts if part)
    tokens = estimated_tokens(source) + estimated_tokens(told) + estimated_tokens(names)
    return Question(prompt, f"the last error, {tokens:,} tokens")


def _told(text: str, most: int, redactor: Redactor) -> str:
    """Return a text without secrets and of so many tokens at most."""
    return cut(redactor.text(visible(text)).strip("\n"), most)

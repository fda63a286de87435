"""Completion of the magics' verbs, options, agents, modes and session names.

Everything comes from tables and from the registry on this machine: never a request, for
completion runs while the person types.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.notebook.code_magic import RUN
from vibekit_jupyter.notebook.config_magic import command_of
from vibekit_jupyter.notebook.files_magic import COMMANDS
from vibekit_jupyter.notebook.magics import CELL, LINE
from vibekit_jupyter.notebook.session_magic import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.arguments import Argument, Command

__all__ = ["Completion", "candidates"]

_LINE = re.compile(
    r"(?:.*=)?\s*(?P<percent>%{0,2})"
    r"(?P<magic>vibekit(?:_session|_config|_files|_run)?)\s(?P<rest>.*)",
    re.DOTALL,
)
_LAST_WORD = re.compile(r"(?:[^\s\\'\"]|\\.|'[^']*'?|\"[^\"]*\"?)*$")
_MAGICS = (
    *("%vibekit", "%%vibekit", "%vibekit_session", "%vibekit_config", "%vibekit_files"),
    "%%vibekit_run",
)


def candidates(line: str) -> tuple[str, list[str]] | None:
    """Return the unfinished word at a line's end, and what it may become.

    None where the line is not one of our magics.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    rest = match["rest"]
    fragment = _LAST_WORD.search(rest)[0]  # type: ignore[index]  # it matches the empty word
    words = rest[: len(rest) - len(fragment)].split()
    if match["magic"] == "vibekit":
        command = CELL if match["percent"] == "%%" else LINE
    elif match["magic"] == "vibekit_run":
        command = RUN
    elif match["magic"] == "vibekit_config":
        command = command_of(words)
    elif match["magic"] == "vibekit_files":
        if words and words[0] not in COMMANDS:
            return fragment, []
        if not words:
            return fragment, [verb for verb in COMMANDS if verb.startswith(fragment)]
        command, words = COMMANDS[words[0]], words[1:]
    elif words:
        if words[0] not in VERBS:
            return fragment, []
        command, words = VERBS[words[0]].command, words[1:]
    else:
        return fragment, [verb for verb in VERBS if verb.startswith(fragment)]
    return fragment, [word for word in _values(command, words, fragment) if _fits(word, fragment)]


def _fits(word: str, fragment: str) -> bool:
    return word.startswith(fragment) or word.strip("'").startswith(fragment.lstrip("'\""))


def _values(command: Command, words: Sequence[str], fragment: str) -> Iterator[str]:
    before = command.option(words[-1]) if words else None
    if before and before.is_option and before.takes_value:
        yield from _values_of(before)
    elif fragment.startswith("-"):
        for each in command.arguments:
            yield from (name for name in each.names if name.startswith("--"))
    else:
        for each in command.own:
            if not each.is_option:
                yield from _values_of(each)


def _values_of(argument: Argument) -> Iterator[str]:
    yield from argument.options.get("choices", ())
    if not argument.completes:
        return
    from vibekit_jupyter.notebook import get_client

    try:
        sessions = get_client().known_sessions()
    except VibeKitError:
        return  # no place for an error; the magic itself will raise it
    if argument.completes == "session":
        yield from (shlex.quote(session.name) for session in sessions)
        yield from (session.id for session in sessions)
    else:
        projects = {session.project for session in sessions if session.project}
        yield from map(shlex.quote, sorted(projects))


class Completion:
    """The hook into the shell's completer."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._matcher: Any = None

    def install(self) -> None:
        """Hook in."""
        try:
            from IPython.core.completer import context_matcher
        except ImportError:  # IPython < 8.6
            for magic in _MAGICS:
                self._shell.set_hook("complete_command", _complete_command, str_key=magic)  # type: ignore[no-untyped-call]  # IPython's own
            return
        # IPython names matchers by an attribute, which a bound method cannot carry.
        self._matcher = context_matcher(identifier="vibekit", priority=100)(_match)
        self._shell.Completer.custom_matchers.append(self._matcher)

    def remove(self) -> None:
        """Take the hook away."""
        if self._matcher is not None:
            self._shell.Completer.custom_matchers.remove(self._matcher)
            return
        hooks = self._shell.strdispatchers["complete_command"].strs
        for magic in _MAGICS:
            hooks.pop(magic, None)


def _match(context: Any) -> dict[str, Any]:
    from IPython.core.completer import SimpleCompletion

    if context.cursor_line and re.match(r"\s*%%vibekit\s", context.full_text):
        fragment, words = context.token, [context.token]  # a prompt is not Python
    else:
        found = candidates(context.line_with_cursor[: context.cursor_position])
        if found is None:
            return {"completions": [], "suppress": False}
        fragment, words = found
    return {
        # The word itself where nothing is known: only a matcher with a completion can keep
        # the others from theirs, which are Python's.
        "completions": [
            SimpleCompletion(text=word, type="vibekit") for word in words or [fragment]
        ],
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def _complete_command(_shell: Any, event: Any) -> list[str]:
    found = candidates(event.line)
    return found[1] if found else []

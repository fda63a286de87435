"""What stands on a magic's line: options, words, and the rest as it stands."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from vibekit_jupyter.notebook.magic_errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["PLACE", "Argument", "Command", "argument", "documented", "expand", "split_words"]

F = TypeVar("F", bound="Callable[..., Any]")

PLACE = r"(?<!\{)\{\{[ \t]*[^\W\d]\w*(?:\.[^\W\d]\w*)*[ \t]*\}\}(?!\})"
"""``{{name}}`` or ``{{name.attr}}``: what a value may take the place of."""

_VARIABLE = re.compile(r"\$(?P<dollar>[^\W\d]\w*)|\{(?P<brace>[^\W\d]\w*)\}")
_WORD = re.compile(rf"(?:{PLACE}|\S)+")


@dataclass(frozen=True)
class Argument:
    """An option or a word of a command.

    Attributes
    ----------
    names
        ``("--mode",)``, or ``("session",)`` for a word.
    completes
        What stands here, for completion: ``session``, ``project``, or nothing known.
    options
        The rest of what :meth:`argparse.ArgumentParser.add_argument` takes.
    """

    names: tuple[str, ...]
    completes: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_option(self) -> bool:
        """It has a name that begins with a dash."""
        return self.names[0].startswith("-")

    @property
    def takes_value(self) -> bool:
        """The word after it belongs to it."""
        return self.options.get("action") != "store_true"

    def takes(self, word: str) -> bool:
        """Return whether the word after it belongs to it, where it may stand alone."""
        return self.options.get("nargs") != "?" or word in self.options["choices"]


def argument(*names: str, completes: str = "", **options: Any) -> Argument:
    """Describe an argument; see :meth:`argparse.ArgumentParser.add_argument`."""
    return Argument(names, completes, options)


_COMMON = (
    argument("--debug", action="store_true", help="show the traceback of an error"),
    argument("--help", action="store_true", help="show this help"),
)


@dataclass(frozen=True)
class Command:
    """A magic, or one verb of a magic.

    Attributes
    ----------
    name
        As it is typed: ``%vibekit_session set``.
    description
        What it does.
    own
        Its own arguments; every command has ``--debug`` and ``--help`` too.
    usage, epilog
        Where argparse's would not tell the whole story.
    refusal
        Said of words that do not belong on the line, instead of repeating them.
    """

    name: str
    description: str
    own: tuple[Argument, ...] = ()
    usage: str | None = None
    epilog: str | None = None
    refusal: str = ""

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """All arguments."""
        return (*self.own, *_COMMON)

    def option(self, word: str) -> Argument | None:
        """Return the option of this name."""
        return next((each for each in self.arguments if word in each.names), None)

    def help(self) -> str:
        """Return the help text."""
        return self._parser({}).format_help()

    def parse(self, words: Sequence[str], namespace: Mapping[str, Any]) -> argparse.Namespace:
        """Parse the words of a line; with ``help`` set, nothing else is.

        Parameters
        ----------
        words
            As :func:`split_words` gives them.
        namespace
            Where the strings for ``$name`` and ``{name}`` come from. They are put in after
            the line was split, so a value is never taken for an option.

        Raises
        ------
        UsageError
            They do not fit.
        """
        if "--help" in words:
            return argparse.Namespace(help=True)
        parser = self._parser(namespace)
        options, unknown = parser.parse_known_args(list(words))
        if unknown:
            parser.error(self.refusal or f"there is no {' '.join(unknown)!r} here")
        return options

    def parse_prompt(
        self,
        line: str,
        namespace: Mapping[str, Any],
        put_in: Callable[[str], str] | None = None,
    ) -> tuple[argparse.Namespace, str]:
        """Parse the options a line begins with, and return the rest as it stands.

        Only whole words ``$name`` and ``{name}`` are replaced in the rest. ``--`` ends the
        options, for a prompt that begins with a dash or like a verb: ``is_prompt`` is set then.

        Parameters
        ----------
        put_in
            Called with each other word of the rest, unless ``--verbatim`` is among the options.
            What takes a word's place is never looked into again.
        """
        stream = io.StringIO(line)
        lexer = shlex.shlex(stream, posix=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        words: list[str] = []
        is_prompt = False
        while line[stream.tell() :].lstrip().startswith("-"):
            word = _next_word(lexer) or ""
            if word == "--":
                is_prompt = True
                break
            words.append(word)
            option = self.option(word)
            place = stream.tell()
            if option and option.takes_value and (value := _next_word(lexer)) is not None:
                if not option.takes(value):
                    stream.seek(place)
                    continue
                words.append(value)
        rest = line[stream.tell() :].strip()
        options = self.parse(words, namespace)
        options.is_prompt = is_prompt
        is_verbatim = put_in is None or getattr(options, "verbatim", False) or options.help

        def put(match: re.Match[str]) -> str:
            word = match[0]
            if _VARIABLE.fullmatch(word) or is_verbatim or put_in is None:
                return expand(word, namespace)
            return put_in(word)

        return options, _WORD.sub(put, rest)

    def _parser(self, namespace: Mapping[str, Any]) -> _Parser:
        parser = _Parser(
            prog=self.name,
            usage=self.usage,
            description=self.description,
            epilog=self.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        parser.register("type", None, lambda word: expand(word, namespace))
        parser.color = False  # the help is a docstring, too
        for each in self.arguments:
            parser.add_argument(*each.names, **each.options)
        return parser


class _Parser(argparse.ArgumentParser):
    color: bool

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message} ({self.prog} --help tells more)")


def documented(help_text: Callable[[], str]) -> Callable[[F], F]:
    """Give a magic the text that ``%magic?`` shows, made when somebody asks for it.

    Made at once, it would take a third of ``%load_ext``.
    """

    def add(magic: F) -> F:
        # IPython calls it before it looks for a docstring.
        magic.__dict__["getdoc"] = help_text
        return magic

    return add


def expand(word: str, namespace: Mapping[str, Any]) -> str:
    """Replace a word that is ``$name`` or ``{name}`` as a whole by the string of that name.

    Nothing else is replaced: no expressions, no attributes, no part of a word, no value that
    is not a string. So a line can neither run code nor show a secret inside an object.
    """
    match = _VARIABLE.fullmatch(word)
    value = namespace.get(match["dollar"] or match["brace"]) if match else None
    return value if isinstance(value, str) else word


def split_words(line: str) -> list[str]:
    """Split a line as a shell does, quotes included; nothing is expanded."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise _unclosed(error) from None


def _next_word(lexer: shlex.shlex) -> str | None:
    """Return the next word, which may be an empty one in quotes; None at the end."""
    try:
        return lexer.get_token()
    except ValueError as error:
        raise _unclosed(error) from None


def _unclosed(error: ValueError) -> UsageError:
    return UsageError(f"{error}: close the quote, or put a backslash before it.")

"""Cells of other languages than Python: each is one command, whose source is handed to it.

The commands are constants. What a person wrote is a variable of theirs, and never a part of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.sandbox.clean_shell import MOST_COMMAND

__all__ = ["LANGUAGES", "MISSING", "PROGRAMS", "Language", "check_code", "command_of"]

Language: TypeAlias = Literal["python", "bash", "node", "r"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
PROGRAMS: Final = {"python": "python3", "bash": "bash", "node": "node", "r": "Rscript"}

MISSING: Final = 97
MOST_PYTHON: Final = 4_000_000  # characters

_TAKEN: Final = "vibekit_code=$VIBEKIT_CODE; unset VIBEKIT_CODE\n"
# What a cell leaves behind is written down as it ends, by whatever way it does.
_BASH: Final = """
vibekit_state=$HOME/.vibekit-bash
vibekit_run=$VIBEKIT_RUN
[ -r "$vibekit_state" ] && . "$vibekit_state" 2>/dev/null
export VIBEKIT_RUN=$vibekit_run
vibekit_keep() {
  { printf 'cd -- %q\\n' "$PWD"; export -p; } > "$vibekit_state.$$" 2>/dev/null &&
    mv -f -- "$vibekit_state.$$" "$vibekit_state"
}
trap vibekit_keep EXIT
eval "$vibekit_code"
"""
_NODE: Final = f"""
command -v node >/dev/null 2>&1 || exit {MISSING}
exec node -e "$vibekit_code"
"""
_R: Final = f"""
command -v Rscript >/dev/null 2>&1 || exit {MISSING}
vibekit_file=$(mktemp) || exit
trap 'rm -f -- "$vibekit_file"' EXIT
printf '%s\\n' "$vibekit_code" > "$vibekit_file"
Rscript "$vibekit_file"
"""
_COMMANDS: Final = {"bash": _TAKEN + _BASH, "node": _TAKEN + _NODE, "r": _TAKEN + _R}


@dataclass(frozen=True)
class LanguageCommand:
    """A command and the variables that it is started with."""

    command: str
    envs: dict[str, str]


def command_of(language: Language, code: str) -> LanguageCommand:
    """Return the command that runs a cell of another language than Python."""
    return LanguageCommand(_COMMANDS[language], {"VIBEKIT_CODE": code})


def check_code(code: object, language: object) -> None:
    """Raise ``ConfigurationError`` for what cannot be run."""
    if language not in LANGUAGES:
        raise ConfigurationError(
            f"There is no language {str(language)[:40]!r} here.",
            hint=f"These are there: {', '.join(LANGUAGES)}.",
        )
    if not isinstance(code, str):
        raise ConfigurationError(
            f"Code is a text, not {type(code).__name__}.", hint="Give the source, as a string."
        )
    if not code.strip():
        raise ConfigurationError("There is no code to run.", hint="Write it below the first line.")
    try:
        size = len(code.encode())
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            "The code is no text that can be sent.", hint="It holds half a surrogate pair."
        ) from error
    if "\0" in code:
        raise ConfigurationError("The code holds a NUL character.", hint="Take it out.")
    most = MOST_PYTHON if language == "python" else MOST_COMMAND
    if size > most:
        raise ConfigurationError(
            f"The code has {size:,} bytes, and {most:,} are the most that can be run at once.",
            hint="Write it to a file of the sandbox, and run that.",
        )

"""A shell for questions of ours, with nothing in it of what the sandbox's user set up.

The service starts every command in a login shell: functions, a ``PATH`` and whatever else its
files leave behind stay outside of this one. What a sandbox answers is a stranger's word all the
same: whoever owns it may answer anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.sandbox.ending import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_command", "check_folder", "clean_shell"]

# Bytes: an argument of a program has 128 KiB, and the shell's own words come on top.
MOST_COMMAND: Final = 120_000

PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def clean_shell(source: str, envs: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the command that runs bash source, and the variables to start it with.

    The source sees these variables alone, the login shell's ``PATH`` as ``VIBEKIT_PATH``, and
    its ``HOME`` and ``TMPDIR``, which are not the same everywhere.
    Their names are constants of ours.
    """
    variables = {**envs, "VIBEKIT_SOURCE": source}
    kept = " ".join(f'"{name}=${name}"' for name in (VARIABLE, *variables))
    shell = '/bin/bash --norc --noprofile -c "$VIBEKIT_SOURCE"'
    fixed = f'PATH={PATH} "HOME=$HOME" "TMPDIR=$TMPDIR" "VIBEKIT_PATH=$PATH"'
    return f"/usr/bin/env -i {fixed} {kept} {shell}", variables


def check_command(command: str) -> None:
    """Raise ``ConfigurationError`` for a command that cannot be sent, or not be started."""
    try:
        size = len(command.encode())
    except (AttributeError, UnicodeEncodeError) as error:
        raise ConfigurationError(
            "The command is no text that can be sent.", hint="Give bash source, as a string."
        ) from error
    if "\0" in command:
        raise ConfigurationError(
            "The command holds a NUL character.", hint="Take it out, or spell it for printf."
        )
    if size > MOST_COMMAND:
        raise ConfigurationError(
            f"The command has {size} bytes, and {MOST_COMMAND} are the most that can be run.",
            hint="Write it to a file of the sandbox, and run that.",
        )


def check_folder(path: object) -> None:
    """Raise ``ConfigurationError`` for what can be no path; None is the home folder's."""
    if path is not None and not (
        isinstance(path, str)
        and "\0" not in path
        and not any("\ud800" <= char <= "\udfff" for char in path)
    ):
        raise ConfigurationError(
            f"{str(path)[:40]!a} cannot be a folder's path.", hint="Give one of the sandbox's."
        )

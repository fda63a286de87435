"""A shell for questions of ours, with nothing in it of what the sandbox's user set up.

The service starts every command in a login shell: functions, a ``PATH`` and whatever else its
files leave behind stay outside of this one. What a sandbox answers is a stranger's word all the
same: whoever owns it may answer anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.sandbox.ending import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["clean_shell"]

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

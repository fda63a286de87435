"""A question of ours to a sandbox that a Python program answers, run by the sandbox's python3.

What it tells is a stranger's word: it is taken within bounds, and nothing of it is ever run.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.sandbox.clean_shell import clean_shell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["ask_python"]

# A Python that lies where programs are installed. Under -I nothing that lies in the home folder is
# imported in the place of the library; without -S the sandbox's site is looked for first, which
# takes as long as the look.
PYTHON: Final = """
set -f; IFS=:
for folder in $VIBEKIT_PATH $PATH; do
  case $folder/ in [!/]*|"$HOME"/*|/home/user/*|/tmp/*|/var/tmp/*|/dev/*|*/../*) continue ;; esac
  [ -x "$folder/python3" ] && "$folder/python3" -I -S -c "$VIBEKIT_SCRIPT" && exit
done
"""
MOST_ANSWERED: Final = 8_000_000  # bytes
TIMEOUT: Final = 10.0


async def ask_python(
    sandbox: Sandbox,
    script: str,
    asked: Mapping[str, Any],
    *,
    first: str = "",
    variables: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Any:
    """Return the JSON that a program answers.

    Parameters
    ----------
    script
        The program (3.8 and up, nothing installed). It reads ``VIBEKIT_ASKED``, and writes JSON
        between two ``VIBEKIT_MARK``.
    asked
        What it is asked: an environment variable has 128 KiB.
    first
        Bash source that may answer without it.
    variables
        What that source sees.
    timeout
        Seconds.

    Raises
    ------
    TimeoutError
        It took too long.
    ValueError
        There is no python3, or it told something else.
    SandboxError, SessionNotFoundError
        The sandbox could not be asked.
    """
    # What the login shell says before and after is not the answer.
    mark = uuid.uuid4().hex
    command, envs = clean_shell(
        f"{first}{PYTHON}",
        {
            "VIBEKIT_SCRIPT": script,
            "VIBEKIT_ASKED": json.dumps(asked),
            "VIBEKIT_MARK": mark,
            **(variables or {}),
        },
    )
    answer = await sandbox.run(command, envs=envs, timeout=timeout, keep=MOST_ANSWERED)
    if answer.timed_out:
        raise TimeoutError(f"python3 was not done after {timeout:g} s")
    try:
        _, told, _ = answer.stdout.split(mark)
        return json.loads(told)
    except (RecursionError, ValueError) as error:
        raise ValueError("python3 did not say") from error

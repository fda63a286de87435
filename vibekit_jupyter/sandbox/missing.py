"""Which files are not in a sandbox any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.sandbox.clean_shell import clean_shell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["missing_files"]

# Where a sandbox has no file system of its own, its folders stand for others in a command.
LOOK_COMMAND = """
while IFS= read -r path; do
  case $path in
    /home/user/*) there=$HOME${path#/home/user} ;;
    /tmp/*) there=${TMPDIR:-/tmp}${path#/tmp} ;;
    *) there=$path ;;
  esac
  [ -e "$there" ] || printf '%s\\n' "$path"
done <<< "$VIBEKIT_PATHS"
"""
TIMEOUT = 5.0
MOST_ANSWERED = 8_000_000  # characters of what a sandbox says to a question of ours


async def missing_files(sandbox: Sandbox, paths: Sequence[str]) -> Sequence[str]:
    """Return those of the paths that are not in the sandbox; up to 1000 are looked for.

    A path with a newline in it is taken to be there.
    """
    asked = "\n".join(path for path in paths[:1000] if "\n" not in path)
    command, envs = clean_shell(LOOK_COMMAND, {"VIBEKIT_PATHS": asked})
    result = await sandbox.run(command, envs=envs, timeout=TIMEOUT, keep=MOST_ANSWERED)
    told = {*result.stdout.split("\n")}
    return [path for path in asked.split("\n") if path in told]

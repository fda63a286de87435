"""How a command is ended, with everything it has started, however that has detached itself.

Each command is marked twice: by a variable in its environment, and by its limit on file locks, a
limit that Linux hands down to every process and enforces nowhere. A program that starts another one
with an empty environment, in a session of its own or as another user keeps the second mark.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["END_COMMAND", "HIDDEN", "VARIABLE", "Mark", "new_run"]

HIDDEN: Final = "hidden"

VARIABLE: Final = "VIBEKIT_RUN"
# The limit's lower bits count the commands of a run, its upper bits are the run.
COMMANDS: Final = 1 << 20

# Builtins of bash alone, which the protocol needs anyway. What cannot be ended is told.
END_COMMAND: Final = r"""
marked() {
  local line word fields
  while read -r line; do
    [[ $line == "Max file locks"* ]] || continue
    fields=(${line#Max file locks})
    [[ ${fields[0]} == unlimited ]] && break
    (( fields[0] >= VIBEKIT_FIRST && fields[0] <= VIBEKIT_LAST )) && return 0
    break
  done < "$1/limits"
  while IFS= read -r -d '' word; do
    [ "$word" = "VIBEKIT_RUN=$VIBEKIT_END" ] && return 0
  done < "$1/environ"
  return 1
} 2>/dev/null
belongs() {
  local line fields
  { read -r line < "$1/stat"; } 2>/dev/null || return 1
  fields=(${line##*) })
  [ "${fields[0]}" = Z ] && return 1
  [ -n "$VIBEKIT_PID" ] && [ "${fields[2]}" = "$VIBEKIT_PID" -o "${fields[3]}" = "$VIBEKIT_PID" ] \
    && return 0
  marked "$1"
} 2>/dev/null
# Some servers number commands themselves: such a number may be another process's here.
[ ! -d "/proc/$VIBEKIT_PID" ] || marked "/proc/$VIBEKIT_PID" || VIBEKIT_PID=""
for ((round = 0; ; round++)); do
  found=() sent=0
  for folder in /proc/[0-9]*; do
    [ "$folder" = "/proc/$$" ] || ! belongs "$folder" || found+=("${folder#/proc/}")
  done
  [ ${#found[@]} -eq 0 ] && break
  kill -KILL "${found[@]}" 2>/dev/null && sent=1
  # Whoever was sent it needs a moment of the processor to end.
  ((round < 20 || (sent && SECONDS < 3))) || break
done
[ ${#found[@]} -eq 0 ] || printf '%s\n' "${found[@]}"
# Where other users' processes are hidden, only their administrator sees whether one is left.
{ read -r line < /proc/1/stat; } 2>/dev/null || echo hidden
"""


@dataclass(frozen=True)
class Mark:
    """What tells a command's processes from all others, or those of all commands of a run.

    Parameters
    ----------
    first, last
        The limit on file locks that they have, and no other process.
    name
        What their environment holds.
    """

    first: int
    last: int
    name: str

    @classmethod
    def of_command(cls, run: int | None = None) -> Mark:
        """Return the mark of a new command, of a run where it belongs to one."""
        number = (new_run() if run is None else run) * COMMANDS + secrets.randbelow(COMMANDS)
        return cls(number, number, f"{number:x}")

    @classmethod
    def of_run(cls, run: int) -> Mark:
        """Return the mark of all commands of a run."""
        return cls(run * COMMANDS, run * COMMANDS + COMMANDS - 1, "")

    def put_on(self, command: str) -> str:
        """Return the command's source, marked; its lines keep their numbers."""
        return f"ulimit -Sx {self.first} 2>/dev/null; {command}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a marked command has in its environment."""
        return {VARIABLE: self.name}

    def asked(self, pid: int | None = None) -> Mapping[str, str]:
        """Return what ``END_COMMAND`` is told: whom to end, with the first process's number."""
        return {
            "VIBEKIT_FIRST": str(self.first),
            "VIBEKIT_LAST": str(self.last),
            "VIBEKIT_END": self.name or "-",
            "VIBEKIT_PID": "" if pid is None else str(pid),
        }


def new_run() -> int:
    """Return a number for a run that no other one has; its commands bear it."""
    return 1 + secrets.randbelow((1 << 42) - 1)

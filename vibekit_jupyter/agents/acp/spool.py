"""A program in the sandbox whose output is kept in a file there, and heard from that.

What a process says while nobody listens is lost, here and at E2B: a connection that breaks off, or
a sandbox that pauses, would leave a hole in the middle of a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.sandbox.clean_shell import clean_shell
from vibekit_jupyter.sandbox.ending import Mark
from vibekit_jupyter.sandbox.process import Process, ProcessEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["LACKING", "NOT_THERE", "SpooledProcess", "spool_of"]

# Exit codes: the sandbox lacks what an agent is heard through, or it lacks the agent.
LACKING: Final = 96
NOT_THERE: Final = 97
FOLDER: Final = "/tmp/vibekit/agents"  # noqa: S108  (a folder of the sandbox, where nobody else is)
# Its name alone stands in the environment of what it starts. A profile in the sandbox may name a
# path without what is needed here.
START: Final = """
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
for name in mkdir mv sleep tail; do
  type -P -- "$name" > /dev/null || { echo "$name"; exit 96; }
done
umask 077
mkdir -p -- "$VIBEKIT_SPOOL" && cd -- "$VIBEKIT_FOLDER" || exit
out=$VIBEKIT_SPOOL/out err=$VIBEKIT_SPOOL/err words=()
for ((number = 0; number < VIBEKIT_WORDS; number++)); do
  name=VIBEKIT_WORD_$number
  words+=("${!name}")
  unset "$name"
done
unset VIBEKIT_SPOOL VIBEKIT_FOLDER VIBEKIT_WORDS
: > "$out.new" && mv -- "$out.new" "$out"
type -P -- "${words[0]}" > /dev/null || { echo "${words[0]}"; exit 97; }
exec "${words[@]}" >> "$out" 2>> "$err"
"""
# It is asked for before the file is there.
LISTEN: Final = """
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
until [ -e "$VIBEKIT_SPOOL/out" ]; do sleep 0.02; done
exec tail -n "+$VIBEKIT_FROM" -s 0.05 -f -- "$VIBEKIT_SPOOL/out"
"""
REST: Final = 'tail -n "+$VIBEKIT_FROM" -- "$VIBEKIT_SPOOL/out"'
SAID: Final = 'tail -c 2000 -- "$VIBEKIT_SPOOL/err"'
SIZE: Final = 'stat -c %s -- "$VIBEKIT_SPOOL/out"'
REMOVE: Final = 'rm -rf -- "$VIBEKIT_SPOOL"'
# Times in a row without a new line; seconds between two, and for a question of ours.
TRIES: Final = 6
PAUSE: Final = 0.3
ASKING: Final = 5.0
MOST_REST: Final = 32 * 1024**2


def spool_of(run: int) -> str:
    """Return the folder in a sandbox that keeps what the agent of a run says."""
    return f"{FOLDER}/{run:x}"


class SpooledProcess:
    """A program that runs in a sandbox. Make it with :meth:`start`.

    Parameters
    ----------
    hear
        Is called with each piece of its output, in order.
    again
        Is called before the line is told again that was broken off, and returns how many whole
        lines were heard.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        run: int | None,
        hear: Callable[[str], None],
        again: Callable[[], int],
    ) -> None:
        self._sandbox = sandbox
        self._mark = Mark.of_command(run)
        self._hear = hear
        self._again = again
        self._name = secrets.token_hex(12)
        # By its run's number it is found when this kernel is gone.
        spool = f"{FOLDER}/{self._name}" if run is None else spool_of(run)
        self._place = {"VIBEKIT_SPOOL": spool}
        self._said = BoundedText(0, 500)
        self._process: Process
        self._ending: asyncio.Task[ProcessEnd]

    @classmethod
    async def start(
        cls,
        sandbox: Sandbox,
        words: Sequence[str],
        *,
        run: int | None,
        folder: str,
        envs: Mapping[str, str],
        hear: Callable[[str], None],
        again: Callable[[], int],
    ) -> SpooledProcess:
        """Start a program with its arguments; all that it starts bears the run's mark."""
        self = cls(sandbox, run, hear, again)
        arguments = {f"VIBEKIT_WORD_{number}": word for number, word in enumerate(words)}
        own = {"VIBEKIT_WORDS": str(len(words)), "VIBEKIT_FOLDER": folder}
        self._process = await Process.start(
            sandbox,
            self._mark.put_on(START),
            name=self._name,
            envs={**envs, **arguments, **own, **self._place, **self._mark.environment},
            on_stdout=self._said.append,
            on_stderr=self._said.append,
        )
        self._ending = asyncio.create_task(self._follow())
        return self

    async def ended(self) -> ProcessEnd:
        """Wait until it has ended, and all that it said was heard.

        Raises
        ------
        SandboxError, SessionNotFoundError
            The sandbox cannot be asked any more.
        """
        return await asyncio.shield(self._ending)

    async def send(self, data: str) -> None:
        """Write to its standard input."""
        await self._process.send(data)

    async def complaint(self) -> str:
        """Return the end of what it wrote to its standard error, as far as that is known."""
        return await self._asked(SAID) or str(self._said)

    async def size(self) -> int:
        """Return how many bytes it has written, 0 where that is not known."""
        told = (await self._asked(SIZE)).strip()
        return int(told) if told.isdecimal() else 0

    async def close(self, patience: float) -> None:
        """Let it end by itself for some seconds, then end it."""
        with contextlib.suppress(SandboxError, SessionNotFoundError):
            await self._process.close_input()
            await asyncio.wait([self._ending], timeout=patience)
        await self.kill()

    async def kill(self) -> None:
        """End it, and remove what was kept of it."""
        is_reached = self._ending.done() or await _ended(self._process)
        self._ending.cancel()
        await asyncio.wait([self._ending])
        await self._process.leave()
        if is_reached:
            await self._asked(REMOVE)

    async def _follow(self) -> ProcessEnd:
        listening = asyncio.create_task(self._listen())
        ending = asyncio.create_task(self._watch())
        try:
            await asyncio.wait([listening, ending], return_when=asyncio.FIRST_COMPLETED)
            if listening.done() and not ending.done():
                listening.result()
            end = await ending
            listening.cancel()
            await asyncio.wait([listening])
            if end.exit_code not in (LACKING, NOT_THERE):
                lines = self._again()
                rest = await self._asked(REST, {"VIBEKIT_FROM": str(lines + 1)}, keep=MOST_REST)
                self._hear(rest)
            return end
        finally:
            for task in (listening, ending):
                if not task.cancelling():  # else it is ending what it began
                    task.cancel()
            await asyncio.wait([listening, ending])

    async def _watch(self) -> ProcessEnd:
        """Wait for its end, over connections that break off."""
        for _ in range(TRIES):
            try:
                return await self._process.ended()
            except SandboxError:
                await asyncio.sleep(PAUSE)
                again = await Process.attach(
                    self._sandbox,
                    self._process.pid,
                    name=self._name,
                    on_stdout=self._said.append,
                    on_stderr=self._said.append,
                )
            if again is None:
                break
            self._process = again
        return ProcessEnd(-1, "it is not there any more")

    async def _listen(self) -> None:
        """Hear what it says, over connections that break off."""
        tries, before = 0, -1
        while tries < TRIES:
            lines = self._again()
            tries = 0 if lines > before else tries + 1
            before = lines
            listener = await Process.start(
                self._sandbox,
                self._mark.put_on(LISTEN),
                name=f"{self._name}-listener",
                envs={**self._place, **self._mark.environment, "VIBEKIT_FROM": str(lines + 1)},
                on_stdout=self._hear,
                on_stderr=self._said.append,
            )
            try:
                await listener.ended()
            except SandboxError:
                await asyncio.sleep(PAUSE)
            finally:
                await _ended(listener)
                await listener.leave()
        raise SandboxError(
            "The agent's output could not be heard any more.", hint="Run the prompt again."
        )

    async def _asked(
        self, source: str, variables: Mapping[str, str] | None = None, keep: int = 8_000
    ) -> str:
        command, envs = clean_shell(source, {**self._place, **(variables or {})})
        with contextlib.suppress(SandboxError, SessionNotFoundError):
            return (await self._sandbox.run(command, envs=envs, timeout=ASKING, keep=keep)).stdout
        return ""


async def _ended(process: Process) -> bool:
    """End a process; return whether its service can be reached."""
    with contextlib.suppress(SandboxError, SessionNotFoundError):
        await process.kill()
        return True
    return False

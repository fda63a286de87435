"""The tools that both agents offer to the model. Each acts inside the sandbox.

What the model does wrong (an unknown tool, bad arguments, a file that is not there) is told
to the model; a failing sandbox service ends the run.
"""

from __future__ import annotations

import asyncio
import posixpath
import tempfile
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.agents.tool_specs import (
    COMMAND_TIMEOUT,
    MOST_COMMAND_TIMEOUT,
    READING,
    SPECS,
    WRITING,
    arguments_of,
    checked_arguments,
)
from vibekit_jupyter.errors import SandboxLimitError
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.agents.conversation import ToolCall
    from vibekit_jupyter.agents.vendor import ToolSpec
    from vibekit_jupyter.results import CommandResult, FileChange
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Mode

    OnOutput = Callable[[Literal["stdout", "stderr"], str], None]

__all__ = ["Outcome", "Toolbox"]

HOME = "/home/user"
OUTPUT_FOLDER = "/tmp/vibekit"  # noqa: S108  (a folder of the sandbox, where nobody else is)

# Characters: what the model is told of an output or a file, and what the person is shown.
MOST_TOLD = 16_000
MOST_READ = 50_000
MOST_KEPT = 64_000
MOST_ENTRIES = 1000
# Bytes: larger files are for commands; more of an output than this is not kept in a file.
MOST_FILE = 8 * 1024**2
MOST_SAVED = 128 * 1024**2
IN_MEMORY = 1024**2


@dataclass(frozen=True)
class Outcome:
    """What a tool call came to: ``output`` is what the model is told."""

    output: str
    ok: bool = True
    command: CommandResult | None = None
    change: FileChange | None = None


class Toolbox:
    """The tools of one run.

    Parameters
    ----------
    sandbox
        Where they act.
    mode
        In ``ask`` mode there are only the tools that read.
    changes
        What they write is taken down here.
    run
        The run's number, which its commands bear.
    """

    def __init__(
        self, sandbox: Sandbox, mode: Mode, changes: Changes, *, run: int | None = None
    ) -> None:
        self._sandbox = sandbox
        self._run = run
        self._changes = changes
        self.specs: Sequence[ToolSpec] = tuple(
            spec for spec in SPECS if mode == "code" or spec.name in READING
        )

    def group(self, call: ToolCall) -> str:
        """Return what kind of call it is: neighbours of one kind may run at the same time."""
        kinds = ((READING, "reading"), (WRITING, "writing"))
        return next((kind for names, kind in kinds if call.name in names), "running")

    def lane(self, call: ToolCall) -> str:
        """Return what calls share that must keep their order: the file they write."""
        path = arguments_of(call).get("path")
        if call.name in WRITING and isinstance(path, str):
            return posixpath.normpath(_absolute(path))
        return call.call_id

    async def run(self, call: ToolCall, on_output: OnOutput) -> Outcome:
        """Run a call. What the model did wrong comes back as an outcome that is not ok.

        Raises
        ------
        SandboxError, SessionNotFoundError
            The sandbox service failed, or the sandbox is gone.
        """
        try:
            given = checked_arguments(call, self.specs)
            match call.name:
                case "run_command":
                    return await self._run_command(on_output, **given)
                case "read_file":
                    return await self._read_file(**given)
                case "write_file":
                    return await self._write_file(**given)
                case "edit_file":
                    return await self._edit_file(**given)
                case _:
                    return await self._list_files(**given)
        except (OSError, ValueError) as error:
            return Outcome(f"Error: {error}", ok=False)

    async def _run_command(
        self, on_output: OnOutput, command: str, timeout: float = COMMAND_TIMEOUT
    ) -> Outcome:
        if "\0" in command:
            raise ValueError("a command cannot hold a NUL character")
        if not 0 < timeout <= MOST_COMMAND_TIMEOUT:
            raise ValueError(f"timeout is between 0 and {MOST_COMMAND_TIMEOUT} seconds")
        told = BoundedText.of(MOST_TOLD)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as whole:

            def collect(stream: Literal["stdout", "stderr"], text: str) -> None:
                told.append(text)
                if whole.tell() < MOST_SAVED:
                    whole.write(text.encode(errors="replace"))
                on_output(stream, text)

            result = await self._sandbox.run(
                command, timeout=timeout, on_output=collect, keep=MOST_KEPT, run=self._run
            )
            lines = [str(told).removesuffix("\n") or "(no output)"]
            if told.length > MOST_TOLD:
                path = f"{OUTPUT_FOLDER}/output-{uuid.uuid4().hex[:8]}.txt"
                whole.seek(0)
                try:
                    await self._sandbox.write_file(path, whole)
                    lines.append(
                        f"[{told.length} characters in all; the whole output is in {path}]"
                    )
                except (SandboxLimitError, OSError) as error:
                    lines.append(f"[{told.length} characters in all; not kept in a file: {error}]")
        if result.timed_out:
            lines.append(f"[ended: it was not done after {timeout:g} s]")
        elif result.exit_code != 0:
            lines.append(f"[exit code {result.exit_code}]")
        return Outcome("\n".join(lines), ok=result.exit_code == 0, command=result)

    async def _read_file(self, path: str, offset: int = 1, limit: int | None = None) -> Outcome:
        if offset < 1 or (limit is not None and limit < 1):
            raise ValueError("offset and limit are at least 1")
        data = await self._content(path)
        if b"\0" in data:
            raise ValueError(f"{path} is a binary file of {len(data)} bytes")
        lines = data.decode(errors="replace").split("\n")
        count = len(lines) - (lines[-1] == "")  # a final newline begins no line
        if offset > max(count, 1):
            raise ValueError(f"{path} has only {count} lines")
        chosen = lines[offset - 1 :][:limit]
        text = "\n".join(chosen)
        if len(text) > MOST_READ:
            text = text[:MOST_READ]
            shown = max(text.count("\n"), 1)
            note = f"[cut: go on with offset={offset + shown}]"
            if "\n" in text:
                text = text[: text.rindex("\n")]
            return Outcome(f"{text}\n{note}")
        if offset - 1 + len(chosen) < count:
            text += f"\n[{count} lines in all]"
        return Outcome(text or "(empty)")

    async def _write_file(self, path: str, content: str) -> Outcome:
        try:
            old: bytes | None = await self._content(path)
        except FileNotFoundError:
            old = None
        return await self._changed(path, old, content.encode())

    async def _edit_file(self, path: str, old: str, new: str) -> Outcome:
        before, piece = await self._content(path), old.encode()
        if not piece:
            raise ValueError("old is empty")
        first = before.find(piece)
        if first < 0:
            carriage = " (its lines end in \\r\\n)" if b"\r\n" in before else ""
            raise ValueError(f"old does not occur in {path}{carriage}; read the file again")
        if before.find(piece, first + 1) >= 0:
            raise ValueError(f"old occurs more than once in {path}; give more lines around it")
        after = before[:first] + new.encode() + before[first + len(piece) :]
        return await self._changed(path, before, after)

    async def _list_files(self, path: str) -> Outcome:
        entries = sorted(
            await self._sandbox.list_files(_absolute(path)), key=lambda entry: entry.name
        )
        lines = [
            f"{entry.name}/" if entry.is_dir else f"{entry.name}  {entry.size} bytes"
            for entry in entries[:MOST_ENTRIES]
        ]
        if len(entries) > MOST_ENTRIES:
            lines.append(f"[{len(entries)} entries in all]")
        return Outcome("\n".join(lines) or "(empty)")

    async def _content(self, path: str) -> bytes:
        data = await self._sandbox.read_file(_absolute(path), most=MOST_FILE + 1)
        if len(data) > MOST_FILE:
            raise ValueError(f"{path} has more than {MOST_FILE} bytes; use run_command")
        return data

    async def _changed(self, path: str, old: bytes | None, new: bytes) -> Outcome:
        if old == new:
            return Outcome(f"{path} has this content already.")
        await self._sandbox.write_file(_absolute(path), new)
        name = posixpath.normpath(_absolute(path))
        change = await asyncio.to_thread(self._changes.write, name, old, new)
        return Outcome(f"{change.kind} {path} (+{change.added} -{change.removed})", change=change)


def _absolute(path: str) -> str:
    """Return the path in the sandbox that a model means."""
    if path == "~" or path.startswith("~/"):
        path = f"{HOME}/{path[2:]}"
    return posixpath.join(HOME, path)

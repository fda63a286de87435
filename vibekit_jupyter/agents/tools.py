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
from typing import TYPE_CHECKING, Any, Literal

from vibekit_jupyter.agents.conversation import json_object
from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.agents.vendor import ToolSpec
from vibekit_jupyter.bounded_text import BoundedText
from vibekit_jupyter.errors import SandboxLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import UnionType

    from vibekit_jupyter.agents.conversation import ToolCall
    from vibekit_jupyter.config import Mode
    from vibekit_jupyter.events import CommandResult, FileChange
    from vibekit_jupyter.sandbox import Sandbox

    OnOutput = Callable[[Literal["stdout", "stderr"], str], None]

__all__ = ["Outcome", "Toolbox", "arguments_of"]

HOME = "/home/user"
OUTPUT_FOLDER = "/tmp/vibekit"  # noqa: S108  (a folder of the sandbox, where nobody else is)

COMMAND_TIMEOUT = 120
MOST_COMMAND_TIMEOUT = 3600
# Characters: what the model is told of an output or a file, and what the person is shown.
MOST_TOLD = 16_000
MOST_READ = 50_000
MOST_KEPT = 64_000
MOST_ENTRIES = 1000
# Bytes: larger files are for commands; more of an output than this is not kept in a file.
MOST_FILE = 8 * 1024**2
MOST_SAVED = 128 * 1024**2
IN_MEMORY = 1024**2


def _spec(
    name: str, description: str, required: Mapping[str, str], **optional: tuple[str, str]
) -> ToolSpec:
    properties = {
        **{field: {"type": "string", "description": text} for field, text in required.items()},
        **{field: {"type": kind, "description": text} for field, (kind, text) in optional.items()},
    }
    return ToolSpec(
        name,
        description,
        {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
    )


PATH = "Absolute, or relative to /home/user."
SPECS = (
    _spec(
        "run_command",
        "Run bash source in the sandbox, in /home/user, and return its output and exit code. "
        "There is no terminal and no input. Long output is cut in the middle.",
        {"command": "The bash source."},
        timeout=(
            "number",
            (
                f"Seconds until it is ended; {COMMAND_TIMEOUT} unless given, at most "
                f"{MOST_COMMAND_TIMEOUT}."
            ),
        ),
    ),
    _spec(
        "read_file",
        "Return a text file's lines as they are.",
        {"path": PATH},
        offset=("integer", "The first line to return, counted from 1."),
        limit=("integer", "How many lines to return."),
    ),
    _spec(
        "write_file",
        "Write a text file, with the folders above it. An existing file is replaced.",
        {"path": PATH, "content": "The whole new content."},
    ),
    _spec(
        "edit_file",
        "Replace a piece of a text file. The piece must occur exactly once, so give enough of "
        "the lines around it.",
        {"path": PATH, "old": "The piece as it stands there.", "new": "What comes in its place."},
    ),
    _spec("list_files", "List a folder.", {"path": PATH}),
)
READING = ("read_file", "list_files")
WRITING = ("write_file", "edit_file")
TYPES: Mapping[str, type | UnionType] = {"string": str, "number": int | float, "integer": int}


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
    """

    def __init__(self, sandbox: Sandbox, mode: Mode) -> None:
        self._sandbox = sandbox
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
            given = self._checked(call)
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

    def _checked(self, call: ToolCall) -> dict[str, Any]:
        """Return a call's arguments, or raise ``ValueError`` with what is wrong with them."""
        spec = next((spec for spec in self.specs if spec.name == call.name), None)
        if spec is None:
            names = ", ".join(spec.name for spec in self.specs)
            raise ValueError(f"there is no tool {call.name!r} in this run; there are: {names}")
        given = json_object(call.arguments)
        properties = spec.parameters["properties"]
        if unknown := [name for name in given if name not in properties]:
            raise ValueError(f"{call.name} has no argument {unknown[0]!r}")
        given = {name: value for name, value in given.items() if value is not None}
        if missing := [name for name in spec.parameters["required"] if name not in given]:
            raise ValueError(f"{call.name} needs the argument {missing[0]!r}")
        return {
            name: _value(name, value, properties[name]["type"]) for name, value in given.items()
        }

    async def _run_command(
        self, on_output: OnOutput, command: str, timeout: float = COMMAND_TIMEOUT
    ) -> Outcome:
        if "\0" in command:
            raise ValueError("a command cannot hold a NUL character")
        if not 0 < timeout <= MOST_COMMAND_TIMEOUT:
            raise ValueError(f"timeout is between 0 and {MOST_COMMAND_TIMEOUT} seconds")
        told = BoundedText(MOST_TOLD)
        size = 0
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as whole:

            def collect(stream: Literal["stdout", "stderr"], text: str) -> None:
                nonlocal size
                size += len(text)
                told.add(text)
                if whole.tell() < MOST_SAVED:
                    whole.write(text.encode(errors="replace"))
                on_output(stream, text)

            result = await self._sandbox.run(
                command, timeout=timeout, on_output=collect, keep=MOST_KEPT
            )
            lines = [told.text().removesuffix("\n") or "(no output)"]
            if size > MOST_TOLD:
                path = f"{OUTPUT_FOLDER}/output-{uuid.uuid4().hex[:8]}.txt"
                whole.seek(0)
                try:
                    await self._sandbox.write_file(path, whole)
                    lines.append(f"[{size} characters in all; the whole output is in {path}]")
                except (SandboxLimitError, OSError) as error:
                    lines.append(f"[{size} characters in all; not kept in a file: {error}]")
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
        change = await asyncio.to_thread(file_change, _absolute(path), old, new)
        return Outcome(f"{change.kind} {path} (+{change.added} -{change.removed})", change=change)


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments to look at, empty where they are no JSON object."""
    try:
        return json_object(call.arguments)
    except ValueError:
        return {}


def _value(name: str, value: Any, kind: str) -> Any:
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool):
        raise ValueError(f"{name} is not of type {kind}")  # noqa: TRY004  (the model's mistake)
    if name == "path" and (value == "" or "\0" in str(value)):
        raise ValueError("path is empty or holds a NUL character")
    return value


def _absolute(path: str) -> str:
    """Return the path in the sandbox that a model means."""
    if path == "~" or path.startswith("~/"):
        path = f"{HOME}/{path[2:]}"
    return posixpath.join(HOME, path)

"""The tools that both agents offer to the model. Each acts inside the sandbox.

What the model does wrong (an unknown tool, bad arguments, a file that is not there) is told
to the model; a failing sandbox service ends the run.
"""

from __future__ import annotations

import posixpath
import signal
import tempfile
import uuid
from functools import partial
from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.agents.file_tools import edit_file, read_file, write_file
from vibekit_jupyter.agents.finding import list_files, search
from vibekit_jupyter.agents.outcome import Outcome
from vibekit_jupyter.agents.picture import MOST_PICTURE, picture_of
from vibekit_jupyter.agents.places import absolute
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
from vibekit_jupyter.sandbox.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.agents.conversation import ToolCall
    from vibekit_jupyter.agents.mcp.tools import McpTools
    from vibekit_jupyter.agents.vendor import ToolSpec
    from vibekit_jupyter.results import CommandResult
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Mode

    OnOutput = Callable[[Literal["stdout", "stderr"], str], None]

__all__ = ["Toolbox"]

OUTPUT_FOLDER = "/tmp/vibekit"  # noqa: S108  (a folder of the sandbox, where nobody else is)

# Characters: what the model is told of an output, and what the person is shown.
MOST_TOLD = 16_000
MOST_KEPT = 64_000
# Bytes: more of an output than this is not kept in a file.
MOST_SAVED = 128 * 1024**2
IN_MEMORY = 1024**2
# Of a run: each is sent again with every request.
MOST_PICTURES = 20


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
    mcp
        The tools of other servers. In ``ask`` mode there are none: nobody knows what they change.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        mode: Mode,
        changes: Changes,
        *,
        run: int | None = None,
        mcp: McpTools | None = None,
    ) -> None:
        self.sandbox = sandbox
        self._run = run
        self._changes = changes
        self._pictures = 0
        self._mcp = mcp
        self.specs: Sequence[ToolSpec] = tuple(
            spec for spec in SPECS if mode == "code" or spec.name in READING
        )
        if mcp is not None and mode == "code":
            self.specs = (*self.specs, *mcp.specs)

    def group(self, call: ToolCall) -> str:
        """Return what kind of call it is: neighbours of one kind may run at the same time."""
        kinds = ((READING, "reading"), (WRITING, "writing"))
        return next((kind for names, kind in kinds if call.name in names), "running")

    def lane(self, call: ToolCall) -> str:
        """Return what calls share that must keep their order: the file they write."""
        path = arguments_of(call).get("path")
        if call.name in WRITING and isinstance(path, str):
            return posixpath.normpath(absolute(path))
        return call.call_id

    def title(self, call: ToolCall) -> str:
        """Return what a person calls a tool of another server; empty for our own."""
        is_offered = any(spec.name == call.name for spec in self.specs)
        return self._mcp.title(call.name) if self._mcp is not None and is_offered else ""

    async def run(self, call: ToolCall, on_output: OnOutput) -> Outcome:
        """Run a call. What the model did wrong comes back as an outcome that is not ok.

        Raises
        ------
        SandboxError, SessionNotFoundError
            The sandbox service failed, or the sandbox is gone.
        """
        try:
            if self._mcp is not None and self.title(call):
                return await self._mcp.run(call)
            given = checked_arguments(call, self.specs)
            return await self._tools(on_output)[call.name](**given)
        except (OSError, ValueError) as error:
            return Outcome(f"Error: {error}", ok=False)

    def _tools(self, on_output: OnOutput) -> Mapping[str, Callable[..., Awaitable[Outcome]]]:
        sandbox, changes = self.sandbox, self._changes
        return {
            "run_command": partial(self._run_command, on_output),
            "read_file": partial(read_file, sandbox),
            "write_file": partial(write_file, sandbox, changes),
            "edit_file": partial(edit_file, sandbox, changes),
            "list_files": partial(list_files, sandbox),
            "search": partial(search, sandbox),
            "view_image": self._view_image,
        }

    async def _run_command(
        self, on_output: OnOutput, command: str, timeout: float = COMMAND_TIMEOUT
    ) -> Outcome:
        if "\0" in command:
            raise ValueError("a command cannot hold a NUL character")
        if not 0 < timeout <= MOST_COMMAND_TIMEOUT:
            raise ValueError(f"timeout is between 0 and {MOST_COMMAND_TIMEOUT} seconds")
        told = BoundedText.of(MOST_TOLD)
        screens = {"stdout": Screen(), "stderr": Screen()}
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as whole:

            def collect(stream: Literal["stdout", "stderr"], text: str) -> None:
                told.append(screens[stream].feed(text))
                if whole.tell() < MOST_SAVED:
                    whole.write(text.encode(errors="replace"))
                on_output(stream, text)

            result = await self.sandbox.run(
                command, timeout=timeout, on_output=collect, keep=MOST_KEPT, run=self._run
            )
            for screen in screens.values():
                told.append(screen.end())
            lines = [str(told).removesuffix("\n") or "(no output)"]
            if told.length > MOST_TOLD:
                path = f"{OUTPUT_FOLDER}/output-{uuid.uuid4().hex[:8]}.txt"
                whole.seek(0)
                try:
                    await self.sandbox.write_file(path, whole)
                    lines.append(
                        f"[{told.length} characters in all; the whole output is in {path}]"
                    )
                except (SandboxLimitError, OSError) as error:
                    lines.append(f"[{told.length} characters in all; not kept in a file: {error}]")
        if result.timed_out:
            lines.append(f"[ended: it was not done after {timeout:g} s]")
        elif result.exit_code != 0:
            lines.append(f"[{_exit(result)}]")
        return Outcome("\n".join(lines), ok=result.exit_code == 0, command=result)

    async def _view_image(self, path: str) -> Outcome:
        if self._pictures >= MOST_PICTURES:
            raise ValueError(f"this run has looked at {MOST_PICTURES} pictures, which is the most")
        data = await self.sandbox.read_file(absolute(path), most=MOST_PICTURE + 1)
        if len(data) > MOST_PICTURE:
            raise ValueError(f"{path} has more than {MOST_PICTURE} bytes")
        picture = await picture_of(path, data)
        self._pictures += 1
        return Outcome(f"{path} ({len(data)} bytes):", picture=picture)


def _exit(result: CommandResult) -> str:
    """Return how a command ended, its signal by name."""
    number = result.exit_code - 128 if result.exit_code > 0 else -result.exit_code
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"exit code {result.exit_code}"
    # The kernel that counts is the sandbox's, and all of its signals that matter are ours, too.
    memory = ", as when memory runs out" if name == "SIGKILL" else ""
    return f"exit code {result.exit_code}: ended by {name}{memory}"

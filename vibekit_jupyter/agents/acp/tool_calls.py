"""One use of a tool as an agent tells of it, bit by bit, and what we say of it."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.fields import (
    arguments_in,
    items_in,
    mapping_in,
    number_in,
    text_in,
)
from vibekit_jupyter.agents.approvals import whole_difference
from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.agents.tool_specs import READING, WRITING
from vibekit_jupyter.agents.wire_text import tool_name, well_formed
from vibekit_jupyter.events import CommandOutput, ToolCallFinished, ToolCallStarted
from vibekit_jupyter.results import CommandResult, FileChange
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.events import Event

__all__ = ["ToolCallTold"]

MOST_OUTPUT: Final = 64_000
MOST_WHOLE: Final = 1_000_000
# More than anybody can read before they allow it, so that what is longer is never asked about.
MOST_ASKED: Final = 200_000
# What the kinds of ACP are called here, where we have such a tool ourselves.
TOOLS: Final = {
    "execute": "run_command",
    "read": "read_file",
    "edit": "edit_file",
    "search": "search",
}
OURS: Final = ("run_command", *READING, *WRITING)
COMMANDS: Final = ("command", "cmd", "script")
PATHS: Final = ("path", "file_path", "filePath", "abs_path", "file")
_FENCED: Final = re.compile(r"(`{3,})\w*\n(.*?)\n?\1\s*", re.DOTALL)
_EXIT: Final = re.compile(r"^Exit code (\d{1,3})\b")


class ToolCallTold:
    """A tool call, as far as the agent has told of it.

    Parameters
    ----------
    call_id
        The agent's name for it.
    changes
        What it does to files is taken down here.
    """

    def __init__(self, call_id: str, changes: Changes) -> None:
        self.call_id = call_id
        self.started = False
        self._changes = changes
        self._began = time.monotonic()
        self._known: dict[str, Any] = {}
        self._output = BoundedText.of(MOST_OUTPUT)
        self._whole = ""
        self._change: FileChange | None = None
        self._diffs: dict[str, tuple[str | None, str]] = {}

    @property
    def tool(self) -> str:
        """What it is called here."""
        kind, name = text_in(self._known, "kind"), text_in(self._known, "name")
        if name in OURS:
            return name
        if kind in ("", "other") and self.given_command and not self.names_file:
            return "run_command"  # some have one kind for all
        return TOOLS.get(kind) or tool_name(name or kind or "tool")

    @property
    def title(self) -> str:
        """What the agent calls it, as it stands in one line."""
        return " ".join(text_in(self._known, "title").split())

    @property
    def command(self) -> str:
        """The command that it runs, empty where it runs none."""
        if self.tool != "run_command":
            return ""
        return self.given_command or self.title.strip("`")

    @property
    def given_command(self) -> str:
        """The command that is among its arguments, whatever kind of a tool it is said to be."""
        given = mapping_in(self._known, "rawInput")
        for name in COMMANDS:
            said = given.get(name)
            if isinstance(said, list) and all(isinstance(word, str) for word in said):
                # As codex runs it: a shell, its option, and the source.
                said = said[-1] if len(said) == 3 else " ".join(said)
            if isinstance(said, str):
                return text_in({"": said}, "", most=MOST_ASKED)
        return ""

    @property
    def names_file(self) -> bool:
        """Whether a file is among its arguments."""
        return any(text_in(self._known, "rawInput", name) for name in PATHS)

    @property
    def arguments(self) -> str:
        """All that the tool is given, as text: each by its name, texts as they are."""
        given = mapping_in(self._known, "rawInput")
        text = "\n".join(f"{json.dumps(name)[1:-1]}: {_spelled(given[name])}" for name in given)
        return well_formed(text[:MOST_ASKED])

    @property
    def path(self) -> str:
        """The file that it is about, as far as that is known."""
        return next(iter(self.paths), "")

    @property
    def paths(self) -> list[str]:
        """All files that it is about, as far as they are known."""
        given = mapping_in(self._known, "rawInput")
        found = [text_in(given, name) for name in PATHS]
        found += [text_in(each, "path") for each in items_in(self._known, "locations")]
        return [path for path in dict.fromkeys((*found, *self._diffs)) if path]

    @property
    def diff(self) -> str:
        """All that it changes, as far as that is known; of several files with their names."""
        whole, paths = "", self.paths
        for path, (old, new) in self._diffs.items():
            if len(whole) >= MOST_ASKED:
                break
            if max(len(new), len(old or "")) >= MOST_WHOLE:  # it may go on
                changed = f"+{new}\n"
            else:
                changed = whole_difference(path, _bytes(old), new.encode())
            whole += changed if [path] == paths else f" {path}:\n{changed}"
        return whole

    def see(self, update: dict[str, Any]) -> Iterator[Event]:
        """Take in what the agent tells, and yield what is new."""
        for name in ("title", "kind", "rawInput", "status", "name", "locations"):
            if update.get(name):
                self._known[name] = update[name]
        for part in items_in(update, "content"):
            if part.get("type") == "diff" and (path := text_in(part, "path")):
                old = part.get("oldText")
                new = text_in(part, "newText", most=MOST_WHOLE)
                self._diffs[path] = (
                    text_in(part, "oldText", most=MOST_WHOLE) if isinstance(old, str) else None,
                    new,
                )
        status = text_in(self._known, "status")
        if not self.started and (self._known.get("rawInput") or status not in ("", "pending")):
            yield self.start()
        if new_output := self._new_output(update):
            self._output.append(new_output)
            if self.started and self.tool == "run_command":
                yield CommandOutput(self.call_id, "stdout", new_output)
        if status in ("completed", "failed"):
            yield from self.finish(update, ok=status == "completed")

    def start(self) -> ToolCallStarted:
        """Say that it runs now, or waits to be allowed."""
        self.started = True
        arguments = arguments_in(self._known.get("rawInput"))
        if command := self.command:
            arguments = {"command": command}
        elif path := self.path:
            arguments = {"path": path, **arguments}
        # What runs is shown, and not what the agent calls it.
        title = "" if self.tool == "run_command" and self.given_command else self.title
        return ToolCallStarted(self.call_id, self.tool, arguments, title)

    def finish(self, update: dict[str, Any], *, ok: bool) -> Iterator[Event]:
        """Say that it ended."""
        if not self.started:
            yield self.start()
        code = self._exit_code(update)
        command = None
        output = str(self._output)
        duration = time.monotonic() - self._began
        # One that was refused, or never came to run, has no exit code.
        if self.tool == "run_command" and (ok or code is not None or output):
            exit_code = code if code is not None else 0 if ok else 1
            ok = ok and exit_code == 0
            command = CommandResult(self.command, exit_code, output, "", duration)
        change = self._take_down() if ok else None
        yield ToolCallFinished(self.call_id, self.tool, ok, output, command, change, duration)

    def _take_down(self) -> FileChange | None:
        """Take down what became of the files, and return it where it is one file."""
        told = []
        for path, (old, new) in self._diffs.items():
            change = file_change(path, _bytes(old), new.encode())
            # Some give the piece alone that they replace: only a new file is known to be whole.
            told.append(self._changes.add(change, new.encode() if old is None else None))
        return told[0] if len(told) == 1 else None

    def _new_output(self, update: dict[str, Any]) -> str:
        """Return what there is of output that was not told before."""
        for name in ("terminal_output", "terminal_output_delta"):
            if text := text_in(update, "_meta", name, "data", most=MOST_WHOLE):
                return text
        whole = "".join(
            _unfenced(text_in(part, "content", "text", most=MOST_WHOLE))
            for part in items_in(update, "content")
            if part.get("type") == "content"
        )
        if not whole:
            raw = update.get("rawOutput")
            streams = (text_in(raw, name, most=MOST_WHOLE) for name in ("stdout", "stderr"))
            whole = "" if self._output else "".join(streams)
        # It is told whole, again and again.
        new = whole.removeprefix(self._whole) if whole.startswith(self._whole) else whole
        self._whole = whole or self._whole
        return new

    def _exit_code(self, update: dict[str, Any]) -> int | None:
        places = (
            ("_meta", "terminal_exit", "exit_code"),
            ("rawOutput", "exit_code"),
            ("rawOutput", "exitCode"),
            ("rawOutput", "metadata", "exit"),
        )
        for place in places:
            if (code := number_in(update, *place)) is not None:
                return code
        said = _EXIT.match(str(self._output).lstrip("`\n "))
        return int(said[1]) if said else None


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _unfenced(text: str) -> str:
    """Return a text without the fence around all of it: some write output as Markdown."""
    fenced = _FENCED.fullmatch(text)
    return fenced[2] if fenced and f"\n{fenced[1]}" not in fenced[2] else text


def _spelled(value: object) -> str:
    """Return a value in one line, or in indented ones: nothing in it looks like another's name."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "\n  ".join(["", *value.split("\n")]) if "\n" in value else value

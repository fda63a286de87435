"""The tools as the model is told of them, and the arguments that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.vendor import ToolSpec
from vibekit_jupyter.agents.wire_text import json_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import UnionType

    from vibekit_jupyter.agents.conversation import ToolCall

__all__ = [
    "COMMAND_TIMEOUT",
    "MCP",
    "MOST_COMMAND_TIMEOUT",
    "READING",
    "SPECS",
    "WRITING",
    "arguments_of",
    "checked_arguments",
]

COMMAND_TIMEOUT = 120
MOST_COMMAND_TIMEOUT = 3600


PATH = "Absolute, or relative to /home/user."
OLD = "The piece as it stands there."
NEW = "What comes in its place."
ALL = "Replace it wherever it occurs; otherwise it must occur exactly once."
GLOB = "Only files that match, as *.py or src/**/*.csv."


def _object(required: Sequence[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _field(kind: str, description: str) -> dict[str, Any]:
    return {"type": kind, "description": description}


EDIT = _object(
    ("old", "new"),
    old=_field("string", OLD),
    new=_field("string", NEW),
    all=_field("boolean", ALL),
)
SPECS = (
    ToolSpec(
        "run_command",
        "Run bash source in the sandbox and return its output and exit code. Each command is a "
        "new bash in /home/user: what an earlier one changed with cd, export or as a variable is "
        "gone, files stay. There is no terminal and no input. Long output is cut in the middle.",
        _object(
            ("command",),
            command=_field("string", "The bash source."),
            timeout=_field(
                "number",
                f"Seconds until it is ended; {COMMAND_TIMEOUT} unless given, at most "
                f"{MOST_COMMAND_TIMEOUT}.",
            ),
        ),
    ),
    ToolSpec(
        "read_file",
        "Return a text file's lines as they are.",
        _object(
            ("path",),
            path=_field("string", PATH),
            offset=_field("integer", "The first line to return, counted from 1."),
            limit=_field("integer", "How many lines to return."),
            column=_field("integer", "Where in a very long first line to begin, counted from 1."),
        ),
    ),
    ToolSpec(
        "write_file",
        "Write a text file, with the folders above it. An existing file is replaced.",
        _object(
            ("path", "content"),
            path=_field("string", PATH),
            content=_field("string", "The whole new content."),
        ),
    ),
    ToolSpec(
        "edit_file",
        "Replace a piece of a text file, or several with edits: one after the other, all or none. "
        "A piece must occur exactly once, so give enough of the lines around it.",
        _object(
            ("path",),
            path=_field("string", PATH),
            old=_field("string", OLD),
            new=_field("string", NEW),
            all=_field("boolean", ALL),
            edits={
                "type": "array",
                "items": EDIT,
                "description": "Several replacements, in the place of old and new.",
            },
        ),
    ),
    ToolSpec(
        "list_files",
        "List a folder; with a glob, all files below it that match. Then what is hidden or "
        "installed is left out.",
        _object(("path",), path=_field("string", PATH), glob=_field("string", GLOB)),
    ),
    ToolSpec(
        "search",
        "Return the lines of the files below a folder that match a regular expression (Python's), "
        "as path:number:line. Binary, hidden and installed files are left out.",
        _object(
            ("pattern",),
            pattern=_field("string", "The regular expression."),
            path=_field("string", f"A folder or a file. {PATH} /home/user unless given."),
            glob=_field("string", GLOB),
            ignore_case=_field("boolean", "Whether capitals are the same as small letters."),
        ),
    ),
    ToolSpec(
        "view_image",
        "Look at a picture: PNG, JPEG, WebP, GIF or SVG.",
        _object(("path",), path=_field("string", PATH)),
    ),
)
READING = ("read_file", "list_files", "search", "view_image")
WRITING = ("write_file", "edit_file")
# What the name of a tool of an MCP server begins with.
MCP = "mcp__"
TYPES: Mapping[str, type | UnionType] = {
    "string": str,
    "number": int | float,
    "integer": int,
    "boolean": bool,
    "array": list,
}


def checked_arguments(call: ToolCall, specs: Sequence[ToolSpec]) -> dict[str, Any]:
    """Return a call's arguments.

    Raises
    ------
    ValueError
        What is wrong with them, as the model is told.
    """
    spec = next((spec for spec in specs if spec.name == call.name), None)
    if spec is None:
        names = ", ".join(spec.name for spec in specs)
        raise ValueError(f"there is no tool {call.name!r} in this run; there are: {names}")
    return _checked(call.name, json_object(call.arguments), spec.parameters)


def _checked(what: str, given: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema["properties"]
    if unknown := [name for name in given if name not in properties]:
        raise ValueError(f"{what} has no argument {unknown[0]!r}")
    given = {name: value for name, value in given.items() if value is not None}
    if missing := [name for name in schema["required"] if name not in given]:
        raise ValueError(f"{what} needs the argument {missing[0]!r}")
    return {name: _value(name, value, properties[name]) for name, value in given.items()}


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments to look at, empty where they are no JSON object."""
    try:
        return json_object(call.arguments)
    except ValueError:
        return {}


def _value(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    kind = schema["type"]
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean"):
        raise ValueError(f"{name} is not of type {kind}")
    if isinstance(value, list):
        return [_item(name, item, schema["items"]) for item in value]
    if name == "path" and (value == "" or "\0" in str(value)):
        raise ValueError("path is empty or holds a NUL character")
    if name == "command" and "\0" in str(value):
        raise ValueError("command holds a NUL character")
    return value


def _item(name: str, item: Any, schema: Mapping[str, Any]) -> Any:
    if not isinstance(item, dict):
        raise ValueError(f"{name} holds what is no object")  # noqa: TRY004  (the model's mistake)
    return _checked(f"each of {name}", item, schema)

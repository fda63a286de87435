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
    "MOST_COMMAND_TIMEOUT",
    "READING",
    "SPECS",
    "WRITING",
    "arguments_of",
    "checked_arguments",
]

COMMAND_TIMEOUT = 120
MOST_COMMAND_TIMEOUT = 3600


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
    given = json_object(call.arguments)
    properties = spec.parameters["properties"]
    if unknown := [name for name in given if name not in properties]:
        raise ValueError(f"{call.name} has no argument {unknown[0]!r}")
    given = {name: value for name, value in given.items() if value is not None}
    if missing := [name for name in spec.parameters["required"] if name not in given]:
        raise ValueError(f"{call.name} needs the argument {missing[0]!r}")
    return {name: _value(name, value, properties[name]["type"]) for name, value in given.items()}


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
    if name == "command" and "\0" in str(value):
        raise ValueError("command holds a NUL character")
    return value

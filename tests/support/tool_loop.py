"""The shortest tool loop for either vendor's SDK: an agent that works in a folder.

It knows nothing of the package's own agents, so that what it finds out about a model server
is true for any client.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import anthropic
    import openai

__all__ = ["READING_TOOLS", "TOOLS", "Folder", "ask_anthropic", "ask_openai"]

TOOLS = {
    "run_command": ("command",),
    "read_file": ("path",),
    "write_file": ("path", "content"),
    "edit_file": ("path", "old", "new"),
    "list_files": ("path",),
}
READING_TOOLS = ("read_file", "list_files")
MOST_STEPS = 9


@dataclass
class Folder:
    """Where the tools act, and what they were asked to do.

    The tools word their results as the package's own tools do.
    """

    path: Path
    tools: tuple[str, ...] = tuple(TOOLS)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def call(self, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        """Run a tool and return what the model is told, and whether it went well."""
        assert tool in self.tools
        assert set(arguments) == set(TOOLS[tool])
        self.calls.append((tool, arguments))
        try:
            return getattr(self, tool)(**arguments)  # type: ignore[no-any-return]
        except OSError as error:
            return f"Error: {error.strerror}: {arguments['path']}", False

    def run_command(self, command: str) -> tuple[str, bool]:
        ran = subprocess.run(
            ["bash", "-c", command], cwd=self.path, capture_output=True, text=True, check=False
        )
        lines = [f"{ran.stdout}{ran.stderr}" or "(no output)"]
        lines += [f"[exit code {ran.returncode}]"] if ran.returncode else []
        return "\n".join(lines), ran.returncode == 0

    def read_file(self, path: str) -> tuple[str, bool]:
        return (self.path / path).read_text() or "(empty)", True

    def write_file(self, path: str, content: str) -> tuple[str, bool]:
        (self.path / path).write_text(content)
        return f"Wrote {path}.", True

    def edit_file(self, path: str, old: str, new: str) -> tuple[str, bool]:
        text = (self.path / path).read_text()
        assert text.count(old) == 1
        (self.path / path).write_text(text.replace(old, new))
        return f"Edited {path}.", True

    def list_files(self, path: str) -> tuple[str, bool]:
        entries = sorted((self.path / path).iterdir())
        lines = [f"{entry.name}  {entry.stat().st_size} bytes" for entry in entries]
        return "\n".join(lines) or "(empty)", True


def _schema(tool: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in TOOLS[tool]}
    return {"type": "object", "properties": properties, "required": list(TOOLS[tool])}


def ask_openai(
    client: openai.OpenAI, prompt: str, folder: Folder, history: list[Any] | None = None
) -> list[str]:
    """Run a turn and return the model's texts; ``history`` grows by the turn."""
    items = [] if history is None else history
    items.append({"role": "user", "content": prompt})
    tools: Any = [
        {"type": "function", "name": name, "parameters": _schema(name), "strict": False}
        for name in folder.tools
    ]
    texts: list[str] = []
    for _ in range(MOST_STEPS):
        with client.responses.create(
            model="demo", input=items, tools=tools, stream=True, store=False
        ) as stream:
            response: Any = list(stream)[-1].response  # type: ignore[union-attr]  # the last has one
        items += [item.to_dict() for item in response.output]
        texts += [response.output_text] if response.output_text else []
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return texts
        for call in calls:
            output, _ok = folder.call(call.name, json.loads(call.arguments))
            items.append(
                {"type": "function_call_output", "call_id": call.call_id, "output": output}
            )
    raise AssertionError("the model never came to an end")


def ask_anthropic(
    client: anthropic.Anthropic, prompt: str, folder: Folder, history: list[Any] | None = None
) -> list[str]:
    """Run a turn and return the model's texts; ``history`` grows by the turn."""
    turns = [] if history is None else history
    turns.append({"role": "user", "content": prompt})
    tools: Any = [{"name": name, "input_schema": _schema(name)} for name in folder.tools]
    texts: list[str] = []
    for _ in range(MOST_STEPS):
        with client.messages.stream(
            model="demo", max_tokens=999, messages=turns, tools=tools
        ) as stream:
            message = stream.get_final_message()
        turns.append({"role": "assistant", "content": [b.to_dict() for b in message.content]})
        texts += [block.text for block in message.content if block.type == "text"]
        results = []
        for block in message.content:
            if block.type == "tool_use":
                output, ok = folder.call(block.name, dict(block.input))
                results.append(
                    {
                        "type": "tool_result",
                        "tool_use_id": block.id,
                        "content": output,
                        "is_error": not ok,
                    }
                )
        if not results:
            return texts
        turns.append({"role": "user", "content": results})
    raise AssertionError("the model never came to an end")

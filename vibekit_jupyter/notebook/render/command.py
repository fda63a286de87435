"""A command that a person asked for, drawn as one that an agent ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.events import CommandOutput, ToolCallFinished, ToolCallStarted
from vibekit_jupyter.notebook.render.html import block_html, card
from vibekit_jupyter.notebook.render.plain import block_plain
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.transcript import Transcript

if TYPE_CHECKING:
    from vibekit_jupyter.results import CommandResult

__all__ = ["command_card"]


def command_card(result: CommandResult) -> Rendered:
    """Return a command with its output and how it ended."""
    tool, ok = "run_command", result.exit_code == 0
    transcript = Transcript.of(
        [
            ToolCallStarted("1", tool, {"command": result.command}),
            CommandOutput("1", "stdout", result.stdout),
            CommandOutput("1", "stderr", result.stderr),
            ToolCallFinished("1", tool, ok, "", result, duration=result.duration),
        ]
    )
    blocks = transcript.blocks
    html = card(transcript, "".join(block_html(block) for block in blocks))
    return Rendered("".join(block_plain(block) for block in blocks).strip("\n"), html)

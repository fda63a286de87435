"""How a run and its sessions look in a cell, and in plain text."""

from __future__ import annotations

from vibekit_jupyter.notebook.render.cards import (
    config_card,
    message,
    session_card,
    session_list,
)
from vibekit_jupyter.notebook.render.command import command_card
from vibekit_jupyter.notebook.render.display import (
    RunDisplay,
    display_mode,
    rendered,
    run_display,
)
from vibekit_jupyter.notebook.render.html import to_html
from vibekit_jupyter.notebook.render.plain import to_plain
from vibekit_jupyter.notebook.render.record import events_of_record, output_record
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.transcript import Transcript
from vibekit_jupyter.notebook.render.usage import usage_card

__all__ = [
    "Rendered",
    "RunDisplay",
    "Transcript",
    "command_card",
    "config_card",
    "display_mode",
    "events_of_record",
    "message",
    "output_record",
    "rendered",
    "run_display",
    "session_card",
    "session_list",
    "to_html",
    "to_plain",
    "usage_card",
]

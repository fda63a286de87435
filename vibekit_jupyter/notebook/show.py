"""Showing things in the cell that runs now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.render import Rendered

__all__ = ["Showable", "help_text", "show"]


class Showable(Protocol):
    """Something that IPython can display, with words for where it cannot."""

    @property
    def plain(self) -> str:
        """The words."""


def help_text(text: str) -> Rendered:
    """Return a help text, its lines as they stand."""
    from html import escape

    from vibekit_jupyter.notebook.render import Rendered

    return Rendered(
        plain=text, html=f'<pre style="font-size:12px;color:inherit">{escape(text)}</pre>'
    )


def show(shell: InteractiveShell, *parts: Showable) -> None:
    """Show parts one below the other: rich in a notebook, as words everywhere else."""
    from vibekit_jupyter.notebook.render import display_mode

    if display_mode(shell) == "plain":
        for part in parts:
            print(part.plain)  # noqa: T201  # its purpose
        return
    from IPython.display import display

    for part in parts:
        display(part)  # type: ignore[no-untyped-call]  # IPython's own

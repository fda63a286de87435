"""``%vibekit_session open``: what a session serves on a port, in the cell.

Where the browser is, the browser alone knows: it decides between a frame and the line that leads
the port there. What is saved is a link that opens nothing by itself.
"""

from __future__ import annotations

import html
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.notebook.render import Rendered, display_mode, style
from vibekit_jupyter.notebook.render.text import escape

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.ports import Preview

__all__ = ["PreviewCard", "saved_link"]

SCRIPT: Final = Path(__file__).with_name("preview.js")

# As with the picker: a live preview stands in the output before this one, and this one is hidden;
# one that was saved has lost its kernel, and this one speaks for it.
ONE_OF_TWO: Final = """<style>
.jp-OutputArea-child:has(.vibekit-preview) + .jp-OutputArea-child:has(.vibekit-preview-saved),
.jp-OutputArea-child:has(> .lm-Panel):not(:has(> .lm-Panel > *)):has(
  + .jp-OutputArea-child .vibekit-preview-saved
) { display: none }
</style>"""


def saved_link(preview: Preview) -> Rendered:
    """Return what is saved: a link without a token, and how to see it again."""
    again = f"%vibekit_session open {preview.port} shows it again."
    link = html.escape(preview.url)
    return Rendered(
        f"{preview.url}\n{again}",
        f'{ONE_OF_TWO}<div class="vibekit-preview-saved" '
        f'style="{style.CARD.format(color=style.NEUTRAL)}">'
        f'<a href="{link}" target="_blank" rel="noopener noreferrer">{escape(preview.url)}</a>'
        f'<div style="{style.QUIET}">{escape(again)}</div></div>',
    )


class PreviewCard:
    """A preview in a cell."""

    def __init__(self, preview: Preview) -> None:
        self._preview = preview

    @property
    def plain(self) -> str:
        """The link, and how to see it."""
        return saved_link(self._preview).plain

    def __repr__(self) -> str:
        return self.plain

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        if display_mode(get_ipython()) == "plain":
            print(self.plain)  # noqa: T201  # its purpose
            return
        # anywidget gives data and metadata, where ipywidgets gives data alone.
        data, _metadata = _widget(self._preview)._repr_mimebundle_()
        bundle = {**data, "text/plain": ""}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]  # IPython's own
        display(saved_link(self._preview))  # type: ignore[no-untyped-call]  # IPython's own


def _widget(preview: Preview) -> Any:
    """Return the live half. What opens the port is told in a message: a state would be saved."""
    import anywidget

    class Frame(anywidget.AnyWidget):
        _esm = SCRIPT.read_text(encoding="utf-8")

    port = preview.server_port
    told = {
        "kind": "preview",
        "port": preview.port,
        "url": preview.url,
        "address": preview.address,
        "line": f"ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}" if port else "",
    }
    frame = Frame()

    def answer(widget: Any, asked: Any, _buffers: Any) -> None:
        if asked == {"kind": "ready"}:
            widget.send(told)

    frame.on_msg(answer)
    return frame

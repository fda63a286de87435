"""The table that stands in the picker's place where widgets cannot run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vibekit_jupyter.notebook.render import Rendered, session_list, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sessions.session import Session

__all__ = ["saved_table"]

MOST = 20

# A live picker stands in the output before this one: then this one is hidden. A picker that was
# saved has lost its kernel, and JupyterLab would say "model not found" there: then that one is.
# Where style elements are stripped there are no widgets either.
ONE_OF_TWO = """<style>
.jp-OutputArea-child:has(.vibekit-picker) + .jp-OutputArea-child:has(.vibekit-saved),
.jp-OutputArea-child:has(> .lm-Panel):not(:has(> .lm-Panel > *)):has(
  + .jp-OutputArea-child .vibekit-saved
) { display: none }
</style>"""


def saved_table(sessions: Sequence[Session], now: datetime | None = None) -> Rendered:
    """Return the last used sessions, and when they stood so."""
    now = now or datetime.now(UTC)
    table = session_list(sessions[:MOST], now)
    more = f"and {len(sessions) - MOST:,} more" if len(sessions) > MOST else ""
    when = f"as of {now.astimezone():%d %b %Y, %H:%M}"
    note = " · ".join(filter(None, (more, when, "run this cell to choose one")))
    html = (
        f'{ONE_OF_TWO}<div class="vibekit-saved">{table.html}'
        f'<div style="{style.SANS};{style.QUIET}">{note}</div></div>'
    )
    return Rendered("\n".join(filter(None, (table.plain, more))), html)

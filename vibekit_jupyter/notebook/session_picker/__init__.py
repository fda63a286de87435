"""The picker: choose the current session from a list, in a cell.

``sessions`` follows what is known of them, ``controls`` does what ``dropdown`` and buttons ask, and
``panel`` is what opens below: questions, answers, and the table of all sessions. The table's
other half, ``panel.js``, lives in the browser.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.notebook.session_picker.sessions import Sessions

if TYPE_CHECKING:
    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.notebook.render import Rendered
    from vibekit_jupyter.notebook.session_picker.controls import Controls

__all__ = ["Picker"]


class Picker:
    """A dropdown of the recent sessions, with a table for where widgets cannot run.

    Parameters
    ----------
    client
        The kernel's client.
    """

    def __init__(self, client: KernelClient) -> None:
        self._sessions = _sessions(client)
        self._sessions.read()

    @cached_property
    def _controls(self) -> Controls:
        from vibekit_jupyter.notebook.session_picker.controls import Controls

        return Controls(self._sessions)

    @property
    def widget(self) -> Any:
        """The ipywidgets widget."""
        return self._controls.box

    @property
    def plain(self) -> str:
        """The sessions in words."""
        return self._saved().plain

    def __repr__(self) -> str:
        return self.plain

    def _saved(self) -> Rendered:
        from vibekit_jupyter.notebook.session_picker.saved import saved_table

        return saved_table(self._sessions.known)

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        from vibekit_jupyter.notebook.render import display_mode

        if display_mode(get_ipython()) == "plain":
            print(self.plain)  # noqa: T201  # its purpose
            return
        # Without a plain twin: where the widget cannot run, the saved table speaks for it.
        bundle = {**self.widget._repr_mimebundle_(), "text/plain": ""}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]  # IPython's own
        saved = display(self._saved(), display_id=True)  # type: ignore[no-untyped-call]  # IPython's own
        shown = self._sessions.known

        def keep_true() -> None:
            # Not for the clock's sake: each update makes the notebook one with changes to save.
            nonlocal shown
            if shown is not self._sessions.known:
                shown = self._sessions.known
                saved.update(self._saved())

        self._controls.after.append(keep_true)


@cache
def _sessions(client: KernelClient) -> Sessions:
    """Return what all pickers of a client show."""
    return Sessions(client)

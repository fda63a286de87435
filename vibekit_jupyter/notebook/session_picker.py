"""The picker: choose the current session from a list, in a cell.

The model (which sessions, which is current) knows no widget; every open picker shows the
kernel's one client, so all of them agree with the magics.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import VibeKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.notebook.render import Rendered
    from vibekit_jupyter.sessions.session import Session

__all__ = ["Picker", "RecentSessions"]

LIMIT = 100
"""How many sessions a dropdown holds and a person can overlook."""


class RecentSessions:
    """The recent sessions of the kernel's client, the last used first; the current is marked.

    Parameters
    ----------
    client
        The kernel's client.

    Attributes
    ----------
    sessions
        As they are remembered on this machine, without those that are gone.
    """

    def __init__(self, client: KernelClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._observers: list[Callable[[], None]] = []
        self.sessions: Sequence[Session] = ()
        self.refresh()
        client.observe(self.refresh)

    @property
    def current(self) -> str | None:
        """The id of the current session, where it is among them."""
        return next((session.id for session in self.sessions if session.current), None)

    def observe(self, observer: Callable[[], None]) -> None:
        """Have a function called, on any thread, after each change."""
        self._observers.append(observer)

    def refresh(self) -> None:
        """Read the registry again."""
        try:
            known = self._client.known_sessions()
        except VibeKitError:
            return  # nobody asked just now; the next magic will say it
        sessions = [session for session in known if session.state != "gone"]
        sessions = [one for i, one in enumerate(sessions) if i < LIMIT or one.current]
        with self._lock:
            changed = sessions != self.sessions
            self.sessions = sessions
        if changed:
            for observer in self._observers:
                observer()

    def pick(self, session_id: str) -> None:
        """Make a session the current one."""
        self._client.sync.set_session(session_id)


class Picker:
    """A dropdown of the recent sessions, with a table for where widgets cannot run.

    Parameters
    ----------
    client
        The kernel's client.
    """

    def __init__(self, client: KernelClient) -> None:
        self._recent = RecentSessions(client)

    @cached_property
    def widget(self) -> Any:
        """The ipywidgets widget."""
        return _dropdown(self._recent)

    @property
    def plain(self) -> str:
        """The sessions in words."""
        return self._table().plain

    def __repr__(self) -> str:
        return self.plain

    def _table(self) -> Rendered:
        from vibekit_jupyter.notebook.render import session_list

        return session_list(self._recent.sessions)

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        from vibekit_jupyter.notebook.render import display_mode

        if display_mode(get_ipython()) == "plain":
            print(self.plain)  # noqa: T201  # its purpose
            return
        display(self.widget)  # type: ignore[no-untyped-call]  # IPython's own
        # A saved widget is dead without its kernel; the table below it is not.
        table = display(self._table(), display_id=True)  # type: ignore[no-untyped-call]  # IPython's own
        self._recent.observe(lambda: table.update(self._table()))


def _dropdown(recent: RecentSessions) -> Any:
    """Return the widget. It follows the model, and a choice in it goes to the model."""
    import ipywidgets as widgets

    dropdown = widgets.Dropdown(
        description="Session", layout=widgets.Layout(width="max-content", min_width="20em")
    )
    problem = widgets.Label()
    lock = threading.RLock()
    drawing: set[int] = set()

    def draw() -> None:
        # Assigning the options selects the first one: that is not a person's choice.
        with lock:
            drawing.add(threading.get_ident())
            try:
                dropdown.options = [(_label(session), session.id) for session in recent.sessions]
                dropdown.value = recent.current
            finally:
                drawing.discard(threading.get_ident())

    def choose(change: Any) -> None:
        if threading.get_ident() in drawing or change.new in (None, recent.current):
            return
        problem.value = ""
        try:
            recent.pick(change.new)
        except VibeKitError as error:
            problem.value = str(error)
            draw()

    draw()
    dropdown.observe(choose, "value")
    recent.observe(draw)
    return widgets.HBox([dropdown, problem])


def _label(session: Session) -> str:
    from vibekit_jupyter.notebook.render.cards import state_words

    parts = (session.name, session.project, state_words(session))
    return f"{'●' if session.current else '○'} {' — '.join(filter(None, parts))}"

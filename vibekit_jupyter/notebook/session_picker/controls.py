"""The picker's controls: what its dropdown and its buttons do.

Callbacks come on the kernel's main thread or on a subshell's: they start work on the background
loop and return. What comes of it is drawn by the task that follows the sessions.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from vibekit_jupyter.errors import SessionBusyError, SessionOwnerError, VibeKitError
from vibekit_jupyter.notebook.session_picker.dropdown import SessionDropdown
from vibekit_jupyter.notebook.session_picker.panel import LONGEST_ANSWER, Field, Panel, Question
from vibekit_jupyter.notebook.session_picker.words import short

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Future

    from vibekit_jupyter.notebook.session_picker.sessions import Sessions
    from vibekit_jupyter.sessions.session import Restored, Session

__all__ = ["Controls"]


class Controls:
    """One copy of the picker.

    Parameters
    ----------
    sessions
        What it shows, and whose client it drives.

    Attributes
    ----------
    box
        The widget.
    after
        Called after each drawing.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._vibekit = sessions.client.vibekit
        self._dropdown = self._new_dropdown()
        self._new = _button("New", "Create a session and switch to it", self._ask_new)
        self._rename = _button("Rename", "Give the session another name", self._ask_rename)
        self._toggle = _button("Pause", "Pause it, or go on with it", self._pause_or_resume)
        self._fork = _button("Fork", "Copy the session's files and conversation", self._ask_fork)
        self._kill = _button("Kill…", "End the session's sandbox", self._ask_kill)
        self._kill.add_class("vibekit-danger")
        self._browse = _button("Browse all", "Search all sessions in a table", self._browse_all)
        self._panel = Panel(self._pick, self._seen)
        self._buttons = [
            self._new,
            self._rename,
            self._toggle,
            self._fork,
            self._kill,
            self._browse,
        ]
        self._row = widgets.HBox([self._dropdown, *self._buttons])
        self._row.add_class("vibekit-picker-row")
        self.box = widgets.VBox([self._row, self._panel])
        self.box.add_class("vibekit-picker")
        self.after: list[Callable[[], None]] = []
        self.draw()
        # It is seen until the browser says that it is not: one that cannot say so may still be.
        sessions.watch(self.draw)

    def draw(self) -> None:
        """Show what is known now."""
        sessions, current, now = self._sessions.known, self._sessions.current, datetime.now(UTC)
        if self._dropdown.is_outdated(sessions, current):
            self._replace_dropdown(sessions, current, now)
        self._dropdown.show(sessions, current, now)
        self._toggle.description = _verb(current, now)
        for button in (self._rename, self._toggle, self._fork, self._kill):
            button.disabled = current is None
        self._panel.show(sessions, current, now)
        if self._sessions.problem:
            self._panel.say(self._sessions.problem, bad=True)
        for follower in self.after:
            follower()

    def _new_dropdown(self) -> SessionDropdown:
        return SessionDropdown(self._pick, description="Session")

    def _replace_dropdown(
        self, sessions: Sequence[Session], current: Session | None, now: datetime
    ) -> None:
        before, self._dropdown = self._dropdown, self._new_dropdown()
        self._dropdown.show(sessions, current, now)
        self._row.children = [self._dropdown, *self._buttons]
        before.close()

    def _seen(self, *, seen: bool) -> None:
        """Draw only while somebody looks."""
        (self._sessions.watch if seen else self._sessions.drop)(self.draw)

    # What the buttons do, on a callback's thread

    def _pick(self, session_id: str) -> None:
        chosen = next((one for one in self._sessions.known if one.id == session_id), None)
        if chosen is None or chosen.current:
            self._sessions.redraw()
        elif chosen.state == "gone":
            self._sessions.redraw()
            self._ask_restore(chosen)
        else:
            name = short(chosen.name)
            self._do("", lambda _: f"Switched to {name}.", partial(self._switch, session_id))

    async def _switch(self, session_id: str) -> None:
        found = await self._vibekit.find(session_id)
        await self._vibekit.use(found)

    def _ask_new(self) -> None:
        def create(values: dict[str, str]) -> None:
            name, project = values["name"] or None, values["project"] or None
            new = partial(self._vibekit.new, name, project=project)
            self._do("Creating a session…", lambda one: f"Created {short(one.name)}.", new)

        name = Field("name", "Name", hint="called after the notebook")
        self._panel.ask(
            Question("New session", "Create", create, (name, Field("project", "Project")))
        )

    def _ask_rename(self) -> None:
        if (session := self._sessions.current) is None:
            return

        def rename(values: dict[str, str]) -> None:
            work = partial(self._vibekit.rename, values["name"], session.id)
            self._do("Renaming…", lambda one: f"Renamed to {short(one.name)}.", work)

        field = Field("name", "Name", value=session.name[:LONGEST_ANSWER])
        self._panel.ask(Question(f"Rename {short(session.name)}", "Rename", rename, (field,)))

    def _ask_fork(self) -> None:
        if (session := self._sessions.current) is None:
            return

        def fork(values: dict[str, str]) -> None:
            work = partial(self._vibekit.fork, values["name"] or None, session.id)
            self._do("Copying…", lambda one: f"Copied to {short(one.name)}.", work)

        field = Field("name", "Name of the copy", hint="called after the session")
        self._panel.ask(Question(f"Fork {short(session.name)}", "Fork", fork, (field,)))

    def _ask_kill(self) -> None:
        if (session := self._sessions.current) is None:
            return
        name = short(session.name)
        kill = partial(self._vibekit.kill, session.id)
        self._panel.ask(
            Question(
                f"Kill {name}? Its files are lost, its conversation stays readable.",
                "Kill",
                lambda _: self._do("Killing…", lambda _: f"{name} was killed.", kill, force="Kill"),
                danger=True,
            )
        )

    def _ask_restore(self, session: Session) -> None:
        name = short(session.name)
        restore = partial(self._vibekit.restore, session.id)
        self._panel.ask(
            Question(
                f"{name} is gone. Go on with its conversation in a new sandbox?",
                "Restore",
                lambda _: self._do("Restoring…", _restored, restore),
            )
        )

    def _pause_or_resume(self) -> None:
        session = self._sessions.current
        if session is None:
            return
        name = short(session.name)
        verb = _verb(session, datetime.now(UTC))
        if verb == "Restore":
            self._ask_restore(session)
        elif verb == "Pause":
            pause = partial(self._vibekit.pause, session.id)
            self._do("Pausing…", lambda _: f"{name} is paused.", pause, force="Pause")
        else:
            resume = partial(self._vibekit.resume, session.id)
            self._do("Resuming…", lambda _: f"{name} is running.", resume)

    def _browse_all(self) -> None:
        self._panel.browsing = not self._panel.browsing
        self._sessions.redraw()

    def _do(
        self,
        doing: str,
        done: Callable[[Any], str],
        work: Callable[..., Coroutine[Any, Any, Any]],
        *,
        force: str = "",
    ) -> None:
        """Start work, say so, and say what came of it.

        Where a run is in its way, or the session is somebody else's, and there is a word for
        doing it by ``force``, that is asked.
        """

        def settled(finished: Future[Any]) -> None:
            error = finished.exception()
            if isinstance(error, SessionBusyError | SessionOwnerError) and force:
                anyway = partial(work, force=True)
                self._panel.ask(
                    Question(
                        f"{error.message} {force} it all the same?",
                        force,
                        lambda _: self._do(doing, done, anyway),
                        danger=True,
                    )
                )
            elif error is not None:
                sentence = str(error) if isinstance(error, VibeKitError) else repr(error)
                self._panel.say(sentence, bad=True)
            else:
                self._panel.say(done(finished.result()))

        self._panel.say(doing)
        self._sessions.client.submit(work()).finished.add_done_callback(settled)


def _button(text: str, help_: str, clicked: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=text, tooltip=help_)
    button.on_click(lambda _: clicked())
    return button


def _restored(restored: Restored) -> str:
    return " ".join([f"{short(restored.session.name)} goes on.", *map(short, restored.notes)])


def _verb(session: Session | None, now: datetime) -> str:
    """Return what the button between rename and fork does to a session."""
    if session is None:
        return "Pause"
    if session.state == "gone":
        return "Restore"
    left = session.time_left(now)
    return "Pause" if session.state == "running" and (left is None or left) else "Resume"

"""A run shown from the record: no model is asked, no sandbox is started, nothing is spent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.events import Notice, RunStarted, SessionReady
from vibekit_jupyter.notebook.show import show
from vibekit_jupyter.runs.records import events_of, result_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.notebook.render import Transcript
    from vibekit_jupyter.results import Result
    from vibekit_jupyter.sessions.session import Turn
    from vibekit_jupyter.settings.policy import Policy

__all__ = ["RecordedRun", "Rerun", "not_recorded", "reruns"]

VARIABLE: Final = "VIBEKIT_RERUN"


Rerun = Literal["always", "never", "only"]


def reruns(policy: Policy) -> Rerun:
    """Return whether a prompt runs though a result of it is recorded: ``VIBEKIT_RERUN``.

    With ``never`` it does not, with ``only`` no other prompt runs either. Where nothing is said
    it is ``always``, or ``never`` where the policy turns ``rerun`` off.

    Raises
    ------
    ConfigurationError
        It is something else, or the policy does not allow it.
    """
    chosen = os.environ.get(VARIABLE, "").strip().lower()
    if chosen == "always":
        policy.check_use("rerun", f"With {VARIABLE}=always what is recorded runs again")
    chosen = chosen or ("always" if policy.allows("rerun") else "never")
    if chosen not in get_args(Rerun):
        raise ConfigurationError(
            f"{VARIABLE} is {chosen!r}.", hint="Set it to always, never or only, or unset it."
        )
    return cast("Rerun", chosen)


def not_recorded() -> ConfigurationError:
    """Return the error for a prompt that is not recorded, where no other one may run."""
    return ConfigurationError(
        f"This prompt is not recorded, and with {VARIABLE}=only no other one runs.",
        hint="Unset it to ask the model, or put the file of recorded runs beside the notebook.",
    )


class RecordedRun:
    """A turn of the registry in the place of a run.

    Parameters
    ----------
    shell
        The shell that runs the cell.
    turn
        What is recorded.
    private
        Leave the prompt out of the output's metadata.
    """

    def __init__(self, shell: InteractiveShell, turn: Turn, *, private: bool = False) -> None:
        self._shell = shell
        self._turn = turn
        self._private = private

    async def awaited(self) -> Result:
        """Show the run; see :meth:`vibekit_jupyter.notebook.run.CellRun.awaited`."""
        return self.blocking()

    def blocking(self, *, in_kernel: bool = False) -> Result:  # noqa: ARG002  # as CellRun has it
        """Show the run, and return what it left behind."""
        from vibekit_jupyter.notebook.render import rendered

        show(self._shell, rendered(self.transcript(full=False), private=self._private))
        return result_of(self._turn)

    @property
    def number(self) -> int:
        """Which run of its session it is; 0 where that is not known."""
        from vibekit_jupyter.notebook import get_client

        return get_client().place_in_session(self._turn.session_id, self._turn)

    def transcript(self, *, full: bool) -> Transcript:
        """Return the run, with a note of when it was."""
        from vibekit_jupyter.notebook.render import Transcript

        return Transcript.of(self._events(), full=full)

    def _events(self) -> Iterator[Event]:
        when = f"{self._turn.started:%Y-%m-%d %H:%M} UTC"
        if self._turn.status == "running":
            note = f"Shown from the record: begun {when}, and its end is not recorded."
        else:
            note = f"Shown from the record of {when}."
        events = events_of(self._turn)
        head = sum(isinstance(event, RunStarted | SessionReady) for event in events[:2])
        yield from (*events[:head], Notice(note), *events[head:])

"""What a turn may ask of its model, what it has asked, and whether that went well.

Agents end their turns in good order when the model refused or its answer broke off: what the relay
saw decides, not what they say.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.relay.protocols import tools_of
from vibekit_jupyter.errors import (
    ModelAuthenticationError,
    ModelError,
    ModelUnavailableError,
    RunLimitError,
    VibeKitError,
)
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.agents.loop import Limits, Meter

__all__ = ["Verdict"]

# Failures in a row after which nothing more is asked: some agents would try for ever.
MOST_FAILURES: Final = 4


class Verdict:
    """The account of one turn.

    Attributes
    ----------
    usage
        What its answers took; of those that nobody waited for, what can be told.
    requests
        How many answers were asked for.
    heard_at
        When the agent asked, or its model said something, by the clock that never goes back.
    """

    def __init__(
        self, limits: Limits, meter: Meter | None, on_answer: Callable[[Usage], None]
    ) -> None:
        self.usage = Usage()
        self.requests = 0
        self.heard_at = 0.0
        self._limits = limits
        self._meter = meter
        self._on_answer = on_answer
        self._last = 0
        self._in_a_row = 0
        self._tools_seen = False
        self._over: VibeKitError | None = None
        self._failed: ModelError | None = None
        self._lost: VibeKitError | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the sandbox's end of the relay is gone, or is not heard any more."""
        return self._lost is not None

    def admit(self) -> None:
        """Count another request for an answer.

        Raises
        ------
        VibeKitError
            It is one too many, or what failed before does not get better by asking again.
        """
        if self._over is not None:
            raise self._over
        try:
            self._check()
        except VibeKitError as error:
            self._over = error
            raise
        self.requests += 1
        self.heard()

    def heard(self) -> None:
        """Take down that the agent asks, or that its model says something."""
        self.heard_at = time.monotonic()

    def _check(self) -> None:
        most = self._limits.max_steps
        if self.requests >= most:
            raise RunLimitError(
                f"The run stopped at its bound of {most} steps.", hint="Ask it to go on."
            )
        most_tokens = self._limits.max_tokens
        if most_tokens is not None and self.usage.total >= most_tokens:
            raise RunLimitError(
                f"The run stopped at its bound of {most_tokens} tokens.", hint="Ask it to go on."
            )
        if self._meter is not None:
            self._meter.before(self._last)

    def answered(self, usage: Usage, asked: dict[str, Any]) -> None:
        """Take down an answer that came to its end."""
        self.took(usage)
        self._in_a_row = 0
        if self._decides(asked):
            self._failed = None

    def took(self, usage: Usage) -> None:
        """Take down what an answer took."""
        self.usage += usage
        self._last = usage.total
        if self._meter is not None:
            self._meter.after(usage)
        self._on_answer(usage)

    def failed(self, error: ModelError, asked: dict[str, Any], *, for_good: bool = False) -> None:
        """Take down an answer that was refused, or did not come to its end.

        Parameters
        ----------
        for_good
            Asking again does not help.
        """
        self._in_a_row += 1
        if self._decides(asked):
            self._failed = error
        for_good = for_good or isinstance(error, ModelAuthenticationError)
        if for_good or self._in_a_row >= MOST_FAILURES:
            self._over = self._over or error

    def stop(self, error: Exception) -> None:
        """Ask nothing more, for a reason that is not the model's."""
        if not isinstance(error, VibeKitError):
            failed = ModelUnavailableError(
                "The model relay failed: the agent's request could not be served.",
                hint="Run the cell again.",
            )
            failed.__cause__, error = error, failed
        self._over = self._over or error

    def lost(self, error: VibeKitError | None = None) -> None:
        """Take down that the sandbox's end of the relay is gone before the turn is over.

        An answer that was on its way may still come to its end here; nobody hears it there.
        """
        self._lost = (
            self._lost
            or error
            or ModelUnavailableError(
                "The agent could not ask its model any more: the relay in the sandbox ended.",
                hint="Run the cell again.",
            )
        )

    def failure(self) -> VibeKitError | None:
        """Return what the turn failed with, whatever the agent says."""
        return self._over or self._failed or self._lost

    def _decides(self, asked: dict[str, Any]) -> bool:
        """Whether a request is the turn's own: titles and summaries are asked for without tools."""
        with_tools = next(tools_of(asked), None) is not None
        if with_tools and not self._tools_seen:
            self._tools_seen, self._failed = True, None
        return with_tools or not self._tools_seen

"""The settings of one client: what was set in it, and what all layers say at this moment."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.settings.config import VENDORS, ModelSettings, Settings
from vibekit_jupyter.settings.layers import Resolution, resolve
from vibekit_jupyter.settings.places import folder_of, places
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LiveSettings", "values_of"]

# Whose run it is, and what it began with.
_kept: ContextVar[tuple[object, Settings] | None] = ContextVar("kept", default=None)


class LiveSettings:
    """What was set for one client, on top of the other layers.

    Parameters
    ----------
    given
        By the names of the settings' table. It may be replaced at any time; the next operation
        uses the new one.
    notebook
        Where the project's file is looked for from.
    """

    def __init__(self, given: Mapping[str, Any], notebook: str) -> None:
        self.given = given
        self.profile: Mapping[str, Any] = {}
        self._notebook = notebook

    def resolve(
        self, run: Mapping[str, Any] | None = None, *, given: Mapping[str, Any] | None = None
    ) -> Resolution:
        """Return what all layers say now.

        Parameters
        ----------
        run
            What one run asks for, on top.
        given
            What would be set for this client, instead of what is.
        """
        return resolve(
            self.given if given is None else given,
            run=run,
            profile=self.profile,
            places=places(folder_of(self._notebook)),
        )

    @property
    def current(self) -> Settings:
        """What holds for an operation that begins now; in a run, since that began.

        Raises
        ------
        ConfigurationError
            A file of settings is refused, or the policy does not allow what is set.
        """
        kept = _kept.get()
        return kept[1] if kept and kept[0] is self else self.resolve().checked()

    @contextlib.contextmanager
    def keeping(self, settings: Settings) -> Iterator[None]:
        """Have what is done meanwhile keep the settings that it began with."""
        token = _kept.set((self, settings))
        try:
            yield
        finally:
            _kept.reset(token)

    def replace(self, settings: Settings) -> None:
        """Set for this client whatever differs from what holds now."""
        before = values_of(self.resolve().settings)
        after = values_of(settings)
        changed = {name: after.get(name) for name in TABLE if after.get(name) != before.get(name)}
        self.given = {**self.given, **changed}


def values_of(settings: Settings) -> dict[str, Any]:
    """Return settings by the names of the table; what is not set is left out."""
    values: dict[str, Any] = {name: getattr(settings, name, None) for name in TABLE}
    for agent in VENDORS:
        own = vars(settings.models.get(agent, ModelSettings()))
        values |= {f"{agent}.{'model' if key == 'name' else key}": own[key] for key in own}
    values |= {f"e2b.{key}": value for key, value in settings.e2b.items()}
    values |= {"budget.day": settings.budget_day, "budget.month": settings.budget_month}
    if settings.audit is not None:
        values |= {f"audit.{key}": value for key, value in vars(settings.audit).items()}
    values |= settings.more
    return {name: value for name, value in values.items() if value not in (None, (), {})}

"""A client's settings, as its user reads and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.settings import described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sessions.workspace import Workspace
    from vibekit_jupyter.settings.config import Settings
    from vibekit_jupyter.settings.live import LiveSettings

__all__ = ["Configured"]


class Configured:
    """Read and change settings."""

    _workspace: Workspace

    @property
    def settings(self) -> Settings:
        """What holds for an operation that begins now, of all layers of settings.

        Raises
        ------
        ConfigurationError
            A file of settings is refused, or the site's policy does not allow what is set.
        """
        return self._workspace.settings

    @property
    def layers(self) -> LiveSettings:
        """What was set for this client, and what all layers of settings say."""
        return self._workspace.layers

    def configure(self, settings: Settings) -> None:
        """Use other settings from the next operation on: what differs is set for this client."""
        self.layers.replace(settings)

    def sources(self) -> Sequence[tuple[str, str, str]]:
        """Return every file of settings that is looked at, as rows (whose, file, what)."""
        return described.sources(self.layers.resolve())

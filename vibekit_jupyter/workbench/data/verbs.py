"""Variables in and out, in Python: the methods of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.sandbox.connection import kept_alive
from vibekit_jupyter.workbench.data.fetching import fetch
from vibekit_jupyter.workbench.data.luggage import Luggage, check_inputs, check_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.sessions.workspace import Workspace
    from vibekit_jupyter.workbench.data.sending import Sender, Sent

__all__ = ["DataVerbs"]


class DataVerbs:
    """Send variables to the current session's sandbox, and fetch what was left there."""

    _workspace: Workspace
    _sender: Sender

    async def send(self, /, **values: object) -> Sequence[Sent]:
        """Put variables into the sandbox as files: ``send(df=df)`` is ``data/df.arrow`` there.

        They come back equal or are refused before anything is sent; one that is there as it is
        now is not sent again. The session is created on first use.

        Returns
        -------
        sequence of Sent
            Where each is (``path``, from the home folder on), and how large.

        Raises
        ------
        DataError
            One cannot be sent: its column and the way out are named.
        """
        checked = check_inputs(values)
        sandbox = await self._workspace.current_sandbox()
        async with self._workspace.explained(), kept_alive(sandbox):
            return await self._sender.send(sandbox, checked, lambda _: None)

    async def fetch(self, name: str) -> Any:
        """Return what an agent left under a name: ``fetch("summary")`` is ``out/summary.arrow``.

        It is looked for in ``out``, then as the newest file of that name in the home folder. No
        pickle is ever loaded.

        Raises
        ------
        DataError
            It did not come back, is too large, or is not what its name says.
        """
        names = check_names([name])
        sandbox = await self._workspace.current_sandbox()
        async with self._workspace.explained(), kept_alive(sandbox):
            return (await fetch(sandbox, names))[name]

    def _luggage(
        self,
        inputs: Mapping[str, object] | None,
        outputs: Sequence[str],
        *,
        schema_only: bool,
        mode: str,
    ) -> Luggage | None:
        """Return what a run takes along; None where that is nothing."""
        if not inputs and not outputs:
            return None
        luggage = Luggage(self._sender, inputs or {}, outputs, with_values=not schema_only)
        if outputs and mode == "ask":
            raise ConfigurationError(
                "In ask mode the agent changes nothing, so that nothing comes back.",
                hint="Leave the outputs out, or use --mode code.",
            )
        return luggage

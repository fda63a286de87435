"""What a run takes to its sandbox, and what it brings back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.briefing import of_inputs, of_outputs
from vibekit_jupyter.workbench.data.fetching import fetch, outputs_before
from vibekit_jupyter.workbench.data.known_types import check_name, is_exactly, type_name
from vibekit_jupyter.workbench.data.packing import check_kind
from vibekit_jupyter.workbench.data.sandbox_has import sandbox_has
from vibekit_jupyter.workbench.data.shown import pictures_of, shown_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.agents.picture import Picture
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.transfers import Stamp
    from vibekit_jupyter.workbench.data.sending import Sender, Sent

__all__ = ["Luggage", "check_inputs", "check_names"]


def check_names(names: Sequence[str]) -> Sequence[str]:
    """Return the names of variables, each of which is one, and there once.

    Raises
    ------
    DataError
        They are not.
    """
    given: object = names
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise DataError("Names of variables are a list of texts.", hint="Give ['summary'].")
    for at, name in enumerate(map(check_name, names)):
        if name in names[:at]:
            raise DataError(f"{name!r} is named twice.", hint="Name it once.")
    return [*names]


def check_inputs(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return variables that can be sent, as far as their types tell.

    Raises
    ------
    DataError
        One cannot.
    """
    given: object = values
    if not isinstance(given, Mapping):
        kind = type_name(given)
        raise DataError(f"The inputs are of type {kind}.", hint="Give a dictionary: {'df': df}.")
    check_names([*values])
    for name, value in values.items():
        check_kind(name, value)
    return {**values}


class Luggage:
    """The variables of one run.

    Parameters
    ----------
    sender
        Knows what is in the sandbox already.
    inputs, outputs
        What goes, and what is to come back.
    with_values
        Tell the model what stands in columns, not only their names and types.

    Raises
    ------
    DataError
        A name is none, or there is no file format for a value.
    """

    def __init__(
        self,
        sender: Sender,
        inputs: Mapping[str, object],
        outputs: Sequence[str],
        *,
        with_values: bool,
    ) -> None:
        self._sender = sender
        self._inputs = check_inputs(inputs)
        self._outputs = check_names(outputs)
        self._with_values = with_values
        self._before: Mapping[str, Stamp] = {}
        self._shown: Sequence[Sent] = ()

    async def bring(
        self, sandbox: Sandbox, note: Callable[[str], None], *, internet: bool | None
    ) -> str:
        """Send what goes; return what the model is told of it, and of what is to come back."""
        has_tables = any(map(_is_table, self._inputs.values()))
        if has_tables and (offer := await self._sender.offer(sandbox, internet=internet)):
            note(offer)
        sent = await self._sender.send(sandbox, self._inputs, lambda one: note(str(one)))
        self._inputs = {}
        if self._with_values:
            self._shown = [one for one in sent if shown_as(one.parcel)]
        there = await sandbox_has(sandbox)
        if self._outputs:
            self._before = await outputs_before(sandbox)
            if "pandas" in there and not there.reads_arrow:
                await self._sender.send_helper(sandbox, {})
        told = [
            of_inputs(sent, there, with_values=self._with_values),
            of_outputs(self._outputs, there),
        ]
        return "\n\n".join(text for text in told if text)

    async def pictures(self) -> Mapping[str, Picture]:
        """Return those of the variables that are pictures, as a model is shown them."""
        return await pictures_of(self._shown)

    async def take(self, sandbox: Sandbox, note: Callable[[str], None]) -> Mapping[str, Any]:
        """Return what came back: all of it, or none."""
        if not self._outputs:
            return {}
        fetched: list[Any] = []
        values = await fetch(sandbox, self._outputs, before=self._before, tell=fetched.append)
        for one in fetched:
            note(str(one))
            if one.note:
                note(one.note)
        return values


def _is_table(value: object) -> bool:
    return any(
        is_exactly(value, module, *classes)
        for module, *classes in (
            ("pandas", "DataFrame", "Series"),
            ("polars", "DataFrame"),
            ("pyarrow", "Table"),
        )
    )

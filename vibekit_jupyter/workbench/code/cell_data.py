"""The variables of one cell of code: which go with it, and which come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.code.teaching import lesson
from vibekit_jupyter.workbench.data.fetching import fetch, fetch_files, outputs_before
from vibekit_jupyter.workbench.data.luggage import check_inputs, check_names
from vibekit_jupyter.workbench.data.needs import here, import_for
from vibekit_jupyter.workbench.data.sandbox_has import sandbox_has
from vibekit_jupyter.workbench.data.unpacking import KNOWN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.transfers import Stamp
    from vibekit_jupyter.workbench.code.interpreter import Interpreter
    from vibekit_jupyter.workbench.data.fetching import Fetched
    from vibekit_jupyter.workbench.data.sending import Sender, Sent

    Ask = Callable[[Interpreter, str, dict[str, Any]], Awaitable[Any]]

__all__ = ["CellData"]

OLDEST: Final = (3, 11)
MOST_WORDS: Final = 1_000


class CellData:
    """What goes to a sandbox before a cell runs there, and what is fetched when it has.

    Parameters
    ----------
    sender
        Knows what is in the sandbox already.
    inputs, outputs
        What goes, and what is to come back.
    say
        Called with a sentence for each that went or came.

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
        say: Callable[[str], None],
    ) -> None:
        self._sender = sender
        self._inputs = check_inputs(inputs)
        self._outputs = check_names(outputs)
        self._say = say
        self._sent: Sequence[Sent] = ()
        self._before: Mapping[str, Stamp] = {}

    async def send(self, sandbox: Sandbox) -> None:
        """Put the inputs into the sandbox as files."""
        if self._inputs:
            await self._sender.send(sandbox, self._inputs, self._tell)
        if self._outputs:
            self._before = await outputs_before(sandbox)

    async def fetch(self, sandbox: Sandbox) -> Mapping[str, Any]:
        """Return the outputs, which are files that a command has left: all of them, or none."""
        if not self._outputs:
            return {}
        return await fetch(
            sandbox, self._outputs, before=self._before, tell=self._tell, who="the cell"
        )

    async def has_python(self, sandbox: Sandbox) -> bool:
        """Tell whether there is a Python for variables.

        Raises
        ------
        DataError
            It is too old for ours.
        """
        there = await sandbox_has(sandbox)
        if there.python and tuple(map(int, there.python.split("."))) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise DataError(
                f"The sandbox's Python is {there.python}, and variables go in and out with "
                f"{oldest} and newer.",
                hint="Send files instead: client.send(...), client.fetch(...).",
            )
        return bool(there.python)

    async def send_variables(self, sandbox: Sandbox) -> None:
        """Put the inputs into the sandbox as files of which its Python can make variables."""
        if self._inputs:
            self._sent = await self._sender.send(
                sandbox, self._inputs, self._tell, as_variables=True
            )

    async def run(
        self, sandbox: Sandbox, interpreter: Interpreter, code: str, ask: Ask
    ) -> Mapping[str, str]:
        """Run a cell with what was sent; return which files the outputs were written to.

        It is one request, so that no other cell comes between the variables and the code.

        Raises
        ------
        DataError
            A variable cannot be loaded or is not there, or would not come back as it is.
        """
        ours = lesson()
        if ours.package not in interpreter.taught:
            taught = {"package": ours.package, "module": ours.module, "texts": dict(ours.texts)}
            await ask(interpreter, "learn", taught)
            interpreter.taught.add(ours.package)
        asked = {
            "code": code,
            "inputs": {one.name: _as_told(one) for one in self._sent},
            "outputs": self._outputs,
            "packages": [*here()],
            "near": sandbox.service.is_local,
        }
        return self._read(await ask(interpreter, f"{ours.package}.cell", asked))

    def _read(self, answer: Any) -> Mapping[str, str]:
        """Return to which files the outputs were written, as a sandbox tells it."""
        told = answer if isinstance(answer, dict) else {}
        if isinstance(refused := told.get("refused"), str):
            raise DataError(" ".join(well_formed(refused)[:MOST_WORDS].split()))
        written = told.get("written")
        files = {}
        for name in self._outputs:
            one = written.get(name) if isinstance(written, dict) else None
            said = one if isinstance(one, dict) else {}
            file, kind, note = (str(said.get(key, "")) for key in ("file", "kind", "note"))
            if file not in [f"{name}.{suffix}" for suffix in KNOWN]:
                raise DataError(f"The sandbox did not say which file {name!r} was written to.")
            files[name] = file
            import_for(kind)
            if note:
                self._say(f"{name}: {well_formed(note)[:MOST_WORDS]}")
        return files

    async def fetch_variables(
        self, sandbox: Sandbox, files: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Return what was written: all of it, or none."""
        return await fetch_files(sandbox, files, tell=self._tell) if files else {}

    def _tell(self, one: Sent | Fetched) -> None:
        self._say(str(one))
        if note := getattr(one, "note", ""):
            self._say(note)


def _as_told(one: Sent) -> dict[str, Any]:
    return {
        "file": one.parcel.file,
        "kind": one.kind,
        "size": one.size,
        "digest": one.digest.hex(),
    }

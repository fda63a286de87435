"""A real IPython kernel, driven as a frontend drives it."""

from __future__ import annotations

import json
import signal
import tempfile
import time
from dataclasses import dataclass, field
from queue import Empty
from typing import TYPE_CHECKING, Any, Self

from jupyter_client.manager import KernelManager

from tests.support.local_server import stop_local_server
from tests.support.outputs import Outputs
from tests.support.surroundings import clean_environment
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Cell", "Kernel"]

DEADLINE = 120.0


@dataclass
class Cell:
    """What a cell left behind.

    Attributes
    ----------
    status
        ``ok``, ``error`` or ``aborted``, as the kernel replied.
    next_input
        What the kernel asks the frontend to put into a new cell below, None without that.
    displays
        The data of each output that is no stream, with updates and ``clear_output`` applied.
    error
        The lines of the error output, None without one.
    """

    status: str = ""
    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    error: list[str] | None = None
    ename: str = ""
    seconds: float = 0.0
    next_input: str | None = None

    @property
    def text(self) -> str:
        """Everything a person sees, as plain text."""
        shown = [str(data.get("text/plain", "")) for data in self.displays]
        return "\n".join([self.stdout, *shown, *(self.error or ())])


class Kernel:
    """A kernel in a process of its own.

    Parameters
    ----------
    home
        Its ``VIBEKIT_HOME``.
    environment
        More environment variables.
    """

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._environment = {
            **clean_environment(),
            "VIBEKIT_HOME": str(home),
            "IPYTHONDIR": str(home.parent / "ipython"),
            **(environment or {}),
        }
        # Ports are chosen before they are bound, and another test's server may take one meanwhile.
        self._sockets = tempfile.TemporaryDirectory(prefix="vibekit-kernel-")
        self._manager = KernelManager(
            kernel_name="python3", transport="ipc", ip=f"{self._sockets.name}/socket"
        )

    def __enter__(self) -> Self:
        self._manager.start_kernel(env=self._environment)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down()
        stop_local_server(self.home)

    def shut_down(self) -> None:
        """End the kernel as a frontend does, and wait until it has ended."""
        if self._manager.has_kernel:
            self._client.stop_channels()
            self._manager.shutdown_kernel()
            self._manager.context.destroy()
        self._sockets.cleanup()

    def begin(
        self, code: str, *, stop_on_error: bool = True, stored: bool = True, asks: bool = False
    ) -> str:
        """Send a cell; return its message's id. One that is not stored is not in the history.

        One that ``asks`` may ask for lines; see :meth:`asked`.
        """
        return str(
            self._client.execute(
                code, stop_on_error=stop_on_error, allow_stdin=asks, store_history=stored
            )
        )

    def asked(self, answer: str | None) -> str:
        """Wait until a cell asks for a line, and give it, unless it is None; return its prompt."""
        message = self._client.get_stdin_msg(timeout=DEADLINE)
        if answer is not None:
            self._client.input(answer)
        return str(message["content"]["prompt"])

    def end(self, message: str) -> Cell:
        """Wait until a cell has ended."""
        began = time.monotonic()
        outputs = Outputs()
        for kind, content in self.outputs(message):
            outputs.take(kind, content)
        cell = Cell()
        for output in outputs.shown:
            match output["output_type"]:
                case "stream" if output["name"] == "stdout":
                    cell.stdout += output["text"]
                case "stream":
                    cell.stderr += output["text"]
                case "error":
                    assert cell.error is None, "a cell shows one error"
                    cell.error, cell.ename = output["traceback"], output["ename"]
                case _:
                    cell.displays.append(output["data"])
        while True:
            reply = self._client.get_shell_msg(timeout=DEADLINE)
            if reply["parent_header"].get("msg_id") == message:
                break
        cell.status = reply["content"]["status"]
        for payload in reply["content"].get("payload", ()):
            if payload["source"] == "set_next_input":
                assert not payload["replace"]
                cell.next_input = payload["text"]
        cell.seconds = time.monotonic() - began
        return cell

    def outputs(self, message: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield a cell's messages until the kernel is idle again."""
        while True:
            try:
                output = self._client.get_iopub_msg(timeout=DEADLINE)
            except Empty:
                raise TimeoutError("the cell did not end") from None
            if output["parent_header"].get("msg_id") != message:
                continue
            kind, content = output["msg_type"], output["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            yield kind, content

    def wait_for(self, message: str, text: str) -> None:
        """Wait until a cell that is running has shown a text. Its outputs until then are lost."""
        for kind, content in self.outputs(message):
            # The cell's own source is told first, and stands in the outputs' metadata.
            shown = {key: value for key, value in content.items() if key != "metadata"}
            if kind != "execute_input" and text in json.dumps(shown):
                return
        raise TimeoutError(f"the cell ended without {text!r}")

    def run(self, code: str, *, stop_on_error: bool = True, stored: bool = True) -> Cell:
        """Run a cell to its end."""
        return self.end(self.begin(code, stop_on_error=stop_on_error, stored=stored))

    def run_answering(self, code: str, answer: str) -> tuple[str, Cell]:
        """Run a cell that asks for a password; return what it asked, and the cell."""
        message = str(self._client.execute(code, allow_stdin=True))
        asked = self._client.get_stdin_msg(timeout=DEADLINE)["content"]
        assert asked["password"]
        self._client.input(answer)
        return str(asked["prompt"]), self.end(message)

    def open_subshell(self) -> str:
        """Start a subshell; return its id."""
        request = self._client.session.msg("create_subshell_request", {})
        self._client.control_channel.send(request)
        reply = self._client.get_control_msg(timeout=DEADLINE)
        return str(reply["content"]["subshell_id"])

    def begin_in(self, subshell: str, code: str) -> str:
        """Send a cell to a subshell; return its message's id."""
        request = self._request(code)
        request["header"]["subshell_id"] = subshell
        self._client.shell_channel.send(request)
        return str(request["header"]["msg_id"])

    def begin_named(self, cell: str, code: str) -> str:
        """Send a cell as JupyterLab does, which tells the kernel which one it is."""
        request = self._request(code, stored=True, metadata={"cellId": cell})
        self._client.shell_channel.send(request)
        return str(request["header"]["msg_id"])

    def run_named(self, cell: str, code: str) -> Cell:
        """Run a cell as JupyterLab does."""
        return self.end(self.begin_named(cell, code))

    def _request(self, code: str, *, stored: bool = False, **options: Any) -> Any:
        content = {"code": code, "silent": False, "store_history": stored, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": False}  # fmt: skip
        return self._client.session.msg("execute_request", content, **options)

    def run_all(self, *cells: str) -> list[Cell]:
        """Send all cells at once, as Run All does, and wait for them."""
        return [self.end(message) for message in [self.begin(cell) for cell in cells]]

    def kill(self) -> None:
        """Let it die without a word, as by ``kill -9``."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end as a Hub or a container does, and wait until it has ended."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        self._manager.signal_kernel(number)
        wait_for(lambda: not self._manager.is_alive())

    def restart(self) -> None:
        """Let another kernel take its place, as a frontend's Restart does."""
        self._manager.restart_kernel(now=True)
        self._client.wait_for_ready(timeout=DEADLINE)

    def interrupt(self) -> None:
        """Press the stop button."""
        self._manager.interrupt_kernel()

    def complete(self, code: str) -> list[str]:
        """Return the completions at the code's end."""
        reply = self._client.complete(code, reply=True, timeout=DEADLINE)
        return list(reply["content"]["matches"])

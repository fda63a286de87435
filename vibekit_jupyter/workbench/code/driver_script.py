"""Runs cells of Python, one after the other, in one process whose variables stay.

This runs in the sandbox, as ``python3 -c``, in one text with the other ``driver_`` modules.
``framing`` and ``told`` read what it says: lines of ASCII that begin with a random mark, anywhere
in what the cells print themselves. Requests come as lines of JSON on the standard input, the first
of which tells the mark.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import queue
import select
import signal
import sys
import threading
import time
from typing import Any, Callable, Dict, NoReturn

from vibekit_jupyter.workbench.code.driver_forms import told
from vibekit_jupyter.workbench.code.driver_learning import learn
from vibekit_jupyter.workbench.code.driver_shell import Interpreter

# A pipe takes so much in one piece, whoever else writes into it.
PIECE = 3800
CUT = 64 * 1024
TICK = 0.05
DEAF = 2.0


class Wire:
    """The way to whoever listens. A frame is one line, or several where it is long."""

    def __init__(self, out: int, errors: int, mark: str) -> None:
        self.out, self.errors, self.mark = out, errors, mark
        self.lock = threading.RLock()

    def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        with self.lock:
            view = memoryview(data)
            while view:
                view = view[os.write(self.out, view[:CUT]) :]

    def send(self, **frame: Any) -> None:
        """Write a frame."""
        text = json.dumps(frame)
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        with self.lock:
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                kind = ("=" if last else "<") if number == 0 else (">" if last else "-")
                self.raw((self.mark + kind + piece + "\n").encode("ascii"))

    def bound(self, what: str, number: str, **more: Any) -> None:
        """Tell where a request begins or ends on both ways out: the rest is told apart by it."""
        self.send(**{what: number}, **more)
        line = self.mark + "=" + json.dumps({what: number}) + "\n"
        with contextlib.suppress(OSError):  # the cell has closed it
            os.write(self.errors, line.encode("ascii"))


class Stream(io.TextIOBase):
    """What a cell prints: on its way at each line's end, or a moment later."""

    def __init__(self, wire: Wire, name: str, number: int) -> None:
        self.wire, self.name, self.number = wire, "<%s>" % name, number
        self.parts: list[str] = []
        self.size = 0
        self.framed = name == "stderr"
        self.buffer = io.FileIO(number, "w", closefd=False)

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str) -> int:
        """Take some text."""
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        with self.wire.lock:
            self.parts.append(text)
            self.size += len(text)
            if "\n" in text or self.size > PIECE:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Send it."""
        with self.wire.lock:
            text, self.parts, self.size = "".join(self.parts), [], 0
            if not text:
                return
            if self.framed:
                for at in range(0, len(text), CUT):
                    self.wire.send(stderr=text[at : at + CUT])
            else:
                self.wire.raw(text.encode("utf-8", "backslashreplace"))

    def fileno(self) -> int:
        """Return where programs write that the cell starts."""
        return self.number

    def writable(self) -> bool:
        """It is."""
        return True


class Requests(threading.Thread):
    """Takes requests while a cell runs: those that wait in line, and an interrupt."""

    def __init__(self, source: int, wire: Wire) -> None:
        super().__init__(daemon=True)
        self.source, self.wire = source, wire
        self.waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        self.running = ""
        self.dropped: set[str] = set()
        self.interpreter: Interpreter | None = None
        self.interruptible = False
        self.pressed = False
        self.deaf_until = 0.0
        self.main = threading.get_ident()

    def run(self) -> None:
        """Take them."""
        rest = b""
        while True:
            ready = select.select(
                [self.source], [], [], TICK if self.waiting.unfinished_tasks else 10.0
            )[0]
            if not ready:
                if self.interpreter is not None:
                    self.interpreter.flush()
                if self.pressed and time.monotonic() < self.deaf_until:
                    self.press()  # it came between the last look at signals and a call that waits
                continue
            data = os.read(self.source, CUT)
            if not data:
                os._exit(0)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.take(json.loads(line))

    def take(self, request: dict[str, Any]) -> None:
        """Take one."""
        if request["do"] == "interrupt":
            self.interrupt(request["id"])
        else:
            self.waiting.put(request)

    def interrupt(self, wanted: str) -> None:
        """Break into a request, or let it not begin."""
        if self.running != wanted:
            self.dropped.add(wanted)
            self.wire.bound("end", wanted, error=told(KeyboardInterrupt()))
            return
        self.pressed = True
        self.deaf_until = time.monotonic() + DEAF
        if os.getpgrp() == os.getpid():  # what it has started is interrupted, too
            os.killpg(os.getpid(), signal.SIGINT)
        self.press()

    def press(self) -> None:
        """Send the main thread the signal that wakes it."""
        signal.pthread_kill(self.main, signal.SIGINT)

    def handle(self, *_: Any) -> None:
        """Break into the cell that runs, once a press, however many signals that takes."""
        heard = self.pressed or time.monotonic() > self.deaf_until
        self.pressed = False
        if self.interruptible and heard:
            raise KeyboardInterrupt


# Returns the error that ended it, what it answers, or None.
Action = Callable[[Dict[str, Any]], Any]


def serve(
    requests: Requests, interpreter: Interpreter, wire: Wire, actions: dict[str, Action]
) -> NoReturn:
    """Do what is asked for, one thing after the other."""
    home = os.getpid()
    while True:
        request = requests.waiting.get()
        number = requests.running = request["id"]
        if number in requests.dropped:
            requests.dropped.discard(number)
        else:
            wire.bound("begin", number)
            error: BaseException | None = None
            done: Any = None
            try:
                try:
                    requests.interruptible = True
                    done = actions[request["do"]](request)
                    error = done if isinstance(done, BaseException) else None
                except BaseException as raised:
                    error = raised
                finally:
                    requests.interruptible = False
            except KeyboardInterrupt as late:
                error = error or late
            requests.interruptible = False
            interpreter.flush()
            if os.getpid() != home:
                os._exit(0)  # a copy that the cell has made: the cell is not its
            fault = None if error is None else told(error)
            more = {"answer": done} if error is None and done is not None else {}
            error = done = None
            wire.bound("end", number, error=fault, **more)
        requests.waiting.task_done()


def main() -> None:
    """Run until the standard input ends."""
    out, errors, source = os.dup(1), os.dup(2), os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(source, 1)
        if not byte:
            return
        first += byte
    wire = Wire(out, errors, json.loads(first)["mark"])
    os.environ.pop("VIBEKIT_DRIVER", None)
    sys.argv = [""]
    faulthandler.enable(errors)
    requests = Requests(source, wire)
    signal.signal(signal.SIGINT, requests.handle)
    requests.start()
    streams = Stream(wire, "stdout", 1), Stream(wire, "stderr", 2)
    requests.interpreter = interpreter = Interpreter(wire, *streams)
    # What can be asked for; a request has the fields that its action reads.
    actions: dict[str, Action] = {
        "run": lambda request: interpreter.run(request["code"]),
        "learn": lambda request: actions.update(learn(request, interpreter)),
    }
    serve(requests, interpreter, wire, actions)


if __name__ == "__main__":
    main()

"""Runs inside a sandbox: one Jupyter kernel, driven by JSON lines on stdin and stdout.

It is handed to the sandbox's Python as source text and imports nothing of this project.
A line in is ``{"run": N, "code": ..., "envs": {...}}`` or ``{"interrupt": N}``; lines out are those
of E2B's code interpreter, with their run's number, and ``{"type": "done"}`` after each run.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
import time
from typing import Any

FORMATS = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
}
LOOK_SECONDS = 0.5  # whether the kernel is still there
PIECE = 65_536  # of a long output
LONGEST = 32 * 1024 * 1024  # of a line; the server takes no longer one
# Variables hold for one run; what they were before waits in the kernel's own os module.
SET = """
import os
os.vibekit_before = {name: os.environ.get(name) for name in given}
os.environ.update(given)
"""
RESTORE = """
import os
for name, value in os.vibekit_before.items():
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
"""


class Gone(Exception):  # noqa: N818  what happened, and nobody else catches it
    """The kernel ended."""


class Bridge:
    """One kernel and who drives it."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client
        self.number = 0
        self.executing = 0  # the number again, while it is the given code that runs
        self.unwanted = 0
        self.turn = asyncio.Lock()

    def tell(self, kind: str, **fields: Any) -> None:
        """Write one line."""
        line = json.dumps({"run": self.number, "type": kind, **fields})
        if len(line) > LONGEST:
            told = f"A result of {len(line):,} bytes is left out: it is too large."
            line = json.dumps({"run": self.number, "type": "stderr", "text": told})
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def show(self, message: dict[str, Any]) -> None:
        """Write what a message of the kernel says, in the code interpreter's words."""
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            text = content["text"]
            for start in range(0, len(text), PIECE):
                piece = text[start : start + PIECE]
                self.tell(content["name"], text=piece, timestamp=time.time_ns())
        elif kind in {"execute_result", "display_data"}:
            data = content["data"]
            known = {FORMATS[mime]: data[mime] for mime in data if mime in FORMATS}
            extra = {mime: data[mime] for mime in data if mime not in FORMATS}
            self.tell("result", is_main_result=kind == "execute_result", extra=extra, **known)
        elif kind == "error":
            traceback = "\n".join(content["traceback"])
            self.tell("error", name=content["ename"], value=content["evalue"], traceback=traceback)
        elif kind == "execute_input":
            self.tell("number_of_executions", execution_count=content["execution_count"])

    async def execute(self, code: str, *, silent: bool = False) -> None:
        """Run code to its end and show what it does; raise Gone where the kernel ends first."""
        wanted = self.client.execute(code, silent=silent, allow_stdin=False, stop_on_error=False)
        idle = answered = False
        while not (idle and answered):
            try:
                if idle:
                    message = await self.client.get_shell_msg(timeout=LOOK_SECONDS)
                else:
                    message = await self.client.get_iopub_msg(timeout=LOOK_SECONDS)
            except queue.Empty:
                if not await self.manager.is_alive():
                    raise Gone from None
                continue
            if message["parent_header"].get("msg_id") != wanted:
                continue
            answered = answered or message["header"]["msg_type"] == "execute_reply"
            if message["header"]["msg_type"] == "status":
                idle = idle or message["content"]["execution_state"] == "idle"
            elif not silent:
                self.show(message)

    async def run(self, request: dict[str, Any]) -> None:
        """Run one piece of code, after those that came before it."""
        async with self.turn:
            self.number = request["run"]
            if self.number <= self.unwanted:
                self.tell("done")
                return
            try:
                if not await self.manager.is_alive():
                    await self.start_again()
                if envs := request.get("envs"):
                    await self.execute(f"exec({SET!r}, {{'given': {envs!r}}})", silent=True)
                self.executing = self.number
                try:
                    await self.execute(request["code"])
                finally:
                    self.executing = 0
                if envs:
                    await self.execute(f"exec({RESTORE!r}, {{}})", silent=True)
            except Gone:
                told = "The kernel ended, and its variables are lost."
                self.tell("error", name="KernelDied", value=told, traceback=told)
            self.tell("done")

    async def stop(self, number: int) -> None:
        """End a run that nobody waits for any more, and those before it."""
        self.unwanted = max(self.unwanted, number)
        # Where an interrupt meets the kernel in a callback, Python drops it.
        while self.executing and self.executing <= number:
            await self.manager.interrupt_kernel()
            await asyncio.sleep(LOOK_SECONDS)

    async def start_again(self) -> None:
        """Start the kernel anew, where it was."""
        await self.manager.restart_kernel(now=True)
        await self.client.wait_for_ready(timeout=60)

    async def serve(self) -> None:
        """Do what the lines of stdin say, until it ends."""
        self.tell("ready")
        loop = asyncio.get_running_loop()
        running: set[asyncio.Task[None]] = set()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            request = json.loads(line)
            work = self.run(request) if "run" in request else self.stop(request["interrupt"])
            task = asyncio.create_task(work)
            running.add(task)
            task.add_done_callback(running.discard)


async def main() -> None:
    """Start the kernel and serve."""
    from jupyter_client.manager import start_new_async_kernel

    manager, client = await start_new_async_kernel(kernel_name="python3")
    try:
        await Bridge(manager, client).serve()
    finally:
        await manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    asyncio.run(main())

"""Runs inside a sandbox: one Jupyter kernel, driven by JSON lines on stdin and stdout.

It is handed to the sandbox's Python as source text and imports nothing of this project.
A line in is ``{"code": ..., "envs": {...}}`` or ``{"interrupt": true}``; lines out are those of
E2B's code interpreter, and ``{"type": "done"}`` after each run.
"""

from __future__ import annotations

import asyncio
import json
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


def tell(kind: str, **fields: Any) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps({"type": kind, **fields}) + "\n")
    sys.stdout.flush()


def show(message: dict[str, Any]) -> None:
    """Write what a message of the kernel says, in the code interpreter's words."""
    kind, content = message["header"]["msg_type"], message["content"]
    if kind == "stream":
        tell(content["name"], text=content["text"], timestamp=time.time_ns())
    elif kind in {"execute_result", "display_data"}:
        data = content["data"]
        known = {FORMATS[mime]: data[mime] for mime in data if mime in FORMATS}
        extra = {mime: data[mime] for mime in data if mime not in FORMATS}
        tell("result", is_main_result=kind == "execute_result", extra=extra, **known)
    elif kind == "error":
        traceback = "\n".join(content["traceback"])
        tell("error", name=content["ename"], value=content["evalue"], traceback=traceback)
    elif kind == "execute_input":
        tell("number_of_executions", execution_count=content["execution_count"])


async def run(client: Any, request: dict[str, Any]) -> None:
    """Run one piece of code to its end."""
    if envs := request.get("envs"):
        values = json.dumps(envs)
        client.execute(
            f"__import__('os').environ.update(__import__('json').loads({values!r}))", silent=True
        )
    wanted = client.execute(request["code"], allow_stdin=False)
    while True:
        message = await client.get_iopub_msg()
        if message["parent_header"].get("msg_id") != wanted:
            continue
        show(message)
        if (
            message["header"]["msg_type"] == "status"
            and message["content"]["execution_state"] == "idle"
        ):
            break
    tell("done")


async def main() -> None:
    """Start the kernel and serve until stdin ends."""
    from jupyter_client.manager import start_new_async_kernel

    manager, client = await start_new_async_kernel(kernel_name="python3")
    tell("ready")
    loop = asyncio.get_running_loop()
    running: asyncio.Task[None] | None = None
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            request = json.loads(line)
            if request.get("interrupt"):
                await manager.interrupt_kernel()
            else:
                if running is not None:
                    await running
                running = asyncio.create_task(run(client, request))
    finally:
        await manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    asyncio.run(main())

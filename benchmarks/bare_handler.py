"""The control of file transfers: ``/files`` with as little as the HTTP library allows.

python benchmarks/bare_handler.py FILE

It stores what it is sent in FILE, sends that back, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

FILE = Path(sys.argv[1])


async def write(request: web.Request) -> web.Response:
    """Store the file of a multipart body, or the body."""
    with FILE.open("wb") as target:  # noqa: ASYNC230  nothing else waits here
        if request.content_type == "multipart/form-data":
            part: Any = await (await request.multipart()).next()
            while data := await part.read_chunk(262_144):
                target.write(data)
        else:
            async for data in request.content.iter_any():
                target.write(data)
    return web.json_response([{"path": "/home/user/x", "name": "x", "type": "file"}])


async def read(_request: web.Request) -> web.StreamResponse:
    """Send the file."""
    return web.FileResponse(FILE)


async def serve() -> None:
    """Print the URL, and serve until nobody holds the other end of the standard input."""
    app = web.Application()
    app.add_routes([web.post("/files", write), web.get("/files", read)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())

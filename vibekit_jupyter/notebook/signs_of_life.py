"""Signs of life of work that shows nothing: a Hub ends a server whose kernels say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["signs_of_life"]

# Seconds between two of them. Hubs look each five minutes, and end what was idle for longer.
PERIOD = 60.0


@contextlib.asynccontextmanager
async def signs_of_life() -> AsyncIterator[None]:
    """Have the kernel say something now and then, that no frontend shows and no notebook keeps."""
    giving = asyncio.create_task(_give())
    try:
        yield
    finally:
        giving.cancel()


async def _give() -> None:
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return  # a terminal
    # It changes an output that is nowhere. A status would be wrong: the cell may have ended.
    nothing = {"data": {}, "metadata": {}, "transient": {"display_id": f"vibekit-{uuid.uuid4()}"}}
    while True:
        await asyncio.sleep(PERIOD)
        # Not by display(): %%capture would keep it.
        kernel.send_response(kernel.iopub_socket, "update_display_data", nothing)

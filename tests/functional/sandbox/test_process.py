"""A program that stays in a sandbox is somebody's, or it is ended."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.local_server import local_service
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.process import Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("times", [1, 2])
async def test_one_that_nobody_waits_for_any_more_is_ended(tmp_path: Path, times: int) -> None:
    word = uuid.uuid4().hex
    with local_service(tmp_path / "home") as service:
        sandbox = await Sandbox.create(service, timeout=300, metadata={}, internet=False)
        for number in range(20):
            starting = asyncio.ensure_future(
                Process.start(
                    sandbox,
                    f"exec -a {word} sleep 4711",
                    name=f"{word}-{number}",
                    envs={},
                    on_stdout=lambda _: None,
                    on_stderr=lambda _: None,
                )
            )
            await asyncio.wait([starting], timeout=number / 1000)
            if starting.done():
                await starting.result().kill()
                await starting.result().leave()
            for _ in range(times):
                starting.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([starting])
        async with asyncio.timeout(30):
            while (await sandbox.run(f"pgrep -f '[{word[0]}]{word[1:]}'")).stdout:
                pass

"""Creations in processes of their own beside lists, and what went wrong with them."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.surroundings import REPOSITORY
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Creations", "creations_beside_lists"]

USERS = ("ada", "bob")
PROCESSES = 2  # a user


@dataclass
class Creations:
    """What was made, by whom; how often everybody's sessions were listed meanwhile."""

    made: dict[str, str] = field(default_factory=dict)
    lists: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


async def creations_beside_lists(count: int) -> Creations:
    """Make so many sessions at the service that the environment names, then end them."""
    told = Creations()
    each = count // (len(USERS) * PROCESSES)
    lookers = {user: VibeKit({"type": "codex"}, user=user) for user in USERS}
    makers = [asyncio.create_task(_make(user, each, told)) for user in USERS * PROCESSES]
    while not all(maker.done() for maker in makers):
        for user, looker in lookers.items():
            confirmed = [one for one, owner in told.made.items() if owner == user]
            states = {one.id: one.state for one in await looker.list()}
            told.lists += 1
            _check(told, user, confirmed, states)
    await asyncio.gather(*makers)
    for user, looker in lookers.items():
        confirmed = [one for one, owner in told.made.items() if owner == user]
        listed = await looker.list()
        _check(told, user, confirmed, {one.id: one.state for one in listed})
        names = [one.name for one in listed]
        told.wrong += [f"{user}: twice {name}" for name in {*names} if names.count(name) > 1]
        strangers = {one.id for one in listed} - {*confirmed}
        told.wrong += [f"{user}: nobody made {one}" for one in strangers]
        for one in listed:
            await looker.kill(one.id)
        await looker.aclose()
    return told


def _check(told: Creations, user: str, confirmed: list[str], states: Mapping[str, str]) -> None:
    told.wrong += [
        f"{user}: {one} is {states.get(one)}" for one in confirmed if states.get(one) != "running"
    ]


async def _make(user: str, count: int, told: Creations) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.session_maker", user, str(count)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async for line in process.stdout:
        made, seconds = line.decode().split()
        told.made[made] = user
        told.slowest = max(told.slowest, float(seconds))
    complaints = (await process.stderr.read()).decode()
    if await process.wait() != 0:
        told.wrong.append(complaints)

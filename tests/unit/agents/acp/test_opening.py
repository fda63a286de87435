"""What an agent says of its modes is a stranger's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from vibekit_jupyter.agents.acp.launch import Launch
from vibekit_jupyter.agents.acp.opening import Opened

if TYPE_CHECKING:
    from vibekit_jupyter.agents.acp.connection import Connection

pytestmark = pytest.mark.anyio

ODD = [
    {"modes": 7, "configOptions": 7},
    {"modes": {"availableModes": [7, {"id": 7}, {"id": ["ask"]}]}},
    {"configOptions": [7, {}, {"id": ["mode"], "category": ["mode"], "options": 7}]},
    {"configOptions": [{"category": {}, "options": [7, {"value": ["x"]}, {"value": "ask"}]}]},
]


@pytest.mark.parametrize("state", ODD)
async def test_modes_that_are_none_are_as_if_there_were_none(state: dict[str, Any]) -> None:
    nothing_is_asked = cast("Connection", None)
    opened = Opened("s", "The agent", 0, "", state, nothing_is_asked, 1.0)
    told = await opened.settle(Launch(("agent",), modes=("ask",), asks=True, effort="low"))
    assert [notice.text.partition(" ")[0] for notice in told] == ["The", "The"]

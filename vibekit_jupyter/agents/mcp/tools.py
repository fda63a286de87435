"""The tools of all MCP servers of one run: listed once at its start, and called by our names."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.mcp.connection import Connection, McpFaultError, McpRefusalError
from vibekit_jupyter.agents.mcp.results import outcome_of
from vibekit_jupyter.agents.outcome import Outcome
from vibekit_jupyter.agents.tool_specs import MCP
from vibekit_jupyter.agents.vendor import ToolSpec
from vibekit_jupyter.agents.wire_text import json_object, well_formed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from vibekit_jupyter.agents.conversation import ToolCall
    from vibekit_jupyter.settings.mcp import McpServer

__all__ = ["McpTools", "opened"]

# The vendors' bound of a name.
LONGEST_NAME: Final = 64
MOST_TOOLS: Final = 64
MOST_DESCRIPTION: Final = 2_000  # characters
MOST_SCHEMA: Final = 16_000
MOST_SCHEMAS: Final = 128_000
DEEPEST: Final = 20
MOST_PICTURES: Final = 20
# What both vendors refuse at the top of a schema.
_UNFIT: Final = ("oneOf", "anyOf", "allOf", "enum", "not")


@dataclass(frozen=True)
class _Tool:
    connection: Connection
    name: str


class McpTools:
    """What the servers of a run offer.

    Parameters
    ----------
    redact
        Takes secrets out of what they say.

    Attributes
    ----------
    specs
        The tools as the model is told of them.
    notes
        What the person should know, in a sentence each.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self.specs: list[ToolSpec] = []
        self.notes: list[str] = []
        self._redact = redact
        self._tools: dict[str, _Tool] = {}
        self._size = 0
        self._pictures = 0

    def add(self, connection: Connection, listed: Sequence[Mapping[str, Any]]) -> None:
        """Offer a server's tools, as far as they can be."""
        name = connection.server.name
        left = sum(not self._add(connection, tool) for tool in listed)
        if left:
            self.notes.append(f"The MCP server {name} has {left} tools that cannot be offered.")

    def title(self, name: str) -> str:
        """Return what a person calls a tool: ``docs: search``; empty where it is none of these."""
        tool = self._tools.get(name)
        return f"{tool.connection.server.name}: {tool.name}" if tool else ""

    async def run(self, call: ToolCall) -> Outcome:
        """Call a tool. What goes wrong is told to the model in a sentence.

        Raises
        ------
        ValueError
            The arguments are no object.
        """
        tool = self._tools[call.name]
        server = tool.connection.server.name
        try:
            result = await tool.connection.call(tool.name, json_object(call.arguments))
        except McpFaultError as error:
            return Outcome(self._redact(f"Error: the MCP server {server} {error}."), ok=False)
        except McpRefusalError as error:
            said = well_formed(str(error))
            return Outcome(self._redact(f"Error: the MCP server {server} says: {said}"), ok=False)
        outcome = await outcome_of(result, self._redact, pictures=self._pictures < MOST_PICTURES)
        self._pictures += outcome.picture is not None
        return outcome

    def _add(self, connection: Connection, tool: Mapping[str, Any]) -> bool:
        name, schema = tool.get("name"), tool.get("inputSchema")
        if not isinstance(name, str) or not isinstance(schema, dict):
            return False
        ours = f"{MCP}{connection.server.name}__{re.sub(r'[^A-Za-z0-9_-]', '_', name)}"
        schema = {"properties": {}, **schema}
        size = _size(schema)
        fits = (
            len(ours) <= LONGEST_NAME
            and ours not in self._tools
            and len(self._tools) < MOST_TOOLS
            and schema.get("type") == "object"
            and not any(key in schema for key in _UNFIT)
            and size <= MOST_SCHEMA
            and self._size + size <= MOST_SCHEMAS
        )
        if fits:
            said = str(tool.get("description") or tool.get("title") or "")[:MOST_DESCRIPTION]
            told = self._redact(well_formed(f"Of the MCP server {connection.server.name}. {said}"))
            self.specs.append(ToolSpec(ours, told, schema))
            self._tools[ours] = _Tool(connection, name)
            self._size += size
        return fits


def _size(schema: dict[str, Any]) -> int:
    """Return how long a schema is, more than is taken where it is nested too deeply."""
    try:
        text = json.dumps(schema)
    except (RecursionError, ValueError):
        return MOST_SCHEMA + 1
    deepest = depth = 0
    for char in text[: MOST_SCHEMA + 1]:
        depth += (char in "{[") - (char in "}]")
        deepest = max(deepest, depth)
    return len(text) if deepest <= DEEPEST else MOST_SCHEMA + 1


@contextlib.asynccontextmanager
async def opened(
    servers: Sequence[McpServer], redact: Callable[[str], str]
) -> AsyncIterator[McpTools]:
    """Ask all servers for their tools at the same time; those that fail are said in ``notes``."""
    tools = McpTools(redact)
    connections = [Connection(server) for server in servers]
    try:
        for connection, listed in zip(
            connections, await asyncio.gather(*map(_listed, connections)), strict=True
        ):
            if isinstance(listed, str):
                tools.notes.append(
                    redact(
                        f"The MCP server {connection.server.name} {listed}: "
                        "the run goes on without its tools."
                    )
                )
            else:
                tools.add(connection, listed)
        yield tools
    finally:
        await asyncio.gather(*(connection.aclose() for connection in connections))


async def _listed(connection: Connection) -> Sequence[Mapping[str, Any]] | str:
    """Return a server's tools, or why there are none, as the end of a sentence."""
    try:
        await connection.open()
        return await connection.tools(MOST_TOOLS)
    except McpFaultError as error:
        return str(error)
    except McpRefusalError as error:
        return f"refused: {' '.join(well_formed(str(error)).split())}"

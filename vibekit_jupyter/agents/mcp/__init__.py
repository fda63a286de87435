"""Tools of MCP servers, for the kernel's own agents: the kernel asks the servers, over HTTP.

``connection`` speaks the protocol to one server, ``results`` makes of an answer what the model is
told, and ``tools`` are those of all servers of one run. A server is a stranger: what it says is
bounded and data, and where it fails a sentence says so and the run goes on.
"""

from __future__ import annotations

__all__: list[str] = []

"""The model relay: agents that run in a sandbox ask their model through the kernel.

In the sandbox there is a URL and a token for one turn; the key stays in the kernel, which bounds
what is asked, and sees what came of it.
"""

from __future__ import annotations

from vibekit_jupyter.agents.relay.relay import Relay

__all__ = ["Relay"]

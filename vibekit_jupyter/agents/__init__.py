"""From a prompt to events: the loop, its tools, and the connections to the model services.

``openai`` is imported in ``codex`` alone, ``anthropic`` in ``claude``. It may import ``sandbox``
and what is below it, and knows neither sessions nor runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.agents.compaction import compact
from vibekit_jupyter.agents.conversation import Conversation
from vibekit_jupyter.agents.loop import Limits, run_agent
from vibekit_jupyter.sandbox.installed import installed_first

if TYPE_CHECKING:
    from vibekit_jupyter.agents.vendor import Vendor
    from vibekit_jupyter.settings.config import Model

__all__ = ["Conversation", "Limits", "compact", "load", "run_agent"]


def load(model: Model) -> Vendor:
    """Import the SDK that a model's agent speaks with, and make its connection.

    No request is sent, but the import takes a second or two: call it in a thread.
    """
    with installed_first():
        # The sandbox's SDK may be importing httpx just now, and the model SDKs look at what there
        # is of it in sys.modules: importing it here waits until it is whole.
        import httpx  # noqa: F401

        if model.agent == "codex":
            from vibekit_jupyter.agents.codex import Codex

            return Codex(model)
        from vibekit_jupyter.agents.claude import Claude

        return Claude(model)

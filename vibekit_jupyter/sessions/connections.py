"""What a client is connected to: one sandbox service, its sandboxes, and model services."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vibekit_jupyter import agents
from vibekit_jupyter.sandbox import sdk
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.services import local_sandbox
from vibekit_jupyter.services.demo_model import DemoModel
from vibekit_jupyter.settings.choices import choose_e2b, choose_model, vendor_of

if TYPE_CHECKING:
    from vibekit_jupyter.agents.vendor import Vendor
    from vibekit_jupyter.settings.config import Model, Service, Settings

__all__ = ["Connections"]


class Connections:
    """Connections that are made when they are first needed, and kept."""

    def __init__(self) -> None:
        self._demo = DemoModel()
        self._local: Service | None = None
        self._loaded = False
        self._starting = asyncio.Lock()
        self._sandboxes: dict[str, Sandbox] = {}
        self._vendors: dict[Model, Vendor] = {}

    async def service(self, settings: Settings) -> Service:
        """Return the sandbox service to use; the local one is started on first use."""
        if not self._loaded:
            # An interrupt is heard meanwhile.
            await asyncio.to_thread(sdk.load)
            self._loaded = True
        # In a thread, for it may have to run a program for the key.
        if (service := await asyncio.to_thread(choose_e2b, settings)) is not None:
            return service
        async with self._starting:
            if self._local is None or not local_sandbox.is_current(self._local):
                self._local = await asyncio.to_thread(local_sandbox.find_or_start)
            return self._local

    async def sandbox(self, service: Service, session_id: str, *, timeout: float) -> Sandbox:
        """Return a connected sandbox, resumed if its time has run out since."""
        sandbox = self._sandboxes.get(session_id)
        if sandbox is None or sandbox.service != service or sandbox.is_out_of_time:
            sandbox = await Sandbox.connect(service, session_id, timeout=timeout)
            self._sandboxes[session_id] = sandbox
        return sandbox

    def keep(self, sandbox: Sandbox) -> None:
        """Keep a sandbox that was connected elsewhere, such as a new one."""
        self._sandboxes[sandbox.id] = sandbox

    def drop(self, session_id: str | None) -> None:
        """Connect this session's sandbox anew when it is next used."""
        if session_id is not None:
            self._sandboxes.pop(session_id, None)

    async def model(self, settings: Settings, agent: str) -> Model:
        """Return the model that an agent asks, with its key."""
        model = await asyncio.to_thread(choose_model, settings, agent)
        if model is None:
            model = await asyncio.to_thread(self._demo.model, vendor_of(settings, agent))
        return model

    async def vendor(self, settings: Settings, agent: str) -> Vendor:
        """Return the model service of an agent, its SDK imported in a thread."""
        model = await self.model(settings, agent)
        if model not in self._vendors:
            self._vendors[model] = await asyncio.to_thread(agents.load, model)
        return self._vendors[model]

    async def aclose(self) -> None:
        """Close the connections, and end the demo model."""
        vendors, self._vendors = self._vendors, {}
        self._sandboxes.clear()
        for vendor in vendors.values():
            await vendor.aclose()
        await asyncio.to_thread(self._demo.close)

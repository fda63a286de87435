"""The HTTP application: who may ask, what is asked of which sandbox, errors always in JSON."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vibekit_jupyter.local_sandbox import files
from vibekit_jupyter.local_sandbox.connect import LARGEST_MESSAGE
from vibekit_jupyter.local_sandbox.control import Control
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.filesystem import FilesystemService
from vibekit_jupyter.local_sandbox.interpreter import INTERPRETER_PORT, Interpreter
from vibekit_jupyter.local_sandbox.ports import preview_target, serve_preview
from vibekit_jupyter.local_sandbox.process import ProcessService
from vibekit_jupyter.local_sandbox.rpc import answer
from vibekit_jupyter.local_sandbox.shapes import same_secret
from vibekit_jupyter.local_sandbox.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vibekit_jupyter.local_sandbox.sandbox import Sandbox
    from vibekit_jupyter.local_sandbox.sandboxes import Sandboxes

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    SandboxHandler = Callable[[web.Request, Sandbox], Awaitable[web.StreamResponse]]

__all__ = ["Application"]

ENVD_PORT = "49983"
LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}
log = logging.getLogger("vibekit.local_sandbox")


class Application:
    """Routes every request of the server.

    Parameters
    ----------
    sandboxes
        What it serves.
    key
        What REST requests must carry in ``X-API-KEY``.
    host
        The address it listens on; requests must name it, or this machine.
    port
        The port it listens on.
    status
        Returns what ``GET /vibekit/server`` adds.
    stop
        Called for ``POST /vibekit/server/stop``.
    """

    def __init__(
        self,
        sandboxes: Sandboxes,
        *,
        key: str,
        host: str,
        port: int,
        status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
    ) -> None:
        self.sandboxes = sandboxes
        self.last_request = time.monotonic()
        self.under_way = 0
        self.visitors = Visitors()
        self._key = key
        self._names = LOCAL_NAMES | {host}
        self._status = status
        self._stop = stop
        self._processes = ProcessService()
        self._filesystem = FilesystemService()
        self._interpreter = Interpreter()
        self.served = web.Application(middlewares=[self._answer], client_max_size=LARGEST_MESSAGE)
        self.served.add_routes(self._routes(Control(sandboxes, f"localhost:{port}")))

    @property
    def busy(self) -> bool:
        """Whether a command runs, or another request is under way."""
        return self.under_way > 1 or any(s.busy for s in self.sandboxes.all.values())

    def close(self) -> None:
        """Drop what waits in the background."""
        self._processes.close()

    def _routes(self, control: Control) -> list[web.RouteDef]:
        # A client that leaves must not leave a sandbox half made, half paused or half killed.
        routes = [
            web.route(route.method, route.path, _to_its_end(route.handler))
            for route in control.routes()
        ]
        routes += [
            web.get("/health", self._health),
            web.get("/files", self._files(files.download)),
            web.post("/files", self._files(files.upload)),
            web.get("/vibekit/server", self._server),
            web.post("/vibekit/server/stop", self._server_stop),
        ]
        interpreter = self._interpreter
        for route, interpret in {
            "POST /execute": interpreter.execute,
            "GET /contexts": interpreter.contexts,
            "POST /contexts": interpreter.create,
            "DELETE /contexts/{context}": interpreter.remove,
            "POST /contexts/{context}/restart": interpreter.restart,
        }.items():
            method, _space, path = route.partition(" ")
            served = self._with_sandbox(interpret, INTERPRETER_PORT)
            routes.append(web.route(method, path, served))
        services = {
            "process.Process": self._processes.methods(),
            "filesystem.Filesystem": self._filesystem.methods(),
        }
        for service, methods in services.items():
            for method, handler in methods.items():
                routes.append(web.post(f"/{service}/{method}", self._with_sandbox(handler)))
        return routes

    # -- who may ask ----------------------------------------------------------------------------

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.under_way += 1
        self.last_request = time.monotonic()
        try:
            with self.visitors.served(request):
                return await self._served(request, handler)
        finally:
            self.under_way -= 1
            self.last_request = time.monotonic()

    async def _served(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if target := preview_target(request.headers.get("Host", "")):
                return await serve_preview(request, self.sandboxes, *target)
            self._must_be_ours(request)
            return await handler(request)
        except ProtocolError as error:
            return self._failure(request, error)
        except web.HTTPException as error:
            code = {404: "not_found", 405: "unimplemented", 413: "invalid_argument"}
            reason = f"{request.method} {request.path}: {error.reason}"
            return self._failure(
                request, ProtocolError(code.get(error.status, "internal"), reason), error.status
            )
        except ConnectionError:
            # The client left, or what it hears cannot be gone on with: nobody hears of an error.
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        except Exception as error:
            log.exception("request failed: %s %s", request.method, request.path)
            return self._failure(
                request, ProtocolError("internal", f"The server failed: {type(error).__name__}.")
            )

    def _must_be_ours(self, request: web.Request) -> None:
        """Refuse other hosts (DNS rebinding) and, on the REST side, other keys."""
        if _host_name(request.headers.get("Host", "")) not in self._names:
            raise ProtocolError("forbidden", "This server does not answer for that host.")
        top = request.path.split("/")[1]
        ours = top in {"sandboxes", "v2", "snapshots", "templates", "vibekit"}
        if ours and not same_secret(request.headers.get("X-API-Key"), self._key):
            raise ProtocolError("unauthenticated", "The API key is missing or wrong.")

    @staticmethod
    def _failure(
        request: web.Request, error: ProtocolError, status: int | None = None
    ) -> web.Response:
        rpc = request.path.startswith(("/process.Process/", "/filesystem.Filesystem/"))
        code: str | int = error.connect_code if rpc else (status or error.status)
        return answer({"code": code, "message": error.message}, status or error.status)

    def _with_sandbox(self, handler: SandboxHandler, own_port: str = ENVD_PORT) -> Handler:
        """Find the sandbox that a request of a service on ``own_port`` names, check its token."""

        async def found(request: web.Request) -> web.StreamResponse:
            sandbox_id = request.headers.get("E2b-Sandbox-Id", "")
            port = request.headers.get("E2b-Sandbox-Port", ENVD_PORT)
            if port != own_port:
                raise ProtocolError("unavailable", f"The sandbox's port is not open: {port}")
            if known := self.sandboxes.all.get(sandbox_id.partition("-")[0]):
                _must_know(request, known, traffic=own_port != ENVD_PORT)
            return await handler(request, await self.sandboxes.awake(sandbox_id))

        return found

    async def _health(self, request: web.Request) -> web.StreamResponse:
        """Answer for the sandbox that is named, or for the server itself."""
        if "E2b-Sandbox-Id" not in request.headers:
            return web.Response(status=204)
        return await self._with_sandbox(_health)(request)

    def _files(self, handler: SandboxHandler) -> Handler:
        by_token = self._with_sandbox(handler)

        async def found(request: web.Request) -> web.StreamResponse:
            if "signature" not in request.query:
                return await by_token(request)
            sandbox = files.find_signed(request, self.sandboxes.all.values())
            return await handler(request, await self.sandboxes.awake(sandbox.id))

        return found

    # -- the server itself ------------------------------------------------------------------------

    async def _server(self, _request: web.Request) -> web.StreamResponse:
        states = [sandbox.record.state for sandbox in self.sandboxes.all.values()]
        return answer(
            {
                **self._status(),
                "level": self.sandboxes.confinement.level,
                "reason": self.sandboxes.confinement.reason,
                "limits": "control group" if self.sandboxes.confinement.groups else "measured",
                "sandboxes": {
                    "running": states.count("running"),
                    "paused": states.count("paused"),
                },
                "busy": self.busy,
                "disk": {
                    "used": self.sandboxes.used_bytes,
                    "limit": self.sandboxes.disk_bytes,
                },
            }
        )

    async def _server_stop(self, request: web.Request) -> web.StreamResponse:
        if self.busy and request.query.get("force") != "1":
            raise ProtocolError(
                "conflict",
                "The server is busy: a command runs in a sandbox. Use force=1 to stop it.",
            )
        self._stop()
        return answer({"stopping": True})


def _to_its_end(handler: Any) -> Handler:
    async def shielded(request: web.Request) -> web.StreamResponse:
        return await asyncio.shield(asyncio.ensure_future(handler(request)))

    return shielded


def _must_know(request: web.Request, sandbox: Sandbox, *, traffic: bool) -> None:
    """Refuse whoever does not know the sandbox's token, or its token for ``traffic``."""
    pairs = [(request.headers.get("X-Access-Token"), sandbox.record.token)]
    if traffic:
        given = request.headers.get("E2b-Traffic-Access-Token")
        pairs.append((given, sandbox.record.traffic_token))
    if not any(same_secret(given, own) for given, own in pairs):
        raise ProtocolError("unauthenticated", "The access token is missing or wrong.")


async def _health(_request: web.Request, _sandbox: Sandbox) -> web.StreamResponse:
    return web.Response(status=204)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
